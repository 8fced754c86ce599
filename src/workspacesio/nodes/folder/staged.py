"""An object on its way: bytes that were received or copied, and the one step that gives them to the key."""

import os
from collections.abc import Sequence

from workspacesio.nodes.driver import Buffer, Hasher
from workspacesio.nodes.errors import FolderTakesNoContent
from workspacesio.nodes.folder.inline import INLINE_BYTES
from workspacesio.nodes.folder.markers import publish_marker
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.opening import in_memory
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.folder.placing import Target, locate
from workspacesio.nodes.folder.publishing import Publication
from workspacesio.nodes.folder.receiving import Receiving, write_all
from workspacesio.nodes.folder.staging import StagedFile
from workspacesio.nodes.values import NO_PRECONDITIONS, ObjectAddress, ObjectMetadata, Preconditions, Published


class StagedBody(Receiving):
    """A `StagedObject` of a folder node."""

    def __init__(
        self,
        node: FolderNode,
        address: ObjectAddress,
        *,
        expected_size: int | None,
        hashers: Sequence[Hasher],
    ) -> None:
        super().__init__(node, expected_size=expected_size, hashers=hashers)
        self._address = address
        self._published: Published | None = None
        self._synced = False
        self._located: Target | None = None

    async def write(self, data: Buffer) -> None:
        check_takes_content(self._address, len(data))
        await super().write(data)

    async def finish(self) -> None:
        """Flushes the bytes too, so that little time passes between deciding again and becoming visible."""
        await super().finish()
        if self._node.durable and self.body.file is not None and not self._synced:
            await self._node.in_thread(_sync_content, self.body.file)
            self._synced = True

    async def current_size(self) -> int | None:
        """As the contract says; where the key lies is remembered for publishing, which looks again by itself."""
        if self._address.key.endswith("/"):
            return None
        self._located = target = await look_for(self._node, self._address)
        return None if target.existing is None else target.existing.st_size

    async def publish(
        self, metadata: ObjectMetadata, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Published:
        if self._published is None:
            await super().finish()
            if self.body.file is None and self.size <= INLINE_BYTES and self._node.writes_inline:
                self._published = self._node.inline.run(self._publish, metadata, preconditions)
            else:
                self._published = await self._node.in_thread(self._publish, metadata, preconditions)
        return self._published

    def open_sink(self) -> StagedFile:
        """An empty staged file on the filesystem where the object will lie. Blocking."""
        self._node.check_writable()
        target = locate(self._node, self._address)
        return self._node.staging.create(self._node.staging.device_root(target.folder))

    def _publish(self, metadata: ObjectMetadata, preconditions: Preconditions) -> Published:
        node = self._node
        node.check_writable()
        if self._address.key.endswith("/"):
            return publish_marker(node, self._address, metadata, preconditions)
        file = self.body.file
        if file is None:
            target = self._located or locate(node, self._address)
            self._located = None
            file = node.staging.create(node.staging.device_root(target.folder))
            try:
                write_all(file.fd, self.body.content, 0)
                return Publication(node, self._address, file, metadata, preconditions, target).publish()
            finally:
                file.discard()
        with file.use():
            if self._expected_size != self.body.size:
                file.truncate(self.body.size)
            published = Publication(node, self._address, file, metadata, preconditions).publish()
        file.discard()
        return published


def _sync_content(file: StagedFile) -> None:
    with file.use() as fd:
        os.fdatasync(fd)


def check_takes_content(address: ObjectAddress, size: int) -> None:
    """Raises FolderTakesNoContent where bytes would be dropped: a folder's own entry has none."""
    if size and address.key.endswith("/"):
        raise FolderTakesNoContent("A key that ends with '/' is a folder here and can't have content.")


async def current_size(node: FolderNode, address: ObjectAddress) -> int | None:
    """The size of what publishing at `address` would replace, or None. Raises KeyNotPossible, NodeRefused."""
    if address.key.endswith("/"):
        return None
    existing = (await look_for(node, address)).existing
    return None if existing is None else existing.st_size


async def look_for(node: FolderNode, address: ObjectAddress) -> Target:
    """`locate`, on the loop where nothing has to be waited for. Raises KeyNotPossible, NodeRefused, NodeDown."""
    with translated():
        if node.writes_inline or in_memory(node, address):
            return node.inline.run(_look_for, node, address)
    return await node.in_thread(_look_for, node, address)


def _look_for(node: FolderNode, address: ObjectAddress) -> Target:
    node.tree.check()
    return locate(node, address)
