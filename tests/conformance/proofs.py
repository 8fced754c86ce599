"""For each ability of a node: a function that tries it out, and says whether the node has it.

Each fails where what it sees is neither the one nor the other, or where the node doesn't say so to its users.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import threading
from collections.abc import Callable
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from conformance.node import READING, WRITING, Node, Workspace, connected, done, presigned, send
from servers.service import PASSWORD, Person

Proof = Callable[[Node], bool]
PROOFS: dict[str, Proof] = {}
"""By the ability's name."""


def _proof(tried: Proof) -> Proof:
    PROOFS[tried.__name__] = tried
    return tried


def says_when(said: str) -> bool:
    """Whether a command says that what it took ends with the last keys; else it must say that it has ended."""
    later = re.search(r"takes effect at \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? at the latest", said) is not None
    assert later != ("Enforced." in said), said
    return later


def followed(link: str) -> bool:
    try:
        with urlopen(link) as answer:
            return bool(answer.status == 200)
    except HTTPError as refused:
        with refused:
            return refused.code not in (400, 403)


@_proof
def immediate_revocation(node: Node) -> bool:
    workspace = node.create("ada")
    node.ada.wio("share", str(workspace), "ben", "--permission", "readwrite")
    credential = node.credential("ben", str(workspace))
    links = [
        presigned(credential, "get_object", workspace.bucket, f"{workspace.prefix}a.txt"),
        node.ben.wio("presign", f"{workspace}/a.txt").strip(),
    ]
    assert all(followed(link) for link in links)
    said = node.ada.wio("unshare", str(workspace), "ben")
    left = node.reached(credential, workspace)
    assert left in (set(), WRITING)
    assert [followed(link) for link in links] == [bool(left)] * 2
    assert says_when(said) == bool(left)
    node.ben.refused("token", str(workspace), "--fresh")
    return not left


@_proof
def one_credential_for_all(node: Node) -> bool:
    """And so moving from an own workspace into a shared one is one command."""
    dan = node.newcomer()
    own, shared, public = node.create(dan.username), node.create("ada"), node.create("ada", "public")
    node.ada.wio("share", str(shared), dan.username, "--permission", "readwrite")
    credential = node.credential(dan.username)
    reached = [node.reached(credential, one) for one in (own, shared, public)]
    dan.wio("mc", "mv", f"{own}/a.txt", f"{shared}/moved.txt")
    objects = node.place.objects()
    assert objects[f"{shared.prefix}moved.txt"] == b"a.txt"
    assert f"{own.prefix}a.txt" not in objects
    return reached == [WRITING, WRITING, READING]


@_proof
def ends_single_credentials(node: Node) -> bool:
    """Ended at one of two places where somebody is signed in, keys of the other place go on."""
    dan = node.newcomer()
    laptop = Person(dan.service, dan.username, os.path.join(dan.home, "laptop"))
    os.makedirs(laptop.home)
    laptop.wio("login", dan.service.api_url, dan.email, "--password-stdin", stdin=PASSWORD + "\n")
    workspace = node.create(dan.username)
    ended, other = node.credential(dan.username), laptop.token("--node", node.name, "--fresh")
    said = dan.wio("credential", "revoke", str(ended["id"]))
    left = [bool(node.reached(credential, workspace)) for credential in (ended, other)]
    if node.abilities["immediate_revocation"]:
        assert not left[0]
        assert ("all others of yours on that node" in said) == (not left[1]), said
    return left == [False, True]


@_proof
def lists_uploads(node: Node) -> bool:
    """Of uploads under way in what the caller may write, and of no others."""
    mine, theirs = node.create("ben"), node.create("ada")
    for username, workspace in (("ben", mine), ("ada", theirs)):
        begun = send(
            node.credential(username, str(workspace)),
            "POST",
            f"/{workspace.bucket}/{workspace.prefix}begun",
            ("uploads", ""),
        )
        assert begun.status == 200, begun
    credential = node.credential("ben", str(mine))
    others = [("uploads", ""), ("prefix", theirs.prefix)]
    assert send(credential, "GET", f"/{theirs.bucket}", *others).status == 403
    assert send(credential, "GET", f"/{theirs.bucket}", ("uploads", "")).status == 403
    listed = send(credential, "GET", f"/{mine.bucket}", ("uploads", ""), ("prefix", mine.prefix))
    return done(listed) and f"<Key>{mine.prefix}begun</Key>".encode() in listed.body


