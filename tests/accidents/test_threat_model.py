"""What docs/threat-model.md says beyond the accidents: each line of its table names tests that are there, and
the limits that it admits are the ones that there are."""

from __future__ import annotations

import os
import re
import time
from typing import Any

import pytest

from accidents.lab import BUCKET, Lab
from accidents.wire import from_every_worker, send

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Lab:
    lab.write("ws/file", b"content")
    lab.imported("ws")
    return lab


def table() -> list[list[str]]:
    with open(os.path.join(ROOT, "docs", "threat-model.md"), encoding="utf-8") as file:
        lines = [line for line in file if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines[1:]]


def test_every_threat_names_test_files_that_are_there() -> None:
    rows = table()
    assert len(rows) > 10
    for threat, _, tests in rows:
        named = re.findall(r"`(tests/[^`]*)`", tests)
        assert named, threat
        for path in named:
            assert path.endswith(".py"), (threat, path)
            assert os.path.isfile(os.path.join(ROOT, path)), (threat, path)


def test_every_file_of_accidents_is_named_by_a_threat() -> None:
    named = {path for *_, tests in table() for path in re.findall(r"`(tests/[^`]*)`", tests)}
    here = os.path.dirname(os.path.abspath(__file__))
    files = {f"tests/accidents/{name}" for name in os.listdir(here) if name.startswith("test_")}
    assert files <= named, files - named


def verbs(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["actor"], one["verb"]) for one in records]


def test_whoever_lost_a_workspace_sees_in_the_audit_who_took_it(scene: Lab) -> None:
    made = scene.bob.create("wanted")
    scene.write("released/file", b"x")
    released = scene.imported("released", owner="bob")
    before = verbs(scene.carol.done("GET", "/audit"))
    scene.ada.done("POST", f"/workspaces/{made['id']}/hand-over", {"to": "ada"})
    scene.ada.done("POST", f"/workspaces/{released}/release")
    seen = verbs(scene.bob.done("GET", "/audit"))
    assert ("ada", "workspace.hand_over") in seen
    assert ("ada", "workspace.release") in seen
    assert verbs(scene.carol.done("GET", "/audit")) == before
    # What is done to it from then on is no business of bob's.
    scene.ada.done("PATCH", f"/workspaces/{made['id']}", {"name": "hers-now"})
    assert ("ada", "workspace.rename") not in verbs(scene.bob.done("GET", "/audit"))
    assert "hers-now" not in str(scene.bob.done("GET", "/audit"))


def test_an_administrator_reads_nothing_that_was_not_given(scene: Lab) -> None:
    made = scene.bob.create("private-of-bob")
    path = f"/{BUCKET}/{made['prefix']}file"
    assert scene.bob.keys().put(path, b"content").status == 200
    administrator = scene.ada.keys()
    for answer in (
        administrator.get(path),
        administrator.list(BUCKET, made["prefix"]),
        administrator.list(BUCKET, "private/"),
        administrator.put(path, b"no"),
        administrator.request("DELETE", path),
    ):
        assert (answer.status, answer.code) == (403, "AccessDenied")
    assert scene.ada.call("POST", "/credentials", {"workspaces": ["bob/private-of-bob"]}).status in (403, 404)
    assert scene.ada.call("POST", "/presign", {"reference": "bob/private-of-bob/file"}).status == 403
    assert scene.ada.call("POST", f"/workspaces/{made['id']}/shares", {"subject": "carol"}).status == 403
    assert scene.ada.call("DELETE", f"/workspaces/{made['id']}?delete_objects=true").status == 403


def test_nobody_captures_what_a_name_means_to_somebody_else(scene: Lab) -> None:
    """carol shares a workspace called like an owner, and one called like what bob reads: an error, never hers."""
    ada = scene.ada.workspace("ws")["id"]
    scene.ada.share(ada, "bob")
    assert scene.bob.workspace("ada/ws/file")["owner"] == "ada"
    assert scene.bob.workspace("ws/file")["owner"] == "ada"
    traps = [scene.carol.create(name)["id"] for name in ("ada", "ws")]
    for trap in traps:
        scene.carol.share(trap, "bob", "readwrite")
    for reference in ("ada/ws/file", "ws/file"):
        answer = scene.bob.call("GET", "/workspaces/resolve", reference=reference)
        assert answer.status == 409 or answer.json["workspace"]["owner"] == "ada", reference
        writing = scene.bob.call("GET", "/workspaces/resolve", reference=reference, purpose="write")
        assert writing.status in (404, 409) or writing.json["workspace"]["owner"] == "ada", reference
    for trap in traps:
        scene.carol.done("DELETE", f"/workspaces/{trap}")


def test_a_download_under_way_may_finish_and_the_next_one_does_not_begin(scene: Lab) -> None:
    size = 64 * 1024 * 1024
    with open(scene.write("big/file", b""), "wb") as file:
        file.truncate(size)
    workspace = scene.imported("big")
    scene.ada.share(workspace, "bob")
    keys = scene.bob.keys("ada/big")
    target = f"/{BUCKET}/big/file"
    with keys.connect() as connection:
        connection.sendall(keys.head_of("GET", target, keys.sign("GET", target)))
        received = len(connection.recv(65536))
        scene.ada.unshare(workspace, "bob")
        assert {answer.status for answer in from_every_worker(lambda: keys.request("HEAD", target))} == {403}
        while received < size:
            piece = connection.recv(1 << 20)
            if not piece:
                break
            received += len(piece)
    assert received >= size


def test_a_captured_request_is_good_for_a_quarter_of_an_hour_and_for_itself_alone(scene: Lab) -> None:
    """The limit that the threat model admits, and where it ends."""
    keys = scene.ada.keys("ws")
    target = f"/{BUCKET}/ws/file"
    captured = keys.sign("GET", target)
    assert [send(keys.host, keys.port, "GET", target, captured).status for _ in range(2)] == [200, 200]
    old = keys.sign("GET", target, at=time.time() - 15 * 60 - 5)
    assert send(keys.host, keys.port, "GET", target, old).code == "RequestTimeTooSkewed"
