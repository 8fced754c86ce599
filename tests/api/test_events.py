"""Events that a server tells, and what each reader hears of them: through the API, on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select, update

from api.event_bodies import body, record
from api.plane import Plane
from workspacesio.cli.server.upkeep import Upkeep
from workspacesio.database.journal_tables import EventSource, ObjectEvent, Usage
from workspacesio.database.tables import Node, Root, SignIn, Workspace
from workspacesio.domain.authority import Event
from workspacesio.services.event_cursors import open_cursor
from workspacesio.services.event_tokens import event_token
from workspacesio.services.journal import write_events

PREFIX = "private/ada/data/"


@dataclass
class Lab:
    """A MinIO node `lab` with a bucket of that name; ada owns the workspace `data` there."""

    plane: Plane
    node_id: int
    workspace_id: int
    ada_id: int

    @property
    def token(self) -> str:
        with self.plane.database.read() as session:
            number = session.get_one(EventSource, self.node_id).token_number
        return event_token(self.plane.keyring, self.node_id, number)

    def post(self, content: bytes, *, node: str = "lab", headers: dict[str, str] | None = None) -> httpx.Response:
        if headers is None:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return self.plane.request("POST", f"/api/v1/events/minio/{node}", content=content, headers=headers)

    def tell(self, *records: dict[str, Any]) -> None:
        response = self.post(body(*records))
        assert response.status_code == 200, response.text

    def rows(self) -> list[ObjectEvent]:
        with self.plane.database.read() as session:
            return list(session.scalars(select(ObjectEvent).order_by(ObjectEvent.id)))

    def begin(self, who: str, **query: Any) -> str:
        """A cursor from which `hear` goes on."""
        return self.stream(who, None, **query)[-1]["id"]

    def hear(self, who: str, cursor: str, **query: Any) -> list[str]:
        """The paths of what happened behind the cursor."""
        return [one["data"]["path"] for one in self.stream(who, cursor, **query) if one["kind"] == "message"]

    def stream(self, who: str, cursor: str | None, **query: Any) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.plane.tokens.get(who, who)}"}
        if cursor is not None:
            headers["Last-Event-ID"] = cursor
        response = self.plane.request("GET", "/api/v1/events", headers=headers, params=query or None)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(messages(response.text))


def messages(text: str) -> Iterator[dict[str, Any]]:
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
        if not fields:
            continue
        has_data = "data" in fields
        kind = fields.get("event", "message") if has_data else ""
        yield {"kind": kind, "id": fields.get("id"), "data": json.loads(fields["data"]) if has_data else None}


@pytest.fixture
def lab(plane: Plane) -> Lab:
    now = plane.clock()
    with plane.database.write() as session:
        me = plane.do("ada", "GET", "/me")["id"]
        root_id = plane.do("root", "GET", "/me")["id"]
        node = Node(
            name="lab", kind="minio", operator_id=root_id, endpoint="http://127.0.0.1:9", region="us-east-1",
            access_key="k", sealed_secret=b"", name_prefix="wio-ab12-", created_at=now,
        )  # fmt: skip
        session.add(node)
        session.flush()
        root = Root(
            name="lab", node_id=node.id, bucket="lab", prefix="private/", type="private",
            create_policy="everyone", created_at=now,
        )  # fmt: skip
        session.add_all([root, EventSource(node_id=node.id, token_number=1, applied=False)])
        session.flush()
        workspace = Workspace(
            name="data", owner_id=me, root_id=root.id, node_id=node.id, bucket="lab", prefix=PREFIX, created_at=now
        )
        session.add(workspace)
        session.flush()
        session.add(Usage(workspace_id=workspace.id, bytes=5, objects=1, exact=True))
        return Lab(plane, node.id, workspace.id, me)


only_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what doesn't depend on the database."""


# --- what a server tells


