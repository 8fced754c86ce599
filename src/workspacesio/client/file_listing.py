"""The filesystem's names and listings; `filesystem` adds what objects hold.

Everything is asked in threads (`file_threads`), by the client's own requests, which carry any name and renew keys.
Listings, and what names mean, are believed for the stated lifetime; nothing else is.
"""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from datetime import UTC, datetime
from typing import Any

from fsspec.asyn import AsyncFileSystem, get_loop
from fsspec.utils import stringify_path

from workspacesio.client import file_threads, looking, sign_in
from workspacesio.client.errors import CommandError, NotThere, UsageError
from workspacesio.client.failures import FileDenied, FileMissing, told_of_files
from workspacesio.client.file_paths import (
    PROTOCOL,
    Info,
    by_folder,
    folder_info,
    info_of,
    stripped,
    workspace_info,
)
from workspacesio.client.listings import Listings
from workspacesio.client.places import Place
from workspacesio.client.reach import Reach, is_missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LIFETIME_SECONDS = 5.0
MOST_REMEMBERED = 10_000
"""Of one search through all folders; what is larger would push everything else out."""


class _SignedIn:
    """Instances are kept and given out again for equal arguments, and only while the same person is signed in."""

    def __get__(self, instance: object, owner: object) -> str:
        return sign_in.fingerprint()


class ListedFileSystem(AsyncFileSystem):
    """Nothing of a sign-in is in its arguments, so that none is in what is pickled or shown.

    A process that gets one from another uses the sign-in that it finds itself.
    """

    protocol = PROTOCOL
    root_marker = ""
    signed_in = _SignedIn()
    _extra_tokenize_attributes = ("signed_in",)

    def __init__(
        self,
        server: str | None = None,
        *,
        read_only: bool = False,
        listings_expiry_time: float = LIFETIME_SECONDS,
        use_listings_cache: bool = True,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        batch_size: int | None = None,
    ) -> None:
        """`server`: where somebody is signed in; as `wio` itself where it is None.

        `read_only`: with keys that write nothing. `listings_expiry_time`: seconds; 0 keeps no listing.
        """
        super().__init__(asynchronous=asynchronous, loop=loop, batch_size=batch_size)
        lifetime = float(listings_expiry_time) if use_listings_cache else 0.0
        self._arguments = (server, read_only, lifetime)
        self._pid: int = os.getpid()
        self._begin()

    def _begin(self) -> None:
        server, read_only, lifetime = self._arguments
        self._reach = Reach(server, read_only=read_only, lifetime=lifetime)
        self._listings = Listings(lifetime)
        self._end = weakref.finalize(self, _close, self._reach, os.getpid())

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """In a process that was forked: another one, and connections of its own."""
        if self._pid != os.getpid():
            self._end.detach()
            _of_the_parent.append(self._reach)
            self._pid = os.getpid()
            self._begin()
            self._loop = None if self.asynchronous else get_loop()
        return self._loop

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return stripped(stringify_path(path))

    @classmethod
    def _parent(cls, path: str) -> str:
        return stripped(path).rpartition("/")[0]

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget listings and what names mean; of one path, the listings in which it stands and those below."""
        if path is None:
            self._listings.clear()
            self._reach.forget()
            return
        located = self._reach.known(self._strip_protocol(path))
        if located is not None:
            self._listings.forget(located.workspace["id"], located.path, below=True)

    def close(self) -> None:
        """All its connections; it can be used again."""
        self._reach.close()

    async def _run(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        def told() -> Any:
            with told_of_files():
                return operation(*arguments)

        if self._pid != os.getpid():
            _ = self.loop
        return await asyncio.get_running_loop().run_in_executor(file_threads.operations(), told)

    async def _info(self, path: str, **_: Any) -> Info:
        found: Info = await self._run(self._look, self._strip_protocol(path))
        return found

    def _look(self, path: str) -> Info:
        if not path:
            return folder_info("")
        place = self._place(path)
        if place is None or not place.path:
            return folder_info(path)
        known = self._listings.item(place.workspace["id"], place.path)
        return info_of(known or looking.look(place), place.typed)

    def _place(self, path: str, *, writes: bool = False) -> Place | None:
        """None where the path is an owner, whose workspaces lie in it. Raises CommandError."""
        try:
            return self._reach.place(path, writes=writes)
        except CommandError as error:
            if writes or "/" in path or not is_missing(error) or not self._reach.workspaces(path):
                raise
            return None

    async def _ls(self, path: str, detail: bool = True, refresh: bool = False, **_: Any) -> list[Any]:
        found: list[Info] = await self._run(self._list, self._strip_protocol(path), "", refresh)
        return found if detail else sorted(one["name"] for one in found)

    def _list(self, path: str, prefix: str = "", refresh: bool = False) -> list[Info]:
        """Of a file, itself, as fsspec has it."""
        if refresh:
            self._reach.forget()
        place = self._place(path) if path else None
        if place is None:
            return [workspace_info(one) for one in self._reach.workspaces(path)]
        workspace, folder = place.workspace["id"], place.path
        items = None if refresh else self._listings.get(workspace, folder)
        if items is None:
            asked_at = time.monotonic()
            try:
                items = looking.list_folder(place, prefix)
            except NotThere:
                return [info_of(looking.look(place), place.typed)]
            if not prefix:
                self._listings.put(workspace, folder, items, asked_at=asked_at)
        begin = f"{place.folder}{prefix}"
        return [info_of(item, place.typed) for item in items if item.path.startswith(begin)]

    async def _exists(self, path: str, **_: Any) -> bool:
        try:
            await self._info(path)
        except (FileMissing, FileDenied):  # what may not be seen is absent
            return False
        return True

    async def _isdir(self, path: str) -> bool:
        return await self._kind(path) == "directory"

    async def _isfile(self, path: str) -> bool:
        return await self._kind(path) == "file"

    async def _kind(self, path: str) -> str:
        try:
            return str((await self._info(path))["type"])
        except (FileMissing, FileDenied):
            return ""

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

    def modified(self, path: str) -> datetime:
        """When it was written; folders have no such time."""
        at = self.info(path).get("mtime")
        if at is None:
            with told_of_files():
                raise UsageError(f"{path!r} is a folder, and only objects have a time.")
        return datetime.fromtimestamp(at, UTC)

    created = modified
    """Each write makes an object anew."""

    def ukey(self, path: str) -> str:
        """Another one for other contents."""
        found = self.info(path)
        return f"{found.get('etag', '')}-{found['size']}"

    def checksum(self, path: str) -> int:
        """As `ukey`, as a number."""
        return int.from_bytes(self.ukey(path).encode(), "big")


_of_the_parent: list[Reach] = []
"""Kept as they are: to close what a forked process has inherited would end its parent's connections."""


def _close(reach: Reach, process: int) -> None:
    if process == os.getpid():
        reach.close()
