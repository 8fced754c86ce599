"""A running service on a tree that was there before, on each database."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from servers.service import Service, service

TREE = {
    "plates/2026-01/plate-1.csv": b"well,value\nA1,0.1\n",
    "plates/2026-01/plate-2.csv": b"well,value\nA1,0.2\n",
    "plates/raw/a-b": b"1",
    "plates/raw/a/b": b"2",
    "plates/raw/a0": b"3",
    "plates/r\u00e9sum\u00e9 + 100%.txt": b"accents and signs\n",
    "plates-2/secret.txt": b"another folder with the same beginning\n",
    "sequences/reads.fasta": b">r\nACGT\n" * 1000,
}


def make_tree(folder: str) -> None:
    for path, data in TREE.items():
        whole = os.path.join(folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(data)
    for path, _, files in os.walk(folder, topdown=False):
        for name in files:
            os.utime(os.path.join(path, name), (1_600_000_000, 1_600_000_000.5))


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    os.makedirs(folder)
    make_tree(folder)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(
    request: pytest.FixtureRequest, tree: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    with service(tree, base=str(tmp_path_factory.mktemp("service")), database_url=url) as running:
        yield running


@pytest.fixture
def running(tree: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tree, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started
