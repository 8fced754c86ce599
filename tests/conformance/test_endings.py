"""On every kind of node: how access ends for keys and links that were issued before, and what stays behind.

Un-sharing, and ending single keys, are in `proofs.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from conformance.kinds import Ground
from conformance.node import READING, WRITING, Credential, Node, Workspace, added, done, presigned, send
from conformance.proofs import followed, says_when
from servers.service import Person


@pytest.fixture
def dan(node: Node) -> Person:
    return node.newcomer()


def holds(node: Node, credential: Credential, workspace: Workspace, *, before: frozenset[str] = WRITING) -> bool:
    """Whether keys of before still do all that they did; fails where they do some of it."""
    left = node.reached(credential, workspace)
    assert left in (set(), before)
    return bool(left)


def go_on(node: Node) -> bool:
    """What such a node owes to keys of before, at once."""
    return not node.abilities["immediate_revocation"]


@dataclass(frozen=True)
class Ending:
    """A share that ends by itself, with keys and a link of before."""

    workspace: Workspace
    username: str
    credential: Credential
    link: str
    ends: float
    """By `time.monotonic`."""


@pytest.fixture(scope="module")
def ending(node: Node) -> Ending:
    workspace, username = node.create("ada"), node.newcomer().username
    node.ada.wio("share", str(workspace), username, "--expires", "5s")
    ends = time.monotonic() + 6
    credential = node.credential(username)
    link = presigned(credential, "get_object", workspace.bucket, f"{workspace.prefix}a.txt")
    return Ending(workspace, username, credential, link, ends)


def test_a_share_with_an_end_holds_until_then(node: Node, ending: Ending) -> None:
    assert node.reached(ending.credential, ending.workspace) == READING
    assert followed(ending.link)


def test_a_disabled_user_reaches_nothing(node: Node, dan: Person) -> None:
    own, shared = node.create(dan.username), node.create("ada")
    node.ada.wio("share", str(shared), dan.username, "--permission", "readwrite")
    credential = node.credential(dan.username)
    assert holds(node, credential, own)
    said = node.ada.wio("user", "disable", dan.username)
    assert ("at the latest" in said) == go_on(node), said
    assert holds(node, credential, own) == holds(node, credential, shared) == go_on(node)
    dan.refused("token", "--node", node.name, "--fresh")


def test_a_level_that_is_lowered_is_lowered_for_keys_of_before(node: Node, dan: Person) -> None:
    workspace = node.create("ada")
    node.ada.wio("share", str(workspace), dan.username, "--permission", "readwrite")
    credential = node.credential(dan.username)
    upload = ("uploads", "")
    begun = send(credential, "POST", f"/{workspace.bucket}/{workspace.prefix}parts", upload).body.decode()
    upload_id = ("uploadId", begun.split("<UploadId>")[1].split("</UploadId>")[0])
    assert says_when(node.ada.wio("share", str(workspace), dan.username, "--permission", "read")) == go_on(node)
    assert node.reached(credential, workspace) == (WRITING if go_on(node) else READING)
    part = send(
        credential,
        "PUT",
        f"/{workspace.bucket}/{workspace.prefix}parts",
        ("partNumber", "1"),
        upload_id,
        body=b"x",
    )
    assert done(part) == go_on(node)
    assert node.reached(node.credential(dan.username), workspace) == READING


def test_what_is_handed_over_or_deleted_is_closed_to_keys_of_before(node: Node, dan: Person) -> None:
    handed, deleted = node.create(dan.username), node.create(dan.username)
    credential = node.credential(dan.username)
    node.ada.wio("workspace", "hand-over", str(handed), "ada")
    assert holds(node, credential, handed) == go_on(node)
    dan.wio("workspace", "delete", str(deleted), "--delete-objects")
    assert not any(key.startswith(deleted.prefix) for key in node.place.objects())
    written = send(credential, "PUT", f"/{deleted.bucket}/{deleted.prefix}again", body=b"x")
    assert done(written) == go_on(node)


def test_letting_go_leaves_every_object(node: Node, dan: Person) -> None:
    workspace = node.imported("let-go")
    node.ada.wio("share", str(workspace), dan.username, "--permission", "readwrite")
    credential = node.credential(dan.username)
    assert holds(node, credential, workspace)
    before = node.place.objects()
    said = node.ada.wio("workspace", "release", str(workspace))
    assert ("at the latest" in said) == go_on(node), said
    assert node.place.objects() == before
    assert holds(node, credential, workspace) == go_on(node)


def test_removing_a_node_leaves_every_object(node: Node, ground: Ground) -> None:
    other = added(ground, node.kind, f"{node.name}-gone")
    workspace = other.create("ben")
    credential = other.credential("ben")
    before = other.place.objects()
    assert f"{workspace.prefix}a.txt" in before
    assert "--force" in other.ada.refused("node", "rm", other.name)
    other.ada.wio("node", "rm", other.name, "--force")
    assert other.place.objects() == before
    answer = send(credential, "GET", f"/{workspace.bucket}/{workspace.prefix}a.txt")
    assert done(answer) == go_on(node)
    assert node.ada.json("node", "show", node.name)["state"] == "up"


def test_a_share_with_an_end_has_ended_at_its_time(node: Node, ending: Ending) -> None:
    """The last one here: what was asked of others meanwhile is time that need not be waited for."""
    time.sleep(max(0.0, ending.ends - time.monotonic()))
    assert node.reached(ending.credential, ending.workspace) == set()
    assert not followed(ending.link)
    node.people[ending.username].refused("workspace", "show", str(ending.workspace))
