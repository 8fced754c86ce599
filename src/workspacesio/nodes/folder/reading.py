"""Reading an object: one whole version of it, or ObjectChanged.

Files can be edited in place by anybody who has them in a shell, so what is read is held against fstat: size and
mtime must be the same before and after, and ctime too, except for a change that came with a new number of names
(the file was replaced or deleted, and what was opened is still whole).

That alone is blind to an edit that is under way when reading begins, because the kernel sets mtime before it
copies the bytes, and to one in the same tick of a coarse clock. So either a record of ours describes the file:
then nobody wrote since it was published, because its mtime was set to the nanosecond. Or the file is `at_rest`:
its mtime lies SETTLED_NS back, and after waiting for the inode's lock, which a write(2) holds to its end, fstat
is still the same.

On local filesystems what the kernel has in memory is read right on the event loop (RWF_NOWAIT of preadv2(2)
says when it hasn't); everything else in threads, with one chunk read ahead. Of a long body `views` hands out the
file's own pages there, to be copied but once, and verifies them when they have been.
"""

import asyncio
import contextlib
import mmap
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from workspacesio.nodes.errors import ObjectChanged
from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.values import ObjectInfo

T = TypeVar("T")

SMALL_BYTES = 256 << 10
CHUNK_BYTES = 512 << 10
VIEW_BYTES = 2 << 20
"""Of a file that is mapped at once: less costs more calls, and what is mapped counts as this process's memory."""

SETTLED_NS = 20_000_000
LONG_NS = 60_000_000_000
CHANGED = "The object was changed while it was being read."

_scratch = threading.local()


class OpenedFile:
    """An `OpenedObject`: `content`, or what `fd` will give if it goes on being `found`."""

    __slots__ = ("_closed", "_content", "_fd", "_found", "_node", "_reading", "first_byte", "info", "size_to_send")

    def __init__(
        self, node: FolderNode, info: ObjectInfo, found: os.stat_result, fd: int, span: tuple[int, int]
    ) -> None:
        self.info = info
        self.first_byte, self.size_to_send = span
        self._node = node
        self._found = found
        self._fd = fd
        self._content: bytes | None = None
        self._reading: asyncio.Future[Any] | None = None
        self._closed = False

    def small(self) -> bytes | None:
        return self._content

    def take_in(self, content: bytes) -> None:
        """Keep the whole body, and let go of the file."""
        self._content = content
        self.let_go()

    def let_go(self) -> None:
        self._closed = True
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    async def with_file(self, work: Callable[[int], T]) -> T:
        """Run `work` on the descriptor in a thread, and check afterwards that the object is still the same."""
        job = asyncio.ensure_future(self._node.in_thread(work, self._fd))
        self._reading = job
        result = await asyncio.shield(job)
        self._reading = None
        self.verify()
        return result

    def verify(self) -> None:
        """Raises ObjectChanged when what was read until now may be of two versions."""
        with translated():
            now = os.fstat(self._fd)
        if not same_version(self._found, now):
            raise ObjectChanged(CHANGED)
        self._found = now

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._content is not None:
            if self._content:
                yield self._content
            return
        async for piece in self._read(self.first_byte):
            yield piece

    async def views(self) -> AsyncIterator[bytes | memoryview]:
        offset = self.first_byte
        end = offset + self.size_to_send
        if self._content is None and self._node.tree.local:
            # The last piece is not a view: it is verified before it is given, and so is all that went before it.
            while offset + VIEW_BYTES < end and syscalls.is_cached(self._fd, offset, VIEW_BYTES):
                view = mapped(self._fd, offset, VIEW_BYTES)
                if view is None:
                    break
                yield view
                self.verify()
                offset += VIEW_BYTES
        pieces = self._read(offset) if offset > self.first_byte else self.chunks()
        async for piece in pieces:
            yield piece

    async def _read(self, offset: int) -> AsyncIterator[bytes]:
        """The body from `offset` on."""
        end = self.first_byte + self.size_to_send
        inline = self._node.tree.local
        while offset < end:
            size = min(CHUNK_BYTES, end - offset)
            data = read_if_cached(self._fd, offset, size) if inline and self._reading is None else None
            if data is None:
                inline = False
                data = await self._read_ahead(offset, size, end)
            self.verify()
            if len(data) != size:
                raise ObjectChanged(CHANGED)
            yield data
            offset += size

    async def _read_ahead(self, offset: int, size: int, end: int) -> bytes:
        """The bytes at `offset`, by a thread; the next are being read when this returns."""
        reading = self._reading or self._begin(offset, size)
        data: bytes = await asyncio.shield(reading)
        offset += size
        self._reading = self._begin(offset, min(CHUNK_BYTES, end - offset)) if offset < end else None
        return data

    def _begin(self, offset: int, size: int) -> "asyncio.Future[Any]":
        fd = self._fd
        self._reading = asyncio.ensure_future(self._node.in_thread(os.pread, fd, size, offset))
        return self._reading

    async def close(self) -> None:
        """A thread that is reading just now keeps the descriptor until it is done."""
        reading, self._reading = self._reading, None
        if reading is not None and reading.done() and not reading.cancelled():
            reading.exception()
        if self._closed or reading is None or reading.done():
            self.let_go()
            return
        self._closed = True
        fd, self._fd = self._fd, -1
        reading.add_done_callback(lambda done: _close_after(done, fd))

    def __del__(self) -> None:
        if self._reading is None:
            self.let_go()