def test_what_a_server_tells_is_kept_before_it_is_answered(lab: Lab) -> None:
    lab.tell(record(PREFIX + "a dir/ré+100%.txt", principal=f"wio-ab12-u{lab.ada_id}.1", number=7))
    lab.tell(record(PREFIX + "a dir/ré+100%.txt", name="s3:ObjectRemoved:Delete", number=8))
    written, removed = lab.rows()
    assert (written.name, written.node_id, written.bucket) == ("s3:ObjectCreated:Put", lab.node_id, "lab")
    assert (written.key, written.workspace_id) == (PREFIX + "a dir/ré+100%.txt", lab.workspace_id)
    assert (written.size, written.etag) == (1024, "7265f4d211b56873a381d321f586e4a9")
    assert (written.user_id, removed.user_id) == (lab.ada_id, 0)
    assert written.at == lab.plane.clock() - timedelta(seconds=13, milliseconds=981)
    assert (removed.name, removed.size, removed.etag) == ("s3:ObjectRemoved:Delete", None, None)
    assert written.sequencer is not None
    assert removed.sequencer is not None
    assert written.sequencer < removed.sequencer
    with lab.plane.database.read() as session:
        assert session.get_one(EventSource, lab.node_id).heard_at == lab.plane.clock()
        usage = session.get_one(Usage, lab.workspace_id)
        assert (usage.bytes, usage.exact) == (5, False), "the server doesn't say what was replaced"


def test_what_is_told_twice_is_kept_once(lab: Lab) -> None:
    lab.tell(record(PREFIX + "a", number=1))
    lab.tell(record(PREFIX + "a", number=1), record(PREFIX + "b", number=2), record(PREFIX + "b", number=2))
    lab.tell(record(PREFIX + "a", number=3))
    assert [row.key for row in lab.rows()] == [PREFIX + "a", PREFIX + "b", PREFIX + "a"]


@only_on_sqlite
def test_what_lies_nowhere_and_other_kinds_are_not_kept(lab: Lab) -> None:
    lab.tell(
        record("elsewhere/x"),
        record(PREFIX.rstrip("/")),
        record("private/ada/data-2/x"),
        record(PREFIX + "x", bucket="other"),
        record(PREFIX + "x", name="s3:ObjectAccessed:Get"),
        record(PREFIX + "kept"),
    )
    assert [row.key for row in lab.rows()] == [PREFIX + "kept"]


@only_on_sqlite
def test_names_that_nothing_here_can_hold_stop_nothing(lab: Lab) -> None:
    """A server repeats what is refused, and nothing behind it comes through: so it is accepted."""
    start = "private%2Fada%2Fdata%2F"
    nameless = (start + "%FF%FE", start + "a%00b", start + "k" * 1024, start + "k" * 4000)
    for number, encoded in enumerate(nameless):
        lab.tell(record("", encoded=encoded), record(PREFIX + f"{number} is ok"))
    assert len(lab.rows()) == 4
    assert all(row.key.endswith("ok") for row in lab.rows())


@only_on_sqlite
def test_an_event_of_tomorrow_happened_now(lab: Lab) -> None:
    """Else it would never be forgotten."""
    lab.tell(record(PREFIX + "x", at="2126-11-22T10:00:00.000Z"))
    assert lab.rows()[0].at == lab.plane.clock()


@only_on_sqlite
def test_a_wrong_token_and_an_unknown_node_are_answered_alike(lab: Lab) -> None:
    plane, good = lab.plane, lab.token
    assert (
        plane.request("HEAD", "/api/v1/events/minio/lab", headers={"Authorization": f"Bearer {good}"}).status_code
        == 200
    )
    answers = set()
    other = event_token(plane.keyring, lab.node_id + 1, 1)
    wrong = [f"Bearer {good[:-2]}A=", f"Bearer {other}", f"Basic {good}", "Bearer", "", f"Bearer {good}{good}"]
    wrong += [f"Bearer {plane.tokens['ada']}", "Bearer wioe_", "Bearer wioe_%%%%", f"Bearer {good} {good}"]
    for value in wrong:
        for node in ("lab", "local", "nobody", "x" * 300, "%00"):
            headers = {"Authorization": value, "Content-Type": "application/json"}
            for content in (body(record(PREFIX + "x")), b"no JSON"):
                response = lab.post(content, node=node, headers=headers)
                answers.add((response.status_code, response.text))
            head = plane.request("HEAD", f"/api/v1/events/minio/{node}", headers=headers)
            assert head.status_code == 403
    for node in ("local", "nobody"):
        response = lab.post(body(record(PREFIX + "x")), node=node)
        answers.add((response.status_code, response.text))
    assert len(answers) == 1, answers
    assert next(iter(answers))[0] == 403
    assert lab.rows() == []


