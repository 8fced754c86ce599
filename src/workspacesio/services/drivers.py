"""The drivers of the nodes that this process has touched, opened when they are first asked for.

A node's identity is never reused and what a folder's driver was opened with never changes, so that it stays. The
keys and addresses of a server may change: its row is read each time, and a changed one opens another driver.
"""

import threading

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node
from workspacesio.domain.errors import NotFound, NotSupported
from workspacesio.domain.vocabulary import FolderLayout, NodeKind
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.driver import NodeDriver, StorageDriver
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.values import Durability
from workspacesio.services.keys import Keyring
from workspacesio.services.node_secrets import open_secret
from workspacesio.settings import Settings


class Drivers:
    """`drivers(node_id)` is a node's storage of any kind; `drivers.served(node_id)` what the endpoint serves."""

    def __init__(self, database: Database, settings: Settings, keyring: Keyring) -> None:
        self._database = database
        self._settings = settings
        self._keyring = keyring
        self._folders: dict[int, FolderDriver] = {}
        self._servers: dict[int, tuple[bytes, MinioDriver]] = {}
        self._lock = threading.Lock()

    def __call__(self, node_id: int) -> StorageDriver:
        """Raises NotFound when the node was removed, Unavailable when the database is away."""
        return self._folders.get(node_id) or self._open(node_id)

    def served(self, node_id: int) -> NodeDriver:
        """Raises NotSupported for a node whose users go to its server directly, and as above."""
        found = self._folders.get(node_id) or self._open(node_id)
        if not isinstance(found, FolderDriver):
            raise NotSupported("The endpoint does not serve this node; ask for keys of the node itself.")
        return found

    async def close(self) -> None:
        opened: list[StorageDriver] = [*self._folders.values()]
        opened += [driver for _, driver in self._servers.values()]
        for driver in opened:
            await driver.close()
        self._folders.clear()
        self._servers.clear()

    def _open(self, node_id: int) -> FolderDriver | MinioDriver:
        with self._database.read() as session:
            node = session.get(Node, node_id)
        if node is None:
            raise NotFound("That node was removed.")
        with self._lock:
            if node.kind == NodeKind.FOLDER:
                if node_id not in self._folders:
                    self._folders[node_id] = self._open_folder(node)
                return self._folders[node_id]
            if node.kind == NodeKind.MINIO:
                return self._open_server(node)
        raise NotSupported(f"This service does not serve {node.kind} nodes.")

    def _open_folder(self, node: Node) -> FolderDriver:
        if node.path is None or node.layout is None:
            raise NotSupported("The node has no folder.")
        return FolderDriver(
            node.id,
            node.path,
            FolderLayout(node.layout),
            node.bucket,
            self._settings.state_dir,
            read_only=node.read_only or self._settings.read_only,
            serve_owner_only=node.serve_owner_only,
            cross_filesystems=node.cross_filesystems,
            filesystem_identity=node.filesystem_identity,
            durability=Durability(self._settings.durability),
        )

    def _open_server(self, node: Node) -> MinioDriver:
        """The one before is left to requests under way, and closes with the last of them."""
        sealed = node.sealed_secret or b""
        known = (
            "\0".join((node.endpoint or "", node.region or "", node.access_key or "")).encode() + b"\0" + sealed
        )
        found = self._servers.get(node.id)
        if found is not None and found[0] == known:
            return found[1]
        access = ServerAccess(
            node.endpoint or "",
            node.region or "",
            node.access_key or "",
            open_secret(self._keyring, node.id, sealed),
        )
        allowed = AllowedAddresses.of(self._settings.node_addresses)
        driver = MinioDriver(Connection(access, allowed), node.name_prefix or "")
        self._servers[node.id] = known, driver
        return driver
