"""Nodes on MinIO servers through the API: what is asked of a server before it is added, and what answers hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import pytest

from api.plane import Plane
from servers.clients import boto3_client
from servers.s3_server import S3Server


@pytest.fixture
def plane(bare_plane: Plane) -> Plane:
    """As everywhere, but at the time of the server's clock."""
    bare_plane.clock.now = datetime.now(UTC).replace(microsecond=0)
    bare_plane.start()
    bare_plane.user("root", administrator=True)
    for username in ("ada", "bob"):
        bare_plane.user(username)
    return bare_plane


@pytest.fixture
def server(minio_server: S3Server) -> Iterator[S3Server]:
    """MinIO with the buckets `lab` and `homes`; they are empty again afterwards."""
    s3 = minio_server.boto3_client()
    for bucket in ("lab", "homes"):
        s3.create_bucket(Bucket=bucket)
    for key in ("scans/a.txt", "scans/deep/b.txt", "other/c.txt", "odd*/d.txt", "loose.txt"):
        s3.put_object(Bucket="lab", Key=key, Body=b"12345")
    yield minio_server
    for bucket in ("lab", "homes"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", ()):
                s3.delete_object(Bucket=bucket, Key=found["Key"])
        s3.delete_bucket(Bucket=bucket)


def request(server: S3Server, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "minio",
        "name": "minio",
        "endpoint": server.endpoint,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        **changes,
    }


@pytest.fixture
def node(plane: Plane, server: S3Server) -> Iterator[dict[str, Any]]:
    made = plane.do("root", "POST", "/nodes", request(server))
    yield made
    if plane.call("root", "GET", "/nodes/minio").status_code == 200:
        plane.do("root", "DELETE", "/nodes/minio", force=True)


def lines(plane: Plane, root: str, **fields: Any) -> dict[str, Any]:
    response = plane.call("root", "POST", f"/roots/{root}/import", fields)
    assert response.status_code == 200, response.text
    report: dict[str, Any] = json.loads(response.text.splitlines()[-1])["report"]
    return report


def test_a_server_is_added_and_shown_without_its_secret(
    plane: Plane, server: S3Server, node: dict[str, Any]
) -> None:
    assert (node["kind"], node["state"], node["problems"], node["pending"]) == ("minio", "up", [], [])
    assert (node["endpoint"], node["access_key"]) == (server.endpoint, server.access_key)
    assert node["abilities"]["immediate_revocation"] is True
    assert node["abilities"]["one_credential_for_all"] is True
    for cannot in ("streams_events", "lists_uploads", "ends_single_credentials", "creates_buckets"):
        assert node["abilities"][cannot] is False, cannot
    for path in ("/nodes", "/nodes/minio", "/audit"):
        assert server.secret_key not in plane.call("root", "GET", path).text
    assert [one["name"] for one in plane.do("root", "GET", "/nodes")] == ["local", "minio"]
    assert plane.do("ada", "GET", "/nodes") == []
    plane.refused(404, None, "ada", "GET", "/nodes/minio")
    assert "node.add" in plane.verbs()


def test_who_adds_and_changes(plane: Plane, server: S3Server, node: dict[str, Any]) -> None:
    plane.refused(403, "refused", "ada", "POST", "/nodes", request(server, name="again"))
    plane.refused(409, "taken", "root", "POST", "/nodes", request(server))
    plane.refused(404, None, "ada", "PATCH", "/nodes/minio", {"public_endpoint": "http://127.0.0.1:1"})
    plane.refused(404, None, "ada", "DELETE", "/nodes/minio")
    plane.refused(409, "node_kind", "root", "PATCH", "/nodes/local", {"public_endpoint": "http://127.0.0.1:1"})
    plane.refused(422, "invalid_request", "root", "PATCH", "/nodes/minio", {"access_key": "other"})
    changed = plane.do("root", "PATCH", "/nodes/minio", {"public_endpoint": "http://s3.example.org:9000"})
    assert (changed["public_endpoint"], changed["endpoint"]) == ("http://s3.example.org:9000", server.endpoint)
    plane.do("ada", "POST", "/workspaces", {"name": "here"})
    plane.do("root", "POST", "/roots", {"node": "minio", "bucket": "homes", "type": "private", "name": "homes"})
    plane.workspace("ada", "mine", root="homes")
    assert plane.do("ada", "POST", "/credentials", {"node": "minio"})["endpoint"] == "http://s3.example.org:9000"


@pytest.mark.parametrize(
    "changes",
    [
        {"secret_key": "wrong"},
        {"access_key": "nobody"},
        {"endpoint": "http://127.0.0.1:1"},
        {"endpoint": "http://169.254.169.254"},
        {"endpoint": "file:///etc/passwd"},
        {"endpoint": "http://user:password@127.0.0.1:1"},
        {"endpoint": "http://127.0.0.1:1/path?query"},
        {"endpoint": "nonsense"},
        {"public_endpoint": "ftp://example.org"},
    ],
)
def test_a_server_that_does_not_do_is_refused(plane: Plane, server: S3Server, changes: dict[str, str]) -> None:
    response = plane.call("root", "POST", "/nodes", request(server, name="unfit", **changes))
    assert response.status_code == 422, response.text
    for secret in (server.secret_key, "wrong", "password@"):
        assert secret not in response.text
    plane.refused(404, None, "root", "GET", "/nodes/unfit")


def test_a_key_that_does_not_do_leaves_the_old_one(plane: Plane, server: S3Server, node: dict[str, Any]) -> None:
    response = plane.call("root", "PATCH", "/nodes/minio", {"secret_key": "wrong"})
    assert response.status_code == 422
    plane.do("root", "PATCH", "/nodes/minio", {"secret_key": server.secret_key})
    assert plane.do("root", "GET", "/nodes/minio")["state"] == "up"


def test_fields_of_one_kind_are_none_of_another(plane: Plane, server: S3Server) -> None:
    plane.refused(422, "invalid_request", "root", "POST", "/nodes", request(server, path="/data"))
    plane.refused(422, "invalid_request", "root", "POST", "/nodes", {**request(server), "kind": "s3"})
    error = plane.refused(422, "invalid_request", "root", "POST", "/nodes", request(server, secret_key=""))
    assert server.secret_key not in json.dumps(error)


def test_what_is_there_is_imported_where_it_lies(plane: Plane, node: dict[str, Any]) -> None:
    root = {"node": "minio", "bucket": "lab", "type": "unmanaged-private", "name": "lab"}
    plane.refused(404, "no_such_bucket", "root", "POST", "/roots", root | {"bucket": "missing"})
    plane.do("root", "POST", "/roots", root)
    dry = lines(plane, "lab", all=True, dry_run=True)
    assert {one["folder"]: (one["objects"], one["bytes"]) for one in dry["workspaces"]} == {
        "other/": (1, 5),
        "scans/": (2, 10),
    }
    assert [one["folder"] for one in dry["refused"]] == ["odd*/"]
    made = lines(plane, "lab", folders=["scans"], owner="ada")
    assert made["enforced"] in ([], [{"node": "minio", "state": "enforced"}])
    assert lines(plane, "lab", folders=["missing"])["refused"][0]["reason"]
    (seen,) = plane.do("ada", "GET", "/workspaces")
    assert (seen["node"], seen["bucket"], seen["prefix"], seen["objects"]) == ("minio", "lab", "scans/", 2)
    response = plane.call("root", "POST", "/roots/lab/import", {"all": True, "owner_from_unix": True})
    assert response.status_code in (409, 422, 501) or "error" in response.text


def test_answers_say_where_a_change_is_enforced(plane: Plane, node: dict[str, Any]) -> None:
    plane.do("root", "POST", "/roots", {"node": "minio", "bucket": "homes", "type": "private", "name": "homes"})
    here = plane.workspace("ada", "here", root="private")["id"]
    there = plane.workspace("ada", "there", root="homes")["id"]
    assert plane.share("ada", there, "bob")["enforced"] == "enforced"
    assert plane.share("ada", here, "bob")["enforced"] == "enforced"
    plane.do("bob", "POST", "/credentials", {"node": "minio"})
    enforced = [{"node": "minio", "state": "enforced"}]
    assert plane.do("ada", "DELETE", f"/workspaces/{there}/shares", subject="bob")["enforced"] == enforced
    gone = plane.do("ada", "DELETE", f"/workspaces/{here}/shares", subject="bob")
    assert gone["enforced"] == [{"node": "local", "state": "enforced"}]
    given = plane.do("ada", "POST", f"/workspaces/{there}/hand-over", {"to": "bob"})
    assert given["enforced"] == enforced
    assert plane.do("bob", "DELETE", f"/workspaces/{there}")["enforced"] == enforced
    assert plane.do("root", "POST", "/users/bob/disable")["enforced"] == enforced
    # The server is told of bob again when he asks for keys.
    assert plane.do("root", "POST", "/users/bob/enable")["enforced"] == []


def test_links_and_keys_name_the_server(plane: Plane, server: S3Server, node: dict[str, Any]) -> None:
    plane.do("root", "POST", "/roots", {"node": "minio", "bucket": "homes", "type": "private", "name": "homes"})
    plane.workspace("ada", "mine", root="homes")
    issued = plane.do("ada", "POST", "/credentials", {"workspaces": ["mine"], "read_only": True})
    assert (issued["endpoint"], issued["node"]) == (server.endpoint, "minio")
    assert issued["abilities"]["streams_events"] is False
    assert [one["reference"] for one in issued["workspaces"]] == ["ada/mine"]
    link = plane.do("ada", "POST", "/presign", {"reference": "mine/x", "method": "PUT", "expires_seconds": 60})
    assert link["url"].startswith(f"{server.endpoint}/homes/ada/mine/x?")
    here = plane.workspace("ada", "here", root="private")
    assert plane.do("ada", "POST", "/credentials", {"workspaces": ["here"]})["endpoint"] != server.endpoint
    assert plane.do("ada", "POST", "/presign", {"reference": "here/x"})["url"].startswith("http://files.example")
    assert here["node"] == "local"
    plane.refused(409, None, "ada", "POST", "/credentials", {})


def test_nobody_writes_on_a_read_only_node(plane: Plane, server: S3Server) -> None:
    plane.do("root", "POST", "/nodes", request(server, read_only=True))
    plane.do(
        "root", "POST", "/roots", {"node": "minio", "bucket": "lab", "type": "unmanaged-private", "name": "lab"}
    )
    lines(plane, "lab", folders=["scans"], owner="ada")
    client = boto3_client(plane.do("ada", "POST", "/credentials", {"node": "minio"}))
    assert client.get_object(Bucket="lab", Key="scans/a.txt")["Body"].read() == b"12345"
    for call in (
        lambda: client.put_object(Bucket="lab", Key="scans/a.txt", Body=b"x"),
        lambda: client.delete_object(Bucket="lab", Key="scans/a.txt"),
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            call()
    plane.do("root", "DELETE", "/nodes/minio", force=True)


def test_removing_takes_the_node_off_the_server(plane: Plane, node: dict[str, Any]) -> None:
    plane.do("root", "POST", "/roots", {"node": "minio", "bucket": "homes", "type": "private", "name": "homes"})
    plane.workspace("ada", "mine", root="homes")
    plane.do("ada", "POST", "/credentials", {"node": "minio"})
    plane.refused(409, "node_not_empty", "root", "DELETE", "/nodes/minio")
    assert plane.do("root", "DELETE", "/nodes/minio", force=True) == {"left_on_server": None}
    plane.refused(404, None, "root", "GET", "/nodes/minio")
