"""Finding the object at a key, and opening one version of it that nobody is writing just now.

On local filesystems this runs right on the event loop if the kernel has what it needs in its caches, otherwise in
a thread.
"""

import errno
import os
import stat
import time
from typing import NamedTuple

from workspacesio.nodes.errors import KeyNotPossible, NoSuchObject, ObjectChanged, RangeNotSatisfiable
from workspacesio.nodes.folder.metadata import told_by
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.os_errors import node_error, translated
from workspacesio.nodes.folder.reading import (
    CHANGED,
    SETTLED_NS,
    SMALL_BYTES,
    OpenedFile,
    at_rest,
    long_at_rest,
    read_cached,
    same_version,
)
from workspacesio.nodes.folder.resolve import Walk
from workspacesio.nodes.values import ByteRange, ObjectAddress, ObjectInfo

_PATIENCE_SECONDS = 1.0
_ABSENT = "There is no such object."
_GONE = frozenset({errno.ENOENT, errno.ELOOP, errno.EXDEV, errno.ENOTDIR, errno.ENXIO})


class Version(NamedTuple):
    """What is at a key now. `fd` is -1 for a folder's marker.

    `recorded`: nobody wrote it in place since it was published.
    """

    info: ObjectInfo
    found: os.stat_result
    fd: int
    recorded: bool

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


def look_up(node: FolderNode, address: ObjectAddress) -> Version:
    """The object at a key, opened. Raises NoSuchObject, and OSError where the file may not be read."""
    try:
        walk = node.tree.address_walk(address)
    except KeyNotPossible as error:
        raise NoSuchObject(_ABSENT) from error
    if not walk.found:
        raise NoSuchObject(_ABSENT)
    try:
        if address.key.endswith("/"):
            return _look_up_folder(node, address, walk)
        if not stat.S_ISREG(walk.stat.st_mode):
            raise NoSuchObject(_ABSENT)
        fd, found = node.tree.open_file(walk.place)
    except OSError as error:
        if error.errno in _GONE:
            raise NoSuchObject(_ABSENT) from error
        raise
    return _version_of(node, address, fd, found)


def _version_of(node: FolderNode, address: ObjectAddress, fd: int, found: os.stat_result) -> Version:
    """What was opened, which is closed where this raises."""
    try:
        raw = node.records.record(fd, found)
        info = ObjectInfo(address.key, found.st_size, found.st_mtime, told_by(raw, found, address.key))
        return Version(info, found, fd, raw is not None)
    except BaseException:
        os.close(fd)
        raise


def _look_up_folder(node: FolderNode, address: ObjectAddress, walk: Walk) -> Version:
    if not stat.S_ISDIR(walk.stat.st_mode):
        raise NoSuchObject(_ABSENT)
    fd = node.tree.open_folder(walk.place)
    try:
        found = os.fstat(fd)
        record = node.records.folder(fd, found)
    finally:
        os.close(fd)
    if record.marker is None:
        raise NoSuchObject(_ABSENT)
    return Version(ObjectInfo(address.key, 0, record.modified, record.marker), found, -1, recorded=True)


def head_blocking(node: FolderNode, address: ObjectAddress) -> ObjectInfo:
    node.tree.check()
    version = look_up(node, address)
    version.close()
    return version.info


def span_of(size: int, byte_range: ByteRange | None) -> tuple[int, int]:
    """First byte and number of bytes (RFC 9110 14.1.2). Raises RangeNotSatisfiable."""
    if byte_range is None:
        return 0, size
    first, last = byte_range.first, byte_range.last
    if first is None:
        length = min(last or 0, size)
        first = size - length
    else:
        length = (size if last is None else min(last + 1, size)) - first
    if length <= 0:
        raise RangeNotSatisfiable(size)
    return first, length


def in_memory(node: FolderNode, address: ObjectAddress) -> bool:
    """Whether looking this key up, just now, needs no disk and no network. Raises NodeDown, NoSuchBucket."""
    if not node.tree.local or "\0" in address.key:
        return False
    node.tree.check()
    place = node.tree.bucket_place(address.bucket)
    key = address.key.rstrip("/").encode(errors="surrogateescape")
    return node.tree.in_memory(place + b"/" + key if place else key)


def open_inline(node: FolderNode, address: ObjectAddress, byte_range: ByteRange | None) -> OpenedFile | None:
    """Open an object if that needs no waiting, else None. Small ones come with their content."""
    tree = node.tree
    if not tree.local:
        return None
    tree.check()
    quick = tree.open_cached(address)
    if quick is not None:
        version = _version_of(node, address, *quick)
    elif in_memory(node, address):
        version = look_up(node, address)
    else:
        return None
    opened = _opened(node, version, byte_range)
    if not version.recorded and not long_at_rest(version.found):
        opened.let_go()
        return None
    if opened.size_to_send > SMALL_BYTES:
        return opened
    content = read_cached(version.fd, opened.first_byte, opened.size_to_send) if version.fd >= 0 else b""
    if content is None or not _unchanged(version):
        opened.let_go()
        return None
    opened.take_in(content)
    return opened


def open_blocking(node: FolderNode, address: ObjectAddress, byte_range: ByteRange | None) -> OpenedFile:
    """Open an object, waiting until nobody writes it. Raises ObjectChanged when that takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        node.tree.check()
        version = look_up(node, address)
        opened = _opened(node, version, byte_range)
        if version.recorded or at_rest(version.fd, version.found):
            if opened.size_to_send > SMALL_BYTES:
                return opened
            if version.fd < 0:
                opened.take_in(b"")
                return opened
            content = os.pread(version.fd, opened.size_to_send, opened.first_byte)
            if len(content) == opened.size_to_send and _unchanged(version):
                opened.take_in(content)
                return opened
        opened.let_go()
        if time.monotonic() > deadline:
            raise ObjectChanged(CHANGED)
        time.sleep(SETTLED_NS / 1e9)


def _opened(node: FolderNode, version: Version, byte_range: ByteRange | None) -> OpenedFile:
    try:
        span = span_of(version.info.size, byte_range)
    except RangeNotSatisfiable:
        version.close()
        raise
    return OpenedFile(node, version.info, version.found, version.fd, span)


def _unchanged(version: Version) -> bool:
    return version.fd < 0 or same_version(version.found, os.fstat(version.fd))


async def open_object(node: FolderNode, address: ObjectAddress, byte_range: ByteRange | None) -> OpenedFile:
    """Open an object. Raises NoSuchObject, RangeNotSatisfiable, ObjectChanged, NodeRefused, NodeDown."""
    try:
        opened = open_inline(node, address, byte_range)
    except OSError as error:
        raise node_error(error) from error
    if opened is not None:
        return opened
    return await node.acquire(OpenedFile.let_go, open_blocking, node, address, byte_range)


async def head_object(node: FolderNode, address: ObjectAddress) -> ObjectInfo:
    """What `open_object` would give, without its bytes."""
    with translated():
        if in_memory(node, address):
            return head_blocking(node, address)
    return await node.in_thread(head_blocking, node, address)