@_proof
def streams_events(node: Node) -> bool:
    workspace = node.create("ben")
    command = ["wio", "mc", "find", "--watch", f"{workspace}/"]
    with subprocess.Popen(
        command, env=node.ben.env(), cwd=node.ben.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        ended = threading.Event()
        writer = threading.Thread(target=_write_until, args=(node, workspace, ended))
        writer.start()
        try:
            seen = any(line.rstrip().endswith("/seen") for line in watching.stdout)
            refusal = "" if seen else watching.stderr.read()
        finally:
            ended.set()
            writer.join()
            watching.terminate()
    if not seen:
        assert f"can't be used on the node {node.name}" in refusal
        query = ("events", "s3:ObjectCreated:*"), ("prefix", workspace.prefix)
        credential = node.credential("ben", str(workspace))
        assert not done(send(credential, "GET", f"/{workspace.bucket}", *query))
    return seen


def _write_until(node: Node, workspace: Workspace, ended: threading.Event) -> None:
    """What is there when a client begins to watch is no event: so it is written again and again."""
    credential, path = node.credential("ben", str(workspace)), f"/{workspace.bucket}/{workspace.prefix}seen"
    for number in range(100):
        if ended.wait(0.3):
            return
        assert done(send(credential, "DELETE", path))
        assert done(send(credential, "PUT", path, body=b"x" * number))


@_proof
def creates_buckets(node: Node) -> bool:
    """Only with the operator's keys; elsewhere with nobody's."""
    operators, bucket = node.credential("ada"), f"/new-{node.name}"
    assert not done(send(node.credential(node.newcomer().username), "PUT", bucket))
    made = done(send(operators, "PUT", bucket))
    if made:
        assert done(send(operators, "DELETE", bucket))
    return made


@_proof
def enforces_quotas(node: Node) -> bool:
    workspace = node.create("ada")
    limited = node.ada.run("quota", "set", "--workspace", str(workspace), "--bytes", "100")
    if limited.returncode != 0:
        return False
    path = f"/{workspace.bucket}/{workspace.prefix}large"
    return send(node.credential("ada"), "PUT", path, body=bytes(101)).status == 403


@_proof
def hides_names(node: Node) -> bool:
    """Against a client that says in a header, or in a parameter, that it asks for what it may list."""
    mine, theirs = node.create("ben"), node.create("ada")
    credential, query = node.credential("ben", str(mine)), [("list-type", "2"), ("prefix", theirs.prefix)]
    path = f"/{mine.bucket}"
    assert send(credential, "GET", path, *query).status == 403
    with connected(credential) as connection:
        deceiving = [
            connection.send("GET", path, query, headers=[("Prefix", mine.prefix)]),
            connection.send("GET", path, [*query, ("Prefix", mine.prefix)]),
        ]
        assert (
            connection.send("GET", f"{path}/{theirs.prefix}a.txt", headers=[("Prefix", mine.prefix)]).status == 403
        )
    named = {f"{theirs.prefix}a.txt".encode() in answer.body for answer in deceiving}
    assert len(named) == 1
    return named == {False}


@_proof
def shares_any_name(node: Node) -> bool:
    """No name ever opens what is called otherwise, whether it can be shared or not. A folder above always can."""
    for name, decoy in HOSTILE_NAMES.items():
        for folder in (name, decoy):
            node.place.put(f"raw/odd/{folder}/k", folder.encode())
    node.ada.wio("root", "import", f"{node.name}-raw", "odd", "--name", f"{node.name}-odd")
    dan, eve = node.newcomer().username, node.newcomer().username
    node.ada.wio("share", f"ada/{node.name}-odd", eve)
    shared = {name for name in HOSTILE_NAMES if _is_shared(node, f"ada/{node.name}-odd/{name}", name, dan)}
    credential, eves = node.credential(dan), node.credential(eve)
    for name in [*HOSTILE_NAMES, *HOSTILE_NAMES.values()]:
        path, prefix = f"/{node.place.bucket}/raw/odd/{name}/k", ("prefix", f"raw/odd/{name}/")
        assert send(eves, "GET", path).body == name.encode(), name
        assert done(send(credential, "GET", path)) == (name in shared), name
        listed = send(credential, "GET", f"/{node.place.bucket}", ("list-type", "2"), prefix)
        assert done(listed) == (name in shared), name
    assert shared >= {"two  words", "é + 1%25", "a#b&c=d", '"<k>"'}
    node.place.put("raw/odd*/k", b"k")
    imported = node.ada.run("root", "import", f"{node.name}-raw", "odd*", "--name", f"{node.name}-star")
    assert (imported.returncode == 0) == ("a*b" in shared)
    return shared == set(HOSTILE_NAMES)


def _is_shared(node: Node, reference: str, name: str, username: str) -> bool:
    said = node.ada.run("share", reference, username)
    if said.returncode != 0:
        assert (said.returncode, said.stderr.count("\n")) == (1, 1), said
        assert name in said.stderr
    return said.returncode == 0


HOSTILE_NAMES = {
    "a*b": "aXb",
    "wh?t": "what",
    "${aws:username}": "ben",
    "plates.zip": "plates.zi",
    "two  words": "two words",
    "é + 1%25": "é + 1%",
    "a#b&c=d": "a",
    '"<k>"': "k",
}
"""Each with a name that it must not open."""


@_proof
def refuses_uploads_under_way(node: Node) -> bool:
    """Half of the body is sent before an un-share, the rest after it."""
    workspace = node.create("ada")
    node.ada.wio("share", str(workspace), "ben", "--permission", "readwrite")
    link = presigned(
        node.credential("ben", str(workspace)), "put_object", workspace.bucket, f"{workspace.prefix}late"
    )
    parts, body = urlsplit(link), b"x" * 300_000
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}", skip_accept_encoding=True)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:200_000])
    node.ada.wio("unshare", str(workspace), "ben")
    connection.send(body[200_000:])
    answer = connection.getresponse()
    answer.read()
    connection.close()
    visible = f"{workspace.prefix}late" in node.place.objects()
    assert (answer.status == 200) == visible
    return not visible
