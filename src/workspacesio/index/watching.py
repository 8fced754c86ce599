"""Watches the folders of workspaces, so that what is changed in them directly is found within a second.

Which workspaces there are is read from the database again and again. Each is watched where its filesystem can be
(`nodes/folder/watchable.py`) and the system lets us; else the root shows why it isn't, and crawls find what
changes. Once the folders of a workspace are prepared, whatever happens is told. What happened before is found by a
crawl, or, in a workspace that has just been made, by going through it. A server that tells of changes told nobody
while the service was away, so what lies there is crawled at the beginning, too.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy import select

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.vocabulary import CrawlReason, NodeKind
from workspacesio.index.freshness import Freshness, KeptBy, server_roots, write_freshness
from workspacesio.index.hints import Hints
from workspacesio.index.places import places_of_kind
from workspacesio.index.watched_workspaces import Needed, WatchedWorkspaces
from workspacesio.nodes.driver import StorageDriver
from workspacesio.services.crawl_requests import request_crawl

LISTEN_SECONDS = 0.1
REFRESH_SECONDS = 1.0
READ_SECONDS = 10.0
"""Settings of roots are read so often; the rest, as it changes."""

WRITE_SECONDS = 2.0


class WatchContext(Protocol):
    """What is needed of `worker.WorkerContext`."""

    @property
    def database(self) -> Database: ...
    @property
    def drivers(self) -> Callable[[int], StorageDriver]: ...
    @property
    def hints(self) -> Hints: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def stopping(self) -> Callable[[], bool]: ...


class WatchTask:
    """`step` is called again and again in one thread; implements `worker.WorkerTask`."""

    name = "watching"

    def __init__(self, context: WatchContext) -> None:
        self._context = context
        self._workspaces = WatchedWorkspaces(context.drivers, context.hints)
        self._generation = -1
        self._read_at = self._refresh_at = self._write_at = 0.0
        self._written: dict[int, Freshness] | None = None
        self._caught_up = False

    def step(self) -> float:
        """Listen for a while; seconds until the next is due. Raises Unavailable while the database is away."""
        now = time.monotonic()
        if now >= self._refresh_at:
            self._refresh_at = now + REFRESH_SECONDS
            self._refresh(now)
        self._workspaces.step(LISTEN_SECONDS)
        if now >= self._write_at:
            self._write_at = now + WRITE_SECONDS
            self._request_crawls()
            self._write_freshness()
        return 0.0

    def close(self) -> None:
        self._workspaces.close()

    def _refresh(self, now: float) -> None:
        generation = self._context.database.generation()
        if generation != self._generation or now >= self._read_at:
            with self._context.database.read() as session:
                places = places_of_kind(session, NodeKind.FOLDER)
            self._workspaces.update(places)
            self._generation, self._read_at = generation, now + READ_SECONDS
        self._workspaces.look_after()

    def _request_crawls(self) -> None:
        if not self._caught_up:
            with self._context.database.read() as session:
                told = [root for root, found in server_roots(session).items() if found.kept_by is KeptBy.EVENTS]
            self._workspaces.give_back([Needed(root_id, None) for root_id in told])
            self._caught_up = True
        needed = self._workspaces.take_needed()
        if not needed:
            return
        try:
            with self._context.database.journal() as session:
                existing = set(session.scalars(select(Workspace.id)))
                roots = set(session.scalars(select(Root.id)))
                for root_id, workspace_id in needed:
                    if root_id in roots and (workspace_id is None or workspace_id in existing):
                        request_crawl(
                            session,
                            root_id=root_id,
                            workspace_id=workspace_id,
                            reason=CrawlReason.UNHEARD,
                            now=self._context.clock(),
                        )
        except BaseException:
            self._workspaces.give_back(needed)
            raise

    def _write_freshness(self) -> None:
        with self._context.database.read() as session:
            found = server_roots(session) | self._workspaces.freshness()
        if found != self._written:
            with self._context.database.journal() as session:
                write_freshness(session, found, now=self._context.clock())
            self._written = found
