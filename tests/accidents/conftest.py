"""One service for all tests of a module, with two endpoint workers; made by `lab.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accidents.lab import Lab, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(str(tmp_path_factory.mktemp("accidents"))) as started:
        yield started
