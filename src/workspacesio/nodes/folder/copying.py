"""Copies inside the node: blocks shared (FICLONE) or copied in the kernel, if no hasher has to see the bytes."""

import os
from collections.abc import Sequence

from workspacesio.nodes.driver import Hasher
from workspacesio.nodes.errors import ObjectChanged
from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.opening import open_object
from workspacesio.nodes.folder.reading import OpenedFile
from workspacesio.nodes.folder.receiving import Body, Receiving, write_all
from workspacesio.nodes.folder.staging import StagedFile
from workspacesio.nodes.values import ByteRange, ObjectAddress

_STEP_BYTES = 64 << 20
"""Copied in one go by a thread; between two steps the source is checked and a cancelled caller is noticed."""


async def open_source(
    node: FolderNode, source: ObjectAddress, byte_range: ByteRange | None, source_etag: str | None
) -> OpenedFile:
    """Open what is copied. Raises ObjectChanged unless it is the version that the caller decided on."""
    opened = await open_object(node, source, byte_range)
    if source_etag is not None and opened.info.etag != source_etag:
        await opened.close()
        raise ObjectChanged("The object is another by now.")
    return opened


async def fill_staged(opened: OpenedFile, staged: Receiving, hashers: Sequence[Hasher]) -> None:
    """Bring what was opened into `staged` and finish it; where that fails it is discarded."""
    try:
        await _fill(opened, staged.body, hashers)
        await staged.finish()
    except BaseException:
        await staged.discard()
        raise


async def _fill(opened: OpenedFile, body: Body, hashers: Sequence[Hasher]) -> None:
    """Bring what was opened into `body`."""
    small = opened.small()
    if small is not None:
        await body.write(small)
    elif hashers:
        async for chunk in opened.chunks():
            await body.write(chunk)
    else:
        await _copy_in_kernel(opened, body)


async def _copy_in_kernel(opened: OpenedFile, body: Body) -> None:
    file = await body.open_file()
    size = opened.size_to_send
    if opened.first_byte or size != opened.info.size or file.offset or not await _cloned(opened, file):
        for start in range(0, size, _STEP_BYTES):
            step = min(_STEP_BYTES, size - start)
            await opened.with_file(_Step(file, opened.first_byte + start, file.offset + start, step))
    body.adopt(file, size)


async def _cloned(opened: OpenedFile, file: StagedFile) -> bool:
    def clone(source_fd: int) -> bool:
        with file.use() as fd:
            try:
                syscalls.clone(source_fd, fd)
            except OSError:
                return False
        return True

    return await opened.with_file(clone)


class _Step:
    """Copy `size` bytes from `source` to `target`, both offsets. A short source shows when it is checked."""

    def __init__(self, file: StagedFile, source: int, target: int, size: int) -> None:
        self._file = file
        self._source = source
        self._target = target
        self._size = size

    def __call__(self, source_fd: int) -> None:
        with self._file.use() as fd:
            copy_bytes(source_fd, fd, self._source, self._target, self._size)


def copy_bytes(source_fd: int, target_fd: int, source: int, target: int, size: int) -> None:
    """copy_file_range(2), or by way of memory where the filesystems don't do that. Raises EOFError."""
    in_kernel = True
    while size:
        if in_kernel:
            try:
                copied = os.copy_file_range(source_fd, target_fd, size, source, target)
            except OSError:
                in_kernel = False
                continue
        else:
            chunk = os.pread(source_fd, min(size, 1 << 20), source)
            write_all(target_fd, [chunk], target)
            copied = len(chunk)
        if not copied:
            raise ObjectChanged("The object became shorter while it was copied.")
        source, target, size = source + copied, target + copied, size - copied
