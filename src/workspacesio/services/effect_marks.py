"""Noting, in the transaction of a change of rights, which foreign servers must be told, and of whom.

Exactly those subjects are marked whose rights on a node can change: the user, the group or everyone that a share
names, the owner of a workspace, everyone for a workspace in a public root. Users are marked where a user was
made for them on the node's server, groups and everyone wherever something is shared with them. Folder nodes need
nothing: their endpoint looks rights up. A server that issues sessions can't be told either: what is taken away
(`takes`) is remembered, so that the answer says when the last keys run out that hold it (`key_expiry.py`).

    marked(session) -> Marked      what the transaction marked; `node_effects.settle` then tells the servers
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from workspacesio.database.tables import Credential, GroupMember, Node, NodeEffect, Root, Share, Workspace
from workspacesio.domain.vocabulary import NodeKind, RootType, SubjectKind
from workspacesio.services.key_expiry import KINDS, Taken

_INFO = "workspacesio.marked"
_TAKEN = "workspacesio.taken"
EVERYONE_ID = 0


@dataclass(frozen=True, slots=True)
class Marked:
    """The generation that each effect, by its id, must reach for the change to be enforced. What was taken."""

    generations: dict[int, int] = field(default_factory=dict)
    taken: tuple[Taken, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.generations or self.taken)


Subject = tuple[SubjectKind, int]
EVERYONE: Subject = (SubjectKind.EVERYONE, EVERYONE_ID)


def marked(session: Session) -> Marked:
    """What was marked in this session; may be asked before or after its commit."""
    return Marked(dict(session.info.get(_INFO, {})), tuple(session.info.get(_TAKEN, ())))


def is_told(node: Node | None) -> bool:
    """Whether rights on this node are kept on a foreign server."""
    return node is not None and NodeKind(node.kind).keeps_policies


def mark(
    session: Session,
    node_id: int,
    subjects: Iterable[Subject],
    *,
    takes: bool = True,
    workspace: Workspace | None = None,
) -> None:
    """The rights of these subjects on the node, or in one workspace of it, have changed.

    `takes`: something may be taken away with it. Nothing for a folder node.
    """
    node = session.get(Node, node_id)
    if takes and node is not None and NodeKind(node.kind).issues_sessions:
        for subject in subjects:
            _take(session, node_id, subject, workspace)
    if not is_told(node):
        return
    for kind, subject_id in sorted(set(subjects)):
        row = _row(session, node_id, kind, subject_id)
        if row is None and kind is not SubjectKind.USER:
            row = new_effect(session, node_id, kind, subject_id)
        if row is None:
            continue
        if kind is SubjectKind.GROUP:
            _wait_for_members(session, node_id)
        if row.active or kind is not SubjectKind.USER:
            _raise(session, row)
        else:
            _wait_for(session, row)


def mark_shares(session: Session, workspace: Workspace, shares: Iterable[Share], *, takes: bool = True) -> None:
    """Shares of the workspace were given, changed or taken back."""
    mark(session, workspace.node_id, [_subject(share) for share in shares], takes=takes, workspace=workspace)


def mark_workspace(session: Session, workspace: Workspace, *, takes: bool = True) -> None:
    """The workspace was made, or is about to go, with every right in it."""
    node = session.get_one(Node, workspace.node_id)
    if not is_told(node) and not NodeKind(node.kind).issues_sessions:
        return
    shares = session.scalars(select(Share).where(Share.workspace_id == workspace.id))
    subjects = [(SubjectKind.USER, workspace.owner_id), *(_subject(share) for share in shares)]
    if RootType(session.get_one(Root, workspace.root_id).type).is_public:
        subjects.append(EVERYONE)
    mark(session, workspace.node_id, subjects, takes=takes, workspace=workspace)


def mark_root(session: Session, root: Root, *, takes: bool = True) -> None:
    """The root became public or private."""
    mark(session, root.node_id, [EVERYONE], takes=takes)


def mark_member(session: Session, *, user_id: int, takes: bool = True) -> None:
    """The user joined or left a group."""
    if takes:
        _remember_taken(session, Taken(None, user_id, None))
    rows = select(NodeEffect).where(
        NodeEffect.subject_kind == SubjectKind.USER.value,
        NodeEffect.subject_id == user_id,
        NodeEffect.active.is_(True),
    )
    for row in session.scalars(rows).all():
        _raise(session, row)


def mark_group(session: Session, *, group_id: int) -> None:
    """The group is about to go, from every server. Asked while its members are still known.

    With the server's group all of its rights go. That its members are told of as well is left to the worker.
    """
    _remember_taken(session, Taken(None, None, None))
    members = select(GroupMember.user_id).where(GroupMember.group_id == group_id)
    concerned = (
        NodeEffect.subject_kind == SubjectKind.USER.value,
        NodeEffect.subject_id.in_(members),
        NodeEffect.active.is_(True),
    )
    group = select(NodeEffect.node_id).where(
        NodeEffect.subject_kind == SubjectKind.GROUP.value, NodeEffect.subject_id == group_id
    )
    nodes = {*session.scalars(group), *session.scalars(select(NodeEffect.node_id).where(*concerned).distinct())}
    for node_id in sorted(nodes):
        mark(session, node_id, [(SubjectKind.GROUP, group_id)])
    session.execute(
        update(NodeEffect)
        .where(*concerned)
        .values(desired_generation=NodeEffect.desired_generation + 1)
        .execution_options(synchronize_session=False)
    )


def mark_node(session: Session, node_id: int) -> None:
    """Everybody's rights on the node may have changed."""
    for row in session.scalars(select(NodeEffect).where(NodeEffect.node_id == node_id)).all():
        _raise(session, row)


