"""Shares: give, change, take back, list.

The owner gives what they like. Whoever holds a share at `own` gives on up to what it holds: such a share rests on
theirs, ends no later, and goes when theirs goes or is lowered. They change and take back what they gave or what
rests on theirs; anybody may leave what was shared with themselves.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from workspacesio.database.tables import Group, Node, Share, User, Workspace
from workspacesio.database.visibility import share_reaches
from workspacesio.domain.errors import Conflict, Invalid, NotFound, Refused
from workspacesio.domain.facts import Target
from workspacesio.domain.names import check_prefix
from workspacesio.domain.permissions import sharing_limit
from workspacesio.domain.vocabulary import Action, Level, SubjectKind
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record_of_workspace
from workspacesio.services.authorization import find_workspace, require
from workspacesio.services.effect_marks import mark_shares
from workspacesio.services.expressible import check_can_be_told
from workspacesio.services.prefixes import begins_with
from workspacesio.services.share_descent import descendants
from workspacesio.services.users import user_named

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a share names, as typed: a username, `@group` or `everyone`."""

    kind: SubjectKind
    id: int | None
    written: str

    def rows(self) -> ColumnElement[bool]:
        """The shares that name this subject."""
        same_kind = Share.subject_kind == self.kind.value
        if self.kind is SubjectKind.USER:
            return same_kind & (Share.user_id == self.id)
        if self.kind is SubjectKind.GROUP:
            return same_kind & (Share.group_id == self.id)
        return same_kind


@dataclass(frozen=True, slots=True)
class ShareView:
    """A share with names for its numbers. `given_by` is None where the giver is unknown."""

    id: int
    folder: str
    subject: str
    level: Level
    expires_at: datetime | None
    given_by: str | None
    created_at: datetime


def find_subject(session: Session, written: str) -> Subject:
    """Raises NotFound for a user or group that doesn't exist."""
    if written == EVERYONE:
        return Subject(SubjectKind.EVERYONE, None, written)
    if written.startswith("@"):
        group = session.scalar(select(Group).where(Group.name == written[1:]))
        if group is None:
            raise NotFound(f"There is no group {written!r}.", code="no_such_group")
        return Subject(SubjectKind.GROUP, group.id, written)
    return Subject(SubjectKind.USER, user_named(session, written).id, written)


def share_folder(
    session: Session,
    *,
    actor: Actor,
    workspace_id: int,
    folder: str,
    subject: str,
    level: Level,
    expires_at: datetime | None,
    now: datetime,
) -> tuple[ShareView, bool]:
    """Give `subject` the workspace, or a folder in it. The second value says whether the share is new.

    Sharing again with the same subject replaces level and expiry. Without an expiry, a share that rests on
    another ends with that one. Raises NotFound, Refused, Invalid, Conflict.
    """
    folder = check_prefix(folder)
    workspace, target = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.SHARE_WORKSPACE, now=now, path=folder
    )
    named = find_subject(session, subject)
    if expires_at is not None and expires_at <= now:
        raise Invalid("The share would have expired already; give a later time.", code="invalid_expiry")
    _check_recipient(actor, workspace, named)
    node, writes = session.get_one(Node, workspace.node_id), level >= Level.READWRITE
    check_can_be_told(node, workspace.bucket, workspace.prefix + folder, writes=writes)
    existing = _share_of(session, workspace_id, folder, named, now)
    if existing is not None:
        _require_may_change(session, actor, workspace, existing)
        target = _without(session, target, existing)
        require(actor, Action.SHARE_WORKSPACE, target, now)
    _, latest, rests_on = sharing_limit(actor.caller, target, now)
    if latest is not None:
        if expires_at is not None and expires_at > latest:
            raise Refused(
                "Your own share ends before that; give an earlier time.",
                code="beyond_own_share",
                details={"latest": latest.isoformat()},
            )
        expires_at = expires_at or latest
    takes = existing is not None and _is_weaker(level, expires_at, existing)
    share = existing or _new_share(workspace_id, folder, named, now)
    share.level, share.expires_at = int(level), expires_at
    share.given_by, share.rests_on = actor.user_id, rests_on
    session.add(share)
    session.flush()
    mark_shares(session, workspace, [share, *(descendants(session, [share]) if existing else [])], takes=takes)
    _weaken_what_rests_on(session, share)
    view = _view(session, share)
    _record(session, actor, "share.change" if existing else "share.give", workspace, view, now)
    return view, existing is None


def revoke_share(
    session: Session, *, actor: Actor, workspace_id: int, folder: str, subject: str, now: datetime
) -> list[ShareView]:
    """Take a share back, and all that rest on it. Returns what is gone. Raises NotFound, Refused."""
    folder = check_prefix(folder)
    workspace, target = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.SEE_WORKSPACE, now=now, path=folder
    )
    named = find_subject(session, subject)
    share = _share_of(session, workspace_id, folder, named, now)
    if share is None or not _sees(session, actor, target, share, now):
        raise NotFound("There is no such share; `wio shares` lists them.", code="no_such_share")
    leaving = share.user_id == actor.user_id and not actor.caller.narrowing.read_only
    if not leaving:
        require(actor, Action.SHARE_WORKSPACE, target, now)
        _require_may_change(session, actor, workspace, share)
    gone = [share, *descendants(session, [share])]
    mark_shares(session, workspace, gone)
    views = [_view(session, one) for one in gone]
    for view in views:
        _record(session, actor, "share.revoke", workspace, view, now)
    session.delete(share)
    session.flush()
    return views


