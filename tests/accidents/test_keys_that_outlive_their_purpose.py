"""Accident: keys that outlive their purpose. What was answered as enforced holds for every request that
begins later, on every worker, whatever was issued, signed or begun before."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from accidents.api import Api
from accidents.lab import BUCKET, Lab
from accidents.wire import Answer, Keys, encoded, from_every_worker, read_answer, send
from servers.service import PASSWORD
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import Group, GroupMember

PARTS = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%b</ETag></Part></CompleteMultipartUpload>"
)


@pytest.fixture(scope="module")
def short_lived(lab: Lab) -> Keys:
    """Keys that end 15 seconds after the module began."""
    lab.bob.create("ends-soon")
    return lab.bob.keys("ends-soon", seconds=15)


@dataclass
class Scene:
    """A workspace of ada's with one file, and what is said of it on the wire."""

    lab: Lab
    name: str
    id: int

    @property
    def file(self) -> str:
        return f"/{BUCKET}/{self.name}/file"

    def new(self, name: str) -> str:
        return f"/{BUCKET}/{self.name}/{name}"

    def share(self, level: str = "read", **more: str) -> Keys:
        """Share it with bob, and have him fetch keys that work on every worker."""
        self.lab.ada.share(self.id, "bob", level, **more)
        keys = self.lab.bob.keys(f"ada/{self.name}")
        statuses(200, lambda: keys.get(self.file))
        return keys

    def unshare(self) -> None:
        answer = self.lab.ada.unshare(self.id, "bob")
        assert [one["state"] for one in answer["enforced"]] == ["enforced"]

    def on_disk(self) -> list[str]:
        return sorted(os.listdir(self.lab.path(self.name)))


@pytest.fixture
def scene(lab: Lab, short_lived: Keys, request: pytest.FixtureRequest) -> Iterator[Scene]:
    name = "".join(word[0] for word in request.node.name.split("_")) + str(time.monotonic_ns())[-9:]
    lab.write(f"{name}/file", b"content")
    return Scene(lab, name, lab.imported(name))


def statuses(expected: int, ask: Callable[[], Answer]) -> None:
    """Each endpoint worker answers with this status."""
    answers = from_every_worker(ask)
    assert {answer.status for answer in answers} == {expected}, answers


def refused(ask: Callable[[], Answer]) -> None:
    for answer in from_every_worker(ask):
        assert (answer.status, answer.code) in ((403, "AccessDenied"), (403, "InvalidAccessKeyId")), answer
        assert b"content" not in answer.body


def everything(scene: Scene, keys: Keys) -> dict[str, Callable[[], Answer]]:
    """One request of each kind."""
    copied = {"x-amz-copy-source": scene.file}
    return {
        "get": lambda: keys.get(scene.file),
        "head": lambda: send(keys.host, keys.port, "HEAD", scene.file, keys.sign("HEAD", scene.file), b""),
        "attributes": lambda: keys.get(f"{scene.file}?attributes", {"x-amz-object-attributes": "ETag"}),
        "tags": lambda: keys.get(f"{scene.file}?tagging"),
        "list": lambda: keys.list(BUCKET, f"{scene.name}/"),
        "list-1": lambda: keys.get(f"/{BUCKET}?prefix={scene.name}/"),
        "versions": lambda: keys.get(f"/{BUCKET}?versions&prefix={scene.name}/"),
        "uploads": lambda: keys.get(f"/{BUCKET}?uploads&prefix={scene.name}/"),
        "put": lambda: keys.put(scene.new("no"), b"no"),
        "copy": lambda: keys.request("PUT", scene.new("no"), headers=copied),
        "create upload": lambda: keys.request("POST", scene.new("no") + "?uploads"),
        "delete": lambda: keys.request("DELETE", scene.file),
        "set tags": lambda: keys.request("DELETE", f"{scene.file}?tagging"),
    }


def test_an_unshared_key_is_refused_on_every_worker_for_every_operation(scene: Scene) -> None:
    keys = scene.share("own")
    link = keys.presign("GET", scene.file)
    own_link = scene.lab.bob.done("POST", "/presign", {"reference": f"ada/{scene.name}/file"})["url"]
    target = own_link.partition(f":{keys.port}")[2]
    for signed in (link, target):
        statuses(200, lambda signed=signed: send(keys.host, keys.port, "GET", signed, {}))
    scene.unshare()
    for name, ask in everything(scene, keys).items():
        if name == "head":
            assert {answer.status for answer in from_every_worker(ask)} == {403}
        else:
            refused(ask)
    for signed in (link, target):
        refused(lambda signed=signed: send(keys.host, keys.port, "GET", signed, {}))
    assert scene.on_disk() == ["file"]


