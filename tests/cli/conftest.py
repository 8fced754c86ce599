"""People with a shell, on a service that `wio serve` started; and a home without any service."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cli.home import Home
from servers.service import Service, service


@pytest.fixture
def home(tmp_path: os.PathLike[str]) -> Home:
    """An empty home."""
    return Home(str(tmp_path))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on a small tree that was there before."""
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    for path in ("images/a.tif", "images/raw/b.tif", "docs/report.txt"):
        whole = os.path.join(folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(f"{path}\n")
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started
