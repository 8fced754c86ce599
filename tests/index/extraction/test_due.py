"""What the extraction asks of the catalogue, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workspacesio.database.sessions import sqlite_url
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.extraction.protocol import Enrichment
from workspacesio.index.found import Found
from workspacesio.index.recording import Recorder


@pytest.fixture(params=["sqlite", "postgresql"])
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorder]:
    server = None
    url = sqlite_url(tmp_path / "catalogue.sqlite")
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        url = server.create_database()
    catalogue = Catalogue(url)
    catalogue.store.make(1, 0)
    made = Recorder(catalogue, [], fence=0)
    yield made
    made.close()
    catalogue.close()
    if server is not None:
        server.drop_database(url)


def test_pages_of_what_is_due_and_of_what_was_read(recorder: Recorder) -> None:
    catalogue = recorder.catalogue
    paths = [f"{folder}/{number}" for folder in "abc" for number in range(5)]
    recorder.put_many(1, [(path, Found(path[2:], 10, 1, "e")) for path in paths])
    recorder.put_many(2, [("x", Found("x", 10, 1, "e"))])
    recorder.commit()
    assert catalogue.read_before(1, after=None, limit=100) == []

    seen, after = [], None
    while page := catalogue.due(1, current=["new"], after=after, limit=4):
        seen += page
        after = page[-1].folder_id, page[-1].name
    assert sorted(due.path for due in seen) == sorted(paths)
    assert catalogue.due_counts([1, 2], ["new"]) == (16, 160)

    number = catalogue.change_number()
    read = [
        (due, Enrichment(due.entry_id, due.size, due.modified_us, due.etag, "new" if due.name > "1" else "old"))
        for due in seen
    ]
    read[0] = read[0][0]._replace(size=11), read[0][1]  # has changed since
    assert recorder.enrich(read) == len(read) - 1
    recorder.commit()
    assert catalogue.changed_workspaces(number) == [1]
    assert catalogue.due_now(1, seen[2].place, current=["new"]) is None
    assert catalogue.due_now(1, seen[2].place, current=["newer"]) == seen[2]
    assert catalogue.due_now(1, seen[0].place, current=["new"]) == seen[0]._replace(size=10)
    assert catalogue.due_now(2, seen[0].place, current=["new"]) is None
    assert catalogue.due_now(1, (seen[0].folder_id, "absent"), current=["new"]) is None
    due = catalogue.due(1, current=["new"], after=None, limit=100)
    assert {one.name for one in due} == {"0", "1"}
    assert len(due) == 6
    assert len(catalogue.read_before(1, after=None, limit=100)) == 0  # stamps alone are no contents

    [(one, _), *_] = read[1:]
    recorder.enrich([(one, Enrichment(one.entry_id, one.size, one.modified_us, one.etag, "new", text="words"))])
    recorder.commit()
    before = catalogue.read_before(1, after=None, limit=3)
    last = before[-1].folder_id, before[-1].name
    before += catalogue.read_before(1, after=last, limit=100)
    assert len({found.path for found in before}) == len(before) == 14
    assert catalogue.changed_workspaces(catalogue.change_number()) == []
