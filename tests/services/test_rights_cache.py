"""Memory answers only what is still so: it is dropped with every change, never mixed, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, update

from database.kinds import clear, database_fixture
from database.worlds import NOW, RootRow, ShareRow, UserRow, WorkspaceRow, World
from workspacesio.database.sessions import Database
from workspacesio.database.tables import GroupMember, Share, User, Workspace
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.facts import NodeFacts, RootFacts, ShareFacts
from workspacesio.domain.vocabulary import Level, RootType, SubjectKind
from workspacesio.services import rights_cache
from workspacesio.services.generation import generation_reader
from workspacesio.services.rights_cache import KnownPlace, RightsCache, UserRights

database = database_fixture(scope="module")


@pytest.fixture(autouse=True)
def _world(database: Database) -> None:
    """User 1 owns `w1/` to `w30/`, user 2 is in group 1, user 3 in none."""
    world = World({1: UserRow(), 2: UserRow(groups=frozenset({1})), 3: UserRow()}, {1: NodeFacts(1, 0)})
    world.roots[1] = RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))
    world.workspaces = {number: WorkspaceRow(1, f"w{number}/", 1) for number in range(1, 31)}
    world.shares[1] = ShareRow(1, ShareFacts(SubjectKind.USER, 3, Level.READ))
    clear(database)
    with database.engine.begin() as connection:
        world.save(connection)


def _share_with_group() -> Any:
    return insert(Share).values(
        id=50, workspace_id=2, folder="", subject_kind="group", group_id=1, level=1, created_at=NOW
    )


@contextmanager
def _counted(database: Database) -> Iterator[list[str]]:
    """The statements that ask for facts, as they are executed."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM" in statement and "FROM rights" not in statement:
            statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)


def _cache(database: Database) -> RightsCache:
    return RightsCache(database, generation_reader(database))


async def _locate(cache: RightsCache, user: int, key: str) -> tuple[UserRights, KnownPlace | None]:
    located = await cache.locate(user, 1, "alpha", key, NOW)
    assert located is not None
    return located


def test_what_is_known_is_not_asked_again(database: Database) -> None:
    async def run() -> None:
        cache = _cache(database)
        await _locate(cache, 3, "w1/a/b")
        await _locate(cache, 3, "elsewhere/a")
        with _counted(database) as statements:
            rights, place = await _locate(cache, 3, "w1/c/d/e")
            assert place is not None
            assert (place.workspace_id, place.prefix, place.target.path) == (1, "w1/", "")
            assert [share.share_id for share in place.target.shares] == [1]
            assert (await _locate(cache, 3, "elsewhere/b"))[1] is None
            assert rights.caller.user_id == 3
        assert statements == []

    asyncio.run(run())


def test_a_user_meets_only_the_shares_that_concern_them(database: Database) -> None:
    async def run() -> None:
        cache = _cache(database)
        _, owners = await _locate(cache, 1, "w1/k")
        assert owners is not None
        assert owners.target.shares == ()

    asyncio.run(run())


def test_the_same_key_elsewhere_is_another_key(database: Database) -> None:
    """Memory is by node and bucket, in both directions: what is nowhere there may be a workspace here."""

    async def run() -> None:
        cache = _cache(database)
        for node, bucket, expected in ((2, "alpha", None), (1, "beta", None), (1, "alpha", 1)) * 2:
            located = await cache.locate(1, node, bucket, "w1/k", NOW)
            assert located is not None
            assert (located[1].workspace_id if located[1] else None) == expected

    asyncio.run(run())


@pytest.mark.parametrize("key", ["w1", "w", "", "w11", "W1/k", "w1\u0301/k", "x/w1/k", "/w1/k"])
def test_a_name_that_only_looks_like_a_workspace_is_none(database: Database, key: str) -> None:
    async def run() -> None:
        cache = _cache(database)
        await _locate(cache, 3, "w1/k")
        for _ in range(2):
            assert (await _locate(cache, 3, key))[1] is None

    asyncio.run(run())


def test_nowhere_is_forgotten_when_something_is_made_there(database: Database) -> None:
    async def run() -> None:
        cache = _cache(database)
        assert (await _locate(cache, 1, "new/k"))[1] is None
        world = World(roots={1: RootRow(1, "alpha", "", RootFacts(1, RootType.PRIVATE))})
        world.workspaces[99] = WorkspaceRow(1, "new/", 1)
        with database.write() as session:
            session.execute(insert(Workspace).values(**world.workspace_row(99)))
        place = (await _locate(cache, 1, "new/k"))[1]
        assert place is not None
        assert place.workspace_id == 99

    asyncio.run(run())


