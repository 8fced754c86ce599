"""`wio://[owner/]workspace/path` for fsspec, and so for pandas, pyarrow, dask, xarray, zarr and others.

    import pandas
    table = pandas.read_parquet("wio://ada/plates/raw/plate-1.parquet")

A path names what `wio ls` shows. Whoever holds a share of a folder works below it, and sees the way to it above.
Bytes are read as they are stored now, and written whole or not at all. Listings, and what names mean, are believed
for `listings_expiry_time` seconds; nothing else is. What is raised: `workspacesio.client.failures`.

A folder is there while something lies in it, as in S3: making one does nothing.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.utils import isfilelike

from workspacesio.client import downloads, file_threads, looking, reading, server_copies, uploads, writing
from workspacesio.client.errors import CommandError, NotThere, UsageError
from workspacesio.client.failures import FileIsFolder, FileNotSupported, FileThere
from workspacesio.client.file_layers import CompressedFile, TextFile
from workspacesio.client.file_objects import ReadFile, WrittenFile
from workspacesio.client.file_searching import SearchedFileSystem
from workspacesio.client.moving import CHANGED
from workspacesio.client.multipart import part_size
from workspacesio.client.places import Place

Copied = list[tuple[Place, str]]
"""What was copied, and in which version (ETag)."""


class FileSystem(SearchedFileSystem):
    """See the module."""

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        content: bytes = await self._run(self._read, self._strip_protocol(path), start, end)
        return content

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """As fsspec has it, without a way around by the loop."""
        return file_threads.answer(self._read, self._strip_protocol(path), start, end)

    def _read(self, path: str, start: int | None, end: int | None) -> bytes:
        """As Python slices bytes."""
        place = self._object(path)
        if not start and end is None:
            return b"".join(place.content())
        if (start or 0) < 0 and end is None:
            return reading.read_last(place, -(start or 0))
        if (start or 0) < 0 or (end or 0) < 0:
            size = place.details().size
            start, end, _ = slice(start, end).indices(size)
        return reading.read(place, start or 0, end)

    async def _pipe_file(self, path: str, value: Any, mode: str = "overwrite", **_: Any) -> None:
        await self._run(self._write, self._strip_protocol(path), value, mode)

    def _write(self, path: str, value: Any, mode: str) -> None:
        place = self._object(path, writes=True)
        growing = writing.Growing.opened(place, "xb" if mode == "create" else "wb")
        begin, content = 0, memoryview(value)
        try:
            if len(content) > uploads.SINGLE_BYTES:
                size = part_size(len(content))
                while len(content) - begin > size:
                    growing.add(bytes(content[begin : begin + size]))
                    begin += size
            growing.finish(bytes(content[begin:]))
        except BaseException:
            growing.give_up()
            raise
        self._changed(place)

    async def _get_file(self, rpath: str, lpath: Any, callback: Callback = DEFAULT_CALLBACK, **_: Any) -> None:
        await self._run(self._download, self._strip_protocol(rpath), lpath, callback)

    def _download(self, path: str, local: Any, callback: Callback) -> None:
        if ".." in path.split("/"):  # `get` of older versions of fsspec would write elsewhere
            raise CommandError(f"no local file can be called like {path!r}.")
        if isfilelike(local):
            content = self._read(path, None, None)
            callback.set_size(len(content))
            local.write(content)
            callback.relative_update(len(content))
            return
        if os.path.isdir(local):
            return
        place = self._reach.place(path)
        found = self._item(place)
        if found.is_folder:
            os.makedirs(local, exist_ok=True)
            return
        callback.set_size(found.size)
        told = _telling(callback)
        downloads.download(place, os.fspath(local), size=found.size or 0, etag=found.etag, told=told)

    async def _put_file(
        self, lpath: str, rpath: str, mode: str = "overwrite", callback: Callback = DEFAULT_CALLBACK, **_: Any
    ) -> None:
        await self._run(self._upload, lpath, self._strip_protocol(rpath), mode, callback)

    def _upload(self, local: str, path: str, mode: str, callback: Callback) -> None:
        if os.path.isdir(local):
            return
        callback.set_size(os.stat(local).st_size)
        place = self._object(path, writes=True)
        uploads.upload(os.fspath(local), place, told=_telling(callback), overwrite=mode != "create")
        self._changed(place)

    async def _cp_file(self, path1: str, path2: str, copied: Copied | None = None, **_: Any) -> None:
        """`copied`: where it is noted down what was copied."""
        done: Copied = [] if copied is None else copied
        await self._run(self._copy_one, self._strip_protocol(path1), self._strip_protocol(path2), done)

    def mv(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any) -> None:
        """Once all of it is copied, that is deleted where it was, and nothing that came there meanwhile."""
        if path1 == path2:
            return
        copied: Copied = []
        self.copy(path1, path2, recursive=recursive, maxdepth=maxdepth, on_error="raise", copied=copied)
        if not copied:
            found = self.info(path1)
            if found["type"] == "directory" and not recursive:
                raise FileIsFolder(f"{found['name']} is a folder; say recursive=True to move all that lies in it.")
        for place, etag in copied:
            file_threads.answer(self._remove_copied, place, etag)

    def _remove_copied(self, place: Place, etag: str) -> None:
        if place.details().etag != etag:
            raise CommandError(f"{place.name()}: {CHANGED}")
        place.remove()
        self._changed(place)

    def _copy_one(self, source: str, target: str, copied: Copied) -> None:
        """By the server itself within a node. Of a folder nothing, since it is made of what lies in it."""
        one, other = self._reach.pair(source, target)
        known = self._listings.item(one.workspace["id"], one.path)
        if known is not None and known.is_folder:
            return
        try:
            etag = server_copies.copy(one, other, told=lambda *_, **__: None, overwrite=True)
        except NotThere:
            if looking.look(one).is_folder:
                return
            raise
        copied.append((one, etag))
        self._changed(other)

    async def _rm_file(self, path: str, **_: Any) -> None:
        await self._run(self._remove, self._strip_protocol(path))

    def _remove(self, path: str) -> None:
        place = self._object(path, writes=True)
        place.remove()
        self._changed(place)

    async def _rm(
        self,
        path: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        **_: Any,
    ) -> None:
        """Raises before anything is deleted where one isn't there, or is a folder and `recursive` isn't said."""
        if recursive and maxdepth is None:
            named = await self._expand_path(path, recursive=False)
            await asyncio.gather(*(self._run(self._remove_all, one) for one in named))
            return
        named = await self._expand_path(path, recursive=recursive, maxdepth=maxdepth)
        infos = await asyncio.gather(*(self._info(one) for one in named))
        files = [one["name"] for one in infos if one["type"] == "file"]
        if len(files) < len(infos) and not recursive:
            folder = next(one["name"] for one in infos if one["type"] != "file")
            raise FileIsFolder(f"{folder} is a folder; say recursive=True to delete all that lies in it.")
        await asyncio.gather(*(self._rm_file(one) for one in files))

    def _remove_all(self, path: str) -> None:
        """A file, or all that lies in a folder."""
        place = self._place(path, writes=True) if path else None
        if place is None:
            raise UsageError("name what to delete in a workspace; `wio workspace delete` is for itself.")
        items = looking.list_below(place)
        if not items:
            found = looking.look(place)
            if found.is_folder:
                return
            items = [found]
        try:
            problems = place.remove_all(items)
        finally:
            self._changed(place, below=True)
        if problems:
            raise CommandError(f"{len(problems)} of {len(items)} objects could not be deleted: {problems[0]}")

    async def _mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:  # noqa: ARG002
        await self._makedirs(path, exist_ok=False)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Raises where there is no such workspace, or a file of that name."""
        await self._run(self._place, self._strip_protocol(path))
        found = await self._kind(path)
        if found == "file" or (found and not exist_ok):
            raise FileThere(f"{self._strip_protocol(path)} exists already.")

    def rmdir(self, path: str) -> None:
        """An empty folder, which is one that something was stored for. Raises FileExistsError for another one."""
        if self.ls(path, refresh=True):
            raise FileThere(f"{self._strip_protocol(path)} isn't empty; rm(…, recursive=True) deletes it all.")
        file_threads.answer(self._remove_all, self._strip_protocol(path))

    def sign(self, path: str, expiration: int = 100, method: str = "GET", **_: Any) -> str:
        """A link to one object for whoever has it, for so many seconds, GET or PUT."""
        return str(file_threads.answer(self._link, self._strip_protocol(path), expiration, method))

    def _link(self, path: str, seconds: int, method: str) -> str:
        place = self._object(path)
        reference = f"{place.workspace['owner']}:{place.workspace['name']}/{place.path}"
        wanted = {"reference": reference, "method": method, "expires_seconds": int(seconds)}
        return str(self._reach.ask(lambda api: api.post("/presign", wanted))["url"])

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        compression: str | None = None,
        **options: Any,
    ) -> Any:
        """As fsspec has it; what is written as text or compressed is whole or not there, too."""
        text = {name: options.pop(name) for name in ("encoding", "errors", "newline") if name in options}
        file = super().open(path, mode.replace("t", "").replace("b", "") + "b", block_size=block_size, **options)
        if compression is not None:
            file = CompressedFile(file, self._strip_protocol(path), compression)
        return file if "b" in mode else TextFile(file, **text)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_type: str | None = None,
        **options: Any,
    ) -> ReadFile | WrittenFile:
        if mode == "rb":
            options.pop("size", None)
            place, opened = file_threads.answer(self._opened, path)
            return ReadFile(self, path, place, opened, block_size=block_size, cache_type=cache_type, **options)
        if mode not in ("wb", "ab", "xb"):
            raise FileNotSupported(f"{mode!r} isn't possible: objects are read, written anew or appended to.")
        place = file_threads.answer(self._writable, path)
        return WrittenFile(self, path, place, mode=mode, block_size=block_size, autocommit=autocommit, **options)

    def _opened(self, path: str) -> tuple[Place, reading.Opened]:
        place = self._object(path)
        return place, reading.opened(place)

    def _writable(self, path: str) -> Place:
        return self._object(path, writes=True)

    def _object(self, path: str, *, writes: bool = False) -> Place:
        """The place of what can only be an object. Raises CommandError, FileIsFolder."""
        place = self._place(path, writes=writes) if path else None
        if place is None or not place.path:
            raise FileIsFolder(f"wio://{path} is a folder; name an object in it.")
        return place

    def _changed(self, place: Place, *, below: bool = False) -> None:
        self._listings.forget(place.workspace["id"], place.path, below=below)


def _telling(callback: Callback) -> Any:
    def told(count: int, **_: object) -> None:
        callback.relative_update(count)

    return told
