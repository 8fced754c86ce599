"""Writing one subject's rights to a server, by one process at a time.

1. Take the lease, a row's `lease_holder` and `lease_until`, in a short transaction.
2. Read `desired_generation` and the facts from one state of the database, under the lease.
3. Read the server's state, write what differs, read it again. No request is begun in the lease's last seconds.
4. Give the lease back; `applied_generation` becomes what was read in step 2, if the lease was still held.

So the last to write has read facts that are at least as new as those of whoever wrote before, and a change that
was committed after step 2 leaves `applied_generation` behind and is told next. A process that finds its lease
lost raises `desired_generation`: somebody may have been overwritten, and is told again.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import case, or_, update

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, NodeEffect
from workspacesio.domain.errors import NotFound, WorkspacesIOError
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import REQUEST_SECONDS, RequestRefused
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.minio.subjects import Converged, NotTaken, converge
from workspacesio.services.keys import Keyring
from workspacesio.services.subject_rights import Told, what_to_tell
from workspacesio.settings import Settings

LEASE = timedelta(seconds=30)
"""A process that dies while it writes keeps others from the subject for as long; hosts' clocks agree better."""

LOOK_AGAIN = timedelta(seconds=15)
"""After an attempt that failed: the server may carry out what it didn't answer after what was written later."""

UNANSWERED_SECONDS = 0.3
"""A server that answers again is soon through with what waited for it; then it is looked at once more."""

logger = logging.getLogger(__name__)


class EffectsContext(Protocol):
    """What telling servers needs of a process."""

    @property
    def database(self) -> Database: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def keyring(self) -> Keyring: ...
    @property
    def drivers(self) -> Callable[[int], StorageDriver]: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """`away`: no use in trying again at once. `drifted`: the server didn't show what was last read back."""

    away: bool
    drifted: bool


def minio_driver(context: EffectsContext, node_id: int) -> MinioDriver:
    """Raises NotFound for a node that is gone or of another kind, Unavailable."""
    driver = context.drivers(node_id)
    if not isinstance(driver, MinioDriver):
        raise NotFound("That node is no MinIO server.")
    return driver


def write_effect(
    context: EffectsContext,
    effect_id: int,
    *,
    may_exist: frozenset[str] = frozenset(),
    renew_secret: bool = False,
) -> Outcome | None:
    """Make the server show the subject's rights. None: another process is at it."""
    holder = secrets.token_hex(16)
    begun = time.monotonic()
    if not _take_lease(context, effect_id, holder):
        return None
    told: Told | None = None
    converged: Converged | None = None
    problem: str | None = None
    away = False
    try:
        with context.database.read() as session:
            row = session.get_one(NodeEffect, effect_id)
            node_id = row.node_id
            deployment_id = session.get_one(Node, node_id).deployment_id
            told = what_to_tell(
                session,
                row,
                keyring=context.keyring,
                read_only=context.settings.read_only,
                now=context.clock(),
            )
        driver = minio_driver(context, node_id)
        driver.identity.require(deployment_id)
        until = begun + LEASE.total_seconds() - 2 * REQUEST_SECONDS
        administration = Administration(driver.connection, until)
        converged = converge(administration, told.wanted, told.may_exist | may_exist, renew_secret=renew_secret)
        if told.is_behind and told.failed_before:
            # What was asked for before and went unanswered may be carried out only now.
            time.sleep(UNANSWERED_SECONDS)
            again = converge(administration, told.wanted, told.may_exist | may_exist)
            converged = replace(converged, now=again.now)
        driver.identity.require(deployment_id)
    except (NodeError, WorkspacesIOError) as error:
        problem, converged = str(error), None
        away = not isinstance(error, NotTaken | RequestRefused)
        logger.warning("effect %s is not enforced: %s", effect_id, problem)
    except Exception:
        # Whatever a server answers: one subject must not keep the others from being told.
        problem, converged, away = "The server answers as no MinIO server does.", None, True
        logger.exception("effect %s is not enforced", effect_id)
    finally:
        kept = _give_back(context, effect_id, holder, told, converged, problem)
    if told is None or converged is None:
        return Outcome(away=away, drifted=False)
    drifted = not told.is_behind and told.applied_digest not in (None, converged.found)
    return Outcome(away=not kept, drifted=drifted)


def _take_lease(context: EffectsContext, effect_id: int, holder: str) -> bool:
    now = context.clock()
    with context.database.journal() as session:
        free = or_(NodeEffect.lease_until.is_(None), NodeEffect.lease_until < now)
        # A process died at it: what it asked for last may still be carried out, so it is looked at again.
        broken_off = case(
            (NodeEffect.lease_holder.is_not(None), "The last attempt was broken off."), else_=NodeEffect.problem
        )
        taken = session.execute(
            update(NodeEffect)
            .where(NodeEffect.id == effect_id, free)
            .values(lease_holder=holder, lease_until=now + LEASE, problem=broken_off)
            .returning(NodeEffect.id)
        )
        return taken.first() is not None


def _give_back(  # noqa: PLR0917 - what an attempt came to
    context: EffectsContext,
    effect_id: int,
    holder: str,
    told: Told | None,
    converged: Converged | None,
    problem: str | None,
) -> bool:
    """Whether the lease was still held, and so what was written is the last that was written."""
    values: dict[str, object] = {
        "lease_holder": None,
        "lease_until": None,
        "attempted_at": context.clock(),
        "problem": problem,
    }
    if told is not None and converged is not None:
        values["applied_generation"] = told.generation
        values["applied_documents"] = len(told.wanted.documents)
        values["applied_digest"] = converged.now
        values["refresh_at"] = told.refresh_at
        if converged.secret_set:
            values["secret_key_id"] = told.secret_key_id
        if told.is_behind and told.failed_before:
            values["refresh_at"] = context.clock() + LOOK_AGAIN
        values["problem"] = " ".join(told.left_out) or None
    elif told is not None:
        values["applied_documents"] = max(len(told.wanted.documents), len(told.may_exist))
    with context.database.journal() as session:
        held = session.execute(
            update(NodeEffect)
            .where(NodeEffect.id == effect_id, NodeEffect.lease_holder == holder)
            .values(values)
            .returning(NodeEffect.id)
        )
        if held.first() is not None:
            return True
        session.execute(
            update(NodeEffect)
            .where(NodeEffect.id == effect_id)
            .values(desired_generation=NodeEffect.desired_generation + 1, refresh_at=context.clock() + LOOK_AGAIN)
        )
    return False
