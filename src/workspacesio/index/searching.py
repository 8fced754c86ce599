"""Finding entries: the hits of a query, a page at a time, with the exact total.

What is shown of an entry besides what the engine holds (owner, workspace, node, bucket and key) is put in at the
end, from the database as it was when the rights were read.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.number_sets import one_of
from workspacesio.database.tables import Node, User, Workspace
from workspacesio.domain.errors import Unavailable
from workspacesio.index.asking import AskedIndex, ask, microseconds
from workspacesio.index.engine import Hit, SearchRequest, Sort
from workspacesio.index.notes import Note
from workspacesio.index.path_order import page_by_path
from workspacesio.index.search_cursors import Asked, Place, open_cursor, seal_cursor
from workspacesio.index.sight import Sight
from workspacesio.services.actors import Actor
from workspacesio.services.keys import Keyring

MAX_LIMIT = 1000
MAX_HIGHLIGHTED = 100
"""Of a page where words are marked: that costs milliseconds an entry."""


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """`path` is relative to the workspace, `modified` in microseconds since 1970. The rest as in `engine.Hit`."""

    workspace_id: int
    owner: str
    workspace: str
    node: str
    bucket: str
    key: str
    path: str
    size: int
    modified: int
    etag: str
    content_type: str
    facts: Mapping[str, str]
    tags: Mapping[str, str]
    problem: str
    highlights: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """`total` and `bytes` are exact and of all hits, whatever the page. `next_after`: None on the last page."""

    total: int
    bytes: int
    results: tuple[FoundEntry, ...]
    next_after: str | None
    notes: tuple[Note, ...]
    incomplete: tuple[Note, ...]


class WorkspaceLabel(NamedTuple):
    owner: str
    name: str
    node: str
    bucket: str
    prefix: str

    @property
    def reference(self) -> str:
        """`owner/workspace/`, which a path may follow."""
        return f"{self.owner}/{self.name}/"


def search(
    session: Session,
    *,
    index: AskedIndex,
    keyring: Keyring,
    actor: Actor,
    text: str,
    sort: Sort = Sort.RELEVANCE,
    descending: bool = True,
    limit: int = 50,
    after: str | None = None,
    highlight: bool = False,
    now: datetime,
) -> SearchAnswer:
    """`limit`: 0 (the total alone) to 1,000, with `highlight` to 100. `after`: `next_after` of the page before.

    Raises Invalid for a query that doesn't parse and a cursor of another one, NotFound and Ambiguous for `in:`,
    Unavailable when the index can't be asked.
    """
    asked = Asked(actor.user_id, text, sort, descending)
    place = open_cursor(keyring, asked, after) if after is not None else None
    asked_at = microseconds(now) if place is None else place.asked_at
    question = ask(session, index=index, actor=actor, text=text, asked_at=asked_at, now=now)
    if limit == 0:
        total, size = index.engine().total(question.query)
        return SearchAnswer(total, size, (), None, question.notes, question.incomplete)
    request = SearchRequest(
        query=question.query,
        sort=sort,
        descending=descending,
        limit=min(limit, MAX_HIGHLIGHTED if highlight else MAX_LIMIT),
        after=None if place is None else place.after,
        highlight=highlight,
    )
    if sort is Sort.PATH:
        labels = workspace_labels(session, question.sight.workspaces)
        page = page_by_path(index.engine(), request, {number: label.reference for number, label in labels.items()})
    else:
        page = index.engine().search(request)
    _require_seen(question.sight, page.hits)
    if sort is not Sort.PATH:
        labels = workspace_labels(session, {hit.workspace_id for hit in page.hits})
    return SearchAnswer(
        total=page.total,
        bytes=page.total_bytes,
        results=tuple(
            _found(_by_name(hit) if hit.workspace_id in question.by_name else hit, labels[hit.workspace_id])
            for hit in page.hits
        ),
        next_after=seal_cursor(keyring, asked, Place(asked_at, page.next_after)) if page.next_after else None,
        notes=question.notes,
        incomplete=question.incomplete,
    )


def _require_seen(sight: Sight, hits: Collection[Hit]) -> None:
    """An engine that was filled by another catalogue would know the numbers of folders otherwise."""
    if not all(sight.covers(hit.workspace_id, hit.path) for hit in hits):
        raise Unavailable(
            "The index does not agree with itself; an administrator runs `wio index rebuild`.",
            code="index_damaged",
        )


def _by_name(hit: Hit) -> Hit:
    """Without what was read of contents and metadata, and is not to be told any more."""
    in_path = tuple(piece for piece in hit.highlights if piece[0] == hit.path)[:1]
    return hit._replace(content_type="", facts={}, tags={}, problem="", highlights=in_path)


def _found(hit: Hit, label: WorkspaceLabel) -> FoundEntry:
    return FoundEntry(
        workspace_id=hit.workspace_id,
        owner=label.owner,
        workspace=label.name,
        node=label.node,
        bucket=label.bucket,
        key=label.prefix + hit.path,
        path=hit.path,
        size=hit.size,
        modified=hit.modified,
        etag=hit.etag,
        content_type=hit.content_type,
        facts=hit.facts,
        tags=hit.tags,
        problem=hit.problem,
        highlights=hit.highlights,
    )


def workspace_labels(session: Session, ids: Collection[int]) -> dict[int, WorkspaceLabel]:
    """How workspaces in the caller's sight are called, by their number."""
    rows = session.execute(
        select(Workspace.id, User.username, Workspace.name, Node.name, Workspace.bucket, Workspace.prefix)
        .join(User, User.id == Workspace.owner_id)
        .join(Node, Node.id == Workspace.node_id)
        .where(one_of(Workspace.id, ids))
    )
    return {row[0]: WorkspaceLabel(*row[1:]) for row in rows}
