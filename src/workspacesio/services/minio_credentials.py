"""Keys of a MinIO server: the server issues them, to the user that was made there for the caller.

Their rights are what the server's policies say at each request, and these are kept equal to the facts
(`node_effects.py`). Narrowed keys carry a session policy besides, which only takes away: whole workspaces, since
what the caller may do in them is in the stored policies. So do keys for less than the server's shortest time.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import GroupMember, NodeEffect, Root, Workspace
from workspacesio.domain.errors import Conflict, Invalid, Unavailable
from workspacesio.domain.facts import Narrowing
from workspacesio.domain.s3_policies import Grant, NotExpressible, TooLong, session_policy
from workspacesio.domain.vocabulary import SubjectKind
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.connection import Connection, NotPermitted
from workspacesio.nodes.minio.names import user_name
from workspacesio.nodes.minio.sts import SHORTEST_SECONDS, Keys, assume_role
from workspacesio.services.actors import Actor
from workspacesio.services.credentials import expiry_of
from workspacesio.services.decided_requests import Decided, remember_decision
from workspacesio.services.effect_marks import Marked, activate, marked, new_effect, remember
from workspacesio.services.issued_keys import Door, IssuedThere, Scope, ScopeOf, record_keys
from workspacesio.services.node_effects import EffectsContext, minio_driver, renew_user, require_settled
from workspacesio.services.node_secrets import server_user_secret

SETTLING = timedelta(seconds=60)
"""What may pass until the server is asked. Keys that would end about its shortest time get a dated policy."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be asked of the server, and what must still be so when the answer is recorded."""

    node_id: int
    user_id: int
    narrowing: Narrowing
    identity: int
    name: str
    expires_at: datetime
    policy: str | None
    needed: Marked = field(default_factory=Marked)


def issue_minio_credential(
    context: EffectsContext, door: Door, *, scope_of: ScopeOf, duration: timedelta
) -> IssuedThere:
    """Keys of the caller on a MinIO node, as narrow as `scope_of(session, actor, now).caller.narrowing`.

    Called outside of transactions. Raises what `scope_of` raises; Invalid (`invalid_duration`,
    `too_many_workspaces`, `narrowing_too_long`, `not_expressible`); Unavailable (`node_pending`: the server hasn't
    been told of the caller's rights, `node_down`); Conflict when rights changed meanwhile.
    """
    with door.read() as (session, actor, now):
        scope = scope_of(session, actor, now)
        request = _request(context, session, actor, scope, duration, now)
    if request is None:
        with door.write() as (session, actor, now):
            scope = scope_of(session, actor, now)
            _make_identity(session, scope)
            waited_for = marked(session)
            request = _request(context, session, actor, scope, duration, now)
        require_settled(context, waited_for)
        if request is None:
            # The keys before had been ended, and the server is told only now.
            with door.write() as (session, actor, now):
                scope = scope_of(session, actor, now)
                _make_identity(session, scope)
                request = _request(context, session, actor, scope, duration, now)
    if request is None:
        raise Conflict("Your keys on this node were ended at the same time; try again.")
    require_settled(context, request.needed)
    keys = _assume(context, request)
    # Read first: the connection is as the node's row says under this generation, or under none that is remembered.
    generation = context.database.generation()
    connection = minio_driver(context, request.node_id).connection
    with door.write() as (session, actor, now):
        scope = scope_of(session, actor, now)
        there = _record(session, actor, scope, request, keys, now)
        decided = _decided(session, actor, scope, request, duration, connection, now)
        if decided is None or decided.generation != generation:
            return there
        return replace(there, decided=decided)


def _decided(  # noqa: PLR0917 - everything that a request of keys depends on
    session: Session,
    actor: Actor,
    scope: Scope,
    request: _Request,
    duration: timedelta,
    connection: Connection,
    now: datetime,
) -> Decided | None:
    effects = _effects(session, scope.node.id, scope.caller.user_id)
    return remember_decision(
        session,
        actor=actor,
        caller=scope.caller,
        duration=duration,
        node_id=request.node_id,
        name=request.name,
        identity=request.identity,
        policy=request.policy,
        connection=connection,
        own_effect=effects[SubjectKind.USER.value, scope.caller.user_id],
        effects=effects.values(),
        ends_before=timedelta(seconds=SHORTEST_SECONDS) + SETTLING,
        now=now,
    )


def _request(  # noqa: PLR0917 - everything that a request of keys depends on
    context: EffectsContext, session: Session, actor: Actor, scope: Scope, duration: timedelta, now: datetime
) -> _Request | None:
    """None: there is no user on the server for the caller yet."""
    node, caller = scope.node, scope.caller
    longest = timedelta(seconds=context.settings.credential_max_seconds)
    expires_at = expiry_of(caller, duration=duration, longest=longest, latest_expiry=actor.expires_at, now=now)
    if node.leaving:
        raise Conflict("The node is being removed.", code="node_leaving")
    policy = _narrowing_policy(session, scope, expires_at, now)
    effects = _effects(session, node.id, caller.user_id)
    own = effects.get((SubjectKind.USER.value, caller.user_id))
    if own is None or not own.active:
        return None
    behind = {
        row.id: row.desired_generation
        for row in effects.values()
        if row.applied_generation < row.desired_generation
    }
    name = user_name(node.name_prefix or "", caller.user_id, own.identity)
    return _Request(
        node.id, caller.user_id, caller.narrowing, own.identity, name, expires_at, policy, Marked(behind)
    )


