"""Keys for a request that was decided before: the server is asked, and the row is written, without deciding again.

The row is written in a transaction of `Database.under_generation`, which keeps the rights generation from moving;
rows of requests that come together share one. Where the generation has moved since, or the server has not been
told of everything, what the server gave is thrown away and the request is decided anew.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select

from workspacesio.database.tables import Credential, NodeEffect
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.sts import Keys, assume_role
from workspacesio.services.credentials import Issued, expiry_of
from workspacesio.services.decided_requests import Decided
from workspacesio.services.effect_writing import EffectsContext
from workspacesio.services.node_secrets import server_user_secret


@dataclass(slots=True)
class _Row:
    """An issuance that waits to be written. `number` is None afterwards where it may not be."""

    decided: Decided
    keys: Keys = field(repr=False)
    expires_at: datetime
    issued_at: datetime
    is_written: bool = False
    number: int | None = None


class RepeatedIssuance:
    """One in each process. Safe to use from many threads."""

    def __init__(self) -> None:
        self._waiting: list[_Row] = []
        self._adding = threading.Lock()
        self._writing = threading.Lock()

    def issue(self, context: EffectsContext, decided: Decided) -> Issued | None:
        """New keys for an equal request, or None: it must be decided anew. Outside of transactions."""
        now = context.clock()
        if now >= decided.holds_until:
            return None
        try:
            expires_at = expiry_of(
                decided.caller,
                duration=decided.duration,
                longest=timedelta(seconds=context.settings.credential_max_seconds),
                latest_expiry=decided.actor.expires_at,
                now=now,
            )
            keys = _ask(context, decided, expires_at, now)
            row = _Row(decided, keys, min(expires_at, keys.expires_at), now)
            self._write(context, row)
        except (NodeError, WorkspacesIOError):
            # Whatever it was is said by the way that decides.
            return None
        if row.number is None:
            return None
        return Issued(
            row.number,
            keys.access_key_id,
            keys.secret_access_key,
            keys.session_token,
            now,
            row.expires_at,
            decided.node_id,
            decided.caller.narrowing.read_only,
        )

    def _write(self, context: EffectsContext, row: _Row) -> None:
        """The first of those that wait writes for all that are there by then."""
        with self._adding:
            self._waiting.append(row)
        with self._writing:
            if row.is_written:
                return
            with self._adding:
                rows, self._waiting = self._waiting, []
            try:
                with context.database.under_generation() as (connection, generation):
                    numbers = _insert(connection, _still_so(connection, generation, rows))
                for one in rows:
                    one.number = numbers.get(one.keys.access_key_id)
            finally:
                for one in rows:
                    one.is_written = True


_EFFECTS = select(
    NodeEffect.id,
    NodeEffect.active,
    NodeEffect.identity,
    NodeEffect.applied_generation,
    NodeEffect.desired_generation,
).where(NodeEffect.id.in_(bindparam("ids", expanding=True)))
_INSERT = insert(Credential).returning(Credential.access_key_id, Credential.id)


def _still_so(connection: Connection, generation: int, rows: Sequence[_Row]) -> list[_Row]:
    """Those whose decision still holds: nothing changed, and the server was told of all that concerns them."""
    concerned = frozenset[int]().union(*(row.decided.effects for row in rows))
    effects = {
        effect_id: (active, identity, applied >= desired)
        for effect_id, active, identity, applied, desired in connection.execute(
            _EFFECTS, {"ids": sorted(concerned)}
        )
    }

    def is_told(decided: Decided) -> bool:
        own = effects.get(decided.own_effect)
        if own is None or own[:2] != (True, decided.identity):
            return False
        return all(one in effects and effects[one][2] for one in decided.effects)

    return [row for row in rows if row.decided.generation == generation and is_told(row.decided)]


def _insert(connection: Connection, rows: Sequence[_Row]) -> dict[str, int]:
    """Their numbers by access key."""
    if not rows:
        return {}
    values = [
        {
            "user_id": row.decided.caller.user_id,
            "node_id": row.decided.node_id,
            "access_key_id": row.keys.access_key_id,
            "narrowed_to": _listed(row.decided),
            "read_only": row.decided.caller.narrowing.read_only,
            "issued_at": row.issued_at,
            "expires_at": row.expires_at,
            "sign_in_id": row.decided.actor.sign_in_id,
            "api_key_id": row.decided.actor.api_key_id,
        }
        for row in rows
    ]
    return dict(connection.execute(_INSERT, values).all())


def _listed(decided: Decided) -> list[int] | None:
    workspaces = decided.caller.narrowing.workspaces
    return None if workspaces is None else sorted(workspaces)


def _ask(context: EffectsContext, decided: Decided, expires_at: datetime, now: datetime) -> Keys:
    return assume_role(
        decided.connection,
        user=decided.name,
        secret=server_user_secret(context.keyring, decided.node_id, decided.name),
        seconds=int((expires_at - now).total_seconds()),
        policy=decided.policy,
    )
