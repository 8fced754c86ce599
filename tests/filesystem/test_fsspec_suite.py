"""fsspec's own tests for implementations, on each kind of node, by somebody who holds one shared folder."""

from __future__ import annotations

from collections.abc import Callable

import fsspec
import pytest
from fsspec.tests import abstract

from filesystem.conftest import Shelf
from workspacesio.client.filesystem import FileSystem


class Fixtures(abstract.AbstractFixtures):  # type: ignore[misc]
    @pytest.fixture
    def fs(self, signed_in_as_ben: None) -> FileSystem:
        return fsspec.filesystem("wio")

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def fs_path(self, shelf: Shelf) -> str:
        return shelf.folder

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestCopy(abstract.AbstractCopyTests, Fixtures):  # type: ignore[misc]
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):  # type: ignore[misc]
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):  # type: ignore[misc]
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):  # type: ignore[misc]
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):  # type: ignore[misc]
    pass
