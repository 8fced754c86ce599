"""Counting entries: how many and how many bytes, by extension, type, owner, workspace, folder and year.

All numbers are exact. Owners are no field of the index: their facet is that of workspaces, put together.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from workspacesio.domain.search_levels import type_by_name
from workspacesio.domain.search_query import AllOf, Not, Query, Workspaces
from workspacesio.domain.search_types import TYPES
from workspacesio.index.asked_depth import asked_depth
from workspacesio.index.asking import AskedIndex, ask, microseconds
from workspacesio.index.engine import Bucket, EngineReader, Facet, FacetAnswer, FacetRequest
from workspacesio.index.notes import Note
from workspacesio.index.searching import WorkspaceLabel, workspace_labels
from workspacesio.services.actors import Actor

MAX_TOP = 1000
MAX_DEPTH = 20


class By(StrEnum):
    """What entries are counted by."""

    EXTENSION = "ext"
    TYPE = "type"
    OWNER = "owner"
    WORKSPACE = "workspace"
    FOLDER = "folder"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Counted:
    """`key`: extension ('' for none), type, username, `owner/workspace`, `owner/workspace/folder/` ('' for what
    lies less deep), or year."""

    key: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FacetView:
    """The first by count, then key; and what is in none of them."""

    buckets: tuple[Counted, ...]
    others_count: int
    others_bytes: int


@dataclass(frozen=True, slots=True)
class Aggregates:
    total: int
    bytes: int
    facets: dict[By, FacetView]
    notes: tuple[Note, ...]
    incomplete: tuple[Note, ...]


def aggregate(
    session: Session,
    *,
    index: AskedIndex,
    actor: Actor,
    text: str,
    by: Sequence[By],
    top: int = 20,
    depth: int = 1,
    now: datetime,
) -> Aggregates:
    """`depth`: of the folders that FOLDER counts, below the folder that the query is about (`in:`, `path:`), or
    below workspaces; 1 for those right in it.

    Raises as `searching.search`.
    """
    by_type = By.TYPE in by
    question = ask(
        session, index=index, actor=actor, text=text, asked_at=microseconds(now), now=now, by_type=by_type
    )
    engine = index.engine()
    workspaces = len(question.sight.workspaces)
    top = min(top, MAX_TOP)
    below = asked_depth(question.wanted, index.catalogue) if By.FOLDER in by else 0
    # Named and put together here, so all are needed. Of folders there may be millions: the engine picks.
    wanted = {
        By.EXTENSION: FacetRequest(Facet.EXTENSION, top),
        By.TYPE: FacetRequest(Facet.TYPE, top),
        By.OWNER: FacetRequest(Facet.WORKSPACE, workspaces),
        By.WORKSPACE: FacetRequest(Facet.WORKSPACE, workspaces),
        By.FOLDER: FacetRequest(Facet.FOLDER, top, below + min(depth, MAX_DEPTH)),
        By.YEAR: FacetRequest(Facet.YEAR, top),
    }
    requests = list(dict.fromkeys(wanted[one] for one in by))
    answers = dict(zip(requests, engine.facets(question.query, requests) if requests else [], strict=True))
    # Every facet counts all entries, so the total needs no look of its own, which would cost as much as a facet.
    total, size = answers[requests[0]].total if requests else engine.total(question.query)
    if by_type and question.by_name:
        answers[wanted[By.TYPE]] = _types(engine, question.query, question.by_name)
    names = _Names(session, index)
    return Aggregates(
        total=total,
        bytes=size,
        facets={one: _view(answers[wanted[one]], names.of(one, answers[wanted[one]].buckets), top) for one in by},
        notes=question.notes,
        incomplete=question.incomplete,
    )


def _types(engine: EngineReader, query: Query, by_name: frozenset[int]) -> FacetAnswer:
    """All types; in the workspaces `by_name` as extensions tell them."""
    named = Workspaces(by_name)
    [elsewhere] = engine.facets(AllOf((query, Not(named))), [FacetRequest(Facet.TYPE, len(TYPES))])
    sums = {bucket.key: (bucket.count, bucket.bytes) for bucket in elsewhere.buckets}
    for kind in TYPES:
        count, size = engine.total(AllOf((query, named, type_by_name(kind))))
        before = sums.get(kind, (0, 0))
        sums[kind] = before[0] + count, before[1] + size
    return FacetAnswer(tuple(Bucket(kind, *sums[kind]) for kind in sums if sums[kind][0]), 0, 0)


def _view(answer: FacetAnswer, name: Callable[[str], str | None], top: int) -> FacetView:
    """Buckets of one name are one; those of none are among the others."""
    counted: dict[str, tuple[int, int]] = {}
    others_count, others_bytes = answer.others_count, answer.others_bytes
    for bucket in answer.buckets:
        key = name(bucket.key)
        if key is None:
            others_count, others_bytes = others_count + bucket.count, others_bytes + bucket.bytes
        else:
            count, size = counted.get(key, (0, 0))
            counted[key] = (count + bucket.count, size + bucket.bytes)
    buckets = sorted((Counted(key, *sums) for key, sums in counted.items()), key=lambda one: (-one.count, one.key))
    cut = buckets[top:]
    return FacetView(
        tuple(buckets[:top]),
        others_count + sum(one.count for one in cut),
        others_bytes + sum(one.bytes for one in cut),
    )


class _Names:
    """What the keys of an engine's buckets are called."""

    def __init__(self, session: Session, index: AskedIndex) -> None:
        self._session = session
        self._index = index

    def of(self, by: By, buckets: Iterable[Bucket]) -> Callable[[str], str | None]:
        keys = [bucket.key for bucket in buckets]
        match by:
            case By.OWNER:
                labels = self._labels(map(int, keys))
                return lambda key: labels[int(key)].owner
            case By.WORKSPACE:
                labels = self._labels(map(int, keys))
                return lambda key: _reference(labels[int(key)])
            case By.FOLDER:
                return ({"": ""} | self._folders([int(key) for key in keys if key])).get
            case _:
                return lambda key: key

    def _labels(self, ids: Iterable[int]) -> dict[int, WorkspaceLabel]:
        return workspace_labels(self._session, set(ids))

    def _folders(self, ids: list[int]) -> dict[str, str]:
        """Those that are gone since are missing."""
        places = self._index.catalogue.folder_places(ids)
        labels = self._labels(workspace_id for workspace_id, _ in places.values())
        return {
            str(folder_id): f"{_reference(labels[workspace_id])}/{path}"
            for folder_id, (workspace_id, path) in places.items()
            if workspace_id in labels
        }


def _reference(label: WorkspaceLabel) -> str:
    return f"{label.owner}/{label.name}"
