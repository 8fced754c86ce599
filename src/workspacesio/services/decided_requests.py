"""A request of keys as it was decided, and how long an equal one needs no deciding.

Equal facts give equal decisions: whatever a decision rests on either raises the rights generation when it changes,
or ends by the clock (a share, a session), or is what the node's server was told of (`node_effects`). So a request
is decided the same while the generation is the same, before the first of these moments, and while the same effects
are not behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import NodeEffect, Rights, Share
from workspacesio.database.visibility import share_reaches
from workspacesio.domain.facts import Caller
from workspacesio.nodes.minio.connection import Connection
from workspacesio.services.actors import Actor

REMEMBERED = timedelta(minutes=10)
"""At most. Rights are held by the generation; this bounds for how long what nobody asks for is kept."""


@dataclass(frozen=True, slots=True)
class Decided:
    """`caller` is the actor's, with everything that the keys take away. `effects`: all that must be told first."""

    generation: int
    holds_until: datetime
    actor: Actor
    caller: Caller
    duration: timedelta
    node_id: int
    name: str
    identity: int
    policy: str | None
    connection: Connection = field(repr=False)
    own_effect: int
    effects: frozenset[int]


def remember_decision(
    session: Session,
    *,
    actor: Actor,
    caller: Caller,
    duration: timedelta,
    node_id: int,
    name: str,
    identity: int,
    policy: str | None,
    connection: Connection,
    own_effect: NodeEffect,
    effects: Iterable[NodeEffect],
    ends_before: timedelta,
    now: datetime,
) -> Decided | None:
    """In the transaction in which it was decided. None where the keys are so short that each is narrowed anew.

    `ends_before`: keys that would live no longer than this are.
    """
    if duration <= ends_before + timedelta(seconds=1):
        return None
    holds_until = now + REMEMBERED
    if actor.expires_at is not None:
        holds_until = min(holds_until, actor.expires_at - ends_before)
    next_expiry = session.scalar(select(func.min(Share.expires_at)).where(share_reaches(caller, now)))
    if next_expiry is not None:
        holds_until = min(holds_until, next_expiry)
    return Decided(
        session.scalars(select(Rights.generation)).one(),
        holds_until,
        actor,
        caller,
        duration,
        node_id,
        name,
        identity,
        policy,
        connection,
        own_effect.id,
        frozenset(effect.id for effect in effects),
    )
