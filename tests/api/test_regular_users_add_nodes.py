"""Regular users add servers as nodes where the administrator lets them, and nobody looks around with it.

The operator of such a node sees and runs it alone; not even an administrator is shown it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.plane import Plane
from database.kinds import url_fixture
from servers.process import free_port
from servers.s3_server import S3Server


def built(url: str, base: Path, **settings: Any) -> Plane:
    plane = Plane(url, base, **settings)
    plane.clock.now = datetime.now(UTC).replace(microsecond=0)
    return plane


def peopled(plane: Plane) -> None:
    plane.start()
    plane.user("root", administrator=True)
    for username in ("ada", "bob"):
        plane.user(username)


url = url_fixture("sqlite")


@pytest.fixture
def strict(url: str, tmp_path: Path) -> Iterator[Plane]:
    """Nothing is listed in WIO_NODE_ADDRESSES."""
    plane = built(url, tmp_path)
    with plane.running():
        peopled(plane)
        yield plane


@pytest.fixture
def plane(url: str, tmp_path: Path, minio_server: S3Server) -> Iterator[Plane]:
    """The server's address is listed, with its port; bob may add nodes."""
    plane = built(url, tmp_path, node_addresses=(minio_server.endpoint.removeprefix("http://"),))
    with plane.running():
        peopled(plane)
        plane.do("root", "PATCH", "/service", {"add_nodes": ["bob"]})
        yield plane
        for who, name in (("bob", "bobs"), ("root", "theirs")):
            if plane.call(who, "GET", f"/nodes/{name}").status_code == 200:
                plane.do(who, "DELETE", f"/nodes/{name}", force=True)


@pytest.fixture
def bucket(minio_server: S3Server) -> Iterator[str]:
    s3 = minio_server.boto3_client()
    s3.create_bucket(Bucket="regular")
    s3.put_object(Bucket="regular", Key="plates/x", Body=b"12345")
    yield "regular"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="regular"):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket="regular", Key=found["Key"])
    s3.delete_bucket(Bucket="regular")


def request(endpoint: str, name: str = "bobs", **changes: Any) -> dict[str, Any]:
    keys = {"access_key": "the-key", "secret_key": "the-secret-of-it"}
    return {"kind": "minio", "name": name, "endpoint": endpoint, **keys, **changes}


def real(server: S3Server, name: str = "bobs", **changes: Any) -> dict[str, Any]:
    return request(server.endpoint, name, access_key=server.access_key, secret_key=server.secret_key, **changes)


def test_who_may_is_the_administrators_to_say(strict: Plane) -> None:
    wanted = request("https://nowhere.invalid")

    def said(who: str) -> int:
        status: int = strict.call(who, "POST", "/nodes", wanted).status_code
        return status

    settings = {"registration": "open", "add_nodes": "nobody", "node_adders": []}
    assert strict.do("root", "GET", "/service/settings") == settings
    assert (said("ada"), said("bob"), said("root")) == (403, 403, 422)
    strict.do("root", "PATCH", "/service", {"add_nodes": ["bob"]})
    assert (said("ada"), said("bob")) == (403, 422)
    settings |= {"add_nodes": "users", "node_adders": ["bob"]}
    assert strict.do("root", "GET", "/service/settings") == settings
    strict.do("root", "PATCH", "/service", {"registration": "closed"})
    assert strict.do("root", "GET", "/service/settings") == settings | {"registration": "closed"}
    strict.do("root", "PATCH", "/service", {"add_nodes": "everyone"})
    assert (said("ada"), said("bob")) == (422, 422)
    for nobody in ["nobody", list[str]()]:
        strict.do("root", "PATCH", "/service", {"add_nodes": nobody})
        assert (said("ada"), said("bob")) == (403, 403)
        assert strict.do("root", "GET", "/service/settings")["add_nodes"] == "nobody"
    assert strict.verbs().count("service.set_node_adders") == 4
    strict.refused(404, "no_such_user", "root", "PATCH", "/service", {"add_nodes": ["bob", "nemo"]})
    strict.refused(422, "invalid_request", "root", "PATCH", "/service", {})
    strict.refused(403, None, "bob", "PATCH", "/service", {"add_nodes": "everyone"})
    strict.refused(403, None, "bob", "GET", "/service/settings")
    assert "node_adders" not in strict.call(None, "GET", "/service").text


