"""How the index is kept true of each root between crawls, as the index worker writes it down and people are told.

watching   whatever happens in the root's folders is heard, and found within a second
events     what happens by the endpoint is, or what the server of the node tells; `problem`: what isn't, and why
crawls     nothing is told: what the last crawl found
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import RootFreshness
from workspacesio.database.journal_tables import EventSource
from workspacesio.database.tables import Node, Root
from workspacesio.domain.vocabulary import NodeKind
from workspacesio.index.storage_away import known_until


class KeptBy(StrEnum):
    WATCHING = "watching"
    EVENTS = "events"
    CRAWLS = "crawls"


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of a root. `problem`: a sentence on why it is no better. `folders`: how many are watched. `away`: its
    storage can't be looked at."""

    kept_by: KeptBy
    problem: str | None = None
    folders: int = 0
    away: bool = False


@dataclass(frozen=True, slots=True)
class KnownFreshness:
    freshness: Freshness
    since: datetime


def freshness_of_roots(session: Session) -> dict[int, KnownFreshness]:
    """By root; a root that the worker hasn't looked at yet is absent."""
    return {
        row.root_id: KnownFreshness(
            Freshness(KeptBy(row.kept_by), row.problem, row.folders, row.away_since is not None), row.since
        )
        for row in session.scalars(select(RootFreshness))
    }


def while_silent(known: Mapping[int, KnownFreshness], since: datetime) -> dict[int, KnownFreshness]:
    """The same while the index worker gives no sign of life, since then: nobody takes in what is heard."""
    problem = (
        f"The index worker has not been heard of since {since:%Y-%m-%d %H:%M:%S} UTC, and takes nothing in. Look "
        "into the service's log; start the service again if it doesn't come back by itself."
    )
    return {
        root_id: replace(one, freshness=replace(one.freshness, problem=problem), since=since)
        for root_id, one in known.items()
    }


def server_roots(session: Session) -> dict[int, Freshness]:
    """Of the roots that lie on servers: these tell what happens, or are crawled."""
    rows = session.execute(
        select(Root.id, Node.name, Node.kind, EventSource.node_id, EventSource.heard_at)
        .join(Node, Node.id == Root.node_id)
        .outerjoin(EventSource, EventSource.node_id == Node.id)
        .where(Node.kind != NodeKind.FOLDER)
    )
    return {
        root_id: _of_server(name, kind, known=source is not None, heard=heard_at is not None)
        for root_id, name, kind, source, heard_at in rows
    }


def _of_server(name: str, kind: str, *, known: bool, heard: bool) -> Freshness:
    if known:
        quiet = None if heard else f"The node's server has told nothing yet; see `wio node events {name}`."
        return Freshness(KeptBy.EVENTS, quiet)
    if kind in (NodeKind.MINIO, NodeKind.MINIO_PLAIN):
        sentence = (
            f"The node's server doesn't tell of changes; its operator sets that up with `wio node events {name}`."
        )
        return Freshness(KeptBy.CRAWLS, sentence)
    return Freshness(KeptBy.CRAWLS, "Servers of this kind don't tell of changes.")


def write_freshness(session: Session, found: Mapping[int, Freshness], *, now: datetime) -> None:
    """Keep what is found of these roots, those that still exist; forget what is known of others."""
    known = {row.root_id: row for row in session.scalars(select(RootFreshness))}
    existing = set(session.scalars(select(Root.id)))
    for root_id, freshness in found.items():
        if root_id not in existing:
            continue
        row = known.get(root_id)
        if row is None:
            row = RootFreshness(root_id=root_id, kept_by="", problem=None, folders=0, since=now)
            session.add(row)
        if not freshness.away:
            row.away_since = None
        elif row.away_since is None:
            row.away_since = _away_since(session, row, now)
        if (row.kept_by, row.problem) != (freshness.kept_by, freshness.problem):
            row.kept_by, row.problem, row.since = freshness.kept_by.value, freshness.problem, now
        row.folders = freshness.folders
    gone = known.keys() - found.keys()
    if gone:
        session.execute(delete(RootFreshness).where(RootFreshness.root_id.in_(gone)))


def _away_since(session: Session, row: RootFreshness, now: datetime) -> datetime:
    """Of a root that went away just now: where not all was heard, crawls had told what changed."""
    if row.kept_by == KeptBy.WATCHING:
        return now
    return known_until(session, row.root_id) or now
