"""Filesystems of their own for tests, mounted in the test's folder. The tests run as root in a container or VM."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """`mount(name, kind, *options)` mounts a filesystem at tmp_path/name and unmounts it after the test."""
    mounted: list[Path] = []

    def mounting(name: str, kind: str, *options: str, device: str | None = None) -> Path:
        point = tmp_path / name
        point.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", kind, *options, device or kind, str(point)], check=True)
        mounted.append(point)
        return point

    yield mounting
    for point in reversed(mounted):
        subprocess.run(["umount", "-l", str(point)], check=False, capture_output=True)


@pytest.fixture
def ramfs(mount: Mount) -> Path:
    """A filesystem without user extended attributes."""
    point = mount("ramfs", "ramfs")
    point.chmod(0o755)
    return point