def test_folders_of_the_machine_stay_the_administrators(strict: Plane) -> None:
    strict.do("root", "PATCH", "/service", {"add_nodes": "everyone"})
    for path in (str(strict.folder), "/", "/etc", str(strict.state)):
        error = strict.refused(
            403, "refused", "bob", "POST", "/nodes", {"kind": "folder", "name": "f", "path": path}
        )
        assert "administrator" in error["message"]


def test_all_that_may_not_or_can_not_be_reached_is_answered_alike(strict: Plane, minio_server: S3Server) -> None:
    """Nothing listed: a regular user's nodes lie at public addresses, and nobody learns what lies elsewhere."""
    strict.do("root", "PATCH", "/service", {"add_nodes": "everyone"})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        open_port = listening.getsockname()[1]
        answers = [
            strict.call("bob", "POST", "/nodes", request(endpoint))
            for endpoint in (
                minio_server.endpoint,
                f"http://127.0.0.1:{open_port}",
                f"http://127.0.0.1:{free_port()}",
                f"http://localhost:{open_port}",
                f"http://[::1]:{open_port}",
                f"http://[::ffff:127.0.0.1]:{open_port}",
                f"http://2130706433:{open_port}",
                "http://169.254.169.254",
                "http://[fd00:ec2::254]",
                "http://10.255.255.1:9000",
                "http://nowhere.invalid",
            )
        ]
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()
    assert {one.status_code for one in answers} == {422}
    assert len({one.text for one in answers}) == 1, {one.text for one in answers}
    assert answers[0].json()["error"]["code"] == "server_unfit"
    for endpoint in ("http://user@1.1.1.1", "file:///etc/passwd", "http://1.1.1.1/x"):
        strict.refused(422, "invalid_address", "bob", "POST", "/nodes", request(endpoint))
    # The administrator's own nodes may be in the service's network, and what is wrong is said.
    error = strict.refused(422, "server_unfit", "root", "POST", "/nodes", request(minio_server.endpoint))
    assert "doesn't know the node's access key" in error["message"]
    strict.refused(422, "address_not_allowed", "root", "POST", "/nodes", request("http://169.254.169.254"))


def test_what_may_be_reached_is_asked_at_each_connection_not_when_a_node_is_added(
    strict: Plane, minio_server: S3Server
) -> None:
    """Who is no administrator any more has a node in the service's network no longer, nor by changing its keys."""
    strict.user("eve", administrator=True)
    made = strict.do("eve", "POST", "/nodes", real(minio_server, "eves"))
    assert made["state"] == "up"
    strict.do("root", "PATCH", "/users/eve", {"administrator": False})
    shown = strict.do("eve", "GET", "/nodes/eves")
    assert (shown["state"], "may not connect" in shown["reason"]) == ("down", True)
    keys = {"access_key": minio_server.access_key, "secret_key": minio_server.secret_key}
    strict.refused(422, "server_unfit", "eve", "PATCH", "/nodes/eves", keys)
    strict.do("root", "PATCH", "/users/eve", {"administrator": True})
    assert strict.do("eve", "GET", "/nodes/eves")["state"] == "up"
    strict.do("eve", "DELETE", "/nodes/eves", force=True)


