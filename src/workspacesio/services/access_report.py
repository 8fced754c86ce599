"""Who has access to a workspace, and through what: what the decision would say, written out for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import GroupMember, Node, Root, RootManager, Share, User, Workspace
from workspacesio.domain.vocabulary import Action, Level, RootType
from workspacesio.services.actors import Actor
from workspacesio.services.authorization import find_workspace
from workspacesio.services.sharing import EVERYONE, written_subject

MANAGES = "manages"


@dataclass(frozen=True, slots=True)
class Access:
    """`user` is None where `subject` stands for every signed-in user. `level` is a share's, `owner` or `manages`.

    Who manages sees name, owner and size and may hand over or let go, and reads nothing.
    """

    subject: str
    user: str | None
    folder: str
    level: str
    through: str
    expires_at: datetime | None


def report_access(session: Session, *, actor: Actor, workspace_id: int, now: datetime) -> list[Access]:
    """For the owner and whoever may share the whole workspace on. Disabled users have no access and are absent."""
    workspace, _ = find_workspace(
        session, actor=actor, workspace_id=workspace_id, action=Action.SHARE_WORKSPACE, now=now
    )
    found = [*_owner(session, workspace), *_public(session, workspace)]
    query = (
        select(Share)
        .where(Share.workspace_id == workspace.id, or_(Share.expires_at.is_(None), Share.expires_at > now))
        .order_by(Share.folder, Share.id)
    )
    for share in session.scalars(query).all():
        found += _through_share(session, share)
    found += _managers(session, workspace)
    return found


def _owner(session: Session, workspace: Workspace) -> Iterator[Access]:
    owner = session.get_one(User, workspace.owner_id)
    if owner.enabled:
        yield Access(owner.username, owner.username, "", "owner", "owner", None)


def _public(session: Session, workspace: Workspace) -> Iterator[Access]:
    root = session.get_one(Root, workspace.root_id)
    if RootType(root.type).is_public:
        yield Access(EVERYONE, None, "", Level.READ.word, f"public root {root.name}", None)


def _through_share(session: Session, share: Share) -> Iterator[Access]:
    subject = written_subject(session, share)
    level = Level(share.level).word
    if share.group_id is not None:
        members = (
            select(User.username)
            .join(GroupMember, GroupMember.user_id == User.id)
            .where(GroupMember.group_id == share.group_id, User.enabled.is_(True))
            .order_by(User.username)
        )
        for username in session.scalars(members):
            yield Access(subject, username, share.folder, level, f"group {subject}", share.expires_at)
    elif share.user_id is None:
        yield Access(subject, None, share.folder, level, "share with everyone", share.expires_at)
    elif session.get_one(User, share.user_id).enabled:
        yield Access(subject, subject, share.folder, level, "share", share.expires_at)


def _managers(session: Session, workspace: Workspace) -> Iterator[Access]:
    node = session.get_one(Node, workspace.node_id)
    managers = select(User.username).join(RootManager, RootManager.user_id == User.id)
    operators = select(User.username).where(User.id == node.operator_id)
    administrators = select(User.username).where(User.administrator.is_(True))
    for through, query in (
        ("root manager", managers.where(RootManager.root_id == workspace.root_id)),
        ("operator of the node", operators),
        ("administrator", administrators if node.run_by_service else None),
    ):
        if query is not None:
            for username in session.scalars(query.where(User.enabled.is_(True)).order_by(User.username)):
                yield Access(username, username, "", MANAGES, through, None)
