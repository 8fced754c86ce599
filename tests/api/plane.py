"""A whole control plane in this process: a database, a folder node, the application, and people who call it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio.from_thread
import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import select

from api.plane_index import PlaneIndex
from workspacesio.api.app import create_routes
from workspacesio.api.context import ServerContext
from workspacesio.api.edge import Edge
from workspacesio.api.event_streams import EventStreams
from workspacesio.database.sessions import Database
from workspacesio.database.tables import AuditRecord, Group, GroupMember, User
from workspacesio.services.drivers import Drivers
from workspacesio.services.first_start import make_local_node
from workspacesio.services.keys import Keyring
from workspacesio.services.passwords import hash_password
from workspacesio.services.sign_ins import start_sign_in
from workspacesio.settings import Settings

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)


class Clock:
    """Time as the tests set it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@functools.cache
def _routes_made_once() -> FastAPI:
    return create_routes(cast(ServerContext, None))


def _routes(context: ServerContext) -> FastAPI:
    """Making the routes takes longer than most tests: they are made once, and given each plane's context."""
    routes = _routes_made_once()
    routes.state.context = context
    # The transport gives an answer when it has ended.
    routes.state.event_streams = EventStreams()
    routes.state.event_streams.longest_seconds = 0.1
    return routes


class Plane:
    """`folder` is the served folder. People are named by their usernames; `calls(...)` is who calls."""

    def __init__(
        self, url: str, base: Path, make_database: Callable[[str], Database] = Database, **settings: Any
    ) -> None:
        self.folder = base / "data"
        self.state = base / "state"
        self.folder.mkdir()
        self.state.mkdir()
        self.clock = Clock()
        self.database = make_database(url)
        self.settings = Settings(
            **{
                "state_dir": self.state,
                "folder_paths": (str(base),),
                "credential_max_seconds": 12 * 3600,
                **settings,
            }
        )
        self.keyring = Keyring("a secret of at least so many characters")
        self.drivers = Drivers(self.database, self.settings, self.keyring)
        self.index = PlaneIndex(self.settings, url)
        self.context = ServerContext(
            self.database,
            self.settings,
            self.keyring,
            self.drivers,
            self.clock,
            self.index,
        )
        self.routes = _routes(self.context)
        self.app = Edge(self.routes)
        self.address = "192.0.2.7"
        self.portal: BlockingPortal
        self.tokens: dict[str, str] = {}

    def start(self, **options: Any) -> None:
        """What `wio serve DIR` makes on a fresh state."""
        with self.database.write() as session:
            make_local_node(session, path=self.folder, state_dir=self.state, now=self.clock(), **options)

    def user(self, username: str, *, administrator: bool = False) -> int:
        """A user with a session; returns the id."""
        with self.database.write() as session:
            user = User(
                email=f"{username}@example.org",
                username=username,
                password_hash=PASSWORD_HASH,
                administrator=administrator,
                enabled=True,
                created_at=self.clock(),
            )
            session.add(user)
            session.flush()
            self.tokens[username] = start_sign_in(session, user=user, now=self.clock()).token
            return user.id

    def group(self, name: str, *members: str) -> None:
        with self.database.write() as session:
            group = Group(name=name, created_at=self.clock())
            session.add(group)
            session.flush()
            for member in session.scalars(select(User).where(User.username.in_(members))):
                session.add(GroupMember(group_id=group.id, user_id=member.id))

    def leave(self, group: str, username: str) -> None:
        with self.database.write() as session:
            row = session.scalars(
                select(GroupMember)
                .join(Group, Group.id == GroupMember.group_id)
                .join(User, User.id == GroupMember.user_id)
                .where(Group.name == group, User.username == username)
            ).one()
            session.delete(row)

    def call(self, who: str | None, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """A request as a user, or with a token, or as nobody."""
        headers = {}
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(who, who)}"
        extra: dict[str, Any] = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            extra["content"] = json.dumps(body)
        return self.request(method, f"/api/v1{path}", headers=headers, params=query or None, **extra)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request over ASGI, from `self.address`; the application runs on the portal's event loop."""
        return self.portal.call(functools.partial(self._request, method, path, **options))

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(self.address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://files.example.org:8100") as client:
            return await client.request(method, path, **options)

    def do(self, who: str | None, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """As `call`, where it must succeed: the answer's JSON."""
        response = self.call(who, method, path, body, **query)
        assert response.status_code < 300, (response.status_code, response.text)
        return response.json() if response.content else None

    def refused(
        self,
        status: int,
        code: str | None,
        who: str | None,
        method: str,
        path: str,
        body: Any = None,
        **query: Any,
    ) -> dict[str, Any]:
        """As `call`, where it must fail so: the error."""
        response = self.call(who, method, path, body, **query)
        assert response.status_code == status, (response.status_code, response.text)
        error: dict[str, Any] = response.json()["error"]
        assert set(error) == {"code", "message", "details"}
        if code is not None:
            assert error["code"] == code, error
        return error

    def workspace(self, who: str, name: str, **options: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.do(who, "POST", "/workspaces", {"name": name, **options})
        return made

    def share(self, who: str, workspace_id: int, subject: str, level: str = "read", **options: Any) -> Any:
        body = {"subject": subject, "level": level, **options}
        return self.do(who, "POST", f"/workspaces/{workspace_id}/shares", body)

    def write_file(self, key: str, content: bytes = b"x") -> Path:
        """Put a file where the node's key spells it, as somebody with a shell would."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def crawl(self) -> None:
        """Let the index hold what lies in the folder."""
        self.index.crawl(self.database, self.drivers, self.clock)

    def verbs(self) -> list[str]:
        """What the audit has, in order."""
        with self.database.read() as session:
            return list(session.scalars(select(AuditRecord.verb).order_by(AuditRecord.id)))

    def generation(self) -> int:
        return self.database.generation()

    @contextmanager
    def running(self) -> Iterator[None]:
        """An event loop in a thread, on which the application and its drivers live."""
        with anyio.from_thread.start_blocking_portal() as portal:
            self.portal = portal
            yield
            portal.call(self.drivers.close)
        self.index.close()
        self.database.dispose()
