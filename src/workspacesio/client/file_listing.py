"""The filesystem's names and listings; `file_searching` goes through folders, `filesystem` adds what objects hold.

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

from fsspec import asyn
from fsspec.asyn import AsyncFileSystem, get_loop
from fsspec.utils import stringify_path

from workspacesio.client import file_threads, looking, sign_in
from workspacesio.client.errors import CommandError, NotThere, UsageError
from workspacesio.client.failures import FileDenied, FileMissing, told_of_files
from workspacesio.client.file_paths import (
    PROTOCOL,
    Info,
    folder_info,
    info_of,
    stripped,
    workspace_info,
)
from workspacesio.client.listings import Listings
from workspacesio.client.places import Item, Place
from workspacesio.client.reach import Reach, is_missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME_SECONDS = 5.0


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
        self._loop: asyncio.AbstractEventLoop | None
        self._begin()

    def _begin(self) -> None:
        server, read_only, lifetime = self._arguments
        self._reached = Reach(server, read_only=read_only, lifetime=lifetime)
        self._listings = Listings(lifetime)
        self._end = weakref.finalize(self, _close, self._reached, os.getpid())

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """In a process that was forked: another one, and connections of its own."""
        if self._pid != os.getpid():
            self._end.detach()
            _of_the_parent.append(self._reached)
            self._pid = os.getpid()
            self._begin()
            if asyn.loop[0] is self._loop:  # older versions of fsspec would go on with a loop that nobody runs
                asyn.reset_lock()
            self._loop = None if self.asynchronous else get_loop()
        return self._loop

    @property
    def _reach(self) -> Reach:
        """This process's own."""
        if self._pid != os.getpid():
            _ = self.loop
        return self._reached

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
            self._reach.forget()
            self._listings.clear()
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

        return await asyncio.get_running_loop().run_in_executor(file_threads.operations(), told)

    async def _info(self, path: str, refresh: bool = False, **_: Any) -> Info:
        found: Info = await self._run(self._look, self._strip_protocol(path), refresh)
        return found

    def info(self, path: str, refresh: bool = False, **_: Any) -> Info:
        """As fsspec has it, without a way around by the loop. `refresh`: as it is now."""
        return file_threads.answer(self._look, self._strip_protocol(path), refresh)

    def _look(self, path: str, refresh: bool = False) -> Info:
        if not path:
            return folder_info("")
        place = self._place(path)
        if place is None or not place.path:
            return folder_info(path)
        return info_of(self._item(place, refresh=refresh), place.typed)

    def _item(self, place: Place, *, refresh: bool = False) -> Item:
        """The object or folder. Raises NotThere, CommandError."""
        workspace = place.workspace["id"]
        item = None if refresh else self._listings.item(workspace, place.path)
        if item is None:
            asked_at = time.monotonic()
            item = looking.look(place)
            self._listings.put_item(workspace, item, asked_at=asked_at)
        return item

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
        return bool(await self._kind(path))

    async def _isdir(self, path: str) -> bool:
        return await self._kind(path) == "directory"

    async def _isfile(self, path: str) -> bool:
        return await self._kind(path) == "file"

    async def _kind(self, path: str) -> str:
        """`file` or `directory`; "" for nothing: what may not be seen is absent."""
        try:
            return str((await self._info(path))["type"])
        except (FileMissing, FileDenied):
            return ""

    def modified(self, path: str) -> datetime:
        """When it was written; folders have no such time."""
        at = self.info(path, refresh=True).get("mtime")
        if at is None:
            with told_of_files():
                raise UsageError(f"{path!r} is a folder, and only objects have a time.")
        return datetime.fromtimestamp(at, UTC)

    created = modified
    """Each write makes an object anew."""

    def ukey(self, path: str) -> str:
        """Another one for other contents."""
        found = self.info(path, refresh=True)
        return f"{found.get('etag', '')}-{found['size']}"

    def checksum(self, path: str) -> int:
        """As `ukey`, as a number."""
        return int.from_bytes(self.ukey(path).encode(), "big")


_of_the_parent: list[Reach] = []
"""Kept as they are: to close what a forked process has inherited would end its parent's connections."""


def _close(reach: Reach, process: int) -> None:
    if process == os.getpid():
        reach.close()
