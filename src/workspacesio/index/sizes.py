"""How much lies in a folder and in those below: look-ups of the catalogue's sums, under the caller's rights.

Whoever reads all of a folder gets its sum. Whoever reads only folders below it gets the sum of those, and of no
others: it says the same as counting all that they can find there. A manager, who sees names and sizes of
workspaces and not what is in them, gets the workspace's sum alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import Workspace
from workspacesio.database.visibility import seen_workspaces
from workspacesio.domain.errors import NotFound
from workspacesio.domain.names import ancestors
from workspacesio.domain.search_query import Workspaces
from workspacesio.index.asking import IncompleteIndex, incomplete
from workspacesio.index.catalogue import FolderSize, Usage
from workspacesio.index.completeness import missing_parts, unindexed_workspaces
from workspacesio.index.content_state import ReadCatalogue
from workspacesio.index.found import Found
from workspacesio.index.notes import Note
from workspacesio.index.root_names import hidden_roots
from workspacesio.index.sight import Sight
from workspacesio.services.actors import Actor

MAX_DEPTH = 20

_NOTHING = Usage(0, 0)


class Sums(Protocol):
    """The part of the catalogue that has them."""

    def usage(self, workspace_id: int, path: str) -> Usage | None: ...

    def sizes(self, workspace_id: int, path: str, depth: int) -> Sequence[FolderSize]: ...

    def found(self, workspace_id: int, path: str) -> Found | None: ...


class SummedCatalogue(Sums, ReadCatalogue, Protocol): ...


class SummedIndex(IncompleteIndex, Protocol):
    @property
    def catalogue(self) -> SummedCatalogue: ...


class FolderSum(NamedTuple):
    """`path` of the folder ('a/b/') in the workspace."""

    path: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """`path`: '' for the workspace, 'a/b/' for a folder, 'a/b' for an object. `children`: folders below, by path.

    `partial`: the caller reads only some of it, and these are the sums of that.
    """

    workspace_id: int
    path: str
    objects: int
    bytes: int
    children: tuple[FolderSum, ...]
    partial: bool
    incomplete: tuple[Note, ...]


def sizes(
    session: Session,
    *,
    index: SummedIndex,
    actor: Actor,
    workspace_id: int,
    path: str = "",
    depth: int = 0,
    now: datetime,
) -> Sizes:
    """`path` with or without its slash. `depth`: how many levels of folders below are told of, 0 to 20.

    Raises NotFound for what isn't there or isn't the caller's to see, Unavailable.
    """
    sight = index.remembered.sight(session, caller=actor.caller, now=now)
    closed = index.remembered.contents(session, index.catalogue).closed(frozenset({workspace_id}))
    asked = _Asked(session, _NothingHeld() if closed else index.catalogue, actor, sight, now)
    spelled = path.strip("/")
    depth = max(0, min(depth, MAX_DEPTH))
    found = asked.folder(workspace_id, f"{spelled}/" if spelled else "", depth)
    if found is None and spelled and not path.endswith("/"):
        found = asked.object(workspace_id, spelled)
    wanted = Workspaces(frozenset({workspace_id}))
    # A manager, who is told the sum, is told what it lacks.
    told = sight if found is None else replace(sight, whole=sight.whole | {workspace_id})
    hidden = hidden_roots(session, caller=actor.caller, sight=sight, now=now)
    lacking = incomplete(session, index=index, sight=told, wanted=wanted, hidden=hidden, now=now)
    if not lacking and (found is None or not found.usage.objects):
        # What is remembered may be from before it was emptied.
        lacking = tuple(missing_parts(unindexed_workspaces(session), told, wanted, hidden))
    if found is None:
        if lacking:
            raise NotFound(f"The index has nothing of that name that you can see. {lacking[0].sentence}")
        raise NotFound("There is nothing of that name that you can see; `wio search` finds it by its words.")
    if not found.path and not found.usage.objects and not found.partial and not lacking:
        lacking = _emptied(session, workspace_id)
    return Sizes(
        workspace_id,
        found.path,
        found.usage.objects,
        found.usage.bytes,
        found.children,
        found.partial,
        lacking,
    )


def _emptied(session: Session, workspace_id: int) -> tuple[Note, ...]:
    """A folder that was imported had something in it once: it may be renamed, or not mounted."""
    workspace = session.get_one(Workspace, workspace_id)
    if not workspace.imported:
        return ()
    where = f"s3://{workspace.bucket}/{workspace.prefix}"
    sentence = (
        f"Nothing was found at {where} when it was last looked at: the folder is empty or not there; when it is "
        "mounted and called so, its owner looks again with `wio crawl start`."
    )
    return (Note("nothing_stored", sentence),)


class _NothingHeld:
    """Where a root isn't to be indexed, and the crawl that drops what is known of it has still to come."""

    def usage(self, workspace_id: int, path: str) -> Usage | None:  # noqa: ARG002
        return None

    def sizes(self, workspace_id: int, path: str, depth: int) -> Sequence[FolderSize]:  # noqa: ARG002
        return ()

    def found(self, workspace_id: int, path: str) -> Found | None:  # noqa: ARG002
        return None


