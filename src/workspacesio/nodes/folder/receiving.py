"""Taking in the bytes of a body: small ones in memory, bigger ones to a staged file, hashed on the way.

A body over SMALL_BYTES is handled in batches: while one is written and hashed in threads (hashlib lets go of the
GIL, so that each hasher has a processor), the next is received. So a body holds two batches in memory at most.
"""

import asyncio
import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress

from workspacesio.nodes.driver import Buffer, Hasher
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.staging import StagedFile

SMALL_BYTES = 1 << 20
BATCH_BYTES = 1 << 20
_HASHED_INLINE_BYTES = 64 << 10
_WRITEBACK_BYTES = 8 << 20

_NO_PREALLOCATION = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV})

OpenSink = Callable[[], StagedFile]


class Body:
    """The bytes of one object or part. `sink` is called in a thread when the body turns out not to be small."""

    def __init__(
        self, node: FolderNode, sink: OpenSink, *, expected_size: int | None, hashers: Sequence[Hasher]
    ) -> None:
        self.size = 0
        self.file: StagedFile | None = None
        self._node = node
        self._open_sink = sink
        self._expected_size = expected_size
        self._hashers = tuple(hashers)
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._written = 0
        self._running: asyncio.Future[list[None]] | None = None
        self._finished = False
        self._discarded = False

    @property
    def complete(self) -> bool:
        """Whether `size` is that of the whole body."""
        return self._finished

    @property
    def content(self) -> list[bytes]:
        """The body, if `file` is None."""
        return self._pending

    async def write(self, data: Buffer) -> None:
        if self._discarded or self._finished:
            raise NodeError("This body takes no more bytes.")
        if self._expected_size is not None and self.size + len(data) > self._expected_size:
            raise NodeError("More bytes came than were announced.")
        chunk = data if isinstance(data, bytes) else bytes(data)
        self._pending.append(chunk)
        self._pending_size += len(chunk)
        self.size += len(chunk)
        if self._pending_size >= BATCH_BYTES and (self.file is not None or self.size > SMALL_BYTES):
            await self._start_batch()

    async def finish(self) -> None:
        if self._finished:
            return
        if self._discarded:
            raise NodeError("This body was discarded.")
        if self.file is not None:
            await self._start_batch()
            await self._wait()
        elif self._hashers and self.size > _HASHED_INLINE_BYTES:
            chunks = self._pending
            await asyncio.gather(*(self._node.in_thread(_feed, hasher, chunks) for hasher in self._hashers))
        else:
            for hasher in self._hashers:
                _feed(hasher, self._pending)
        self._finished = True

    def adopt(self, file: StagedFile, size: int) -> None:
        """Take a file that holds the whole body already; there is nothing left to write or to hash."""
        self.file, self.size, self._finished = file, size, True

    async def _start_batch(self) -> None:
        await self._wait()
        file = await self.open_file()
        chunks, self._pending, self._pending_size = self._pending, [], 0
        if not chunks:
            return
        offset, size = self._written, sum(map(len, chunks))
        self._written += size
        jobs = [self._node.in_thread(_feed, hasher, chunks) for hasher in self._hashers]
        self._running = asyncio.gather(self._node.in_thread(self._write_out, file, chunks, offset, size), *jobs)

    async def open_file(self) -> StagedFile:
        """The staged file, opened now if the body was in memory until now."""
        if self.file is None:
            self.file = await self._node.acquire(StagedFile.discard, self._open)
        return self.file

    def _open(self) -> StagedFile:
        file = self._open_sink()
        if self._expected_size:
            try:
                syscalls.preallocate(file.fd, file.offset, self._expected_size, keep_size=not file.reserved)
            except OSError as error:
                if error.errno not in _NO_PREALLOCATION:
                    file.discard()
                    raise
        return file

    def _write_out(self, file: StagedFile, chunks: list[bytes], offset: int, size: int) -> None:
        with file.use() as fd:
            start = file.offset + offset
            write_all(fd, chunks, start)
            if self._node.durable and (offset + size) // _WRITEBACK_BYTES > offset // _WRITEBACK_BYTES:
                syscalls.start_writeback(fd, 0, start + size)

    async def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running

    async def discard(self) -> None:
        """Jobs under way finish by themselves and let go of the file; nothing is waited for."""
        self._discarded = True
        self._pending = []
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await running
        if self.file is not None:
            self.file.discard()


class Receiving(ABC):
    """What `StagedObject` and `StagedPart` share in a folder node: all but where the bytes go in the end.

    `open_sink` says into which file a body goes that isn't small. It is called in a thread.
    """

    def __init__(self, node: FolderNode, *, expected_size: int | None, hashers: Sequence[Hasher]) -> None:
        self.size = 0
        self.body = Body(node, self.open_sink, expected_size=expected_size, hashers=hashers)
        self._node = node
        self._expected_size = expected_size
        self._discarded = False

    @abstractmethod
    def open_sink(self) -> StagedFile: ...

    async def write(self, data: Buffer) -> None:
        await self.body.write(data)
        self.size = self.body.size

    async def finish(self) -> None:
        if self._discarded:
            raise NodeError("This was discarded.")
        await self.body.finish()
        self.size = self.body.size

    async def discard(self) -> None:
        self._discarded = True
        await self.body.discard()


def write_all(fd: int, chunks: Sequence[Buffer], offset: int) -> None:
    """pwritev(2) until everything is written."""
    rest = [memoryview(chunk) for chunk in chunks if len(chunk)]
    while rest:
        written = os.pwritev(fd, rest[:1024], offset)
        offset += written
        while rest and written >= len(rest[0]):
            written -= len(rest[0])
            rest.pop(0)
        if written:
            rest[0] = rest[0][written:]


def _feed(hasher: Hasher, chunks: Sequence[bytes]) -> None:
    for chunk in chunks:
        hasher.update(chunk)
