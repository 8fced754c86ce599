"""The settings with which tests reach a search server."""

import secrets
from collections.abc import Iterator

from servers.opensearch import SearchServerProcess
from workspacesio.index.opensearch_server import SearchServer
from workspacesio.settings import read_settings


def environment_of(process: SearchServerProcess) -> dict[str, str]:
    """Each with a prefix of its own: the server is shared by all tests of the process."""
    return {
        "WIO_ELASTICSEARCH_NODE_1": process.endpoint,
        "WIO_ELASTICSEARCH_PREFIX": f"test-{secrets.token_hex(4)}",
    }


def server_of(process: SearchServerProcess) -> Iterator[SearchServer]:
    server = SearchServer.of(read_settings(environment_of(process)))
    assert server is not None
    yield server
    server.close()