def test_looking_around_is_limited_in_rate(strict: Plane) -> None:
    strict.do("root", "PATCH", "/service", {"add_nodes": "everyone"})
    wanted = request(f"http://127.0.0.1:{free_port()}")
    for _ in range(20):
        strict.refused(422, "server_unfit", "bob", "POST", "/nodes", wanted)
    error = strict.refused(429, "too_many_attempts", "bob", "POST", "/nodes", wanted)
    assert error["details"]["retry_after_seconds"] <= 15 * 60
    strict.refused(422, "server_unfit", "ada", "POST", "/nodes", wanted)
    for _ in range(21):
        strict.refused(422, "server_unfit", "root", "POST", "/nodes", wanted)
    strict.clock.advance(minutes=16)
    strict.refused(422, "server_unfit", "bob", "POST", "/nodes", wanted)


def test_at_a_listed_address_what_is_wrong_with_the_server_is_said(plane: Plane, minio_server: S3Server) -> None:
    error = plane.refused(422, "server_unfit", "bob", "POST", "/nodes", request(minio_server.endpoint))
    assert "doesn't know the node's access key" in error["message"]
    other = request(f"http://127.0.0.1:{free_port()}")
    assert "may not connect" in plane.refused(422, "server_unfit", "bob", "POST", "/nodes", other)["message"]


def test_whoever_adds_a_node_operates_it_and_nobody_else(
    plane: Plane, minio_server: S3Server, bucket: str
) -> None:
    made = plane.do("bob", "POST", "/nodes", real(minio_server))
    assert (made["state"], made["problems"]) == ("up", [])
    assert [one["name"] for one in plane.do("bob", "GET", "/nodes")] == ["bobs"]
    assert [one["name"] for one in plane.do("root", "GET", "/nodes")] == ["local"]
    assert plane.do("ada", "GET", "/nodes") == []
    # Neither sees the other's, an administrator no more than anybody.
    for who, hidden in (("root", "bobs"), ("ada", "bobs"), ("bob", "local"), ("ada", "local")):
        for method, path, body in (
            ("GET", "/nodes/{}", None),
            ("PATCH", "/nodes/{}", {"public_endpoint": "https://evil.example.org"}),
            ("PATCH", "/nodes/{}", {"access_key": "k", "secret_key": "s"}),
            ("DELETE", "/nodes/{}?force=true", None),
            ("POST", "/roots", {"node": "{}", "bucket": bucket, "type": "private", "name": "taken"}),
        ):
            answers = []
            for name in (hidden, "missing"):
                sent = json.loads(json.dumps(body).replace("{}", name)) if body else None
                answers.append(plane.call(who, method, path.format(name), sent))
            assert [one.status_code for one in answers] == [404, 404], (who, method)
            assert answers[0].text == answers[1].text, (who, method)
    # Nothing that anybody can ask for holds the secret.
    for who in ("bob", "root", "ada"):
        for path in ("/nodes", "/nodes/bobs", "/roots", "/audit", "/service/settings", "/workspaces"):
            assert minio_server.secret_key not in plane.call(who, "GET", path).text
    # The operator's doings: roots, import, who creates, public address, keys.
    root = {"node": "bobs", "bucket": bucket, "type": "unmanaged-private", "name": "bobs-data"}
    plane.do("bob", "POST", "/roots", root)
    plane.do("bob", "POST", "/roots", {**root, "prefix": "homes", "type": "private", "name": "bobs-homes"})
    plane.do("bob", "PATCH", "/roots/bobs-homes", {"create": ["ada"]})
    assert plane.call("bob", "POST", "/roots/bobs-data/import", {"folders": ["plates"]}).status_code == 200
    assert plane.do("bob", "GET", "/workspaces")[0]["node"] == "bobs"
    plane.refused(404, None, "root", "GET", "/roots/bobs-data")
    assert {one["name"] for one in plane.do("root", "GET", "/roots")} == {"existing", "private", "public"}
    assert plane.do("root", "GET", "/workspaces") == []
    plane.do("bob", "PATCH", "/nodes/bobs", {"public_endpoint": "https://s3.bob.example.org"})
    plane.do("bob", "PATCH", "/nodes/bobs", {"secret_key": minio_server.secret_key})
    plane.workspace("ada", "results", root="bobs-homes")
    plane.refused(404, None, "root", "POST", "/workspaces", {"name": "x", "root": "bobs-homes"})
    # Not to be added to any more, the node stays its operator's.
    plane.do("root", "PATCH", "/service", {"add_nodes": "nobody"})
    plane.refused(403, None, "bob", "POST", "/nodes", real(minio_server, "another"))
    assert plane.do("bob", "GET", "/nodes/bobs")["state"] == "up"


