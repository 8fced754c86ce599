"""Passwords cost the same whether or not the account exists, and are never compared another way."""

from __future__ import annotations

import time

import pytest

from workspacesio.domain.errors import Invalid
from workspacesio.services import passwords
from workspacesio.services.passwords import hash_password, verify_password


def test_right_and_wrong() -> None:
    stored = hash_password("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert stored != hash_password("correct horse battery")
    assert verify_password(stored, "correct horse battery")
    assert not verify_password(stored, "correct horse batterz")
    assert not verify_password(None, "correct horse battery")
    assert not verify_password(None, "a password that opens no account")
    assert not verify_password("garbage", "correct horse battery")


@pytest.mark.parametrize("password", ["", "123456789", "x" * 1025])
def test_lengths(password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        hash_password(password)
    assert refusal.value.code == "invalid_password"


def test_a_password_is_not_cut_off() -> None:
    stored = hash_password("x" * 1024)
    assert verify_password(stored, "x" * 1024)
    assert not verify_password(stored, "x" * 1025)
    assert not verify_password(stored, "x" * 1023)


def test_unknown_accounts_take_as_long() -> None:
    stored = hash_password("correct horse battery")
    verify_password(None, "warm up")
    known = min(_seconds(stored) for _ in range(5))
    unknown = min(_seconds(None) for _ in range(5))
    assert 0.4 < unknown / known < 2.5


def test_a_flood_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    for _ in range(passwords.AT_ONCE):
        assert passwords._running.acquire(blocking=False)
    try:
        with pytest.raises(Exception, match="try again shortly"):
            verify_password(None, "correct horse battery")
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._running.release()


def _seconds(stored: str | None) -> float:
    began = time.perf_counter()
    verify_password(stored, "wrong horse battery")
    return time.perf_counter() - began