def test_a_group_left_and_a_share_made_never_add_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's groups are remembered; between that and the place's shares, both change."""

    async def run() -> None:
        cache = _cache(database)
        remembered = await cache.user(2, NOW)
        assert remembered is not None
        assert remembered.caller.groups == {1}
        load = cache._load_with_place

        def change_first(*arguments: Any) -> Any:
            with database.write() as session:
                session.execute(delete(GroupMember))
                session.execute(_share_with_group())
            return load(*arguments)

        monkeypatch.setattr(cache, "_load_with_place", change_first)
        rights, place = await _locate(cache, 2, "w2/k")
        assert place is not None
        assert rights.caller.groups == frozenset()
        assert place.target.shares == ()
        # And nothing of the mixture is kept for later.
        monkeypatch.setattr(cache, "_load_with_place", load)
        rights, place = await _locate(cache, 2, "w2/k")
        assert place is not None
        assert (rights.caller.groups, place.target.shares) == (frozenset(), ())

    asyncio.run(run())


def test_a_place_that_was_loaded_too_late_is_not_kept_under_the_old_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests at once, a change in between: neither leaves its facts to the other's generation."""

    async def run() -> None:
        cache = _cache(database)
        await cache.user(3, NOW)
        load = cache._load_with_place
        loaded: list[UserRights] = []

        def change_after(*arguments: Any) -> Any:
            found = load(*arguments)
            loaded.append(found[0])
            with database.write() as session:
                session.execute(delete(Share).where(Share.id == 1))
            return found

        monkeypatch.setattr(cache, "_load_with_place", change_after)
        await _locate(cache, 3, "w1/k")
        monkeypatch.setattr(cache, "_load_with_place", load)
        rights, place = await _locate(cache, 3, "w1/k")
        assert place is not None
        assert place.target.shares == ()
        assert rights.generation == loaded[0].generation + 1

    asyncio.run(run())


def test_a_slow_request_finds_no_mixture(database: Database) -> None:
    """One that came before a change, and read the generation before it, meets what was remembered after it."""

    async def run() -> None:
        class EarlyReader:
            generation = database.generation()

            async def current(self) -> int:
                return self.generation

        cache = RightsCache(database, EarlyReader())
        before = await cache.user(2, NOW)
        assert before is not None
        with database.write() as session:
            session.execute(update(User).where(User.id == 2).values(enabled=False))
            session.execute(_share_with_group())
        for _ in range(2):
            rights, place = await _locate(cache, 2, "w2/k")
            assert place is not None
            assert not (rights.caller.enabled and place.target.shares)

    asyncio.run(run())


def test_a_steady_stream_of_changes_starves_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often rights change while facts are loaded, one load answers."""

    async def run() -> None:
        cache = _cache(database)
        load, loads = cache._load_with_place, []

        def always_changing(*arguments: Any) -> Any:
            loads.append(1)
            with database.write() as session:
                session.execute(delete(Share))
                session.execute(_share_with_group())
            return load(*arguments)

        monkeypatch.setattr(cache, "_load_with_place", always_changing)
        _rights, place = await _locate(cache, 2, "w2/k")
        assert len(loads) == 1
        assert place is not None
        assert [share.share_id for share in place.target.shares] == [50]

    asyncio.run(run())


def test_memory_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights_cache, "MAX_PLACES", 10)
    monkeypatch.setattr(rights_cache, "MAX_USERS", 2)

    async def run() -> None:
        cache = _cache(database)
        for number in range(1, 31):
            for user in (1, 2, 3):
                _rights, place = await _locate(cache, user, f"w{number}/k")
                assert place is not None
                assert place.workspace_id == number
                assert (await _locate(cache, user, f"none/{number}/k"))[1] is None
                kept = [len(one.places) + len(one.nowhere) for one in cache._users.values()]
                assert len(kept) <= 2
                assert sum(kept) <= 10

    asyncio.run(run())


def test_nobody_is_nobody(database: Database) -> None:
    async def run() -> None:
        cache = _cache(database)
        assert await cache.user(77, NOW) is None
        assert await cache.locate(77, 1, "alpha", "w1/k", NOW) is None
        assert (await _locate(cache, 1, "w1/k"))[1] is not None
        located = await cache.locate(1, 77, "alpha", "w1/k", NOW)
        assert located is not None
        assert located[1] is None

    asyncio.run(run())


def test_a_user_who_goes_while_the_place_is_loaded_is_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        cache = _cache(database)
        await cache.user(3, NOW)
        monkeypatch.setattr(cache, "_load_with_place", lambda *_: None)
        assert await cache.locate(3, 1, "alpha", "w1/k", NOW) is None

    asyncio.run(run())


def test_memory_answers_nothing_when_the_generation_cannot_be_read(database: Database) -> None:
    async def run() -> None:
        class Reader:
            away = False

            async def current(self) -> int:
                if self.away:
                    raise Unavailable("away")
                return database.generation()

        reader = Reader()
        cache = RightsCache(database, reader)
        await _locate(cache, 1, "w1/k")
        reader.away = True
        with pytest.raises(Unavailable):
            await cache.locate(1, 1, "alpha", "w1/k", NOW)
        with pytest.raises(Unavailable):
            await cache.user(1, NOW)

    asyncio.run(run())
