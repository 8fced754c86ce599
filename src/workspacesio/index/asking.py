"""One question to the index, from text to a query that carries the caller's rights.

    text -> tree -> names resolved -> and the caller's sight

All of a question is read in one session, so that rights, names and what is shown at the end are of one moment, and
a workspace that is handed over, renamed or deleted meanwhile changes nothing in it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from workspacesio.domain.search_levels import by_name_alone
from workspacesio.domain.search_parsing import parse
from workspacesio.domain.search_query import AllOf, Everything, Not, Query, Workspaces
from workspacesio.index.catalogue_readings import Readings
from workspacesio.index.completeness import asked_places, missing_parts
from workspacesio.index.content_state import lacking_contents
from workspacesio.index.engine import EngineReader
from workspacesio.index.naming import Naming
from workspacesio.index.notes import Note
from workspacesio.index.remembered import Remembered
from workspacesio.index.root_names import HiddenRoots, hidden_roots
from workspacesio.index.sight import Place, Sight
from workspacesio.services.actors import Actor

_SILENT = (
    "Nothing has taken changes into the index since {since:%Y-%m-%d %H:%M:%S} UTC, so what came later may not be "
    "found; whoever runs the server sees why in its log."
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AskedCatalogue(Protocol):
    """The part of the catalogue that questions need."""

    def folder_ids(self, places: Iterable[Place]) -> Mapping[Place, int]: ...

    def change_number(self) -> int: ...

    def folder_places(self, folder_ids: Collection[int]) -> Mapping[int, Place]: ...

    def readings(self, known: Readings | None = None) -> Readings: ...

    def changed_folders(self, places: Iterable[tuple[int, str, int]]) -> Collection[Place]: ...


class IncompleteIndex(Protocol):
    """`incomplete`: why answers may lack something, whatever is asked."""

    @property
    def remembered(self) -> Remembered: ...

    def incomplete(self) -> Sequence[tuple[str, str]]: ...


class AskedIndex(IncompleteIndex, Protocol):
    """`engine` raises Unavailable where there is none to ask."""

    @property
    def catalogue(self) -> AskedCatalogue: ...

    def engine(self) -> EngineReader: ...


@dataclass(frozen=True, slots=True)
class Question:
    """`query`: for the engine; `wanted`: what of it was asked for. `notes`: names that mean nothing here.
    `incomplete`: what answers may lack.

    `by_name`: workspaces of which nothing but names may be told, whatever the engine knows.
    """

    query: Query
    wanted: Query
    sight: Sight
    notes: tuple[Note, ...]
    incomplete: tuple[Note, ...]
    by_name: frozenset[int]


def microseconds(moment: datetime) -> int:
    """Since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def ask(
    session: Session,
    *,
    index: AskedIndex,
    actor: Actor,
    text: str,
    asked_at: int,
    now: datetime,
    by_type: bool = False,
) -> Question:
    """`asked_at` (microseconds) is when ages in `text` end; later pages have that of the first. `by_type`: what is
    found is counted by type.

    Raises Invalid, NotFound, Ambiguous and Unavailable.
    """
    parsed = parse(text, asked_at)
    sight = index.remembered.sight(session, caller=actor.caller, now=now)
    naming = Naming(session, actor, sight, index.catalogue, now)
    wanted = naming.resolve(parsed)
    seen = index.remembered.seen(sight, index.catalogue)
    contents = index.remembered.contents(session, index.catalogue)
    by_name, closed = contents.lowered(sight.workspaces), contents.closed(sight.workspaces)
    parts = [seen]
    if wanted != Everything():
        parts.append(by_name_alone(wanted, by_name) if by_name else wanted)
    if closed:
        parts.append(Not(Workspaces(closed)))
    hidden = hidden_roots(session, caller=actor.caller, sight=sight, now=now)
    places = asked_places(sight, wanted)
    lacking = [
        *incomplete(session, index=index, sight=sight, wanted=wanted, hidden=hidden, now=now),
        *lacking_contents(contents, index.catalogue, sight, places, wanted, by_type=by_type, hidden=hidden),
    ]
    query = seen if len(parts) == 1 else AllOf(tuple(parts))
    return Question(query, wanted, sight, tuple(naming.notes), tuple(lacking), by_name)


def incomplete(
    session: Session,
    *,
    index: IncompleteIndex,
    sight: Sight,
    wanted: Query,
    hidden: HiddenRoots,
    now: datetime,
) -> tuple[Note, ...]:
    """What an answer about `wanted` may lack."""
    of_all = [Note(code, sentence) for code, sentence in index.incomplete()]
    silent = index.remembered.silent_since(session, now)
    if silent is not None:
        of_all.append(Note("worker_silent", _SILENT.format(since=silent)))
    return (*of_all, *missing_parts(index.remembered.unindexed(session), sight, wanted, hidden))