def test_a_put_link_signed_before_is_refused_after(scene: Scene) -> None:
    keys = scene.share("readwrite")
    link = scene.lab.bob.done("POST", "/presign", {"reference": f"ada/{scene.name}/new", "method": "PUT"})["url"]
    target = link.partition(f":{keys.port}")[2]
    scene.unshare()
    refused(lambda: send(keys.host, keys.port, "PUT", target, {}, b"no"))
    assert scene.on_disk() == ["file"]


@pytest.mark.parametrize("size", [10, 60_000, 3_000_000])
def test_an_upload_under_way_when_unshared_never_becomes_visible(scene: Scene, size: int) -> None:
    keys = scene.share("readwrite")
    body = b"b" * size
    target = scene.new("new")
    headers = keys.sign("PUT", target) | {"content-length": str(size)}
    with keys.connect() as connection:
        connection.sendall(keys.head_of("PUT", target, headers) + body[: size // 2])
        time.sleep(0.3)
        scene.unshare()
        connection.sendall(body[size // 2 :])
        answer = read_answer(connection)
    assert answer is not None
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert scene.on_disk() == ["file"]


def begin_upload(keys: Keys, target: str) -> tuple[str, str]:
    """A multipart upload with one part; its id and the part's ETag."""
    begun = keys.request("POST", f"{target}?uploads")
    assert begun.status == 200, begun
    upload = begun.texts("UploadId")[0]
    part = keys.put(f"{target}?partNumber=1&uploadId={upload}", b"part")
    assert part.status == 200, part
    return upload, part.headers["etag"]


def test_a_multipart_upload_begun_before_is_not_completed_after(scene: Scene) -> None:
    keys = scene.share("readwrite")
    target = scene.new("new")
    upload, etag = begin_upload(keys, target)
    scene.unshare()
    refused(lambda: keys.put(f"{target}?partNumber=2&uploadId={upload}", b"part"))
    refused(lambda: keys.request("POST", f"{target}?uploadId={upload}", PARTS % etag.encode()))
    refused(lambda: keys.get(f"{target}?uploadId={upload}"))
    refused(lambda: keys.request("DELETE", f"{target}?uploadId={upload}"))
    assert scene.on_disk() == ["file"]
    owner = scene.lab.ada.keys(scene.name)
    assert owner.request("POST", f"{target}?uploadId={upload}", PARTS % etag.encode()).status == 200


def test_a_completion_whose_document_arrives_after_the_unshare_is_refused(scene: Scene) -> None:
    keys = scene.share("readwrite")
    upload, etag = begin_upload(keys, scene.new("new"))
    target = f"{scene.new('new')}?uploadId={upload}"
    body = PARTS % etag.encode()
    headers = keys.sign("POST", target) | {"content-length": str(len(body))}
    with keys.connect() as connection:
        connection.sendall(keys.head_of("POST", target, headers) + body[:10])
        time.sleep(0.3)
        scene.unshare()
        connection.sendall(body[10:])
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status == 403
    assert scene.on_disk() == ["file"]


def test_a_share_lowered_to_reading_leaves_no_writing_behind(scene: Scene) -> None:
    keys = scene.share("readwrite")
    link = keys.presign("PUT", scene.new("no"))
    upload, etag = begin_upload(keys, scene.new("no"))
    scene.lab.ada.share(scene.id, "bob", "read")
    statuses(200, lambda: keys.get(scene.file))
    refused(lambda: keys.put(scene.new("no"), b"no"))
    refused(lambda: send(keys.host, keys.port, "PUT", link, {}, b"no"))
    refused(lambda: keys.request("POST", f"{scene.new('no')}?uploadId={upload}", PARTS % etag.encode()))
    refused(lambda: keys.request("DELETE", scene.file))
    assert scene.lab.ada.done("GET", f"/workspaces/{scene.id}/shares")[0]["level"] == "read"
    assert scene.on_disk() == ["file"]


def test_a_narrowed_share_leaves_no_wide_one_behind(scene: Scene) -> None:
    scene.lab.write(f"{scene.name}/deep/file", b"deep")
    keys = scene.share("own")
    scene.lab.ada.share(scene.id, "bob", "read", "deep/")
    scene.unshare()
    statuses(200, lambda: keys.get(scene.new("deep/file")))
    refused(lambda: keys.get(scene.file))
    refused(lambda: keys.list(BUCKET, f"{scene.name}/"))
    refused(lambda: keys.put(scene.new("deep/new"), b"no"))
    seen = scene.lab.bob.workspace(f"ada/{scene.name}")
    assert (seen["level"], seen["objects"], seen["bytes"]) == (None, None, None)
    scene.lab.ada.unshare(scene.id, "bob", "deep/")
    refused(lambda: keys.get(scene.new("deep/file")))
    assert scene.lab.bob.call("GET", f"/workspaces/{scene.id}").status == 404


def test_a_share_that_expires_ends_to_the_second_with_no_process_told(scene: Scene) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=3)
    keys = scene.share("readwrite", expires_at=ends.isoformat())
    link = keys.presign("GET", scene.file)
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() + 0.05))
    refused(lambda: keys.get(scene.file))
    refused(lambda: keys.put(scene.new("no"), b"no"))
    refused(lambda: send(keys.host, keys.port, "GET", link, {}))
    assert scene.lab.bob.call("GET", f"/workspaces/{scene.id}").status == 404
    assert scene.lab.bob.call("POST", "/credentials", {"workspaces": [f"ada/{scene.name}"]}).status == 404
    assert scene.on_disk() == ["file"]


def test_revoking_a_share_at_own_revokes_the_chain_that_rests_on_it(scene: Scene) -> None:
    lab = scene.lab
    if lab.nobody.call("POST", "/sign-in", {"email": "dave@example.org", "password": PASSWORD}).status != 200:
        lab.register("dave")
    dave = lab.sign_in("dave")
    scene.share("own")
    lab.bob.share(scene.id, "carol", "own")
    lab.carol.share(scene.id, "dave", "readwrite")
    keys = [caller.keys(f"ada/{scene.name}") for caller in (lab.carol, dave)]
    for one in keys:
        statuses(200, lambda one=one: one.get(scene.file))
    gone = lab.ada.unshare(scene.id, "bob")["revoked"]
    assert {share["subject"] for share in gone} == {"bob", "carol", "dave"}
    for one in keys:
        refused(lambda one=one: one.get(scene.file))
        refused(lambda one=one: one.put(scene.new("no"), b"no"))
    assert lab.carol.call("GET", f"/workspaces/{scene.id}").status == 404
    assert dave.call("GET", f"/workspaces/{scene.id}").status == 404


def test_lowering_a_share_below_own_revokes_what_rests_on_it(scene: Scene) -> None:
    lab = scene.lab
    scene.share("own")
    lab.bob.share(scene.id, "carol", "readwrite")
    keys = lab.carol.keys(f"ada/{scene.name}")
    lab.ada.share(scene.id, "bob", "readwrite")
    refused(lambda: keys.get(scene.file))
    assert (
        lab.bob.call("POST", f"/workspaces/{scene.id}/shares", {"subject": "carol", "level": "read"}).status == 403
    )


def test_nobody_shares_on_more_or_longer_than_they_hold(scene: Scene) -> None:
    lab = scene.lab
    lab.write(f"{scene.name}/deep/file", b"deep")
    ends = datetime.now(UTC) + timedelta(hours=1)
    lab.ada.share(scene.id, "bob", "own", "deep/", expires_at=ends.isoformat())
    path = f"/workspaces/{scene.id}/shares"
    later = (ends + timedelta(hours=1)).isoformat()
    for wanted in (
        {"subject": "carol", "level": "read"},
        {"subject": "carol", "level": "read", "folder": "dee"},
        {"subject": "carol", "level": "read", "folder": "deep/", "expires_at": later},
        {"subject": "bob", "level": "own"},
        {"subject": "bob", "level": "own", "folder": "deep/"},
        {"subject": "everyone", "level": "own", "folder": ""},
    ):
        assert lab.bob.call("POST", path, wanted).status in (403, 409), wanted
    given = lab.bob.share(scene.id, "carol", "own", "deep/")
    assert datetime.fromisoformat(given["expires_at"]) <= ends


def test_a_group_share_ends_with_the_membership(scene: Scene) -> None:
    lab = scene.lab
    bob = lab.bob.done("GET", "/me")["id"]
    database = Database(sqlite_url(Path(lab.service.state_dir) / "workspacesio.sqlite3"))
    try:
        with database.write() as session:
            group = Group(name=f"team-{scene.name}"[:60], created_at=datetime.now(UTC))
            session.add(group)
            session.flush()
            session.add(GroupMember(group_id=group.id, user_id=bob, manager=False))
        lab.ada.share(scene.id, f"@{group.name}", "readwrite")
        keys = lab.bob.keys(f"ada/{scene.name}")
        statuses(200, lambda: keys.get(scene.file))
        refused_keys = lab.carol.keys()
        refused(lambda: refused_keys.get(scene.file))
        with database.write() as session:
            session.execute(delete(GroupMember).where(GroupMember.group_id == group.id))
        refused(lambda: keys.get(scene.file))
        assert lab.bob.call("GET", f"/workspaces/{scene.id}").status == 404
    finally:
        database.dispose()


def test_a_revoked_credential_is_refused_by_the_other_worker_too(scene: Scene) -> None:
    lab = scene.lab
    credential = lab.ada.issue(scene.name)
    keys = Keys.of(credential)
    link = keys.presign("GET", scene.file)
    statuses(200, lambda: keys.get(scene.file))
    # Another's credential is not there, and nothing happens to it.
    assert lab.bob.call("DELETE", f"/credentials/{credential['id']}").status == 404
    statuses(200, lambda: keys.get(scene.file))
    lab.ada.done("DELETE", f"/credentials/{credential['id']}")
    for ask in (
        lambda: keys.get(scene.file),
        lambda: keys.get("/"),
        lambda: keys.put(scene.new("no"), b"no"),
        lambda: send(keys.host, keys.port, "GET", link, {}),
    ):
        for answer in from_every_worker(ask):
            assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


def ended(ask: Callable[[], Answer]) -> None:
    for answer in from_every_worker(ask):
        assert (answer.status, answer.code) == (403, "InvalidAccessKeyId"), answer


def test_credentials_of_a_revoked_api_key_end_with_it(lab: Lab) -> None:
    made = lab.bob.done("POST", "/api-keys", {"name": "program"})
    program = Api(lab.bob.host, lab.bob.port, made["token"])
    keys = program.keys()
    statuses(200, lambda: keys.get("/"))
    lab.bob.done("DELETE", f"/api-keys/{made['id']}")
    ended(lambda: keys.get("/"))
    assert program.call("GET", "/me").status == 401
    assert program.call("POST", "/credentials", {}).status == 401


def test_credentials_of_a_session_end_with_signing_out_and_others_do_not(lab: Lab) -> None:
    first, second = lab.sign_in("bob"), lab.sign_in("bob")
    keys, kept = first.keys(), second.keys()
    link = keys.presign("GET", "/")
    statuses(200, lambda: keys.get("/"))
    assert first.call("DELETE", "/sign-in").status == 200
    ended(lambda: keys.get("/"))
    ended(lambda: send(keys.host, keys.port, "GET", link, {}))
    statuses(200, lambda: kept.get("/"))
    assert first.call("GET", "/me").status == 401
    assert second.call("GET", "/me").status == 200


def test_a_new_password_ends_sessions_api_keys_and_credentials(lab: Lab) -> None:
    erin = lab.register("erin")
    other = lab.sign_in("erin")
    key = Api(erin.host, erin.port, erin.done("POST", "/api-keys", {"name": "k"})["token"])
    keys = [caller.keys() for caller in (erin, other, key)]
    changed = erin.call("POST", "/me/password", {"current_password": PASSWORD, "new_password": "another password"})
    assert changed.status == 200
    for one in keys:
        ended(lambda one=one: one.get("/"))
    assert [caller.call("GET", "/me").status for caller in (erin, other, key)] == [200, 401, 401]
    wanted = {"email": "erin@example.org", "password": PASSWORD}
    assert lab.nobody.call("POST", "/sign-in", wanted).status == 401


def test_a_password_reset_ends_everything_and_works_once(lab: Lab) -> None:
    frank = lab.register("frank")
    keys = frank.keys()
    token = lab.ada.done("POST", "/users/frank/password-reset")["token"]
    given = {"token": token, "password": "a third password"}
    assert lab.nobody.call("POST", "/password-reset", given).status == 200
    ended(lambda: keys.get("/"))
    assert frank.call("GET", "/me").status == 401
    again = lab.nobody.call("POST", "/password-reset", given | {"password": "a fourth password"})
    assert (again.status, again.error) == (403, "bad_token")


def test_a_disabled_user_is_refused_everywhere_and_enabling_revives_no_key(lab: Lab) -> None:
    grace = lab.register("grace")
    made = grace.create("hers")
    key = Api(grace.host, grace.port, grace.done("POST", "/api-keys", {"name": "k"})["token"])
    keys = grace.keys()
    target = f"/{BUCKET}/{made['prefix']}new"
    headers = keys.sign("PUT", target) | {"content-length": "4"}
    with keys.connect() as connection:
        connection.sendall(keys.head_of("PUT", target, headers) + b"no")
        time.sleep(0.3)
        lab.ada.done("POST", "/users/grace/disable")
        connection.sendall(b"no")
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status == 403
    ended(lambda: keys.get("/"))
    assert [caller.call("GET", "/me").status for caller in (grace, key)] == [401, 401]
    sign_in = {"email": "grace@example.org", "password": PASSWORD}
    assert lab.nobody.call("POST", "/sign-in", sign_in).status == 403
    lab.ada.done("POST", "/users/grace/enable")
    ended(lambda: keys.get("/"))
    assert [caller.call("GET", "/me").status for caller in (grace, key)] == [401, 401]
    assert lab.sign_in("grace").keys().get(target).status == 404


def test_a_handed_over_workspace_is_shut_to_its_owner_before(scene: Scene) -> None:
    keys = scene.lab.ada.keys(scene.name)
    link = keys.presign("GET", scene.file)
    statuses(200, lambda: keys.get(scene.file))
    scene.lab.ada.done("POST", f"/workspaces/{scene.id}/hand-over", {"to": "carol"})
    refused(lambda: keys.get(scene.file))
    refused(lambda: keys.put(scene.new("no"), b"no"))
    refused(lambda: send(keys.host, keys.port, "GET", link, {}))


def test_a_key_for_a_workspace_is_not_for_the_next_one_of_its_name(lab: Lab) -> None:
    made = lab.bob.create("again")
    lab.bob.share(made["id"], "carol", "own")
    target = f"/{BUCKET}/{made['prefix']}file"
    keys, hers = lab.bob.keys("again"), lab.carol.keys("bob/again")
    assert keys.put(target, b"old").status == 200
    upload, etag = begin_upload(hers, f"/{BUCKET}/{made['prefix']}later")
    lab.bob.done("DELETE", f"/workspaces/{made['id']}", delete_objects="true")
    refused(lambda: keys.get(target))
    anew = lab.bob.create("again")
    assert anew["prefix"] == made["prefix"]
    assert anew["id"] != made["id"]
    assert lab.bob.keys("again").put(target, b"new").status == 200
    for one in (keys, hers, lab.carol.keys()):
        refused(lambda one=one: one.get(target))
        refused(lambda one=one: one.put(target, b"no"))
    completed = lab.bob.keys("again").request(
        "POST", f"/{BUCKET}/{made['prefix']}later?uploadId={upload}", PARTS % etag.encode()
    )
    assert (completed.status, completed.code) == (404, "NoSuchUpload")


def test_a_released_workspace_is_shut_to_everybody(scene: Scene) -> None:
    keys, owner = scene.share("own"), scene.lab.ada.keys()
    scene.lab.ada.done("POST", f"/workspaces/{scene.id}/release")
    for one in (keys, owner):
        refused(lambda one=one: one.get(scene.file))
        refused(lambda one=one: one.put(scene.new("no"), b"no"))
    assert scene.on_disk() == ["file"]


def test_leaving_a_public_root_takes_reading_from_everybody(lab: Lab) -> None:
    lab.write("open/data/file", b"content")
    lab.ada.done(
        "POST",
        "/roots",
        {"node": "local", "bucket": BUCKET, "prefix": "open/", "type": "unmanaged-public", "name": "o"},
    )
    lab.ada.import_folder("data", root="o", owner="ada", name="opened")
    keys = lab.bob.keys("ada/opened")
    statuses(200, lambda: keys.get(f"/{BUCKET}/open/data/file"))
    lab.ada.done("PATCH", "/roots/o", {"type": "unmanaged-private"})
    refused(lambda: keys.get(f"/{BUCKET}/open/data/file"))
    refused(lambda: keys.list(BUCKET, "open/data/"))


def test_an_event_stream_says_nothing_after_the_unshare(scene: Scene) -> None:
    keys, owner = scene.share("read"), scene.lab.ada.keys(scene.name)
    target = f"/{BUCKET}?events={encoded('s3:ObjectCreated:*')}&prefix={scene.name}/&ping=1"
    with keys.connect() as connection:
        connection.settimeout(0.5)
        connection.sendall(keys.head_of("GET", target, keys.sign("GET", target)))
        assert b"200 OK" in heard(connection, lambda data: b"200 OK" in data)
        time.sleep(0.5)
        assert owner.put(scene.new("seen"), b"x").status == 200
        assert b"seen" in heard(connection, lambda data: b"seen" in data)
        scene.unshare()
        for number in range(3):
            assert owner.put(scene.new(f"hidden{number}"), b"x").status == 200
        assert b"hidden" not in heard(connection, lambda data: b"hidden" in data, seconds=2.5)


def test_an_event_stream_ends_with_its_credential(lab: Lab) -> None:
    made = lab.bob.create("streamed")
    credential = lab.bob.issue("streamed")
    keys = Keys.of(credential)
    target = f"/{BUCKET}?events={encoded('s3:ObjectCreated:*')}&prefix={made['prefix']}&ping=1"
    with keys.connect() as connection:
        connection.settimeout(0.5)
        connection.sendall(keys.head_of("GET", target, keys.sign("GET", target)))
        heard(connection, lambda data: b"200 OK" in data)
        lab.bob.done("DELETE", f"/credentials/{credential['id']}")
        heard(connection, lambda data: data.endswith(b"0\r\n\r\n"), seconds=5, end=True)


def heard(
    connection: socket.socket, enough: Callable[[bytes], bool], *, seconds: float = 5, end: bool = False
) -> bytes:
    """What arrives until it is enough, or for `seconds`. With `end` it must be enough, or the end, by then."""
    data = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not enough(data):
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            continue
        if not piece:
            return data
        data += piece
    assert not end or enough(data), data
    return data


def test_no_short_lived_key_makes_another_one(lab: Lab) -> None:
    credential = lab.bob.issue()
    keys = Keys.of(credential)
    for token in (
        credential["session_token"],
        credential["secret_access_key"],
        credential["access_key_id"],
        f"{credential['access_key_id']}:{credential['secret_access_key']}",
    ):
        holder = Api(lab.bob.host, lab.bob.port, token)
        for method, path in (
            ("GET", "/me"),
            ("POST", "/credentials"),
            ("POST", "/api-keys"),
            ("POST", "/presign"),
        ):
            assert holder.call(method, path, {} if method == "POST" else None).status in (401, 422), path
        assert holder.call("POST", "/api-keys", {"name": "k"}).status == 401
        assert holder.call("POST", "/credentials", {}).status == 401
    form = {"content-type": "application/x-www-form-urlencoded"}
    for action in (
        "AssumeRole",
        "GetSessionToken",
        "GetFederationToken",
        "CreateAccessKey",
        "CreateServiceAccount",
    ):
        body = f"Action={action}&Version=2011-06-15&RoleArn=arn:x&RoleSessionName=x".encode()
        answer = keys.request("POST", "/", body, form)
        assert answer.status in (400, 405, 501), answer
        assert b"AccessKeyId>" not in answer.body
    assert keys.get(f"/{BUCKET}?session").status in (403, 501)
    assert keys.request("PUT", "/minio/admin/v3/add-service-account", b"{}").status in (400, 403, 405)


def test_an_api_key_makes_no_key_and_lifts_no_narrowing(lab: Lab) -> None:
    lab.bob.create("narrow")
    lab.bob.create("wide")
    ends = datetime.now(UTC) + timedelta(minutes=5)
    made = lab.bob.done(
        "POST",
        "/api-keys",
        {"name": "narrowed", "workspaces": ["narrow"], "read_only": True, "expires_at": ends.isoformat()},
    )
    program = Api(lab.bob.host, lab.bob.port, made["token"])
    assert program.call("POST", "/api-keys", {"name": "more"}).status == 403
    for wanted in ({"workspaces": ["wide"]}, {"workspaces": ["bob/wide"]}, {"workspaces": ["narrow", "wide"]}):
        assert program.call("POST", "/credentials", wanted).status == 404, wanted
    issued = program.issue(seconds=3600)
    assert issued["read_only"] is True
    assert datetime.fromisoformat(issued["expires_at"]) <= ends
    keys = Keys.of(issued)
    assert keys.get(f"/{BUCKET}/private/bob/wide/x").status == 403
    assert keys.put(f"/{BUCKET}/private/bob/narrow/x", b"no").status == 403
    assert keys.get(f"/{BUCKET}/private/bob/narrow/x").status == 404
    assert program.call("POST", "/presign", {"reference": "narrow/x", "method": "PUT"}).status == 403
    assert program.call("POST", "/presign", {"reference": "wide/x"}).status == 404
    assert [one["name"] for one in program.done("GET", "/workspaces")] == ["narrow"]
    wide = lab.bob.workspace("wide")["id"]
    for method, path, body in (
        ("GET", f"/workspaces/{wide}", None),
        ("PATCH", f"/workspaces/{wide}", {"name": "mine"}),
        ("DELETE", f"/workspaces/{wide}", None),
        ("GET", f"/workspaces/{wide}/shares", None),
        ("POST", f"/workspaces/{wide}/shares", {"subject": "carol"}),
    ):
        assert program.call(method, path, body).status == 404, path
    narrow = lab.bob.workspace("narrow")["id"]
    for method, path, body in (
        ("PATCH", f"/workspaces/{narrow}", {"name": "mine"}),
        ("DELETE", f"/workspaces/{narrow}", None),
        ("POST", f"/workspaces/{narrow}/shares", {"subject": "carol"}),
        ("POST", f"/workspaces/{narrow}/hand-over", {"to": "carol"}),
        ("POST", "/workspaces", {"name": "another"}),
        ("POST", "/me/password", {"current_password": PASSWORD, "new_password": "taken over by a key"}),
        ("GET", "/api-keys", None),
        ("DELETE", "/sign-in", None),
    ):
        assert program.call(method, path, body).status in (403, 404), path


def test_a_link_narrower_than_its_credential_opens_one_object_once_signed(scene: Scene) -> None:
    """The keys inside a link are in nobody's hands, and its query signs nothing else."""
    link = scene.lab.ada.done("POST", "/presign", {"reference": f"{scene.name}/file"})["url"]
    target = link.partition(f":{scene.lab.service.s3_port}")[2]
    host, port = "127.0.0.1", scene.lab.service.s3_port
    assert send(host, port, "GET", target, {}).status == 200
    path, _, query = target.partition("?")
    for method, other in (
        ("GET", f"{path}2?{query}"),
        ("GET", f"/{BUCKET}?{query}"),
        ("GET", f"{path}?{query}&versionId=null"),
        ("GET", f"{path}?{query}&tagging"),
        ("GET", f"{path}?response-content-type=text/html&{query}"),
        ("PUT", target),
        ("DELETE", target),
        ("HEAD", target),
        ("POST", target),
    ):
        assert send(host, port, method, other, {}, b"").status == 403, (method, other)
    copied = send(host, port, "GET", target, {"x-amz-copy-source": scene.file})
    assert copied.status == 403


def test_an_expired_credential_is_refused_by_every_worker(short_lived: Keys) -> None:
    link = short_lived.presign("GET", "/", expires=3600)
    began = time.monotonic()
    while short_lived.get("/").status == 200:
        assert time.monotonic() - began < 20
        time.sleep(0.25)
    for answer in from_every_worker(lambda: short_lived.get("/")):
        assert (answer.status, answer.code) == (400, "ExpiredToken")
    for answer in from_every_worker(lambda: send(short_lived.host, short_lived.port, "GET", link, {})):
        assert answer.status in (400, 403)
