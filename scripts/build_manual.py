"""Puts the manual's pages into the package, under share/man/man1, where `man` looks beside a bin/ on the PATH.

A build hook of Hatch (hatch.pypa.io, "Custom build hook"). It needs nothing that a build doesn't have.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):
    """Writes them to a folder of its own for as long as the build takes."""

    folder = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the package is put together."""
        del version
        sys.path[:0] = [os.path.join(self.root, "scripts"), os.path.join(self.root, "src")]
        from manual_pages import pages

        self.folder = tempfile.mkdtemp(prefix="workspacesio-manual-")
        for name, text in pages().items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        build_data["shared_data"][self.folder] = "share/man/man1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After it has been."""
        del version, build_data, artifact_path
        shutil.rmtree(self.folder, ignore_errors=True)
