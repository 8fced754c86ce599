"""Real servers as fixtures.

Each is started when the first test asks for it, one per test process, so pytest-xdist is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from servers.installed import ServerMissing, installed
from servers.minio import mc_path as installed_mc
from servers.minio import minio
from servers.opensearch import SearchServerProcess, elasticsearch7, opensearch2, opensearch3
from servers.postgresql import PostgresqlServer, postgresql
from servers.s3_server import S3Server
from servers.versitygw import versitygw


@contextmanager
def _missing_is_a_failure() -> Iterator[None]:
    """A server that isn't installed fails the test with one sentence: no skip, no traceback."""
    try:
        yield
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """An empty PostgreSQL: `create_database()` hands out fresh databases."""
    with _missing_is_a_failure(), postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The SQLAlchemy address of an empty database that is dropped after the test."""
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """MinIO without buckets, and its root user's keys."""
    with _missing_is_a_failure(), minio(str(tmp_path_factory.mktemp("minio"))) as server:
        yield server


@pytest.fixture(scope="session")
def versitygw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """versitygw without buckets, metadata in a sidecar folder, and its root user's keys."""
    with _missing_is_a_failure(), versitygw(str(tmp_path_factory.mktemp("versitygw"))) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch3_server() -> Iterator[SearchServerProcess]:
    """OpenSearch 3 without indices of ours: each test takes a prefix of its own."""
    with _missing_is_a_failure(), opensearch3() as server:
        yield server


@pytest.fixture(scope="session")
def opensearch2_server() -> Iterator[SearchServerProcess]:
    with _missing_is_a_failure(), opensearch2() as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch7_server() -> Iterator[SearchServerProcess]:
    with _missing_is_a_failure(), elasticsearch7() as server:
        yield server


@pytest.fixture(scope="session")
def mc_path() -> str:
    """The real MinIO client."""
    with _missing_is_a_failure():
        return installed_mc()


@pytest.fixture(scope="session")
def rclone_path() -> str:
    """The real rclone."""
    with _missing_is_a_failure():
        return installed("rclone")


@pytest.fixture(scope="session")
def aws_path() -> str:
    """The AWS command line."""
    with _missing_is_a_failure():
        return installed("aws")
