"""What makes a crawl needed asks for it, in its own transaction."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.kinds import database_fixture
from workspacesio.database.index_tables import Crawl
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, Root, User, Workspace
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import CrawlReason, IndexLevel, RootType
from workspacesio.services.actors import Actor
from workspacesio.services.crawl_requests import indexing_of, set_indexing
from workspacesio.services.imports import Counted, Wanted, import_folders
from workspacesio.services.nodes import change_folder_node

NOW = datetime(2026, 11, 22, tzinfo=UTC)

database = database_fixture()


def _actor(session: Session) -> Actor:
    """An administrator with a folder node `n` and an unmanaged root `r` on it."""
    user = User(email="ada@example.org", username="ada", administrator=True, enabled=True, created_at=NOW)
    session.add(user)
    session.flush()
    session.add(
        Node(name="n", kind="folder", path="/x", layout="bucket", bucket="b", run_by_service=True, created_at=NOW)
    )
    session.flush()
    node = session.scalars(select(Node)).one()
    session.add(
        Root(name="r", node_id=node.id, bucket="b", prefix="", type=RootType.UNMANAGED_PRIVATE, created_at=NOW)
    )
    session.flush()
    return Actor(Caller(user.id, True, True), "ada")


def _crawls(session: Session) -> list[tuple[str, str | None, bool]]:
    rows = session.execute(
        select(Crawl.reason, Workspace.prefix, Crawl.gentle)
        .outerjoin(Workspace, Workspace.id == Crawl.workspace_id)
        .order_by(Crawl.id)
    )
    return [tuple(row) for row in rows]


def _import(session: Session, actor: Actor) -> None:
    import_folders(
        session,
        actor=actor,
        root="r",
        wanted=[Wanted("a/", "ada"), Wanted("b/", "ada")],
        name=None,
        counted={"a/": Counted(1, 2), "b/": Counted(3, 4)},
        now=NOW,
    )


def test_imported_folders_are_crawled_gently_once(database: Database) -> None:
    with database.write() as session:
        actor = _actor(session)
        _import(session, actor)
        _import(session, actor)
    with database.read() as session:
        assert _crawls(session) == [(CrawlReason.IMPORT, "a/", True), (CrawlReason.IMPORT, "b/", True)]


def test_an_import_that_fails_asks_for_nothing(database: Database) -> None:
    class Failed(Exception):
        pass

    with pytest.raises(Failed), database.write() as session:  # noqa: PT012 - the block is the transaction
        _import(session, _actor(session))
        raise Failed
    with database.read() as session:
        assert _crawls(session) == []


def test_what_a_node_shows_is_crawled_again_when_that_changes(database: Database) -> None:
    with database.write() as session:
        actor = _actor(session)
        change_folder_node(session, actor=actor, name="n", read_only=True, now=NOW)
        assert _crawls(session) == []
        change_folder_node(session, actor=actor, name="n", serve_owner_only=True, now=NOW)
        assert _crawls(session) == [(CrawlReason.SETTINGS, None, True)]


def test_settings_of_a_root_ask_for_a_crawl_where_they_change_what_is_indexed(database: Database) -> None:
    with database.write() as session:
        _actor(session)
        root = session.scalars(select(Root.id)).one()
        assert indexing_of(session, root).crawl_every_seconds == 86_400
        set_indexing(session, root_id=root, rate=100, crawl_every_seconds=None, now=NOW)
        assert _crawls(session) == []
        set_indexing(session, root_id=root, level=IndexLevel.NAMES, exclusions=[], now=NOW)
        assert _crawls(session) == []
        set_indexing(session, root_id=root, exclusions=["*.tmp", "*.tmp"], now=NOW)
        assert _crawls(session) == [(CrawlReason.SETTINGS, None, True)]
    with database.read() as session:
        found = indexing_of(session, root)
        assert (found.rate, found.crawl_every_seconds, found.exclusions) == (100, None, ["*.tmp"])
        assert found.level == IndexLevel.NAMES
