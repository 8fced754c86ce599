"""The folder driver keeps the contract of `NodeDriver`: in both layouts, in a workspace, without xattrs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nodes.contract import FolderKeysContract, Scenario
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.domain.vocabulary import FolderLayout


class TestOneBucket(FolderKeysContract):
    @pytest.fixture
    def run(self, tmp_path: Path) -> Callable[[Scenario], Any]:
        return FolderNodeUnderTest(tmp_path).run


class TestWorkspaceInABucketOfMany(FolderKeysContract):
    @pytest.fixture
    def run(self, tmp_path: Path) -> Callable[[Scenario], Any]:
        node = FolderNodeUnderTest(tmp_path, layout=FolderLayout.BUCKETS)
        (node / "data/lab").mkdir(parents=True)

        def run(scenario: Scenario) -> Any:
            return node.run(lambda h: scenario(replace(h, boundary="lab/ada/")))

        return run


class TestWithoutExtendedAttributes(FolderKeysContract):
    """ramfs has no user attributes: all records go to the state folder."""

    @pytest.fixture
    def run(self, tmp_path: Path, ramfs: Path) -> Callable[[Scenario], Any]:
        node = FolderNodeUnderTest(tmp_path)
        node.folder = ramfs
        return node.run