def _make_identity(session: Session, scope: Scope) -> None:
    """A user on the server for the caller. Where one before must go first, only that is waited for."""
    effects = _effects(session, scope.node.id, scope.caller.user_id)
    row = effects.get((SubjectKind.USER.value, scope.caller.user_id))
    if row is None:
        row = new_effect(session, scope.node.id, SubjectKind.USER, scope.caller.user_id)
    if row.active:
        return
    if row.applied_generation < row.desired_generation:
        remember(session, row)
        return
    activate(session, row)


def _effects(session: Session, node_id: int, user_id: int) -> dict[tuple[str, int], NodeEffect]:
    """What the server must know before keys of the user are right: the user, their groups, everyone."""
    groups = select(GroupMember.group_id).where(GroupMember.user_id == user_id)
    kind, subject = NodeEffect.subject_kind, NodeEffect.subject_id
    rows = session.scalars(
        select(NodeEffect).where(
            NodeEffect.node_id == node_id,
            (kind == SubjectKind.EVERYONE.value)
            | ((kind == SubjectKind.USER.value) & (subject == user_id))
            | ((kind == SubjectKind.GROUP.value) & subject.in_(groups)),
        )
    )
    return {(row.subject_kind, row.subject_id): row for row in rows}


def _narrowing_policy(session: Session, scope: Scope, expires_at: datetime, now: datetime) -> str | None:
    narrowing, node = scope.caller.narrowing, scope.node
    is_short = expires_at - now < timedelta(seconds=SHORTEST_SECONDS) + SETTLING
    if narrowing.workspaces is None and not narrowing.read_only and not is_short:
        return None
    until = expires_at if is_short else None
    places: list[tuple[str, str]]
    if narrowing.workspaces is None:
        buckets = session.scalars(select(Root.bucket).where(Root.node_id == node.id).distinct())
        places = [(bucket, "") for bucket in sorted(buckets)]
    else:
        query = select(Workspace.bucket, Workspace.prefix).where(
            Workspace.node_id == node.id, Workspace.id.in_(sorted(narrowing.workspaces))
        )
        places = [(bucket, prefix) for bucket, prefix in session.execute(query)]
    try:
        return session_policy(
            Grant(bucket, prefix, writes=not narrowing.read_only, expires_at=until) for bucket, prefix in places
        )
    except TooLong as error:
        raise Invalid(
            f"So narrow a credential needs {error.length} characters of policy, and the server takes "
            f"{error.limit}; name fewer workspaces, or ask for all that you reach on the node.",
            code="narrowing_too_long",
            details={"characters": error.length, "limit": error.limit},
        ) from error
    except NotExpressible as error:
        raise Invalid(f"Keys can't be narrowed so on this node: {error}", code="not_expressible") from error


def _assume(context: EffectsContext, request: _Request) -> Keys:
    """Raises Unavailable. A user that somebody removed or changed on the server is restored."""
    seconds = int((request.expires_at - context.clock()).total_seconds())
    if seconds <= 0:
        raise Unavailable("The node's server took too long; try again.", code="node_pending")
    driver = minio_driver(context, request.node_id)
    secret = server_user_secret(context.keyring, request.node_id, request.name)

    def ask() -> Keys:
        return assume_role(
            driver.connection, user=request.name, secret=secret, seconds=seconds, policy=request.policy
        )

    try:
        try:
            return ask()
        except NotPermitted:
            _restore(context, request)
            return ask()
    except NotPermitted as error:
        raise Unavailable(
            "The server refuses to issue keys to you; try again shortly.", code="node_pending"
        ) from error
    except NodeError as error:
        raise Unavailable(f"The node can't issue keys at the moment: {error}", code="node_down") from error


def _restore(context: EffectsContext, request: _Request) -> None:
    with context.database.read() as session:
        row = session.scalar(
            select(NodeEffect).where(
                NodeEffect.node_id == request.node_id,
                NodeEffect.subject_kind == SubjectKind.USER.value,
                NodeEffect.subject_id == request.user_id,
            )
        )
        if row is None or not row.active or row.identity != request.identity:
            raise Conflict("Your keys on this node were ended at the same time; try again.")
        effect_id = row.id
    renew_user(context, effect_id)


def _record(  # noqa: PLR0917 - one issuance, as it was asked for and answered
    session: Session, actor: Actor, scope: Scope, request: _Request, keys: Keys, now: datetime
) -> IssuedThere:
    node, caller = scope.node, scope.caller
    row = _effects(session, node.id, caller.user_id).get((SubjectKind.USER.value, caller.user_id))
    is_same = row is not None and row.active and row.identity == request.identity and node.id == request.node_id
    if not is_same or node.leaving or caller.narrowing != request.narrowing:
        raise Conflict("Your keys or workspaces on this node were changed at the same time; try again.")
    expires_at = min(request.expires_at, keys.expires_at)
    return record_keys(session, actor=actor, scope=scope, keys=keys, expires_at=expires_at, now=now)
