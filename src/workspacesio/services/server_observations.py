"""What is worth knowing of a server that can be used: one sentence each."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.tables import AuditRecord, Node, NodeEffect, Root
from workspacesio.domain.vocabulary import IndexLevel

REPAIRS_SHOWN_FOR = timedelta(days=1)
MAX_REPAIRS = 10


def unsaid_rights(session: Session, node_id: int) -> list[str]:
    """What can't be said in the server's language and is therefore not granted there."""
    problems = session.scalars(
        select(NodeEffect.problem).where(
            NodeEffect.node_id == node_id,
            NodeEffect.problem.is_not(None),
            NodeEffect.applied_generation >= NodeEffect.desired_generation,
        )
    )
    return list(dict.fromkeys(problem for problem in problems if problem))


def repairs(session: Session, node: Node, now: datetime) -> list[str]:
    """What somebody had changed on the server within the last day, and what became of it; the latest first."""
    since = max(now - REPAIRS_SHOWN_FOR, node.created_at)
    records = session.scalars(
        select(AuditRecord)
        .where(AuditRecord.verb == "node.repair", AuditRecord.target == node.name, AuditRecord.at >= since)
        .order_by(AuditRecord.id.desc())
        .limit(MAX_REPAIRS)
    )
    found = [f"{one.at:%Y-%m-%d %H:%M} UTC: {text}" for one in records for text in one.details["repaired"]]
    return found[:MAX_REPAIRS]


def same_servers(session: Session, node: Node) -> list[str]:
    """Other nodes of the operator's that lead to this server: rights on one of them say nothing of the other."""
    same = [Node.endpoint == node.endpoint]
    if node.deployment_id is not None:
        same.append(Node.deployment_id == node.deployment_id)
    names = session.scalars(
        select(Node.name)
        .where(Node.id != node.id, Node.operator_id == node.operator_id, or_(*same))
        .order_by(Node.name)
    )
    return [
        f"The node {name!r} is on the same server: a folder that is a workspace on both has two owners, and what "
        "is taken back on one is still given on the other."
        for name in names
    ]


def gone_buckets(session: Session, node_id: int, found: Collection[str]) -> list[str]:
    """Buckets of roots that the server doesn't have any more."""
    roots = session.execute(select(Root.name, Root.bucket).where(Root.node_id == node_id).order_by(Root.name))
    return [
        f"The bucket {bucket!r} of the root {name!r} is not on the server any more; make it there again, or "
        "remove what is in the root and then the root."
        for name, bucket in roots
        if bucket not in found
    ]


def buckets_to_read(session: Session, node_id: int) -> list[tuple[str, str]]:
    """Name and bucket of each root of which more is indexed than listings show."""
    more = RootIndexing.level.in_((IndexLevel.METADATA.value, IndexLevel.CONTENT.value))
    chosen = select(Root.name, Root.bucket).join(RootIndexing, RootIndexing.root_id == Root.id)
    found = session.execute(chosen.where(Root.node_id == node_id, more).order_by(Root.name))
    return [(name, bucket) for name, bucket in found]


def unread_roots(roots: Collection[tuple[str, str]], may_read: Callable[[str], bool]) -> list[str]:
    """Of these roots and buckets. Raises what `may_read` raises, which is asked once for each bucket."""
    readable = {bucket: may_read(bucket) for bucket in {bucket for _, bucket in roots}}
    return [
        f"The node's access key may not read objects in the bucket {bucket!r}, so of the root {name!r} only "
        "names are indexed; give it the right s3:GetObject there."
        for name, bucket in roots
        if not readable[bucket]
    ]
