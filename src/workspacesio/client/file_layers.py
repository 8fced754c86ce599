"""Text and compressed files over those of the filesystem, which end as these do: whole, or not at all."""

from __future__ import annotations

import io
from typing import Any

from fsspec.compression import compr
from fsspec.core import get_compression


class TextFile(io.TextIOWrapper):
    """What was written is dropped where `with` ends by an exception."""

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and not self.closed and self.writable():
            self.buffer.discard()  # type: ignore[attr-defined]
        self.close()


class CompressedFile(io.BufferedIOBase):
    """What (de)compresses, and the file under it, which it closes."""

    def __init__(self, file: Any, path: str, compression: str) -> None:
        self._file = file
        self._inner = compr[get_compression(path, compression)](file, mode=file.mode[0])

    def read(self, size: int | None = -1, /) -> bytes:
        return bytes(self._inner.read(-1 if size is None else size))

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int:
        return int(self._inner.write(data))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return int(self._inner.seek(offset, whence))

    def tell(self) -> int:
        return int(self._inner.tell())

    def readable(self) -> bool:
        return not self.closed and bool(self._file.readable())

    def writable(self) -> bool:
        return not self.closed and bool(self._file.writable())

    def seekable(self) -> bool:
        return not self.closed and bool(self._inner.seekable())

    def flush(self) -> None:
        """A compressed stream isn't cut anywhere but at its end."""

    def discard(self) -> None:
        """Nothing of it is left."""
        self._file.discard()
        super().close()

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._inner.close()
            self._file.close()
        finally:
            super().close()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and not self.closed and self.writable():
            self.discard()
        self.close()
