"""How long it takes until a right is taken back on a MinIO server too: the whole request of the API.

The answer says that the server has been told, was asked again and shows it. Before each the right is given, and
after each the holder's old keys are tried at the server.
"""

from __future__ import annotations

import io
import json
import math
import os
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.beside import Beside
from benchmarks.hub import BUCKET, NODE, Api, Hub, api_key, start_hub
from servers.service import Person
from servers.signed_connection import Keys, SignedConnection
from workspacesio.database.engines import sqlite_url
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Group, GroupMember, Node, NodeEffect, User
from workspacesio.domain.vocabulary import SubjectKind
from workspacesio.nodes.minio.names import user_name
from workspacesio.services.keys import Keyring, load_or_make_secret
from workspacesio.services.node_secrets import server_user_secret

UNSHARES = 200
MEMBERS = 1_000
TOLD_SECONDS = 600


def unsharing(loadgen: str, rounds: int) -> list[Beside]:
    """A share of one user, taken back over and over."""
    del loadgen, rounds
    with start_hub() as hub:
        given, taken = _give_and_take(hub, hub.person("bob"), "bob", UNSHARES)
    return [
        Beside("a share given, 99th percentile", _p99(given), "ms"),
        Beside("a share taken back, 99th percentile", _p99(taken), "ms", limit=100, note=f"{UNSHARES} times"),
    ]


def group_sharing(loadgen: str, rounds: int) -> list[Beside]:
    """A share of a group of 1,000 members, each of whom is a user on the server."""
    del loadgen
    with start_hub() as hub:
        bob = hub.person("bob")
        _make_group(hub, "bob", "crowd", MEMBERS)
        given, taken = _give_and_take(hub, bob, "@crowd", 5 * rounds)
    note = f"slowest of {5 * rounds}"
    return [
        Beside(f"a share given to a group of {MEMBERS:,}", max(given), "ms", limit=1000, note=note),
        Beside(f"a share of a group of {MEMBERS:,} taken back", max(taken), "ms", limit=1000, note=note),
    ]


def _give_and_take(hub: Hub, holder: Person, subject: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each. The holder's keys are from before the first."""
    api = Api(hub.service.api_url, api_key(hub.administrator))
    workspace = next(one for one in hub.administrator.json("workspace", "ls") if one["name"] == "data")
    keys = holder.token("--node", NODE)
    there = Keys(keys["access_key_id"], keys["secret_access_key"], keys["session_token"])
    connection = SignedConnection(hub.server.endpoint, there)
    listing = [("list-type", "2"), ("prefix", workspace["prefix"])]
    path = f"/workspaces/{workspace['id']}/shares"
    given, taken = [], []
    for _ in range(times):
        answer, took = _timed(api, "POST", path, {"subject": subject, "level": "read"})
        assert _is_enforced(answer), answer
        given.append(took)
        assert connection.send("GET", f"/{BUCKET}", listing).status == 200
        answer, took = _timed(api, "DELETE", path, None, subject=subject)
        assert _is_enforced(answer), answer
        taken.append(took)
        assert connection.send("GET", f"/{BUCKET}", listing).status == 403
    connection.close()
    api.close()
    return given, taken


def _timed(api: Api, method: str, path: str, body: Any, **query: str) -> tuple[Any, float]:
    begun = time.perf_counter()
    answer = api.call(method, path, body, **query)
    return answer, 1000 * (time.perf_counter() - begun)


def _is_enforced(answer: Any) -> bool:
    enforced = answer["enforced"]
    return enforced == "enforced" or (bool(enforced) and all(one["state"] == "enforced" for one in enforced))


def _p99(times: list[float]) -> float:
    return sorted(times)[math.ceil(0.99 * len(times)) - 1]


def _make_group(hub: Hub, username: str, name: str, size: int) -> None:
    """A group of the user and of others that are new. The server gets its users in one piece, as making one takes
    a tenth of a second there; all else about them is the service's own work, which is waited for.
    """
    state = Path(hub.service.state_dir)
    database = Database(sqlite_url(state / "workspacesio.sqlite3"))
    keyring = Keyring(load_or_make_secret(state))
    now = datetime.now(UTC)
    with database.write() as session:
        node = session.scalars(select(Node).where(Node.name == NODE)).one()
        users = [
            User(email=f"m{number}@example.org", username=f"m{number}", enabled=True, created_at=now)
            for number in range(size - 1)
        ]
        group = Group(name=name, created_at=now)
        session.add_all([*users, group])
        session.flush()
        names = [user_name(node.name_prefix or "", user.id, 1) for user in users]
        _import_users(hub, {one: server_user_secret(keyring, node.id, one) for one in names})
        known = session.scalars(select(User.id).where(User.username == username)).one()
        members = [known, *(user.id for user in users)]
        session.add_all(GroupMember(group_id=group.id, user_id=member) for member in members)
        for user in users:
            session.add(_effect(node.id, user.id))
        row = session.scalars(
            select(NodeEffect).where(
                NodeEffect.subject_kind == SubjectKind.USER.value, NodeEffect.subject_id == known
            )
        ).one()
        row.desired_generation += 1
    _wait_until_told(database)
    database.dispose()


def _effect(node_id: int, user_id: int) -> NodeEffect:
    return NodeEffect(
        node_id=node_id,
        subject_kind=SubjectKind.USER.value,
        subject_id=user_id,
        desired_generation=1,
        applied_generation=0,
        identity=1,
        active=True,
        applied_documents=0,
    )


def _import_users(hub: Hub, secrets: dict[str, str]) -> None:
    """As `mc admin cluster iam import` takes them."""
    users = {name: {"secretKey": secret, "status": "enabled"} for name, secret in secrets.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("iam-assets/users.json", json.dumps(users))
    path = os.path.join(hub.service.base, "users.zip")
    Path(path).write_bytes(packed.getvalue())
    hub.subjects.mc("admin", "cluster", "iam", "import", "x", path)


def _wait_until_told(database: Database) -> None:
    behind = select(func.count()).where(NodeEffect.applied_generation < NodeEffect.desired_generation)
    until = time.monotonic() + TOLD_SECONDS
    while True:
        with database.read() as session:
            left = session.scalar(behind)
        if not left:
            return
        assert time.monotonic() < until, f"{left} users are still to be told of"
        time.sleep(1)
