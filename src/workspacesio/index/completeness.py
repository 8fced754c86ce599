"""What of the caller's workspaces the index lacks, and why: so that an empty answer says no more than it knows.

A workspace is in the index once a crawl that covers it has been done. One that was imported is covered by crawls
that were wanted since; any other began empty, and where no crawl was wanted, events have told all that came. A
crawl after the first leaves nothing out, and is not mentioned, unless what is to be indexed was changed: then one
that was wanted since has to be done, whoever wanted it. While the storage is away, what is found is what was known
of it. Numbers and reasons of a crawl are not told here: they count what others have.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl, RootIndexing
from workspacesio.database.number_sets import one_of
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.search_query import AllOf, AnyOf, Query, Workspaces
from workspacesio.domain.vocabulary import CrawlState, IndexLevel
from workspacesio.index.notes import Note
from workspacesio.index.root_names import SHARED, HiddenRoots
from workspacesio.index.sight import Sight
from workspacesio.index.storage_away import storage_away

_UNFINISHED = {
    CrawlState.QUEUED: "waits for its first crawl; what lies there is found after it",
    CrawlState.RUNNING: "is being crawled for the first time; what is missing follows",
    CrawlState.PAUSED: "was not crawled to its end, and is paused; its managers go on with `wio crawl resume`",
    CrawlState.FAILED: "was not crawled to its end, since the crawl failed; its operator sees why",
}
_CHANGED = {
    CrawlState.QUEUED: "waits for a crawl, since what is indexed of it was changed; what is missing follows",
    CrawlState.RUNNING: "is being crawled, since what is indexed of it was changed; what is missing follows",
    CrawlState.PAUSED: "was not crawled since its settings changed; its managers go on with `wio crawl resume`",
    CrawlState.FAILED: "was not crawled since what is indexed of it was changed; its operator sees why",
}
_NEVER = "was never crawled; its owners and managers do it with `wio crawl start`"
_EXCLUDED = "is not indexed, as its operator chose"
_AWAY = "can't be read at the moment; what changed there since {since:%Y-%m-%d %H:%M:%S} UTC is not found"

_STATES = (CrawlState.RUNNING, CrawlState.QUEUED, CrawlState.PAUSED, CrawlState.FAILED)
"""Of several crawls the first of these tells how it stands."""

_done = (
    select(Crawl.root_id, func.max(Crawl.created_at).label("at"))
    .where(Crawl.workspace_id.is_(None), Crawl.state == CrawlState.DONE.value)
    .group_by(Crawl.root_id)
    .subquery()
)
"""The newest crawl of each root that is done: nearly always it covers all, and no workspace is looked at."""
_level = func.coalesce(RootIndexing.level, IndexLevel.NAMES.value)
_is_plain = and_(
    _level != IndexLevel.NONE.value,
    _done.c.at.is_not(None),
    or_(Workspace.imported.is_(False), _done.c.at >= Workspace.created_at),
    or_(RootIndexing.changed_at.is_(None), _done.c.at >= RootIndexing.changed_at),
)
_IN_QUESTION = (
    select(
        Workspace.id,
        Workspace.imported,
        Workspace.created_at,
        Workspace.root_id,
        Root.name,
        _level,
        RootIndexing.changed_at,
    )
    .join(Root, Root.id == Workspace.root_id)
    .outerjoin(RootIndexing, RootIndexing.root_id == Root.id)
    .outerjoin(_done, _done.c.root_id == Root.id)
    .where(~func.coalesce(_is_plain, false()))
)


class Unindexed(NamedTuple):
    """Of a workspace that is not in the index, or not as it is. `root`: its name, '' where it may not be named."""

    code: str
    root: str
    why: str


class _InQuestion(NamedTuple):
    """A workspace that the last crawl of its root may not have taken in as it is to be."""

    id: int
    imported: bool
    created_at: datetime
    root_id: int
    root: str
    level: str
    changed_at: datetime | None


class _Wanted(NamedTuple):
    """A crawl, and since when it was wanted."""

    state: CrawlState
    at: datetime


def unindexed_workspaces(session: Session) -> dict[int, Unindexed]:
    """All there are, by their number."""
    rows = [_InQuestion(*row) for row in session.execute(_IN_QUESTION)]
    crawls = _crawls(session, {row.root_id for row in rows})
    found = {}
    for row in rows:
        covering = [*crawls.get((row.root_id, None), ()), *crawls.get((row.root_id, row.id), ())]
        lacking = _lacking(row, covering)
        if lacking is not None:
            found[row.id] = lacking
    for workspace_id, away in storage_away(session).items():
        if away.since is not None and workspace_id not in found:
            found[workspace_id] = Unindexed("storage_away", away.root, _AWAY.format(since=away.since))
    return found


def _crawls(session: Session, roots: Collection[int]) -> dict[tuple[int, int | None], list[_Wanted]]:
    """Of these roots, and of single workspaces in them: of each state the one that was wanted last."""
    found: dict[tuple[int, int | None], list[_Wanted]] = {}
    if roots:
        places = (Crawl.root_id, Crawl.workspace_id)
        newest = select(*places, Crawl.state, func.max(Crawl.created_at)).where(one_of(Crawl.root_id, roots))
        for root_id, workspace_id, state, at in session.execute(newest.group_by(*places, Crawl.state)):
            found.setdefault((root_id, workspace_id), []).append(_Wanted(CrawlState(state), at))
    return found


def _lacking(row: _InQuestion, covering: Sequence[_Wanted]) -> Unindexed | None:
    """What the workspace lacks; `covering`: crawls that it is in."""
    if row.level == IndexLevel.NONE.value:
        return Unindexed("not_indexed", row.root, _EXCLUDED)
    wanted = [one for one in covering if not row.imported or one.at >= row.created_at]
    done = [one.at for one in wanted if one.state is CrawlState.DONE]
    if not done:
        states = {one.state for one in wanted}
        why = next((_UNFINISHED[state] for state in _STATES if state in states), _NEVER)
        return Unindexed("not_crawled", row.root, why) if row.imported or covering else None
    changed = row.changed_at
    if changed is None or changed <= row.created_at or max(done) >= changed:
        return None
    states = {one.state for one in wanted if one.at >= changed}
    why = next((_CHANGED[state] for state in _STATES if state in states), _CHANGED[CrawlState.QUEUED])
    return Unindexed("settings_changed", row.root, why)


def missing_parts(
    unindexed: Mapping[int, Unindexed], sight: Sight, wanted: Query, hidden: HiddenRoots
) -> list[Note]:
    """Of the workspaces in which the caller may read something, and that `wanted` asks about; by root."""
    if not unindexed:
        return []
    asked = asked_places(sight, wanted) & unindexed.keys()
    unnamed = hidden(asked)
    counted = Counter(unindexed[one]._replace(root="") if one in unnamed else unindexed[one] for one in asked)
    return [_note(one, count) for one, count in sorted(counted.items())]


def _note(missing: Unindexed, count: int) -> Note:
    where = f"Root {missing.root}" if missing.root else SHARED.capitalize()
    sentence = f"{where} {missing.why} ({count} of the workspaces that you can read)."
    return Note(missing.code, sentence, (missing.root,) if missing.root else ())


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
        case AnyOf(parts):
            either = [_asked_workspaces(part) for part in parts]
            return None if None in either else frozenset().union(*(found for found in either if found is not None))
        case _:
            return None
