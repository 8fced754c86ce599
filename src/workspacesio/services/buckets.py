"""Buckets that operators of a folder of buckets make and remove through S3."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from workspacesio.database.tables import AuditRecord, Node, Root, User, Workspace
from workspacesio.domain.errors import Conflict
from workspacesio.domain.names import numbered_name
from workspacesio.domain.vocabulary import CreatePolicy, RootType


def record_bucket(session: Session, *, node: Node, bucket: str, owner_id: int, now: datetime) -> None:
    """A new bucket gets an unmanaged-private root and a workspace of its maker over all of it.

    Raises Conflict when something of this bucket is known already: whoever had rights there would have them in
    what is new.
    """
    known = select(Root.id).where(Root.node_id == node.id, Root.bucket == bucket).limit(1)
    if session.scalar(known) is not None:
        raise Conflict("There are roots in a bucket of this name already.", code="bucket_exists")
    taken = set(session.scalars(select(Root.name).where(Root.name.startswith(bucket, autoescape=True))))
    root = Root(
        name=numbered_name(bucket, taken),
        node_id=node.id,
        bucket=bucket,
        prefix="",
        type=RootType.UNMANAGED_PRIVATE,
        create_policy=CreatePolicy.NOBODY,
        created_at=now,
    )
    session.add(root)
    session.flush()
    labels = set(session.scalars(select(Workspace.name).where(Workspace.owner_id == owner_id)))
    workspace = Workspace(
        name=numbered_name(bucket, labels),
        owner_id=owner_id,
        root_id=root.id,
        node_id=node.id,
        bucket=bucket,
        prefix="",
        imported=True,
        created_at=now,
    )
    session.add(workspace)
    session.flush()
    _audit(session, actor_id=owner_id, verb="bucket.create", workspace_id=workspace.id, bucket=bucket, now=now)


def forget_bucket(session: Session, *, node_id: int, bucket: str, actor_id: int, now: datetime) -> None:
    """The bucket is gone from storage: so are its workspaces, their shares and its roots."""
    session.execute(delete(Workspace).where(Workspace.node_id == node_id, Workspace.bucket == bucket))
    session.execute(delete(Root).where(Root.node_id == node_id, Root.bucket == bucket))
    _audit(session, actor_id=actor_id, verb="bucket.delete", workspace_id=None, bucket=bucket, now=now)


def _audit(
    session: Session, *, actor_id: int, verb: str, workspace_id: int | None, bucket: str, now: datetime
) -> None:
    actor = session.scalar(select(User.username).where(User.id == actor_id)) or str(actor_id)
    session.add(
        AuditRecord(
            at=now,
            actor_id=actor_id,
            actor=actor,
            verb=verb,
            workspace_id=workspace_id,
            target=bucket,
            details={},
        )
    )