def list_shares(
    session: Session, *, actor: Actor, workspace_id: int, limit: int, after: int | None = None, now: datetime
) -> list[ShareView]:
    """All of them for the owner; those in folders held at `own`, and those that concern the caller, for others.

    The first by id, behind that of `after`.
    """
    workspace, target = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.SEE_WORKSPACE, now=now
    )
    lasting = or_(Share.expires_at.is_(None), Share.expires_at > now)
    query = select(Share).where(Share.workspace_id == workspace.id, lasting, _seen_shares(actor, target, now))
    if after is not None:
        query = query.where(Share.id > after)
    rows = session.scalars(query.order_by(Share.id).limit(limit)).all()
    return [_view(session, share) for share in rows]


def _seen_shares(actor: Actor, target: Target, now: datetime) -> ColumnElement[bool]:
    if target.workspace is not None and target.workspace.owner_id == actor.user_id:
        return true()
    held = [
        begins_with(Share.folder, share.folder)
        for share in target.shares
        if share.level is Level.OWN and share.concerns(actor.caller) and share.holds(now)
    ]
    return or_(share_reaches(actor.caller, now), *held) if held else share_reaches(actor.caller, now)


def _sees(session: Session, actor: Actor, target: Target, share: Share, now: datetime) -> bool:
    query = select(Share.id).where(Share.id == share.id, _seen_shares(actor, target, now))
    return session.scalar(query) is not None


def _check_recipient(actor: Actor, workspace: Workspace, subject: Subject) -> None:
    if subject.kind is not SubjectKind.USER:
        return
    if subject.id == workspace.owner_id:
        raise Conflict(f"{subject.written!r} is the owner and holds everything already.", code="is_owner")
    if subject.id == actor.user_id:
        raise Refused("You can't share with yourself; ask the owner.", code="own_share")


def _require_may_change(session: Session, actor: Actor, workspace: Workspace, share: Share) -> None:
    if actor.user_id in (workspace.owner_id, share.given_by):
        return
    below = share
    while below.rests_on is not None:
        below = session.get_one(Share, below.rests_on)
        if actor.user_id in (below.user_id, below.given_by):
            return
    raise Refused("That share was given by somebody else; ask the owner.", code="not_your_share")


def _without(session: Session, target: Target, share: Share) -> Target:
    """The facts without `share` and what rests on it, so that no share comes to rest on itself."""
    ids = {share.id, *(one.id for one in descendants(session, [share]))}
    return replace(target, shares=tuple(one for one in target.shares if one.share_id not in ids))


def _weaken_what_rests_on(session: Session, share: Share) -> None:
    """A share below `own` carries no others; and none outlasts the one it rests on."""
    if share.level < Level.OWN:
        for one in session.scalars(select(Share).where(Share.rests_on == share.id)).all():
            session.delete(one)
        session.flush()
        session.expire_all()
        return
    if share.expires_at is not None:
        for one in descendants(session, [share]):
            if one.expires_at is None or one.expires_at > share.expires_at:
                one.expires_at = share.expires_at


def _share_of(session: Session, workspace_id: int, folder: str, subject: Subject, now: datetime) -> Share | None:
    """The share with this subject. One that has expired gives nothing to anybody, and goes."""
    query = select(Share).where(Share.workspace_id == workspace_id, Share.folder == folder, subject.rows())
    share = session.scalar(query)
    if share is not None and share.expires_at is not None and share.expires_at <= now:
        session.delete(share)
        session.flush()
        return None
    return share


def _is_weaker(level: Level, expires_at: datetime | None, before: Share) -> bool:
    """Whether something is taken away from who holds the share `before` by giving this instead."""
    ends_earlier = expires_at is not None and (before.expires_at is None or expires_at < before.expires_at)
    return level < before.level or ends_earlier


def _new_share(workspace_id: int, folder: str, subject: Subject, now: datetime) -> Share:
    return Share(
        workspace_id=workspace_id,
        folder=folder,
        subject_kind=subject.kind.value,
        user_id=subject.id if subject.kind is SubjectKind.USER else None,
        group_id=subject.id if subject.kind is SubjectKind.GROUP else None,
        created_at=now,
    )


def _view(session: Session, share: Share) -> ShareView:
    giver = session.get(User, share.given_by) if share.given_by is not None else None
    return ShareView(
        share.id,
        share.folder,
        written_subject(session, share),
        Level(share.level),
        share.expires_at,
        giver.username if giver else None,
        share.created_at,
    )


def written_subject(session: Session, share: Share) -> str:
    """The subject as users type it."""
    if share.user_id is not None:
        return session.get_one(User, share.user_id).username
    if share.group_id is not None:
        return "@" + session.get_one(Group, share.group_id).name
    return EVERYONE


def _record(  # noqa: PLR0917 - what a record is made of
    session: Session, actor: Actor, verb: str, workspace: Workspace, share: ShareView, now: datetime
) -> None:
    record_of_workspace(
        session,
        actor=actor,
        verb=verb,
        workspace=workspace,
        now=now,
        details={
            "subject": share.subject,
            "folder": share.folder,
            "level": share.level.word,
            "expires_at": share.expires_at.isoformat() if share.expires_at else None,
        },
    )
