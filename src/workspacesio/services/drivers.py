"""The drivers of the nodes that this process has touched, opened when they are first asked for.

A node's identity is never reused, and where its folder lies never changes. Everything else may: its row is read
each time, a folder's driver is told what it says, and changed keys or addresses of a server open another driver.
The endpoint reads a folder's row once for each generation of the rights, which every change of a node raises.
"""

import asyncio
import threading

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node
from workspacesio.domain.errors import NotFound, NotSupported
from workspacesio.domain.vocabulary import FolderLayout, NodeKind
from workspacesio.nodes.driver import NodeDriver, StorageDriver
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.values import Durability
from workspacesio.services.keys import Keyring
from workspacesio.services.node_addresses import allowed_addresses, is_of_administrator
from workspacesio.services.node_secrets import open_secret
from workspacesio.services.session_servers import SessionDriver, SessionServer
from workspacesio.settings import Settings


class Drivers:
    """`drivers(node_id)` is a node's storage of any kind; `drivers.served(node_id)` what the endpoint serves."""

    def __init__(self, database: Database, settings: Settings, keyring: Keyring) -> None:
        self._database = database
        self._settings = settings
        self._keyring = keyring
        self._folders: dict[int, FolderDriver] = {}
        self._current_at: dict[int, int] = {}
        """The generation that had been read before a folder's row was read last."""
        self._servers: dict[int, tuple[bytes, MinioDriver | SessionDriver]] = {}
        self._lock = threading.Lock()
        self._folders_lock = threading.Lock()

    def __call__(self, node_id: int) -> StorageDriver:
        """Raises NotFound when the node was removed, Unavailable when the database is away."""
        return self._open(node_id)

    async def served(self, node_id: int, rights_seen: int | None = None) -> NodeDriver:
        """Raises NotSupported for a node whose users go to its server directly, and as above.

        `rights_seen`: the generation that was read for this request. What the row said then, or later, holds.
        """
        if rights_seen is not None and self._current_at.get(node_id) == rights_seen:
            return self._folders[node_id]
        found = await asyncio.to_thread(self._open, node_id)
        if not isinstance(found, FolderDriver):
            raise NotSupported("The endpoint does not serve this node; ask for keys of the node itself.")
        if rights_seen is not None:
            self._current_at[node_id] = rights_seen
        return found

    async def close(self) -> None:
        opened: list[StorageDriver] = [*self._folders.values()]
        opened += [driver for _, driver in self._servers.values()]
        for driver in opened:
            await driver.close()
        self._folders.clear()
        self._current_at.clear()
        self._servers.clear()

    def _open(self, node_id: int) -> FolderDriver | MinioDriver | SessionDriver:
        node, by_administrator = self._row(node_id)
        if node.kind == NodeKind.FOLDER:
            return self._current_folder(node_id)
        with self._lock:
            if NodeKind(node.kind).keeps_policies or NodeKind(node.kind).issues_sessions:
                return self._open_server(node, by_administrator=by_administrator)
        raise NotSupported(f"This service does not serve {node.kind} nodes.")

    def _row(self, node_id: int) -> tuple[Node, bool]:
        """The row, and whether the node is an administrator's, who may have it at other addresses."""
        with self._database.read() as session:
            node = session.get(Node, node_id)
            if node is None:
                raise NotFound("That node was removed.")
            return node, is_of_administrator(session, node)

    def _current_folder(self, node_id: int) -> FolderDriver:
        """As its row says now. Read under the lock, so that nobody tells a driver what was read before."""
        with self._folders_lock:
            node, _ = self._row(node_id)
            found = self._folders.get(node_id)
            if found is None:
                found = self._folders[node_id] = self._open_folder(node)
            else:
                found.change(
                    read_only=node.read_only or self._settings.read_only,
                    serve_owner_only=node.serve_owner_only,
                    cross_filesystems=node.cross_filesystems,
                )
            return found

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

    def _open_server(self, node: Node, *, by_administrator: bool) -> MinioDriver | SessionDriver:
        """The one before is left to requests under way, and closes with the last of them."""
        sealed = node.sealed_secret or b""
        words = (node.endpoint or "", node.region or "", node.access_key or "", str(by_administrator))
        known = "\0".join(words).encode() + b"\0" + sealed
        found = self._servers.get(node.id)
        if found is not None and found[0] == known:
            return found[1]
        secret = open_secret(self._keyring, node.id, sealed)
        allowed = allowed_addresses(self._settings, by_administrator=by_administrator)
        driver: MinioDriver | SessionDriver
        if NodeKind(node.kind).issues_sessions:
            driver = SessionServer.of(node, secret).open(allowed)
        else:
            access = ServerAccess(node.endpoint or "", node.region or "", node.access_key or "", secret)
            driver = MinioDriver(Connection(access, allowed), node.name_prefix or "")
        self._servers[node.id] = known, driver
        return driver
