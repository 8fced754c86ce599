"""How often a password may be tried, counted across processes and at the same time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from database.kinds import database_fixture
from workspacesio.database.sessions import Database
from workspacesio.database.tables import SignInAttempt
from workspacesio.domain.errors import TooManyAttempts
from workspacesio.services.sign_in_limits import (
    PER_ACCOUNT,
    PER_ACCOUNT_AND_ADDRESS,
    PER_ADDRESS,
    WINDOW,
    begin_attempt,
    forgive_attempt,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)

database = database_fixture()


def _try(database: Database, account: str, address: str, now: datetime = NOW) -> bool:
    try:
        with database.write() as session:
            begin_attempt(session, account=account, address=address, now=now)
    except TooManyAttempts:
        return False
    return True


def test_an_account_from_one_address(database: Database) -> None:
    assert [_try(database, "ada", "a") for _ in range(PER_ACCOUNT_AND_ADDRESS)] == [True] * PER_ACCOUNT_AND_ADDRESS
    assert not _try(database, "ada", "a")
    assert _try(database, "ada", "b")
    assert _try(database, "bob", "a")


def test_an_account_from_many_addresses(database: Database) -> None:
    assert all(_try(database, "ada", f"a{number}") for number in range(PER_ACCOUNT))
    assert not _try(database, "ada", "another")
    assert _try(database, "bob", "another")


def test_many_accounts_from_one_address(database: Database) -> None:
    assert all(_try(database, f"user{number}", "a") for number in range(PER_ADDRESS))
    assert not _try(database, "another", "a")
    assert _try(database, "another", "b")


def test_refused_attempts_do_not_prolong_the_wait(database: Database) -> None:
    for minute in range(PER_ACCOUNT_AND_ADDRESS):
        assert _try(database, "ada", "a", NOW + timedelta(minutes=minute))
    for second in range(30):
        assert not _try(database, "ada", "a", NOW + timedelta(minutes=10, seconds=second))
    # The first one leaves the window, and with it there is room for one.
    assert _try(database, "ada", "a", NOW + WINDOW)
    assert not _try(database, "ada", "a", NOW + WINDOW)
    assert _try(database, "ada", "a", NOW + WINDOW + timedelta(minutes=1))


def test_the_sentence_says_how_long(database: Database) -> None:
    for _ in range(PER_ACCOUNT_AND_ADDRESS):
        _try(database, "ada", "a")
    with pytest.raises(TooManyAttempts, match="in 5 minutes") as refusal, database.write() as session:
        begin_attempt(session, account="ada", address="a", now=NOW + timedelta(minutes=10))
    assert refusal.value.details == {"retry_after_seconds": 300}


def test_what_was_right_is_forgiven(database: Database) -> None:
    for _ in range(3 * PER_ACCOUNT):
        with database.write() as session:
            forgive_attempt(session, begin_attempt(session, account="ada", address="a", now=NOW))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0


def test_attempts_at_the_same_time_are_all_counted(database: Database) -> None:
    allowed: list[bool] = []
    barrier = threading.Barrier(8)

    def guess() -> None:
        barrier.wait()
        allowed.extend([_try(database, "ada", "a") for _ in range(4)])

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 32
    assert sum(allowed) == PER_ACCOUNT_AND_ADDRESS


def test_counting_raises_no_generation_and_names_nobody(database: Database) -> None:
    before = database.generation()
    _try(database, "ada@example.org", "192.0.2.1")
    assert database.generation() == before
    with database.read() as session:
        for subject in session.scalars(select(SignInAttempt.subject)):
            assert len(subject) == 32
            assert b"ada" not in subject
