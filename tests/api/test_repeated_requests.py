"""An equal request for keys of a MinIO node is answered in a short way, and just as it would be decided now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select

from api.plane import Plane
from servers.s3_server import S3Server
from workspacesio.database.tables import Credential, SignIn, User

WANTED = {"node": "minio", "duration_seconds": 3600}


@pytest.fixture
def plane(bare_plane: Plane, minio_server: S3Server) -> Iterator[Plane]:
    """`ada` has a workspace of her own, and one of `bob`'s that is shared with her through the group `lab`."""
    bare_plane.clock.now = datetime.now(UTC).replace(microsecond=0)
    bare_plane.start()
    bare_plane.user("root", administrator=True)
    for username in ("ada", "bob"):
        bare_plane.user(username)
    s3 = minio_server.boto3_client()
    s3.create_bucket(Bucket="repeated")
    server = {"endpoint": minio_server.endpoint, "access_key": minio_server.access_key}
    node = {"kind": "minio", "name": "minio", "secret_key": minio_server.secret_key, **server}
    bare_plane.do("root", "POST", "/nodes", node)
    root = {"node": "minio", "bucket": "repeated", "type": "private", "name": "lab"}
    bare_plane.do("root", "POST", "/roots", root)
    bare_plane.group("lab", "ada")
    for username in ("ada", "bob"):
        bare_plane.do(username, "POST", "/workspaces", {"name": f"of-{username}", "root": "lab"})
    share(bare_plane, "@lab")
    yield bare_plane
    bare_plane.do("root", "DELETE", "/nodes/minio", force=True)
    s3.delete_bucket(Bucket="repeated")


def share(plane: Plane, subject: str, **options: Any) -> None:
    plane.do(
        "bob", "POST", f"/workspaces/{of_bob(plane)}/shares", {"subject": subject, "level": "read", **options}
    )


def of_bob(plane: Plane) -> int:
    found: int = next(one["id"] for one in plane.do("bob", "GET", "/workspaces") if one["name"] == "of-bob")
    return found


@contextmanager
def statements(plane: Plane) -> Iterator[list[str]]:
    seen: list[str] = []

    def count(_c: object, _d: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SELECT pg_", "SHOW")):
            seen.append(statement)

    event.listen(plane.database.engine, "before_cursor_execute", count)
    yield seen
    event.remove(plane.database.engine, "before_cursor_execute", count)


def test_it_takes_few_statements_and_gives_other_keys(plane: Plane) -> None:
    first = plane.do("ada", "POST", "/credentials", WANTED)
    with statements(plane) as seen:
        response = plane.call("ada", "POST", "/credentials", WANTED)
    assert len(seen) <= 4, seen
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    again = response.json()
    keys = {"id", "access_key_id", "secret_access_key", "session_token", "expires_at"}
    assert list(again) == list(first)
    assert {name for name in first if again[name] != first[name]} >= keys - {"expires_at"}
    assert {name: first[name] for name in first if name not in keys} == {
        name: again[name] for name in again if name not in keys
    }
    listed = {one["access_key_id"] for one in plane.do("ada", "GET", "/credentials")}
    assert listed == {first["access_key_id"], again["access_key_id"]}
    assert sorted(one["reference"] for one in again["workspaces"]) == ["ada/of-ada", "bob/of-bob"]

    # Another body, and another's token, are another request.
    narrowed = plane.do("ada", "POST", "/credentials", {**WANTED, "read_only": True})
    assert narrowed["read_only"] is True
    others = plane.do("bob", "POST", "/credentials", WANTED)
    assert [one["reference"] for one in others["workspaces"]] == ["bob/of-bob"]
    plane.refused(401, "not_signed_in", "wios_unknown", "POST", "/credentials", WANTED)
    plane.refused(401, "not_signed_in", None, "POST", "/credentials", WANTED)


def _covers(plane: Plane) -> list[str]:
    return sorted(one["reference"] for one in plane.do("ada", "POST", "/credentials", WANTED)["workspaces"])


def _unshare(plane: Plane, subject: str) -> None:
    plane.do("bob", "DELETE", f"/workspaces/{of_bob(plane)}/shares", subject=subject)


def test_what_was_taken_back_is_not_covered(plane: Plane) -> None:
    own, both = ["ada/of-ada"], ["ada/of-ada", "bob/of-bob"]
    assert _covers(plane) == _covers(plane) == both
    _unshare(plane, "@lab")
    assert _covers(plane) == _covers(plane) == own

    share(plane, "@lab")
    assert _covers(plane) == _covers(plane) == both
    plane.leave("lab", "ada")
    assert _covers(plane) == _covers(plane) == own

    share(plane, "ada", expires_at=(plane.clock() + timedelta(seconds=20)).isoformat())
    assert _covers(plane) == _covers(plane) == both
    plane.clock.advance(seconds=20)
    assert _covers(plane) == own


def _gets_none(plane: Plane, token: str) -> None:
    plane.refused(401, "not_signed_in", token, "POST", "/credentials", WANTED)


def test_who_is_gone_gets_none(plane: Plane) -> None:
    key = plane.do("ada", "POST", "/api-keys", {"name": "script"})
    for token in (key["token"], "ada"):
        plane.do(token, "POST", "/credentials", WANTED)
    with statements(plane) as seen:
        plane.do(key["token"], "POST", "/credentials", WANTED)
        plane.do("ada", "POST", "/credentials", WANTED)
    assert len(seen) <= 8
    plane.do("ada", "DELETE", f"/api-keys/{key['id']}")
    _gets_none(plane, key["token"])

    # Also where no credential that was issued with it is in the table any more.
    plane.do("ada", "POST", "/credentials", WANTED)
    with plane.database.write() as session:
        session.execute(delete(Credential))
    plane.do("ada", "POST", "/credentials", WANTED)
    with plane.database.write() as session:
        ada = session.scalars(select(User.id).where(User.username == "ada")).one()
        session.execute(delete(SignIn).where(SignIn.user_id == ada))
    _gets_none(plane, "ada")
