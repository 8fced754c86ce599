"""A child's view of its file: bytes by a descriptor, or asked of the parent; so many, and no more."""

import io
import os
import socket
from collections.abc import Callable
from typing import BinaryIO, cast

from workspacesio.index.extraction.protocol import MEBIBYTE, ReadTooMuch, Unreadable
from workspacesio.index.extraction.wire import receive, send_json

ReadAt = Callable[[int, int], bytes]
"""Offset and length -> bytes, fewer only at the end of the file."""

BUFFER_BYTES = 64 << 10
ASKED_BYTES = 1 * MEBIBYTE
"""The parent is asked for this much at once, and the last such pieces are kept: a request costs a round trip."""
_KEPT = 8


def by_descriptor(fd: int) -> ReadAt:
    def read_at(offset: int, length: int) -> bytes:
        return os.pread(fd, length, offset)

    return read_at


def by_asking(stream: socket.socket) -> ReadAt:
    kept: dict[int, bytes] = {}

    def piece(number: int) -> bytes:
        found = kept.pop(number, None)
        if found is None:
            send_json(stream, {"read": [number * ASKED_BYTES, ASKED_BYTES]})
            answer = receive(stream)
            if answer is None or not answer[0][:1]:
                raise Unreadable("It could not be read from its server.")
            found = answer[0][1:]
        kept[number] = found
        while len(kept) > _KEPT:
            del kept[next(iter(kept))]
        return found

    def read_at(offset: int, length: int) -> bytes:
        number, start = divmod(offset, ASKED_BYTES)
        return piece(number)[start : start + length]

    return read_at


class Budget:
    """How many bytes of the file may still be read."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, size: int) -> None:
        if size > self.left:
            raise ReadTooMuch
        self.left -= size


class FileView(io.RawIOBase):
    """The file from its first byte, for reading. Every open one of a file spends of the same budget."""

    def __init__(self, read_at: ReadAt, size: int, budget: Budget) -> None:
        super().__init__()
        self._read_at = read_at
        self._size = size
        self._budget = budget
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning of the file")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        length = min(len(buffer), max(0, self._size - self._place), ASKED_BYTES)
        if length == 0:
            return 0
        self._budget.spend(length)
        found = self._read_at(self._place, length)
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


def opened(read_at: ReadAt, size: int, budget: Budget) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(FileView(read_at, size, budget), BUFFER_BYTES))