def mapped(fd: int, offset: int, size: int) -> memoryview | None:
    """These bytes of a file as they are whenever they are looked at, or None where the system doesn't map them.

    When the file becomes shorter, a system call that looks at what is missing fails (EFAULT). This process would
    be killed if it looked itself (SIGBUS).
    """
    ahead = offset % mmap.ALLOCATIONGRANULARITY
    try:
        pages = mmap.mmap(fd, ahead + size, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset - ahead)
    except (OSError, ValueError):  # ValueError: it has become shorter, as whoever reads on will see
        return None
    return memoryview(pages)[ahead:]


def _close_after(reading: "asyncio.Future[Any]", fd: int) -> None:
    if not reading.cancelled():
        reading.exception()
    os.close(fd)


def same_version(before: os.stat_result, now: os.stat_result) -> bool:
    """Whether the content is the same. Where only the ctime differs it may have been rewritten and its mtime set
    back, unless the number of links says that it was replaced or linked."""
    if now.st_size != before.st_size or now.st_mtime_ns != before.st_mtime_ns:
        return False
    return now.st_ctime_ns == before.st_ctime_ns or now.st_nlink != before.st_nlink


def at_rest(fd: int, found: os.stat_result) -> bool:
    """Whether nobody is writing the file just now; `found` is its fstat of a moment ago. May wait for a write(2).

    SEEK_DATA takes the lock of the inode on ext4, btrfs, tmpfs and f2fs; on xfs and zfs reading itself does.
    """
    if abs(time.time_ns() - found.st_mtime_ns) <= SETTLED_NS:
        return False
    with contextlib.suppress(OSError):
        os.lseek(fd, 0, os.SEEK_DATA)
    return same_version(found, os.fstat(fd))


def long_at_rest(found: os.stat_result) -> bool:
    """Whether the last write is so long ago that it can't be going on still. Waits for nothing."""
    return abs(time.time_ns() - found.st_mtime_ns) > LONG_NS


def read_if_cached(fd: int, offset: int, size: int) -> bytes | None:
    """As `read_cached`, for many bytes: where the kernel can tell beforehand, they are copied once less."""
    if not syscalls.is_cached(fd, offset, size):
        return read_cached(fd, offset, size)
    with translated():
        return os.pread(fd, size, offset)


def read_cached(fd: int, offset: int, size: int) -> bytes | None:
    """`size` bytes if the kernel has them all in memory, else None. Raises NodeError."""
    try:
        buffer: memoryview = _scratch.buffer
    except AttributeError:
        buffer = _scratch.buffer = memoryview(bytearray(CHUNK_BYTES))
    view = buffer[:size]
    try:
        if os.preadv(fd, [view], offset, os.RWF_NOWAIT) == size:
            return bytes(view)
    except OSError:
        return None
    return None
