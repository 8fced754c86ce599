"""What reading the content of a server that charges would take is told before it is allowed."""

from __future__ import annotations

from typing import Any

from api.plane import Plane
from workspacesio.database.tables import Node
from workspacesio.domain.vocabulary import NodeKind


def become_aws(plane: Plane) -> None:
    with plane.database.write() as session:
        session.get_one(Node, 1).kind = NodeKind.AWS


def set_indexing(plane: Plane, **indexing: Any) -> Any:
    return plane.call("root", "PATCH", "/roots/existing", {"indexing": indexing})


def test_content_of_aws_is_not_read_before_its_size_was_told_and_allowed(plane: Plane) -> None:
    plane.write_file("plates/a.csv", b"x" * 1500)
    plane.write_file("plates/b.csv", b"x" * 500)
    plane.call("root", "POST", "/roots/existing/import", {"folders": ["plates"], "owner": "ada"})
    plane.crawl()
    become_aws(plane)
    refused = set_indexing(plane, level="content")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "content_costs"
    assert refused.json()["error"]["message"] == (
        "AWS charges for what is read: the content of existing is 2 objects of 2,000 bytes; "
        "say with --allow-bytes how much of that may be read."
    )
    assert refused.json()["error"]["details"] == {"objects": 2, "bytes": 2000}
    assert plane.do("root", "GET", "/roots/existing")["indexing"]["level"] == "names"

    answer = set_indexing(plane, level="content", content_allowed_bytes=2000)
    allowed = answer.json()["indexing"]
    assert (allowed["level"], allowed["content_allowed_bytes"], allowed["content_read_bytes"]) == (
        "content",
        2000,
        0,
    )


def test_before_the_first_crawl_nobody_knows_how_much_it_is(plane: Plane) -> None:
    become_aws(plane)
    refused = set_indexing(plane, level="content")
    assert refused.status_code == 409
    assert "isn't known before it was crawled" in refused.json()["error"]["message"]


def test_other_conflicts_and_other_nodes_are_as_they_were(plane: Plane) -> None:
    assert set_indexing(plane, level="content").status_code == 200
