"""What of contents answers may lack, and what of them may not be found though the index has it still.

A root whose level is raised is read in the course of time, one whose level is lowered forgotten likewise. In
between, and where the level is too low for what a query asks, answers say so; and what was lowered is asked as if
nothing but names were known (`domain/search_levels.py`), from the next second on.

Of a folder that is shared from elsewhere it is told from what was recorded below that folder, and nothing else.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.tables import Root, Workspace
from workspacesio.domain.search_levels import Lacking, asks_of_contents, is_below, lacking
from workspacesio.domain.search_query import AllOf, OfType, Query
from workspacesio.domain.search_types import OTHER
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue_readings import Readings
from workspacesio.index.notes import Note
from workspacesio.index.root_names import SHARED, HiddenRoots
from workspacesio.index.sight import Place, Sight

_NAMED_ROOTS = 3
"""In a sentence."""


class ReadCatalogue(Protocol):
    """The part of the catalogue that knows how far contents were read."""

    def readings(self, known: Readings | None = None) -> Readings: ...

    def changed_folders(self, places: Iterable[tuple[int, str, int]]) -> Collection[Place]: ...


@dataclass(frozen=True, slots=True)
class ContentState:
    """`roots`: numbers of roots by those of workspaces, in one generation of rights. `levels`: names and levels of
    roots by their numbers."""

    generation: int
    roots: Mapping[int, int]
    levels: Mapping[int, tuple[str, IndexLevel]]
    readings: Readings

    def root(self, workspace_id: int) -> tuple[str, IndexLevel]:
        """Name and level of its root. Of one that was just made nothing is known yet, and nothing indexed."""
        return self.levels.get(self.roots.get(workspace_id, -1), ("", IndexLevel.NAMES))

    def closed(self, workspaces: frozenset[int]) -> frozenset[int]:
        """Those of which nothing may be found."""
        none = {number for number, (_, level) in self.levels.items() if level is IndexLevel.NONE}
        return frozenset(one for one in workspaces if self.roots.get(one) in none) if none else frozenset()

    def lowered(self, workspaces: frozenset[int]) -> frozenset[int]:
        """Those of which more is held than may be found."""
        rows = self.readings.rows
        return frozenset(one for one in workspaces & rows.keys() if is_below(self.root(one)[1], rows[one].held))

    def unread_after(self, workspace_id: int) -> int | None:
        """After which change there may be something in it that was not read; None: there is nothing."""
        level = self.root(workspace_id)[1]
        if not is_below(IndexLevel.NAMES, level):
            return None
        row = self.readings.rows.get(workspace_id)
        if row is None or is_below(row.looked, level) or is_below(level, row.held):
            return 0  # of what was lowered nothing is found before it is read again
        if row.is_open:
            return row.through
        return self.readings.through if workspace_id in self.readings.changed else None


def load_content_state(
    session: Session, catalogue: ReadCatalogue, *, generation: int, known: ContentState | None = None
) -> ContentState:
    """Raises Unavailable. What is as in `known` isn't read again."""
    level = func.coalesce(RootIndexing.level, IndexLevel.NAMES.value)
    rows = session.execute(
        select(Root.id, Root.name, level).outerjoin(RootIndexing, RootIndexing.root_id == Root.id)
    )
    levels = {number: (name, IndexLevel(value)) for number, name, value in rows}
    if known is not None and known.generation == generation:
        return ContentState(generation, known.roots, levels, catalogue.readings(known.readings))
    found = session.execute(select(Workspace.id, Workspace.root_id)).all()
    readings = catalogue.readings(None if known is None else known.readings)
    return ContentState(generation, {row[0]: row[1] for row in found}, levels, readings)


def lacking_contents(
    state: ContentState,
    catalogue: ReadCatalogue,
    sight: Sight,
    places: frozenset[int],
    wanted: Query,
    *,
    by_type: bool,
    hidden: HiddenRoots,
) -> list[Note]:
    """Of the workspaces `places`, in which the caller may read something and which `wanted` asks about.

    `by_type`: types are counted. By extensions alone they are what they are; by contents they are not, before all
    are read.
    """
    asked = AllOf((wanted, OfType(OTHER))) if by_type else wanted
    unread = _unread(state, catalogue, sight, places, asked, hidden=hidden)
    return [*_too_low(state, places, wanted, hidden), *unread]


def _too_low(state: ContentState, places: frozenset[int], wanted: Query, hidden: HiddenRoots) -> Iterable[Note]:
    missing = {level: lacking(wanted, level) for level in (IndexLevel.NAMES, IndexLevel.METADATA)}
    if not missing[IndexLevel.NAMES] and not missing[IndexLevel.METADATA]:
        return
    concerned: dict[int, frozenset[Lacking]] = {}
    for workspace_id in places:
        root, level = state.root(workspace_id)
        if root and (what := missing.get(level)):
            concerned[workspace_id] = what
    if not concerned:
        return
    unnamed = hidden(concerned)
    found: dict[frozenset[Lacking], set[str]] = {}
    for workspace_id, what in concerned.items():
        found.setdefault(what, set()).add("" if workspace_id in unnamed else state.root(workspace_id)[0])
    parts = sorted((sorted(roots), sorted(what)) for what, roots in found.items())
    said = "; ".join(f"{_and(what)} of {_roots(roots)}" for roots, what in parts)
    every = sorted(frozenset().union(*found.values()))
    only_words = all(set(what) == {Lacking.WORDS} for what in found)
    code = "words_not_indexed" if only_words else "index_level_too_low"
    yield Note(code, f"Not indexed, as operators chose: {said}.", tuple(filter(None, every)))


def _unread(
    state: ContentState,
    catalogue: ReadCatalogue,
    sight: Sight,
    places: frozenset[int],
    wanted: Query,
    *,
    hidden: HiddenRoots,
) -> Iterable[Note]:
    asking = {
        level for level in IndexLevel if is_below(IndexLevel.NAMES, level) and asks_of_contents(wanted, level)
    }
    open_ones = {
        workspace_id: after
        for workspace_id in (places if asking else ())
        if state.root(workspace_id)[1] in asking and (after := state.unread_after(workspace_id)) is not None
    }
    if not open_ones:
        return
    shared = [
        (workspace_id, folder, open_ones[workspace_id])
        for workspace_id, folder in sorted(sight.folders)
        if workspace_id in open_ones and workspace_id not in sight.whole
    ]
    changed = {workspace_id for workspace_id, _ in catalogue.changed_folders(shared)} if shared else set()
    unread = {one for one in open_ones if one in sight.whole} | changed
    if not unread:
        return
    unnamed = hidden(unread)
    roots = {"" if one in unnamed else state.root(one)[0] for one in unread}
    yield Note(
        "contents_unread",
        f"Contents of {_roots(roots)} are not all read yet; what they hold is found then {_of(len(unread))}.",
        tuple(sorted(filter(None, roots))),
    )


def _of(count: int) -> str:
    return f"({count} of the workspaces that you can read)"


def _roots(names: Collection[str]) -> str:
    """'' is what may not be named."""
    if "" in names:
        named = [name for name in names if name]
        return f"{_roots(named)} and of {SHARED}" if named else SHARED
    named = sorted(names)
    if len(named) == 1:
        return f"root {named[0]}"
    if len(named) <= _NAMED_ROOTS:
        return f"roots {_and(named)}"
    return f"roots {', '.join(named[:_NAMED_ROOTS])} and {len(named) - _NAMED_ROOTS} more"


def _and(names: Collection[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
