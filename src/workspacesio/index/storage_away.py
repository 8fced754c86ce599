"""Roots whose storage is away, and from when on what changed in them is not known.

The last crawl of a root, or of one workspace in it, that came to an end or is stuck says whether it is; so does
who watches its folder. Crawls that are under way again, or wait, say nothing: it is away until one came through.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl, RootFreshness
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.vocabulary import CrawlState

_ended = Crawl.state.in_([CrawlState.DONE.value, CrawlState.FAILED.value])
_through = and_(Crawl.state == CrawlState.DONE.value, ~Crawl.away)

# In this word, in which the partial index has it.
_AWAY = select(Crawl.root_id, func.max(Crawl.id)).where(text("crawls.away")).group_by(Crawl.root_id)


class Away(NamedTuple):
    """`since`: what changed later is not known; None where nothing ever was."""

    root: str
    since: datetime | None


class _Crawled(NamedTuple):
    """By the crawls of a root, or of one workspace. `last`: number of the last that says whether it is away."""

    last: int = 0
    away: bool = False
    known: datetime | None = None


def storage_away(session: Session) -> dict[int, Away]:
    """By workspace."""
    away = select(RootFreshness.root_id, RootFreshness.away_since).where(RootFreshness.away_since.is_not(None))
    seen = {row[0]: row[1] for row in session.execute(away)}
    roots = seen.keys() | _not_come_through(session)
    if not roots:
        return {}
    crawled = _crawled(session, roots)
    nothing = _Crawled()
    found: dict[int, Away] = {}
    for workspace_id, root_id, root in session.execute(
        select(Workspace.id, Root.id, Root.name)
        .join(Root, Root.id == Workspace.root_id)
        .where(Root.id.in_(sorted(roots)))
    ):
        of_all, own = crawled.get((root_id, None), nothing), crawled.get((root_id, workspace_id), nothing)
        known = max((one.known for one in (of_all, own) if one.known is not None), default=None)
        if root_id in seen or max(of_all, own, key=lambda one: one.last).away:
            found[workspace_id] = Away(root, seen.get(root_id) or known)
    return found


def known_until(session: Session, root_id: int) -> datetime | None:
    """When the last crawl of all the root began that came through; None where there was none."""
    return _crawled(session, [root_id]).get((root_id, None), _Crawled()).known


def _not_come_through(session: Session) -> set[int]:
    """Roots of which a crawl found storage away, and none of all the root came through after it."""
    away = {row[0]: row[1] for row in session.execute(_AWAY)}
    if not away:
        return set()
    later = (
        select(Crawl.root_id, func.max(Crawl.id))
        .where(Crawl.root_id.in_(sorted(away)), Crawl.workspace_id.is_(None), _through)
        .group_by(Crawl.root_id)
    )
    through = {row[0]: row[1] for row in session.execute(later)}
    return {root_id for root_id, last in away.items() if through.get(root_id, 0) < last}


def _crawled(session: Session, roots: Collection[int]) -> dict[tuple[int, int | None], _Crawled]:
    rows = session.execute(
        select(Crawl.id, Crawl.root_id, Crawl.workspace_id, Crawl.state, Crawl.away, Crawl.started_at)
        .where(Crawl.root_id.in_(sorted(roots)), or_(_ended, Crawl.away))
        .order_by(Crawl.id)
    )
    found: dict[tuple[int, int | None], _Crawled] = {}
    for crawl_id, root_id, workspace_id, state, away, started_at in rows:
        before = found.get((root_id, workspace_id), _Crawled())
        came_through = state == CrawlState.DONE and not away
        known = started_at if came_through else before.known
        found[root_id, workspace_id] = _Crawled(crawl_id, away, known)
    return found
