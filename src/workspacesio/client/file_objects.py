"""Open files of the filesystem: read in one version, written whole or not at all."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from workspacesio.client import file_threads, reading
from workspacesio.client.failures import told_of_files
from workspacesio.client.file_paths import info_of
from workspacesio.client.multipart import PART_BYTES, growing_part_size
from workspacesio.client.places import Item, Place
from workspacesio.client.read_ahead import ReadAhead
from workspacesio.client.writing import Growing


class ReadFile(AbstractBufferedFile):
    """For one thread at a time. An object that is replaced meanwhile ends it with an error, and isn't mixed."""

    DEFAULT_BLOCK_SIZE = PART_BYTES

    def __init__(
        self,
        fs: AbstractFileSystem,
        path: str,
        place: Place,
        opened: reading.Opened,
        *,
        block_size: int | None,
        cache_type: str | None,
        **options: Any,
    ) -> None:
        self._place = place
        self._opened = opened
        options["size"] = self._opened.size
        known = cache_type not in (None, "default", ReadAhead.name)
        super().__init__(fs, path, "rb", block_size, cache_type=cache_type if known else "none", **options)
        item = Item(place.path, self._opened.size, self._opened.modified, self._opened.etag)
        self.details = info_of(item, place.typed)
        if not known:
            begin, held = self._opened.begin, self._opened.held
            self.cache = ReadAhead(self.blocksize, self._fetch_range, self.size, begin, held)

    def __reduce__(self) -> tuple[Any, ...]:
        """Opened anew where it is unpickled, at the same byte; with nothing of the keys."""
        return _opened_again, (self.fs, self.path, self.blocksize, self.loc)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(file_threads.answer(self._read, start, min(end, self.size)))

    def _read(self, start: int, end: int) -> bytes:
        return reading.read(self._place, start, end, etag=self._opened.etag)


def _opened_again(fs: AbstractFileSystem, path: str, block_size: int, position: int) -> ReadFile:
    file: ReadFile = fs.open(path, block_size=block_size)
    file.seek(position)
    return file


class WrittenFile(AbstractBufferedFile):
    """Parts go out while it is written; it is there when it is closed, or its transaction ends.

    Nothing of it is there where `with` ends by an exception, or nobody closes it.
    """

    DEFAULT_BLOCK_SIZE = PART_BYTES
    buffer: io.BytesIO
    blocksize: int

    def __init__(
        self, fs: AbstractFileSystem, path: str, place: Place, *, mode: str, block_size: int | None, **options: Any
    ) -> None:
        self._while_handling = sys.exc_info()[1]
        self._growing = file_threads.answer(Growing.opened, place, mode)
        # Older versions of fsspec know no xb; what it means is decided in the line above.
        super().__init__(fs, path, mode.replace("x", "w"), max(block_size or 0, PART_BYTES), **options)
        self.loc = self._growing.begin

    def _initiate_upload(self) -> None:
        """There may be no need for parts."""

    def _upload_chunk(self, final: bool = False) -> bool:
        """Whole blocks; what is left of the last one stays in the buffer until the end."""
        content, begin = self.buffer.getbuffer(), 0
        try:
            while len(content) - begin >= self.blocksize:
                with told_of_files():
                    self._growing.add(bytes(content[begin : begin + self.blocksize]))
                begin += self.blocksize
                self.blocksize = max(self.blocksize, growing_part_size(self._growing.parts + 1))
            rest = bytes(content[begin:])
        finally:
            content.release()
        self.buffer = io.BytesIO(rest)
        self.buffer.seek(0, io.SEEK_END)
        if final and self.autocommit:
            self.commit()
        return False

    def commit(self) -> None:
        """The object is there."""
        file_threads.answer(self._growing.finish, self.buffer.getvalue())
        self.fs.invalidate_cache(self.path)

    def discard(self) -> None:
        """Nothing of it is left."""
        self.closed = True
        self.forced = True
        file_threads.answer(self._growing.give_up)

    def close(self) -> None:
        """Raises what a write would; then nothing of it is there."""
        if self.closed:
            return
        if self._ends_by_an_exception():
            self.discard()
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and not self.closed:
            self.discard()
        self.close()

    def __del__(self) -> None:
        growing = getattr(self, "_growing", None)
        if growing is None or self.closed:
            return
        self.closed = True
        told = f"{self.path} was never closed, and isn't written; use `with`."
        warnings.warn(told, RuntimeWarning, stacklevel=1)
        file_threads.operations().submit(growing.give_up)

    def _ends_by_an_exception(self) -> bool:
        """Whether this is closed by an `__exit__` that was told of an exception.

        Files inside of others, as those of `fsspec.open` and pandas, hear of it in no other way.
        """
        error = sys.exc_info()[1]
        if error is None or error is self._while_handling:
            return False
        frame = sys._getframe(1)
        while (caller := frame.f_back) is not None:
            frame = caller
            if frame.f_code.co_name == "__exit__" and any(one is error for one in _arguments(frame)):
                return True
        return False


def _arguments(frame: Any) -> list[object]:
    found: list[object] = []
    for value in frame.f_locals.values():
        found += value if isinstance(value, tuple) and len(value) == 3 else [value]
    return found
