"""What lies below a path, however deep: in one listing of the server where all of it is meant."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fsspec.core import has_magic

from workspacesio.client import looking
from workspacesio.client.failures import FileDenied, FileMissing
from workspacesio.client.file_listing import ListedFileSystem
from workspacesio.client.file_paths import Info, by_folder, info_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_REMEMBERED = 10_000
"""Of one search through all folders; what is larger would push everything else out."""


class SearchedFileSystem(ListedFileSystem):
    """Walks, finds, sums up."""

    async def _walk(
        self, path: str, maxdepth: int | None = None, topdown: bool = True, **options: Any
    ) -> AsyncIterator[Any]:
        if self._strip_protocol(path):
            async for step in super()._walk(path, maxdepth=maxdepth, topdown=topdown, **options):
                yield step
            return
        # Workspaces of two owners may have one name, by which fsspec would tell them apart.
        detail = options.get("detail", False)
        found = {one["name"]: one for one in await self._ls("")}
        step = "", (found if detail else list(found)), ({} if detail else [])
        if topdown:
            yield step
        if maxdepth is None or maxdepth > 1:
            for name in found:
                deeper = None if maxdepth is None else maxdepth - 1
                async for inner in super()._walk(name, maxdepth=deeper, topdown=topdown, **options):
                    yield inner
        if not topdown:
            yield step

    async def _expand_path(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, assume_literal: bool = False
    ) -> list[str]:
        """An object is meant by its name, though it reads like a pattern: `rm` of one called `*` is that one's."""
        named = [self._strip_protocol(one) for one in ([path] if isinstance(path, str) else path)]
        magic = [] if assume_literal else filter(has_magic, named)
        literal = [one for one in magic if await self._isfile(one)]
        patterns = [one for one in named if one not in literal]
        found = set(literal)
        if patterns or not literal:
            found |= set(await super()._expand_path(patterns, recursive, maxdepth, assume_literal))
        return sorted(found)

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        **_: Any,
    ) -> Any:
        """Every object below a path, in one listing where all are meant; none where there is no such path."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        try:
            if maxdepth is not None or "/" not in path:
                found = await self._levels(path, maxdepth, prefix)
            else:
                found = await self._run(self._all_below, path, prefix)
            if not found or (withdirs and path):
                found.insert(0, await self._info(path))
        except FileMissing as error:
            if error.code == "no_such_workspace":
                raise
            found = []
        named = {one["name"]: one for one in found if one["name"] and (withdirs or one["type"] == "file")}
        return {name: named[name] for name in sorted(named)} if detail else sorted(named)

    async def _levels(self, path: str, maxdepth: int | None, prefix: str) -> list[Info]:
        """As deep as is asked for; owners and workspaces are levels, too."""
        first: list[Info] = await self._run(self._list, path, prefix)
        found = [one for one in first if one["name"] != path]
        begin = path.count("/") + 1 if path else 0
        folders = [one["name"] for one in found if one["type"] == "directory"]
        deeper = [] if maxdepth is None else [maxdepth - (name.count("/") + 1 - begin) for name in folders]
        if maxdepth is None:
            listed = await asyncio.gather(*(self._below(name) for name in folders))
        else:
            pairs = zip(folders, deeper, strict=True)
            listed = await asyncio.gather(*(self._levels(name, left, "") for name, left in pairs if left > 0))
            found = [one for one in found if one["name"].count("/") + 1 - begin <= maxdepth]
        return [*found, *(one for inner in listed for one in inner)]

    async def _below(self, path: str) -> list[Info]:
        """All, or none where names are seen and contents aren't: managers of a root see its workspaces."""
        try:
            found: list[Info] = await self._run(self._all_below, path, "")
        except FileDenied:
            return []
        return found

    def _all_below(self, path: str, prefix: str) -> list[Info]:
        place = self._reach.place(path)
        asked_at = time.monotonic()
        items = looking.list_below(place, prefix)
        folders = by_folder(items, place.path)
        if items and len(items) <= MOST_REMEMBERED and not prefix and place.shared_below() is None:
            for folder, inside in folders.items():
                self._listings.put(place.workspace["id"], folder, inside, asked_at=asked_at)
        return [info_of(item, place.typed) for inside in folders.values() for item in inside]

    async def _du(self, path: str, total: bool = True, maxdepth: int | None = None, **_: Any) -> Any:
        found = await self._find(path, maxdepth=maxdepth, detail=True)
        sizes = {name: one["size"] for name, one in found.items()}
        return sum(sizes.values()) if total else sizes
