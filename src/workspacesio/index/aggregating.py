"""Counting entries: how many and how many bytes, by extension, type, owner, workspace, folder and year.

All numbers are exact. Owners are no field of the index: their facet is that of workspaces, put together.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from workspacesio.index.asking import AskedIndex, ask, microseconds
from workspacesio.index.engine import Bucket, Facet, FacetAnswer, FacetRequest
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
    """`key`: extension ('' for none), type, username, `owner/workspace`, `owner/workspace/folder/`, or year."""

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
    """`depth`: of the folders that FOLDER counts, 1 for those right in a workspace; others are less deep.

    Raises as `searching.search`.
    """
    question = ask(session, index=index, actor=actor, text=text, asked_at=microseconds(now), now=now)
    engine = index.engine()
    workspaces = len(question.sight.workspaces)
    top = min(top, MAX_TOP)
    # Named and put together here, so all are needed. Of folders there may be millions: the engine picks.
    wanted = {
        By.EXTENSION: FacetRequest(Facet.EXTENSION, top),
        By.TYPE: FacetRequest(Facet.TYPE, top),
        By.OWNER: FacetRequest(Facet.WORKSPACE, workspaces),
        By.WORKSPACE: FacetRequest(Facet.WORKSPACE, workspaces),
        By.FOLDER: FacetRequest(Facet.FOLDER, top + 1, min(depth, MAX_DEPTH)),
        By.YEAR: FacetRequest(Facet.YEAR, top),
    }
    requests = list(dict.fromkeys(wanted[one] for one in by))
    total, size = engine.total(question.query)
    answers = dict(zip(requests, engine.facets(question.query, requests) if requests else [], strict=True))
    names = _Names(session, index)
    return Aggregates(
        total=total,
        bytes=size,
        facets={one: _view(answers[wanted[one]], names.of(one, answers[wanted[one]].buckets), top) for one in by},
        notes=question.notes,
        incomplete=question.incomplete,
    )


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
                return self._folders([int(key) for key in keys if key]).get
            case _:
                return lambda key: key

    def _labels(self, ids: Iterable[int]) -> dict[int, WorkspaceLabel]:
        return workspace_labels(self._session, set(ids))

    def _folders(self, ids: list[int]) -> dict[str, str]:
        """Those that are gone since are missing, as is '', which stands for no folder of that depth."""
        places = self._index.catalogue.folder_places(ids)
        labels = self._labels(workspace_id for workspace_id, _ in places.values())
        return {
            str(folder_id): f"{_reference(labels[workspace_id])}/{path}"
            for folder_id, (workspace_id, path) in places.items()
            if workspace_id in labels
        }


def _reference(label: WorkspaceLabel) -> str:
    return f"{label.owner}/{label.name}"
