"""Whether a server is the one that was added: by its deployment id, which every server of one deployment tells.

Another one at the same address (an empty one in its place, several behind one name that don't belong together) has
other users and policies: what is written there holds nowhere else, and nothing there may be called enforced.
"""

import threading
import time

from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.administration import Administration
from workspacesio.nodes.minio.connection import Connection

KNOWN_SECONDS = 10.0
"""Over the same connections: each new one may lead to another server."""

OTHER_SECONDS = 10.0
LOOKS = 4


class SeveralServers(NodeDown):
    """At one address answer servers that don't belong together."""

    def __init__(self) -> None:
        super().__init__(
            "Several servers that don't belong together answer at this address; give that of one of them, or of "
            "servers of one deployment."
        )


class OtherServer(NodeDown):
    """Another server answers at the node's address, or some do now and then."""

    def __init__(self) -> None:
        super().__init__(
            "Another server answers at the node's address than the one that was added; start that one there "
            "again, or take the one that is there now with `wio node set NODE --secret-stdin`."
        )


def found_deployment(connection: Connection) -> str:
    """The deployment id of whoever answers, over several new connections. Raises SeveralServers."""
    found = set()
    for _ in range(LOOKS):
        connection.close()
        found.add(Administration(connection).deployment_id())
    if len(found) > 1:
        raise SeveralServers
    return found.pop()


class Identity:
    """One for each connection. Safe to use from many threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._known_until = 0.0
        self._connections = 0
        self._other_until: float | None = None

    def require(self, expected: str | None) -> None:
        """Raises OtherServer, and what a request raises. None: nobody knows yet which server it should be."""
        if expected is None:
            return
        now = time.monotonic()
        with self._lock:
            other_until = self._other_until
            is_known = now < self._known_until and self._connections == self._connection.reach.connections
        if other_until is not None:
            if now < other_until:
                raise OtherServer
            self.look(expected)
        elif not is_known:
            self._ask(expected)

    def look(self, expected: str | None) -> None:
        """The same over several new connections, as each may lead to another server."""
        if expected is None:
            return
        for _ in range(LOOKS):
            self._connection.close()
            self._ask(expected)
        with self._lock:
            self._other_until = None

    def _ask(self, expected: str) -> None:
        connections = self._connection.reach.connections
        is_same = Administration(self._connection).deployment_id() == expected
        now = time.monotonic()
        with self._lock:
            if not is_same:
                self._known_until, self._other_until = 0.0, now + OTHER_SECONDS
                raise OtherServer
            self._known_until, self._connections = now + KNOWN_SECONDS, connections
