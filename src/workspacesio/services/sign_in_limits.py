"""How often a password may be tried, and an account be made: limits in rate that hold across processes.

An attempt is counted before the password is verified and forgiven when it was right, so that attempts made at
the same time count too. Within `WINDOW`: 10 failures for an account from one address, 30 for an account, 100 from
an address. Accounts that don't exist are counted like those that do.

Registrations are counted by address alone, 100 within `WINDOW`, whether they succeed or not: they make accounts,
tell which there are, and cost a slow hash. Who has a token from an administrator is forgiven.

Servers that are tried as nodes are counted by user, 20 within `WINDOW`, so that nobody looks with this service for
what answers in its network.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import SignInAttempt
from workspacesio.domain.errors import TooManyAttempts

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_AND_ADDRESS = 10
PER_ACCOUNT = 30
PER_ADDRESS = 100
NODES_PER_USER = 20

Limits = tuple[tuple[bytes, int], ...]
"""What is counted, and how often it may be."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The rows that stand for one attempt."""

    ids: tuple[int, ...]


def check_attempt(session: Session, *, account: str, address: str, now: datetime) -> None:
    """Raise TooManyAttempts, with the time to wait, where no further attempt is allowed.

    Asked in a reading transaction first, so that a flood of attempts doesn't hold up those who write.
    """
    wait = _time_to_wait(session, _limits(account, address), now)
    if wait is not None:
        raise _too_many("failed attempts to sign in", wait)


def begin_attempt(session: Session, *, account: str, address: str, now: datetime) -> Attempt:
    """Count an attempt, or raise TooManyAttempts. In a write transaction: one at a time, none uncounted."""
    check_attempt(session, account=account, address=address, now=now)
    return _count(session, _limits(account, address), now)


def check_registration_attempt(session: Session, *, address: str, now: datetime) -> None:
    """As `check_attempt`, for registering."""
    wait = _time_to_wait(session, _registration_limits(address), now)
    if wait is not None:
        raise _too_many("registrations from your address", wait)


def begin_registration_attempt(session: Session, *, address: str, now: datetime) -> Attempt:
    """As `begin_attempt`, for registering."""
    check_registration_attempt(session, address=address, now=now)
    return _count(session, _registration_limits(address), now)


def begin_node_attempt(session: Session, *, user_id: int, now: datetime) -> Attempt:
    """Count an attempt to add a node, or raise TooManyAttempts. In a write transaction."""
    limits = ((_subject("node", str(user_id)), NODES_PER_USER),)
    wait = _time_to_wait(session, limits, now)
    if wait is not None:
        raise _too_many("attempts to add a node", wait)
    return _count(session, limits, now)


def forgive_attempt(session: Session, attempt: Attempt) -> None:
    """The password, or the token, was right: this attempt counts no more. Earlier ones do."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.id.in_(attempt.ids)))


def _time_to_wait(session: Session, limits: Limits, now: datetime) -> timedelta | None:
    for subject, limit in limits:
        # The attempt that has to leave the window before another is allowed.
        oldest = session.scalar(
            select(SignInAttempt.at)
            .where(SignInAttempt.subject == subject, SignInAttempt.at > now - WINDOW)
            .order_by(SignInAttempt.at.desc())
            .offset(limit - 1)
            .limit(1)
        )
        if oldest is not None:
            return oldest + WINDOW - now
    return None


def _count(session: Session, limits: Limits, now: datetime) -> Attempt:
    subjects = [subject for subject, _ in limits]
    session.execute(
        delete(SignInAttempt).where(SignInAttempt.subject.in_(subjects), SignInAttempt.at <= now - WINDOW)
    )
    rows = [SignInAttempt(subject=subject, at=now) for subject in subjects]
    session.add_all(rows)
    session.flush()
    return Attempt(tuple(row.id for row in rows))


def _limits(account: str, address: str) -> Limits:
    network = _network_of(address)
    return (
        (_subject("both", account, network), PER_ACCOUNT_AND_ADDRESS),
        (_subject("account", account), PER_ACCOUNT),
        (_subject("address", network), PER_ADDRESS),
    )


def _registration_limits(address: str) -> Limits:
    return ((_subject("register", _network_of(address)), PER_ADDRESS),)


def _network_of(address: str) -> str:
    """Whoever has one address of IPv6 has all 2^64 of its network: they count as one."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found) >> 64 << 64, 64)))


def _subject(*parts: str) -> bytes:
    """A hash, so that the table tells nothing of who tried from where."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


def _too_many(what: str, wait: timedelta) -> TooManyAttempts:
    seconds = max(1, math.ceil(wait.total_seconds()))
    minutes = math.ceil(seconds / 60)
    return TooManyAttempts(
        f"Too many {what}; try again in {minutes} minute{'s' if minutes > 1 else ''}.",
        details={"retry_after_seconds": seconds},
    )
