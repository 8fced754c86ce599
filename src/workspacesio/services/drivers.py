"""The drivers of the nodes that this process has touched, opened when they are first asked for.

A node's identity is never reused and what a driver was opened with never changes, so a driver stays.
"""

import threading

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node
from workspacesio.domain.errors import NotFound, NotSupported
from workspacesio.domain.vocabulary import FolderLayout, NodeKind
from workspacesio.nodes.driver import Durability, NodeDriver
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.settings import Settings


class Drivers:
    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._open: dict[int, NodeDriver] = {}
        self._lock = threading.Lock()

    def __call__(self, node_id: int) -> NodeDriver:
        """Raises NotFound when the node was removed, Unavailable when the database is away."""
        found = self._open.get(node_id)
        if found is not None:
            return found
        with self._lock:
            if node_id not in self._open:
                self._open[node_id] = self._open_driver(node_id)
            return self._open[node_id]

    async def close(self) -> None:
        for driver in self._open.values():
            await driver.close()
        self._open.clear()

    def _open_driver(self, node_id: int) -> NodeDriver:
        with self._database.read() as session:
            node = session.get(Node, node_id)
        if node is None:
            raise NotFound("That node was removed.")
        if node.kind != NodeKind.FOLDER or node.path is None or node.layout is None:
            raise NotSupported(f"The endpoint does not serve {node.kind} nodes.")
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
