"""A home folder without any service: what `wio` does before it has ever reached a server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

WIO = os.path.join(os.path.dirname(sys.executable), "wio")


class Home:
    """A home folder, and `wio` run in it by somebody whose server may not exist."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.environment = {"HOME": folder, "PATH": os.defpath}

    def run(
        self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`wio ARGUMENTS` without a terminal."""
        return subprocess.run(
            [WIO, *arguments],
            input=stdin,
            env={**self.environment, **(env or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
