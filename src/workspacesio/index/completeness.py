"""What of the caller's workspaces the index lacks, and why: so that an empty answer says no more than it knows.

A workspace is in the index once a crawl that covers it has been done. One that was imported is covered by crawls
that were wanted since; any other began empty, and where no crawl was wanted, events have told all that came. A
crawl after the first leaves nothing out, and is not mentioned, unless what is to be indexed was changed. Numbers
and reasons of a crawl are not told here: they count what others have.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from workspacesio.database.index_tables import Crawl, RootIndexing
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.search_query import AllOf, Query, Workspaces
from workspacesio.domain.vocabulary import CrawlReason, CrawlState, IndexLevel
from workspacesio.index.notes import Note
from workspacesio.index.sight import Sight

_UNFINISHED = {
    CrawlState.QUEUED: "waits for its first crawl; what lies there is found after it",
    CrawlState.RUNNING: "is being crawled for the first time; what is missing follows",
    CrawlState.PAUSED: "was not crawled to its end, and the crawl is paused; `wio crawl resume` goes on with it",
    CrawlState.FAILED: "was not crawled to its end, since the crawl failed; its operator sees why",
}
_CHANGED = {
    CrawlState.QUEUED: "waits for a crawl, since what is indexed of it was changed; what is missing follows",
    CrawlState.RUNNING: "is being crawled, since what is indexed of it was changed; what is missing follows",
    CrawlState.PAUSED: "was not crawled since what is indexed of it was changed; `wio crawl resume` goes on",
    CrawlState.FAILED: "was not crawled since what is indexed of it was changed; its operator sees why",
}
_NEVER = "was never crawled; `wio crawl start` does it"
_EXCLUDED = "is not indexed, as its operator chose"

_crawl = aliased(Crawl)
_covers = and_(
    _crawl.root_id == Workspace.root_id,
    or_(_crawl.workspace_id.is_(None), _crawl.workspace_id == Workspace.id),
)
_done = exists(
    select(_crawl.id)
    .where(_covers, _crawl.state == CrawlState.DONE.value)
    .where(or_(Workspace.imported.is_(False), _crawl.created_at >= Workspace.created_at))
    .correlate(Workspace)
)
_latest = select(func.max(_crawl.id)).where(_covers).correlate(Workspace).scalar_subquery()
_excluded = func.coalesce(RootIndexing.level, IndexLevel.NAMES.value) == IndexLevel.NONE.value
_changed = and_(
    func.coalesce(Crawl.reason, "") == CrawlReason.SETTINGS.value, Crawl.state != CrawlState.DONE.value, _done
)
_UNINDEXED = (
    select(Workspace.id, Root.name, _excluded, _changed, Crawl.state)
    .select_from(Workspace)
    .join(Root, Root.id == Workspace.root_id)
    .outerjoin(RootIndexing, RootIndexing.root_id == Root.id)
    .outerjoin(Crawl, Crawl.id == _latest)
    .where(or_(_excluded, _changed, ~_done), or_(_excluded, Workspace.imported, Crawl.id.is_not(None)))
)


class Unindexed(NamedTuple):
    """Of a workspace that is not in the index, or not yet."""

    code: str
    root: str
    why: str


def unindexed_workspaces(session: Session) -> dict[int, Unindexed]:
    """All there are, by their number."""
    found = {}
    for workspace_id, root, excluded, changed, state in session.execute(_UNINDEXED):
        if excluded:
            found[workspace_id] = Unindexed("not_indexed", root, _EXCLUDED)
        elif changed:
            found[workspace_id] = Unindexed("settings_changed", root, _CHANGED[CrawlState(state)])
        else:
            why = _NEVER if state is None else _UNFINISHED.get(CrawlState(state), _NEVER)
            found[workspace_id] = Unindexed("not_crawled", root, why)
    return found


def missing_parts(unindexed: Mapping[int, Unindexed], sight: Sight, wanted: Query) -> list[Note]:
    """Of the workspaces in which the caller may read something, and that `wanted` asks about; by root."""
    if not unindexed:
        return []
    counted = Counter(unindexed[number] for number in asked_places(sight, wanted) & unindexed.keys())
    return [
        Note(one.code, f"Root {one.root} {one.why} ({count} of the workspaces that you can read).", (one.root,))
        for one, count in sorted(counted.items())
    ]


def asked_places(sight: Sight, wanted: Query) -> frozenset[int]:
    """The workspaces in which the caller may read something, and that `wanted` asks about."""
    asked = _asked_workspaces(wanted)
    return sight.workspaces if asked is None else sight.workspaces & asked


def _asked_workspaces(query: Query) -> frozenset[int] | None:
    """The workspaces outside which `query` finds nothing, where that is plain to see; None: all."""
    match query:
        case Workspaces(ids):
            return ids
        case AllOf(parts):
            asked = [found for part in parts if (found := _asked_workspaces(part)) is not None]
            return frozenset.intersection(*asked) if asked else None
        case _:
            return None