@only_on_sqlite
def test_a_renewed_token_ends_the_one_before(lab: Lab) -> None:
    before = {"Authorization": f"Bearer {lab.token}", "Content-Type": "application/json"}
    with lab.plane.database.write() as session:
        session.execute(update(EventSource).values(token_number=2))
    assert lab.post(body(record(PREFIX + "x")), headers=before).status_code == 403
    lab.tell(record(PREFIX + "x"))


HOSTILE = [
    b"", b"{", b"[]", b"null", b"{}", b'{"Records": {}}', b'{"Records": [1]}', b'{"Records": [[]]}', b"\xff\xfe",
    b"[" * 10_000, b'{"Records": [' + b"[" * 10_000, b'{"Records": "x"}',
    json.dumps({"Records": [{}] * 1001}).encode(),
    body(record("x", encoded="%zz")), body(record("x", encoded="")), body(record("x", bucket="")),
    body(record("x", encoded=5)), body(record("x", at="yesterday")), body(record("x", at="")),
    json.dumps({"Records": [{**record("x"), "s3": None}]}).encode(),
    json.dumps({"Records": [{**record("x"), "s3": {"bucket": [], "object": "x"}}]}).encode(),
]  # fmt: skip


@only_on_sqlite
def test_hostile_bodies_are_refused_in_one_sentence(lab: Lab) -> None:
    for content in HOSTILE:
        response = lab.post(content)
        assert response.status_code == 422, (content[:80], response.status_code, response.text)
        message = response.json()["error"]["message"]
        assert message.endswith(".")
        assert len(message) < 120
    assert lab.post(b" " * (1024 * 1024 + 1)).status_code == 413
    assert lab.rows() == []


def test_hostile_fields_are_no_danger(lab: Lab) -> None:
    odd = record(PREFIX + "x")
    odd["s3"]["object"] |= {"size": -1, "eTag": "e" * 10_000, "sequencer": "'; DROP TABLE", "versionId": {}}
    odd["userIdentity"] = "wio-ab12-u99999999999999999999999"
    odd["responseElements"] = ["x"]
    huge = record(PREFIX + "y", principal="wio-ab12-u" + "9" * 30)
    huge["s3"]["object"] |= {"size": 2**80, "sequencer": "F" * 500}
    lab.tell(odd, huge, record(PREFIX + "z", bucket="lab\0"), record(PREFIX + "z", bucket="b" * 5000))
    assert [(row.size, row.sequencer, row.user_id) for row in lab.rows()] == [(None, None, 0)] * 2


# --- who hears it


def test_each_reader_hears_what_they_may_read(lab: Lab) -> None:
    plane = lab.plane
    plane.share("ada", lab.workspace_id, "bob", folder="shared")
    cursors = {who: lab.begin(who) for who in ("ada", "bob", "carol", "root")}
    lab.tell(record(PREFIX + "shared/x"), record(PREFIX + "sharedtoo"), record(PREFIX + "own/x"))
    heard = {who: lab.hear(who, cursor) for who, cursor in cursors.items()}
    assert heard == {
        "ada": ["shared/x", "sharedtoo", "own/x"], "bob": ["shared/x"], "carol": [], "root": []
    }  # fmt: skip
    (told,) = lab.stream("bob", cursors["bob"])
    assert told["data"] == {
        "name": "s3:ObjectCreated:Put",
        "at": "2026-11-22T09:59:46.019Z",
        "workspace": {"id": lab.workspace_id, "owner": "ada", "name": "data"},
        "path": "shared/x",
        "node": "lab",
        "bucket": "lab",
        "key": PREFIX + "shared/x",
        "size": 1024,
        "etag": "7265f4d211b56873a381d321f586e4a9",
        "sequencer": "18EA824C61110001",
    }