def mark_keys_ended(session: Session, *, user_id: int, node_id: int | None = None) -> None:
    """All keys of the user on the node, or on every node, end: the server's user goes and never comes back.

    MinIO brings keys back to life when a user of the same name is made again, so the next one has another name.
    """
    _remember_taken(session, Taken(node_id, user_id, None))
    for row in _rows_of_user(session, user_id, node_id):
        if row.active:
            row.active = False
            _raise(session, row)
        else:
            _wait_for(session, row)


def mark_keys_left(session: Session, which: ColumnElement[bool], *, now: datetime) -> None:
    """These credentials shall end; where nothing ends keys they go on until they run out."""
    rows = session.execute(
        select(Credential.node_id, Credential.user_id)
        .join(Node, Node.id == Credential.node_id)
        .where(which, Credential.expires_at > now, Node.kind.in_(KINDS))
        .distinct()
    )
    for node_id, user_id in rows.all():
        _remember_taken(session, Taken(node_id, user_id, None))


def mark_keys_ended_before(session: Session, *, user_id: int, node_id: int) -> None:
    """They were ended already, and the server may not have been told yet. Newer keys are left alone."""
    for row in _rows_of_user(session, user_id, node_id):
        if not row.active:
            _wait_for(session, row)


def _rows_of_user(session: Session, user_id: int, node_id: int | None) -> Sequence[NodeEffect]:
    there = [NodeEffect.node_id == node_id] if node_id is not None else []
    rows = select(NodeEffect).where(
        NodeEffect.subject_kind == SubjectKind.USER.value, NodeEffect.subject_id == user_id, *there
    )
    return session.scalars(rows).all()


def _wait_for_members(session: Session, node_id: int) -> None:
    """The server may not have heard yet who left the group: what it is given, they would have, too."""
    rows = select(NodeEffect).where(
        NodeEffect.node_id == node_id,
        NodeEffect.subject_kind == SubjectKind.USER.value,
        NodeEffect.applied_generation < NodeEffect.desired_generation,
    )
    for row in session.scalars(rows).all():
        remember(session, row)


def _wait_for(session: Session, row: NodeEffect) -> None:
    """The server still has what was ended earlier: nothing is enforced before it has heard of that."""
    if row.applied_generation < row.desired_generation:
        remember(session, row)


def new_effect(session: Session, node_id: int, kind: SubjectKind, subject_id: int) -> NodeEffect:
    """A subject that the node's server has never been told of. Only in `Database.write`."""
    row = NodeEffect(
        node_id=node_id,
        subject_kind=kind.value,
        subject_id=subject_id,
        desired_generation=0,
        applied_generation=0,
        identity=0,
        active=False,
        applied_documents=0,
    )
    session.add(row)
    session.flush()
    return row


def activate(session: Session, row: NodeEffect) -> None:
    """There shall be a new user on the server for this subject. Only in `Database.write`."""
    row.identity += 1
    row.active = True
    _raise(session, row)


def remember(session: Session, row: NodeEffect) -> None:
    """`settle` shall wait for this one too, though nothing of it changed here."""
    session.info.setdefault(_INFO, {})[row.id] = row.desired_generation


def _take(session: Session, node_id: int, subject: Subject, workspace: Workspace | None) -> None:
    """Who is in a group may have left it since keys were issued, so that all keys may hold a group's rights."""
    kind, subject_id = subject
    if kind is SubjectKind.USER:
        taken = Taken(node_id, subject_id, None if workspace is None else workspace.id)
    elif workspace is None:
        taken = Taken(node_id, None, None)
    else:
        taken = Taken(node_id, None, workspace.id, kept_by=workspace.owner_id)
    _remember_taken(session, taken)


def _remember_taken(session: Session, taken: Taken) -> None:
    session.info.setdefault(_TAKEN, []).append(taken)


def _raise(session: Session, row: NodeEffect) -> None:
    generation = session.scalar(
        update(NodeEffect)
        .where(NodeEffect.id == row.id)
        .values(desired_generation=NodeEffect.desired_generation + 1)
        .returning(NodeEffect.desired_generation)
        .execution_options(synchronize_session=False)
    )
    session.flush()
    session.expire(row, ["desired_generation"])
    session.info.setdefault(_INFO, {})[row.id] = generation


def _row(session: Session, node_id: int, kind: SubjectKind, subject_id: int) -> NodeEffect | None:
    return session.scalar(
        select(NodeEffect).where(
            NodeEffect.node_id == node_id,
            NodeEffect.subject_kind == kind.value,
            NodeEffect.subject_id == subject_id,
        )
    )


def _subject(share: Share) -> Subject:
    if share.user_id is not None:
        return SubjectKind.USER, share.user_id
    if share.group_id is not None:
        return SubjectKind.GROUP, share.group_id
    return EVERYONE
