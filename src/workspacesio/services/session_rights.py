"""What a caller holds on a node at this moment, as a session policy says it."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.errors import Invalid
from workspacesio.domain.facts import Caller
from workspacesio.domain.grants import Grant
from workspacesio.domain.s3_policies import Language, NotExpressible, TooLong, session_policy
from workspacesio.domain.subject_grants import EVERYONE, Subject, grants_by_subject
from workspacesio.domain.vocabulary import SubjectKind
from workspacesio.services.subject_rights import placed_workspaces


def rights_as_policy(
    session: Session,
    *,
    caller: Caller,
    node: Node,
    language: Language,
    read_only: bool,
    until: datetime | None,
    now: datetime,
) -> str:
    """The caller's rights, narrowed as the caller is, until `until` where that is given.

    `read_only`: the whole service takes no writes. Raises Invalid `narrowing_too_long` with `characters` and
    `limit`, or `not_expressible`: what doesn't fit is refused, never cut and never widened.
    """
    grants = _grants(session, caller, node, now, read_only=read_only or node.read_only)
    try:
        return session_policy((_limited(grant, caller, until) for grant in grants), language=language)
    except TooLong as error:
        raise Invalid(
            f"Your rights on this node need {error.length} characters of policy, and its server takes "
            f"{error.limit} at once; name the workspaces that you need now, fewer than before.",
            code="narrowing_too_long",
            details={"characters": error.length, "limit": error.limit},
        ) from error
    except NotExpressible as error:
        raise Invalid(f"Keys can't be limited so on this node: {error}", code="not_expressible") from error


def _grants(session: Session, caller: Caller, node: Node, now: datetime, *, read_only: bool) -> list[Grant]:
    """What the user, the user's groups and everyone hold, in the workspaces that the caller is narrowed to."""
    subjects: list[Subject] = [
        (SubjectKind.USER, caller.user_id),
        *((SubjectKind.GROUP, group_id) for group_id in sorted(caller.groups)),
        EVERYONE,
    ]
    places = _narrowed_places(session, caller, node)
    found: list[Grant] = []
    for kind, subject_id in subjects:
        placed = [
            one
            for one in placed_workspaces(session, node, kind, subject_id, read_only=read_only)
            if places is None or (one.bucket, one.prefix) in places
        ]
        found += grants_by_subject(placed, now).get((kind, subject_id), [])
    return found


def _narrowed_places(session: Session, caller: Caller, node: Node) -> set[tuple[str, str]] | None:
    narrowed = caller.narrowing.workspaces
    if narrowed is None:
        return None
    rows = session.execute(
        select(Workspace.bucket, Workspace.prefix).where(
            Workspace.node_id == node.id, Workspace.id.in_(sorted(narrowed))
        )
    )
    return {(bucket, prefix) for bucket, prefix in rows}


def _limited(grant: Grant, caller: Caller, until: datetime | None) -> Grant:
    ends = [moment for moment in (grant.expires_at, until) if moment is not None]
    writes = grant.writes and not caller.narrowing.read_only
    return Grant(grant.bucket, grant.prefix, writes, min(ends, default=None))
