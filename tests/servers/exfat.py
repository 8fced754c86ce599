"""A file system that folds case, and has no links, no attributes and no owners. Mounted by root."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

MIB = 1 << 20


@contextmanager
def exfat(base: str) -> Iterator[str]:
    """Where it is mounted, below `base`."""
    image, point = os.path.join(base, "exfat.img"), os.path.join(base, "exfat")
    with open(image, "wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    found = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True)
    loop = found.stdout.strip()
    os.mkdir(point)
    mount = ["mount.exfat-fuse", "-o", "fmask=022,dmask=022", loop, point]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=False)
        for _ in range(50):
            if subprocess.run(["losetup", "-d", loop], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
