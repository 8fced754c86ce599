"""Where the programs are that `scripts/install-test-servers` and the development environment provide."""

from __future__ import annotations

import glob
import os
import shutil
import sys


class ServerMissing(Exception):
    """A program that tests need isn't installed; the message is one sentence that says what to type."""


def cache_dir() -> str:
    """The folder of everything built for tests: WIO_TEST_CACHE, else ~/.cache/workspacesio-tests."""
    return os.environ.get("WIO_TEST_CACHE") or os.path.expanduser("~/.cache/workspacesio-tests")


def installed(program: str) -> str:
    """The absolute path of `program`, built for tests, else of this Python environment, else of the system.

    Raises `ServerMissing`.
    """
    places = [
        os.path.join(cache_dir(), "bin"),
        os.path.dirname(sys.executable),
        *os.environ.get("PATH", os.defpath).split(os.pathsep),
        "/usr/sbin",
        "/sbin",
        *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True),
    ]
    path = shutil.which(program, path=os.pathsep.join(places))
    if path is None:
        raise ServerMissing(
            f"{program} is not installed: run `make test-servers`, which installs what tests need."
        )
    return os.path.abspath(path)
