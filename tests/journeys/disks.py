"""Small disks that a test mounts, unmounts and fills. Needs root, as in a container or VM of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

MIB = 1 << 20


class Disk:
    """An ext4 filesystem in a file, and the folder where it is mounted."""

    def __init__(self, base: str, name: str, *, size: int) -> None:
        self.point = os.path.join(base, name)
        self.image = os.path.join(base, f"{name}.img")
        os.makedirs(self.point, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(size)
        subprocess.run(
            [
                "mkfs.ext4",
                "-q",
                "-b",
                "1024",
                "-m",
                "0",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
                self.image,
            ],
            check=True,
        )

    def mount(self, *options: str, at: str | None = None) -> None:
        command = ["mount", "-t", "ext4", "-o", ",".join(["loop", *options]), self.image, at or self.point]
        subprocess.run(command, check=True)

    def unmount(self, *, at: str | None = None) -> None:
        """As `umount --lazy` does where a program has the folder open: gone for whoever comes by its path."""
        subprocess.run(["umount", "--lazy", at or self.point], check=True)

    def free(self) -> int:
        found = os.statvfs(self.point)
        return found.f_bavail * found.f_frsize


@contextmanager
def disk(base: str, name: str = "disk", *, size: int = 48 * MIB) -> Iterator[Disk]:
    """A mounted disk, which is unmounted at the end wherever it is mounted by then."""
    made = Disk(base, name, size=size)
    made.mount()
    try:
        yield made
    finally:
        while subprocess.run(["umount", "--lazy", made.point], capture_output=True, check=False).returncode == 0:
            pass
