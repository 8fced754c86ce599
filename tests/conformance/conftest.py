"""One service, one MinIO server, and a node of each kind with a root of each type."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.kinds import KINDS, PLAIN_USER, Ground
from conformance.node import Node, added
from servers.minio_subjects import MinioSubjects
from servers.s3_server import S3Server
from servers.service import Service


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory, minio_server: S3Server, mc_path: str) -> Iterator[Ground]:
    """ada, the administrator, ben and eve."""
    MinioSubjects(minio_server, str(tmp_path_factory.mktemp("mc"))).add_user(PLAIN_USER[0], ["readwrite"])
    folders = tmp_path_factory.mktemp("nodes")
    (folders / "served").mkdir()
    running = Service(str(folders / "served"), base=str(tmp_path_factory.mktemp("service")))
    running.environment["WIO_FOLDER_PATHS"] = str(folders)
    running.start()
    try:
        ada = running.administrator()
        for person in (ada, running.colleague("ben"), running.colleague("eve")):
            person.environment["WIO_MC"] = mc_path
        yield Ground(ada, str(folders), minio_server)
    finally:
        running.stop()


@pytest.fixture(scope="session")
def nodes_made() -> dict[str, Node]:
    """By kind. pytest lets go of a parameter between two files, and the node is there already."""
    return {}


@pytest.fixture(scope="session", params=KINDS, ids=lambda kind: kind.name)
def node(request: pytest.FixtureRequest, ground: Ground, nodes_made: dict[str, Node]) -> Node:
    """Each kind in turn: the one node that all tests of this kind use."""
    kind = request.param
    if kind.name not in nodes_made:
        nodes_made[kind.name] = added(ground, kind, kind.name)
    return nodes_made[kind.name]
