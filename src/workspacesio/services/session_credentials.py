"""Keys of a server that keeps no policies of ours: each is a session, with the caller's rights of the moment.

    read    the caller's rights, as a session policy of at most 2,048 characters
    ask     the server's AssumeRole with it, outside of transactions
    write   the same rights still? Then the keys are remembered and handed out, else it begins anew

What was taken back in between is never handed out, and what is handed out is in a row before anybody has it: so
the rows say when the last keys run out that hold a right (`key_expiry.py`). Nothing ends them earlier.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Rights
from workspacesio.domain.errors import Conflict, Invalid, Unavailable
from workspacesio.domain.facts import Narrowing
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.connection import NotPermitted, RequestRefused
from workspacesio.nodes.minio.sts import SHORTEST_SECONDS, Keys
from workspacesio.services.actors import Actor
from workspacesio.services.credentials import expiry_of
from workspacesio.services.effect_writing import EffectsContext
from workspacesio.services.issued_keys import Door, IssuedThere, Scope, ScopeOf, record_keys
from workspacesio.services.key_expiry import LONGEST_LIFE
from workspacesio.services.minio_credentials import SETTLING
from workspacesio.services.session_nodes import session_issuer
from workspacesio.services.session_rights import rights_as_policy
from workspacesio.services.session_servers import policy_language

USUAL_LIFE = timedelta(minutes=15)
ATTEMPTS = 3
MAX_KEY_ID = 32


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked of the server, and what must still be so when the answer is remembered."""

    node_id: int
    user_id: int
    narrowing: Narrowing
    expires_at: datetime
    is_short: bool
    policy: str
    generation: int | None


def issue_session_credential(
    context: EffectsContext, door: Door, *, scope_of: ScopeOf, duration: timedelta | None
) -> IssuedThere:
    """Keys of the caller, as narrow as `scope_of(session, actor, now).caller.narrowing`.

    Called outside of transactions. Raises what `scope_of` raises; Invalid (`invalid_duration`,
    `too_many_workspaces`, `narrowing_too_long`, `not_expressible`); Unavailable (`node_down`); Conflict where the
    rights change all the time.
    """
    wanted = duration or context.settings.usual_life(USUAL_LIFE)
    for _ in range(ATTEMPTS):
        with door.read() as (session, actor, now):
            request = _request(context, session, actor, scope_of(session, actor, now), wanted, now)
        issuer = session_issuer(context, request.node_id)
        try:
            keys = issuer.issue(
                session_name=f"wio-u{request.user_id}", seconds=_seconds(context, request), policy=request.policy
            )
        except NodeError as error:
            raise _refusal(error) from error
        with door.write() as (session, actor, now):
            scope = scope_of(session, actor, now)
            if _is_still_so(context, session, scope, request, now):
                return _record(session, actor, scope, request, keys, now)
    raise Conflict("Your rights on this node are being changed at this moment; try again.")


def _request(  # noqa: PLR0917 - everything that a request of keys depends on
    context: EffectsContext,
    session: Session,
    actor: Actor,
    scope: Scope,
    duration: timedelta,
    now: datetime,
) -> _Request:
    node, caller = scope.node, scope.caller
    longest = min(LONGEST_LIFE, timedelta(seconds=context.settings.credential_max_seconds))
    expires_at = expiry_of(caller, duration=duration, longest=longest, latest_expiry=actor.expires_at, now=now)
    shortest = timedelta(seconds=SHORTEST_SECONDS)
    ends_before = actor.expires_at is not None and actor.expires_at - now < shortest + SETTLING
    is_short = duration < shortest or ends_before
    policy = _policy(context, session, scope, until=expires_at if is_short else None, now=now)
    generation = session.scalar(select(Rights.generation))
    return _Request(node.id, caller.user_id, caller.narrowing, expires_at, is_short, policy, generation)


def _policy(
    context: EffectsContext,
    session: Session,
    scope: Scope,
    *,
    until: datetime | None,
    now: datetime,
) -> str:
    return rights_as_policy(
        session,
        caller=scope.caller,
        node=scope.node,
        language=policy_language(scope.node),
        read_only=context.settings.read_only,
        until=until,
        now=now,
    )


def _seconds(context: EffectsContext, request: _Request) -> int:
    """For the server, which takes no shorter time: what is shorter has its end in the policy."""
    return max(int((request.expires_at - context.clock()).total_seconds()), SHORTEST_SECONDS)


def _is_still_so(
    context: EffectsContext, session: Session, scope: Scope, request: _Request, now: datetime
) -> bool:
    """Under the same generation nothing that rights rest on has changed; else the policy must be the same."""
    if scope.node.id != request.node_id or scope.caller.narrowing != request.narrowing:
        return False
    if session.scalar(select(Rights.generation)) == request.generation:
        return True
    until = request.expires_at if request.is_short else None
    return _policy(context, session, scope, until=until, now=now) == request.policy


def _refusal(error: NodeError) -> Exception:
    if isinstance(error, RequestRefused) and error.code == "PackedPolicyTooLarge":
        return Invalid(
            "Your rights on this node are more than its server takes at once; name the workspaces that you need "
            "now, fewer than before.",
            code="narrowing_too_long",
        )
    if isinstance(error, NotPermitted):
        return Unavailable("The server refuses to issue keys; ask the node's operator.", code="node_down")
    return Unavailable(f"The node can't issue keys at the moment: {error}", code="node_down")


def _record(  # noqa: PLR0917 - one issuance, as it was asked for and answered
    session: Session, actor: Actor, scope: Scope, request: _Request, keys: Keys, now: datetime
) -> IssuedThere:
    if len(keys.access_key_id) > MAX_KEY_ID:
        raise Unavailable("The node's server issues keys of an unknown form.", code="node_down")
    # The server's clock may be behind: its own word on the end counts where it is the later one.
    expires_at = request.expires_at if request.is_short else max(request.expires_at, keys.expires_at)
    return record_keys(session, actor=actor, scope=scope, keys=keys, expires_at=expires_at, now=now)
