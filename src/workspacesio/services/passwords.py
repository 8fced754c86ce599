"""Passwords: argon2id with the library's defaults (RFC 9106), never compared in another way.

Hashing takes tens of milliseconds and 64 MiB on purpose: call it outside of transactions, in a thread. At most
`AT_ONCE` run at a time in a process, so that a flood of sign-ins can't take the memory.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from workspacesio.domain.errors import Invalid, Unavailable

MIN_CHARACTERS = 10
MAX_CHARACTERS = 1024
AT_ONCE = 4
WAIT_SECONDS = 20.0

_hasher = PasswordHasher()
_running = threading.BoundedSemaphore(AT_ONCE)


def check_password(password: str) -> str:
    """Return `password`, or raise Invalid. Length is all that is asked."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise Invalid(
            f"A password has at least {MIN_CHARACTERS} and at most {MAX_CHARACTERS} characters.",
            code="invalid_password",
        )
    return password


def hash_password(password: str) -> str:
    """The hash to store, with its salt and parameters; raises Invalid for a password of a wrong length."""
    check_password(password)
    with _one_of_few():
        return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Without a hash (no such account) the same work is done for a no."""
    given = password[:MAX_CHARACTERS]
    with _one_of_few():
        try:
            _hasher.verify(password_hash or _hash_of_nobody(), given)
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None and len(password) <= MAX_CHARACTERS


@lru_cache(maxsize=1)
def _hash_of_nobody() -> str:
    return _hasher.hash("a password that opens no account")


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _running.acquire(timeout=WAIT_SECONDS):
        raise Unavailable("Too many people are signing in at this moment; try again shortly.", code="busy")
    try:
        yield
    finally:
        _running.release()