class _Sums(NamedTuple):
    path: str
    usage: Usage
    children: tuple[FolderSum, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks what. Each method answers None for what isn't there or isn't the caller's to see."""

    session: Session
    catalogue: Sums
    actor: Actor
    sight: Sight
    now: datetime

    def folder(self, workspace_id: int, folder: str, depth: int) -> _Sums | None:
        if self.sight.covers(workspace_id, folder):
            usage = self.catalogue.usage(workspace_id, folder)
            if usage is None and folder:
                return None
            children = self.catalogue.sizes(workspace_id, folder, depth)
            return _Sums(folder, usage or _NOTHING, tuple(FolderSum(*one) for one in children))
        below = _readable_below(self.sight.folders, workspace_id, folder)
        if below:
            usage, sums = _sums_of(self.catalogue, workspace_id, folder, below, depth)
            return None if usage is None and folder else _Sums(folder, usage or _NOTHING, sums, partial=True)
        if folder or not self._sees(workspace_id):
            return None
        return _Sums("", self.catalogue.usage(workspace_id, "") or _NOTHING)

    def object(self, workspace_id: int, path: str) -> _Sums | None:
        if not self.sight.covers(workspace_id, path):
            return None
        found = self.catalogue.found(workspace_id, path)
        return None if found is None else _Sums(path, Usage(1, found.size))

    def _sees(self, workspace_id: int) -> bool:
        seen = seen_workspaces(self.actor.caller, self.now).subquery()
        asked = select(seen.c.workspace_id).where(seen.c.workspace_id == workspace_id)
        return self.session.scalar(asked) is not None


def _readable_below(folders: frozenset[tuple[int, str]], workspace_id: int, folder: str) -> list[str]:
    """Shared folders of the workspace beneath `folder`, without those that lie in another of them."""
    held = {path for number, path in folders if number == workspace_id and path.startswith(folder)}
    return sorted(path for path in held if held.isdisjoint(ancestors(path[:-1])))


def _sums_of(
    catalogue: Sums, workspace_id: int, folder: str, readable: Sequence[str], depth: int
) -> tuple[Usage | None, tuple[FolderSum, ...]]:
    """Of what lies in the readable folders alone, for `folder` and the folders down to `depth` below it."""
    sums: dict[str, Usage] = {}
    for path in readable:
        usage = catalogue.usage(workspace_id, path)
        if usage is None:
            continue
        for above in [path, *ancestors(path[:-1])]:
            if above.startswith(folder):
                known = sums.get(above, Usage(0, 0))
                sums[above] = Usage(known.objects + usage.objects, known.bytes + usage.bytes)
        remaining = depth - _depth(path, folder)
        if remaining > 0:
            sums |= {
                one.path: Usage(one.objects, one.bytes) for one in catalogue.sizes(workspace_id, path, remaining)
            }
    children = [
        FolderSum(path, *usage)
        for path, usage in sorted(sums.items())
        if path != folder and _depth(path, folder) <= depth
    ]
    return sums.get(folder), tuple(children)


def _depth(path: str, folder: str) -> int:
    return path.count("/") - folder.count("/")