def test_a_right_that_was_taken_hides_the_very_next_event_and_those_before(lab: Lab) -> None:
    plane = lab.plane
    plane.share("ada", lab.workspace_id, "bob")
    cursor = lab.begin("bob")
    lab.tell(record(PREFIX + "before"))
    assert lab.hear("bob", cursor) == ["before"]
    plane.do("ada", "DELETE", f"/workspaces/{lab.workspace_id}/shares", subject="bob")
    lab.tell(record(PREFIX + "after"))
    assert lab.hear("bob", cursor) == [], "what is heard is decided when it is sent"
    plane.share("ada", lab.workspace_id, "bob", expires_at="2026-11-22T10:10:00Z")
    assert lab.hear("bob", cursor) == ["before", "after"]
    plane.clock.advance(minutes=10)
    assert lab.hear("bob", cursor) == []


@only_on_sqlite
def test_a_group_that_was_left_and_everyone(lab: Lab) -> None:
    plane = lab.plane
    plane.group("team", "bob")
    plane.share("ada", lab.workspace_id, "@team", folder="g")
    plane.share("ada", lab.workspace_id, "everyone", folder="e")
    cursor = lab.begin("bob")
    lab.tell(record(PREFIX + "g/x"), record(PREFIX + "e/x"))
    assert lab.hear("bob", cursor) == ["g/x", "e/x"]
    plane.leave("team", "bob")
    assert lab.hear("bob", cursor) == ["e/x"]


def test_a_narrowed_key_hears_its_part(lab: Lab) -> None:
    plane = lab.plane
    other = plane.workspace("ada", "other")
    cursor = lab.begin("ada")
    write_events(plane.database, [_event(plane, other, "x")])
    lab.tell(record(PREFIX + "x"))
    assert lab.hear("ada", cursor) == ["x", "x"]
    key = plane.do("ada", "POST", "/api-keys", {"name": "k", "workspaces": ["other"], "read_only": True})
    heard = [one["data"] for one in lab.stream(key["token"], cursor) if one["data"]]
    assert [one["workspace"]["name"] for one in heard] == ["other"]
    plane.refused(404, None, key["token"], "GET", "/events", within="ada/data")
    plane.do("ada", "DELETE", f"/api-keys/{key['id']}")
    assert plane.call(key["token"], "GET", "/events").status_code == 401


@only_on_sqlite
def test_a_filter_only_takes_away(lab: Lab) -> None:
    lab.plane.share("ada", lab.workspace_id, "bob", folder="a")
    cursors = {who: lab.begin(who) for who in ("ada", "bob")}
    lab.tell(record(PREFIX + "a/x"), record(PREFIX + "ab"), record(PREFIX + "b/x"))
    assert lab.hear("ada", cursors["ada"], within="data/a") == ["a/x", "ab"]
    assert lab.hear("ada", cursors["ada"], within="data/a/") == ["a/x"]
    assert lab.hear("bob", cursors["bob"], within="ada/data") == ["a/x"]
    assert lab.hear("bob", cursors["bob"], within="ada/data/a") == ["a/x"]
    for within in ("ada/data/ab", "ada/data/b/", "ada/nothing", "carol/data"):
        lab.plane.refused(404, None, "bob", "GET", "/events", within=within)
    lab.plane.refused(404, None, "carol", "GET", "/events", within="ada/data")


@only_on_sqlite
def test_a_server_that_was_never_told_to_tell_is_said(lab: Lab) -> None:
    with lab.plane.database.write() as session:
        session.execute(delete(EventSource))
    error = lab.plane.refused(409, "no_events", "ada", "GET", "/events", within="data")
    assert "wio node events lab" in error["message"]


def test_a_workspace_that_is_gone_tells_nothing_to_who_has_its_place(lab: Lab) -> None:
    cursor = lab.begin("bob")
    lab.tell(record(PREFIX + "old"))
    with lab.plane.database.write() as session:
        old = session.get_one(Workspace, lab.workspace_id)
        bob = lab.plane.do("bob", "GET", "/me")["id"]
        session.delete(old)
        session.flush()
        session.add(
            Workspace(
                name="new", owner_id=bob, root_id=old.root_id, node_id=old.node_id, bucket="lab", prefix=PREFIX,
                created_at=lab.plane.clock(),
            )
        )  # fmt: skip
    lab.tell(record(PREFIX + "new"))
    assert lab.hear("bob", cursor) == ["new"]
    with lab.plane.database.write() as session:
        session.execute(update(Workspace).where(Workspace.name == "new").values(prefix="private/elsewhere/"))
    assert lab.hear("bob", cursor) == [], "it was moved, and a path before that means nothing now"


