"""What storage holds for an entry that is due: metadata, and its bytes as a descriptor or by ranges.

A file in a folder is opened as the endpoint opens it, by the same rules of sight, and only the descriptor goes on.
What is there must be what the catalogue says was found, before and after it is read.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from minio import Minio

from workspacesio.index.catalogue import Due
from workspacesio.index.extraction.pool import File
from workspacesio.index.found import split_path
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError, ObjectChanged
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.opening import look_up
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.folder.reading import SETTLED_NS, at_rest, same_version
from workspacesio.nodes.minio.driver import ServerStorage
from workspacesio.nodes.minio.object_reading import described, piece
from workspacesio.nodes.stamps import file_modified
from workspacesio.nodes.values import DEFAULT_CONTENT_TYPE, ObjectAddress, Scope

_CHANGED = "The object is not what was found."


@dataclass(slots=True)
class Source:
    """`file` is None where there is nothing to read. `failure`: why bytes couldn't be had, once it was tried."""

    file: File | None = None
    content_type: str = ""
    user: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    failure: NodeError | None = None


@contextmanager
def opened(driver: StorageDriver, scope: Scope, due: Due) -> Iterator[Source]:
    """Raises ObjectChanged where storage holds something else by now, at the end too; NoSuchObject, NodeDown and
    the other NodeErrors."""
    if isinstance(driver, FolderDriver):
        with _in_folder(driver.node, scope, due) as source:
            yield source
    elif isinstance(driver, ServerStorage):
        source = _on_server(driver.s3, ObjectAddress(scope.bucket, scope.boundary + due.path, scope.boundary), due)
        yield source
        if source.failure is not None:
            raise source.failure
    else:
        yield Source()


@contextmanager
def _in_folder(node: FolderNode, scope: Scope, due: Due) -> Iterator[Source]:
    with translated():
        node.tree.check()
        boundary = _nearest_boundary(node, scope, due.path)
        version = look_up(node, ObjectAddress(scope.bucket, scope.boundary + due.path, boundary))
    try:
        metadata = version.info.metadata
        content_type = metadata.headers.get("content-type", "")
        source = Source(
            content_type="" if content_type == DEFAULT_CONTENT_TYPE else content_type,
            user=metadata.user,
            tags=metadata.tags,
        )
        if version.fd < 0:
            yield source
            return
        found = version.found
        if (found.st_size, file_modified(found)) != (due.size, due.modified_us):
            raise ObjectChanged(_CHANGED)
        if not version.recorded:
            _wait_until_at_rest(version.fd, found)
        source.file = File(split_path(due.path)[1], due.size, fd=version.fd)
        yield source
        if not same_version(found, os.fstat(version.fd)):
            raise ObjectChanged(_CHANGED)
    finally:
        version.close()


def _nearest_boundary(node: FolderNode, scope: Scope, path: str) -> str:
    """The folder that holds the object, or the first link on the way to it: whoever was given that folder alone
    finds nothing that a link brings in from elsewhere in the workspace."""
    boundary = scope.boundary + split_path(path)[0]
    while len(boundary) > len(scope.boundary):
        if node.tree.walk(Scope(scope.bucket, boundary), boundary).found:
            break
        boundary = boundary[: boundary.rfind("/", 0, -1) + 1]
    return boundary


def _wait_until_at_rest(fd: int, found: os.stat_result) -> None:
    """Raises ObjectChanged where somebody goes on writing it."""
    for _ in range(3):
        if at_rest(fd, found):
            return
        time.sleep(SETTLED_NS / 1e9)
    raise ObjectChanged(_CHANGED)


def _on_server(s3: Minio, address: ObjectAddress, due: Due) -> Source:
    found = described(s3, address)
    if (found.size, found.etag) != (due.size, due.etag):
        raise ObjectChanged(_CHANGED)
    source = Source(content_type=found.content_type, user=found.user, tags=found.tags)

    def read_at(offset: int, length: int) -> bytes:
        try:
            return piece(s3, address, due.etag, offset, length)
        except NodeError as error:
            source.failure = error
            return b""

    source.file = File(split_path(due.path)[1], due.size, read_at=read_at)
    return source
