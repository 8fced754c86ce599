"""On every kind of node: what creating, importing and sharing give, to whom, and with which clients."""

from __future__ import annotations

from urllib.request import Request, urlopen

import pytest

from conformance.node import READING, WRITING, Node
from servers.clients import CLIENTS, Refused

LEVELS = {"read": READING, "readwrite": WRITING, "own": WRITING}


@pytest.mark.parametrize("level", LEVELS)
def test_a_share_gives_its_level_and_nothing_beside_it(node: Node, level: str) -> None:
    workspace = node.create("ada")
    assert node.reached(node.credential("ada", str(workspace)), workspace) == WRITING
    node.ada.wio("share", f"{workspace}/in", "ben", "--permission", level)
    credential = node.credential("ben", str(workspace))
    assert node.reached(credential, workspace, "in/") == LEVELS[level]
    assert node.reached(credential, workspace) == set()
    assert node.reached(credential, workspace, "in-2/") == set()
    passed_on = node.ben.run("share", f"{workspace}/in", "eve")
    assert (passed_on.returncode == 0) == (level == "own")
    node.ben.refused("share", str(workspace), "eve")
    if level == "own":
        assert node.reached(node.credential("eve"), workspace, "in/") == READING


def test_a_group_gives_its_members_what_it_holds_while_they_are_in_it(node: Node) -> None:
    workspace, dan, group = node.create("ada"), node.newcomer(), f"lab-{node.name}"
    node.ada.wio("group", "create", group)
    node.ada.wio("group", "add", group, dan.username)
    node.ada.wio("share", f"{workspace}/in", f"@{group}", "--permission", "readwrite")
    credential = node.credential(dan.username)
    assert node.reached(credential, workspace, "in/") == WRITING
    assert node.reached(credential, workspace) == set()
    node.ada.wio("group", "remove", group, dan.username)
    left = node.reached(credential, workspace, "in/")
    assert left == (set() if node.abilities["immediate_revocation"] else WRITING)
    dan.refused("workspace", "show", str(workspace))


def test_everyone_means_who_registers_later_too(node: Node) -> None:
    workspace = node.create("ada")
    node.ada.wio("share", str(workspace), "everyone")
    for person in (node.ben, node.newcomer()):
        assert node.reached(node.credential(person.username), workspace) == READING
    node.ada.wio("unshare", str(workspace), "everyone")
    node.ben.refused("workspace", "show", str(workspace))


def test_public_workspaces_are_read_by_everybody_and_written_by_their_owner(node: Node) -> None:
    made, atlas = node.create("ada", "public"), node.imported("atlas", "open")
    credential = node.credential("ben", str(made), str(atlas))
    for workspace in (made, atlas):
        assert node.reached(credential, workspace) == READING
        assert node.reached(node.credential("ada", str(workspace)), workspace) == WRITING


def test_what_is_imported_stays_as_it_lies(node: Node) -> None:
    before = node.place.objects()
    scans = node.imported("scans")
    assert scans.prefix == "raw/scans/"
    assert node.ada.json("workspace", "show", str(scans))["objects"] == 2
    node.ben.refused("root", "import", f"{node.name}-raw", "scans-2")
    node.ada.wio("share", f"{scans}/deep", "ben")
    credential = node.credential("ben", str(scans))
    for name in ("boto3", "mc", "rclone"):
        client = CLIENTS[name](credential)
        assert client.list(scans.bucket, "raw/scans/deep/") == {"raw/scans/deep/b.csv"}, name
        assert client.read(scans.bucket, "raw/scans/deep/b.csv") == b"b\n", name
        for key in ("raw/scans/a.csv", "raw/scans-2/secret.csv"):
            with pytest.raises(Refused):
                client.read(scans.bucket, key)
        with pytest.raises(Refused):
            client.write(scans.bucket, f"raw/scans/deep/{name}", b"no")
    assert node.place.objects() == before
    node.ada.wio("workspace", "release", str(scans))
    assert node.place.objects() == before


def test_narrowed_keys_open_what_was_named_and_no_more(node: Node) -> None:
    one, other = node.create("ben"), node.create("ben")
    assert node.reached(node.credential("ben", str(one)), one) == WRITING
    assert node.reached(node.credential("ben", str(one)), other) == set()
    assert node.reached(node.credential("ben", str(one), "--read-only"), one) == READING
    reading = node.credential("ben", "--node", node.name, "--read-only")
    assert node.reached(reading, one) == node.reached(reading, other) == READING


def test_links_and_commands_carry_the_rights(node: Node) -> None:
    workspace, dan = node.create("ada"), node.newcomer()
    node.ada.wio("share", str(workspace), dan.username)
    with urlopen(dan.wio("presign", f"{workspace}/a.txt").strip()) as answer:
        assert answer.read() == b"a.txt"
    link = node.ada.wio("presign", f"{workspace}/sent", "--method", "PUT").strip()
    with urlopen(Request(link, data=b"sent", method="PUT")) as answer:
        assert answer.status == 200
    assert node.place.objects()[workspace.prefix + "sent"] == b"sent"
    dan.refused("presign", f"{workspace}/sent", "--method", "PUT")
    place = f"s3://{workspace.bucket}/{workspace.prefix}"
    listed = dan.run("exec", "--node", node.name, "--", "aws", "s3", "ls", place)
    assert "a.txt" in listed.stdout, listed