# --- going on


def test_a_cursor_goes_on_where_it_was(lab: Lab) -> None:
    cursor = lab.begin("ada")
    lab.tell(*(record(PREFIX + f"{number}", number=number) for number in range(5)))
    found = [one for one in lab.stream("ada", cursor) if one["kind"] == "message"]
    for number, one in enumerate(found):
        assert lab.hear("ada", one["id"]) == [str(left) for left in range(number + 1, 5)]


def test_a_long_silence_is_heard_in_steps(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspacesio.services.event_stream.MAX_EVENTS", 2)
    monkeypatch.setattr("workspacesio.services.event_stream.MAX_ROWS", 7)
    monkeypatch.setattr(lab.plane.routes.state.event_streams, "longest_seconds", 0.6)
    cursor = lab.begin("ada")
    for number in range(12):
        key = PREFIX + str(number) if number % 3 == 0 else "private/none"
        if number % 3:
            other = Event("s3:ObjectCreated:Put", lab.plane.clock(), 99, "lab", key, 99, 1, size=1)
            write_events(lab.plane.database, [other])
        else:
            lab.tell(record(key, number=number))
    assert lab.hear("ada", cursor) == ["0", "3", "6", "9"]


@only_on_sqlite
def test_cursors_are_sealed_and_ones_own(lab: Lab) -> None:
    plane = lab.plane
    cursor = lab.begin("ada")
    assert cursor != lab.begin("ada"), "equal ones would say that nothing happened elsewhere"
    assert open_cursor(plane.keyring, lab.ada_id, cursor) == 0
    wrong = [("bob", cursor), *(("ada", one) for one in ("1", cursor[:-3] + "AAA", "é", "x" * 2000))]
    for who, given in wrong:
        headers = {"Authorization": f"Bearer {plane.tokens[who]}", "Last-Event-ID": given.encode()}
        response = plane.request("GET", "/api/v1/events", headers=headers)
        assert response.status_code == 422, given
        assert response.json()["error"]["code"] == "invalid_cursor"


def test_what_was_forgotten_meanwhile_is_said(lab: Lab) -> None:
    lab.tell(record(PREFIX + "0", number=1))
    cursor = lab.begin("ada")
    for number in (2, 3, 4):
        lab.tell(record(PREFIX + str(number), number=number))
    with lab.plane.database.journal() as session:
        session.execute(delete(ObjectEvent).where(ObjectEvent.key.in_([PREFIX + "0", PREFIX + "2"])))
    kinds = [one["kind"] for one in lab.stream("ada", cursor)]
    assert kinds == ["lost", "message", "message"]
    with lab.plane.database.journal() as session:
        session.execute(delete(ObjectEvent))
    assert [one["kind"] for one in lab.stream("ada", cursor)] == ["lost"]


def test_nothing_is_missing_where_only_old_events_were_cleared(lab: Lab) -> None:
    """Not even when all that was ever told is old by now, and whoever listens has heard it."""
    for number in (1, 2):
        lab.tell(record(PREFIX + str(number), number=number))
    cursor = lab.begin("ada")
    plane = lab.plane
    upkeep = Upkeep(plane.database, plane.settings, plane.keyring)
    upkeep.forget_old_rows(plane.clock() + timedelta(days=30))
    with plane.database.read() as session:
        assert session.scalar(select(func.count()).select_from(ObjectEvent)) == 1
    assert [one["kind"] for one in lab.stream("ada", cursor) if one["kind"]] == []


def test_a_stream_ends_with_the_session_and_with_the_right(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right ends while the stream is open: its last message says why."""
    monkeypatch.setattr(lab.plane.routes.state.event_streams, "longest_seconds", 20.0)
    lab.plane.share("ada", lab.workspace_id, "bob")

    def taken(who: str, **query: Any) -> dict[str, Any]:
        (*_, last) = lab.stream(who, None, **query)
        assert last["kind"] == "end"
        error: dict[str, Any] = last["data"]["error"]
        return error

    def later(change: Any) -> None:
        threading.Timer(1.0, change).start()

    later(lambda: lab.plane.do("ada", "DELETE", f"/workspaces/{lab.workspace_id}/shares", subject="bob"))
    assert taken("bob", within="ada/data")["code"] == "not_found"

    def sign_out() -> None:
        with lab.plane.database.write() as session:
            session.execute(delete(SignIn).where(SignIn.user_id == lab.ada_id))

    later(sign_out)
    assert taken("ada")["code"] == "not_signed_in"
    later(lambda: lab.plane.do("root", "POST", "/users/bob/disable"))
    assert taken("bob")["code"] == "not_signed_in"


@only_on_sqlite
def test_one_user_cannot_hold_all_streams(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspacesio.api.event_streams.MAX_STREAMS_OF_USER", 0)
    error = lab.plane.refused(503, "too_many_streams", "ada", "GET", "/events")
    assert "close others" in error["message"]


def _event(plane: Plane, workspace: dict[str, Any], path: str) -> Event:
    with plane.database.read() as session:
        row = session.get_one(Workspace, workspace["id"])
    key = row.prefix + path
    return Event("s3:ObjectCreated:Put", plane.clock(), row.node_id, row.bucket, key, row.id, row.owner_id, size=1)


# --- how a server is set up


@only_on_sqlite
def test_a_server_whose_key_is_a_plain_users_is_set_up_by_hand(lab: Lab) -> None:
    """The setting is there for somebody to type; with the node's own key nothing is tried."""
    plane = lab.plane
    with plane.database.write() as session:
        session.execute(delete(EventSource))
        session.execute(update(Node).where(Node.name == "lab").values(kind="minio-plain", name_prefix=None))
    state = plane.do("root", "GET", "/nodes/lab/events")
    assert (state["known"], state["live"], state["heard_at"]) == (False, False, None)
    assert state["buckets"] == [{"bucket": "lab", "told": False}]
    assert "may not configure its server" in state["problem"]
    plane.refused(409, "node_kind", "root", "POST", "/nodes/lab/events", {"apply": True})
    assert plane.do("root", "GET", "/nodes/lab/events")["known"] is False, "nothing was tried"
    made = plane.do("root", "POST", "/nodes/lab/events", {"queue_dir": "/var/lib/queue"})
    assert made["setting"] == (
        f"notify_webhook:{state['arn'].split(':')[-2]} "
        f'endpoint="http://files.example.org:8100/api/v1/events/minio/lab" auth_token="{lab.token}" '
        'queue_dir="/var/lib/queue" queue_limit="100000"'
    )
    lab.tell(record(PREFIX + "x"))
    before = lab.token
    assert plane.do("root", "POST", "/nodes/lab/events", {})["setting"].count(before) == 1, "the same each time"
    assert before not in plane.do("root", "POST", "/nodes/lab/events", {"renew": True})["setting"]
    plane.do("root", "DELETE", "/nodes/lab/events")
    ended = {"Authorization": f"Bearer {before}", "Content-Type": "application/json"}
    assert lab.post(body(record(PREFIX + "x")), headers=ended).status_code == 403
    plane.refused(404, "no_events", "root", "DELETE", "/nodes/lab/events")


@only_on_sqlite
def test_nothing_that_is_given_can_end_the_line_of_the_setting(lab: Lab) -> None:
    for address in ('http://a" auth_token="', "http://a b", "http://a\nsite name=x", "ftp://a", "http://a/%22"):
        lab.plane.refused(422, "invalid_address", "root", "POST", "/nodes/lab/events", {"address": address})
    for queue in ("relative", '/a"b', "/a b", "/a\nb", "/", "/" + "x" * 600):
        lab.plane.refused(422, "invalid_queue_dir", "root", "POST", "/nodes/lab/events", {"queue_dir": queue})
