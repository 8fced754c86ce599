"""On every kind of node: what a holder of a share is refused, whatever is written in the request."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from conformance.kinds import KINDS
from conformance.node import Credential, Node, Workspace, connected, done, send
from servers.minio_subjects import assume_role
from servers.signed_connection import Keys

Held = tuple[Node, Workspace, Credential]


@pytest.fixture(scope="module")
def held(node: Node) -> Held:
    """ben holds `in/` of a workspace of ada's, with writing."""
    workspace = node.create("ada")
    for path in ("in-2/c.txt", "i"):
        node.place.put(workspace.prefix + path, b"neighbour")
    node.ada.wio("share", f"{workspace}/in", "ben", "--permission", "readwrite")
    return node, workspace, node.credential("ben", str(workspace))


def test_listings_stay_within_the_share(held: Held) -> None:
    _, workspace, credential = held
    bucket, within = f"/{workspace.bucket}", workspace.prefix + "in/"
    assert done(send(credential, "GET", bucket, ("list-type", "2"), ("prefix", within)))
    assert done(send(credential, "GET", bucket, ("list-type", "2"), ("prefix", within), ("delimiter", "/")))
    outside = (
        "",
        "private/",
        "private/ada/",
        workspace.prefix,
        within[:-1],
        workspace.prefix + "in-2/",
        "elsewhere/",
    )
    for prefix in outside:
        for query in ([], [("list-type", "2")], [("versions", "")]):
            for more in ([], [("delimiter", "/")], [("start-after", within), ("marker", within)]):
                answer = send(credential, "GET", bucket, *query, ("prefix", prefix), *more)
                assert not done(answer), (prefix, query, more)
    assert not done(send(credential, "GET", bucket))


def test_objects_beside_the_share_are_neither_read_nor_written_nor_copied(held: Held) -> None:
    node, workspace, credential = held
    before = node.place.objects()
    inside = f"/{workspace.bucket}/{workspace.prefix}in/copied"
    for key in (
        f"{workspace.prefix}a.txt",
        f"{workspace.prefix}i",
        f"{workspace.prefix}in-2/c.txt",
        "elsewhere/x",
        "raw/scans-2/secret.csv",
        "nothing/there",
    ):
        path = f"/{workspace.bucket}/{key}"
        with connected(credential) as connection:
            source = [("x-amz-copy-source", quote(path))]
            for answer in (
                connection.send("GET", path),
                connection.send("HEAD", path),
                connection.send("PUT", path, body=b"no"),
                connection.send("DELETE", path),
                connection.send("POST", path, [("uploads", "")]),
                connection.send("PUT", inside, headers=source),
            ):
                assert not done(answer), key
    assert node.place.objects() == before


CLIMBING = ("in/../a.txt", "in/./../a.txt", "in/..", "in//../../a.txt", "in/%2e%2e/a.txt", "in/..\\a.txt")


@pytest.mark.parametrize("path", CLIMBING)
def test_no_path_climbs_out(held: Held, path: str) -> None:
    """Whether it is refused, isn't there or is just an odd name: nothing outside is read or changed by it."""
    node, workspace, credential = held
    before = node.place.objects()
    key = f"/{workspace.bucket}/{workspace.prefix}{path}"
    read = send(credential, "GET", key)
    assert read.status in (400, 403, 404)
    written = send(credential, "PUT", key, body=b"climbed")
    assert written.status in (200, 400, 403)
    after = node.place.objects()
    if written.status == 200:
        assert done(send(credential, "DELETE", key))
    assert {name: after[name] for name in before} == before
    assert all(name.startswith(f"{workspace.prefix}in/") for name in after.keys() - before.keys())


def test_buckets_are_neither_made_nor_changed_nor_named(held: Held) -> None:
    node, workspace, credential = held
    bucket = f"/{workspace.bucket}"
    assert not done(send(credential, "PUT", "/of-ben"))
    assert not done(send(credential, "DELETE", bucket))
    for setting in ("policy", "lifecycle", "notification", "replication", "versioning", "tagging", "acl", "cors"):
        changed = send(credential, "PUT", bucket, (setting, ""), body=b"{}")
        assert changed.status in (400, 403, 501), setting
    listed = send(credential, "GET", "/").body.decode()
    assert not any(f"<Name>bucket-{kind.name}</Name>" in listed for kind in KINDS if kind != node.kind)


def test_no_other_key_is_made_from_a_key(held: Held) -> None:
    _, _, credential = held
    keys = Keys(credential["access_key_id"], credential["secret_access_key"], credential["session_token"])
    answer = assume_role(credential["endpoint"], keys)
    assert answer.status >= 400
    assert b"SecretAccessKey" not in answer.body
    for method, path in (
        ("GET", "/minio/admin/v3/list-users"),
        ("PUT", "/minio/admin/v3/add-service-account"),
        ("GET", "/minio/admin/v3/export-iam"),
    ):
        assert send(credential, method, path, body=b"{}" if method == "PUT" else b"").status >= 400


def test_names_that_no_workspace_may_have_are_refused(node: Node) -> None:
    before = node.place.objects()
    for name in ("..", "a//b", "/a", "", "a\nb"):
        assert node.ben.run("create", name, "--root", f"{node.name}-private").returncode in (1, 2), name
    for folder in ("../elsewhere", "scans/../../elsewhere", "scans//deep", "nothing-there"):
        done = node.ada.run("root", "import", f"{node.name}-raw", folder, "--name", "climbing")
        assert done.returncode in (1, 2), folder
        assert done.stderr.count("\n") == 1, done
    workspace = node.create("ben")
    for folder in ("in/../..", "in//b"):
        node.ben.refused("share", f"{workspace}/{folder}", "eve")
    assert {key: data for key, data in node.place.objects().items() if key in before} == before
