"""What one subject may do on one node, as the server must be told it: from facts to policy documents.

Only the facts of the one subject are read; `domain/subject_grants.py` makes grants of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from workspacesio.database.facts import share_facts
from workspacesio.database.tables import Group, GroupMember, Node, NodeEffect, Root, Share, User, Workspace
from workspacesio.domain.s3_policies import compile_documents, divide_expressible, refresh_at
from workspacesio.domain.subject_grants import PlacedWorkspace, grants_by_subject
from workspacesio.domain.vocabulary import RootType, SubjectKind
from workspacesio.nodes.minio.names import document_name, everyone_name, group_name, user_name
from workspacesio.nodes.minio.subjects import Wanted, WantedGroup, WantedUser
from workspacesio.services.keys import Keyring
from workspacesio.services.node_secrets import server_user_key_id, server_user_secret


@dataclass(frozen=True, slots=True)
class Told:
    """`left_out`: what can't be said in the server's language and is therefore not granted, one sentence each."""

    generation: int
    wanted: Wanted
    may_exist: frozenset[str]
    applied_digest: str | None
    is_behind: bool
    failed_before: bool
    refresh_at: datetime | None
    secret_key_id: bytes
    left_out: tuple[str, ...] = field(default=())


def what_to_tell(
    session: Session, effect: NodeEffect, *, keyring: Keyring, read_only: bool, now: datetime
) -> Told:
    """All from one state of the database. `read_only`: the whole service takes no writes."""
    node = session.get_one(Node, effect.node_id)
    prefix = node.name_prefix or ""
    kind = SubjectKind(effect.subject_kind)
    subject = subject_word(kind, effect.subject_id)
    wanted: Wanted
    left_out: tuple[str, ...] = ()
    documents: tuple[tuple[str, str], ...] = ()
    again: datetime | None = None
    exists = not node.leaving and _is_there(session, effect, kind)
    if exists:
        placed = placed_workspaces(session, node, kind, effect.subject_id, read_only=read_only or node.read_only)
        grants = grants_by_subject(placed, now).get((kind, effect.subject_id), [])
        said, unsaid = divide_expressible(grants)
        documents = tuple(
            (document_name(prefix, subject, number), document)
            for number, document in enumerate(compile_documents(said), start=1)
        )
        again = refresh_at(said)
        left_out = tuple(dict.fromkeys(reason for _, reason in unsaid))
    if kind is SubjectKind.USER:
        name = user_name(prefix, effect.subject_id, max(effect.identity, 1))
        secret = server_user_secret(keyring, node.id, name) if exists else None
        wanted = WantedUser(name, secret, _groups(session, prefix, effect.subject_id), documents)
    elif kind is SubjectKind.GROUP:
        wanted = WantedGroup(group_name(prefix, effect.subject_id), exists, documents)
    else:
        wanted = WantedGroup(everyone_name(prefix), exists, documents)
    return Told(
        effect.desired_generation,
        wanted,
        frozenset(document_name(prefix, subject, number + 1) for number in range(effect.applied_documents)),
        effect.applied_digest,
        effect.applied_generation < effect.desired_generation,
        effect.problem not in (None, " ".join(left_out)),
        again,
        server_user_key_id(keyring, node.id),
        left_out,
    )


def subject_word(kind: SubjectKind, subject_id: int) -> str:
    """As it appears in names on the server: `u12`, `g3`, `everyone`."""
    if kind is SubjectKind.EVERYONE:
        return "everyone"
    return f"{'u' if kind is SubjectKind.USER else 'g'}{subject_id}"


def _is_there(session: Session, effect: NodeEffect, kind: SubjectKind) -> bool:
    if kind is SubjectKind.USER:
        user = session.get(User, effect.subject_id)
        return effect.active and user is not None and user.enabled
    if kind is SubjectKind.GROUP:
        return session.get(Group, effect.subject_id) is not None
    return True


def _groups(session: Session, prefix: str, user_id: int) -> frozenset[str]:
    ids = session.scalars(select(GroupMember.group_id).where(GroupMember.user_id == user_id))
    return frozenset({everyone_name(prefix), *(group_name(prefix, group_id) for group_id in ids)})


def placed_workspaces(
    session: Session, node: Node, kind: SubjectKind, subject_id: int, *, read_only: bool
) -> Iterable[PlacedWorkspace]:
    """The workspaces in which the subject holds something, each once for every reason."""
    concerns: ColumnElement[bool]
    if kind is SubjectKind.USER:
        owned = select(Workspace).where(Workspace.node_id == node.id, Workspace.owner_id == subject_id)
        for workspace in session.scalars(owned):
            yield PlacedWorkspace(workspace.bucket, workspace.prefix, subject_id, read_only=read_only)
        concerns = Share.user_id == subject_id
    elif kind is SubjectKind.GROUP:
        concerns = Share.group_id == subject_id
    else:
        public = (
            select(Workspace)
            .join(Root, Root.id == Workspace.root_id)
            .where(Workspace.node_id == node.id, Root.type.in_([one.value for one in RootType if one.is_public]))
        )
        for workspace in session.scalars(public):
            yield PlacedWorkspace(
                workspace.bucket, workspace.prefix, workspace.owner_id, public=True, read_only=read_only
            )
        concerns = Share.subject_kind == SubjectKind.EVERYONE.value
    shared = (
        select(Workspace, Share)
        .join(Share, Share.workspace_id == Workspace.id)
        .where(Workspace.node_id == node.id, Share.subject_kind == kind.value, concerns)
    )
    for workspace, share in session.execute(shared):
        yield PlacedWorkspace(
            workspace.bucket,
            workspace.prefix,
            workspace.owner_id,
            read_only=read_only,
            shares=(share_facts(share),),
        )