def test_names_of_nodes_are_taken_once(plane: Plane, minio_server: S3Server) -> None:
    """Whoever may add nodes can so learn that a name is taken, as with usernames; nobody else can."""
    plane.refused(409, "taken", "bob", "POST", "/nodes", real(minio_server, "local"))
    for name in ("local", "free"):
        plane.refused(403, "refused", "ada", "POST", "/nodes", real(minio_server, name))


def test_nobodys_data_goes_to_anothers_node_unasked(plane: Plane, minio_server: S3Server, bucket: str) -> None:
    """A root of a regular user is never what `wio create` takes by itself, whatever its name."""
    plane.do("root", "DELETE", "/roots/private")
    plane.do("bob", "POST", "/nodes", real(minio_server))
    plane.do("bob", "POST", "/roots", {"node": "bobs", "bucket": bucket, "type": "private", "name": "private"})
    plane.refused(404, "no_root", "ada", "POST", "/workspaces", {"name": "mine"})
    assert plane.workspace("ada", "mine", root="private")["node"] == "bobs"
    assert plane.workspace("bob", "own")["node"] == "bobs"


def test_answers_on_groups_name_no_node_of_which_the_group_knows_nothing(
    plane: Plane, minio_server: S3Server, bucket: str
) -> None:
    """bob's server is told that he joined; whoever took him in doesn't learn that he has keys there."""
    plane.do("bob", "POST", "/nodes", real(minio_server))
    root = {"node": "bobs", "bucket": bucket, "type": "private", "name": "bobs-homes"}
    plane.do("bob", "POST", "/roots", root | {"prefix": "homes"})
    plane.do("bob", "PATCH", "/roots/bobs-homes", {"create": "nobody"})
    secret = plane.workspace("bob", "secret", root="bobs-homes")["id"]
    plane.do("bob", "POST", "/credentials", {"node": "bobs"})
    plane.do("ada", "POST", "/groups", {"name": "lab"})
    for method, path, body in (
        ("POST", "/groups/lab/members", {"username": "bob"}),
        ("DELETE", "/groups/lab/members/bob", None),
        ("POST", "/groups/lab/members", {"username": "bob"}),
    ):
        assert plane.do("ada", method, path, body)["enforced"] == []
    # Once something there is shared with the group, its members know of the node.
    plane.share("bob", secret, "@lab")
    (told,) = plane.do("ada", "DELETE", "/groups/lab/members/bob")["enforced"]
    assert (told["node"], told["state"]) == ("bobs", "enforced")
    assert [one["node"] for one in plane.do("ada", "DELETE", "/groups/lab")["enforced"]] == ["bobs"]


def test_the_public_address_is_told_and_never_called(plane: Plane, minio_server: S3Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = plane.do("bob", "POST", "/nodes", real(minio_server, public_endpoint=told))
        assert (made["public_endpoint"], made["state"]) == (told, "up")
        plane.do("bob", "PATCH", "/nodes/bobs", {"public_endpoint": told})
        plane.do("bob", "GET", "/nodes/bobs")
        plane.do("bob", "POST", "/credentials", {"node": "bobs"})
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()
    for typed in ("file:///x", "http://a@b", "http://a/b", "javascript:alert(1)"):
        plane.refused(422, "invalid_address", "bob", "PATCH", "/nodes/bobs", {"public_endpoint": typed})
