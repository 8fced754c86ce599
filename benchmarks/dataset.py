"""The data that every server is measured on, made once and kept under WIO_BENCH_DIR.

Folder servers get plain files in a tree of their own; MinIO, which has a format of its own, gets the same
keys and sizes through S3. All lie in bucket `bench` under `all/`.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass

from benchmarks import load
from benchmarks.endpoint import Endpoint
from servers.installed import cache_dir

BUCKET, PREFIX = "bench", "all/"


@dataclass(frozen=True)
class Part:
    """Objects of one size; `keys` as in `load.Load`."""

    keys: str
    key_count: int
    size: int

    @property
    def stamp(self) -> str:
        """The name of the empty file that says that this part is there, changed by any change of the part."""
        return f"has-{self.keys.replace('/', ',')}-{self.key_count}-{self.size}"

    def key(self, number: int) -> str:
        """The key of one object, relative to the prefix, as the load generator spells it."""
        if self.keys.count("%") == 2:
            return self.keys % divmod(number, 1000)
        return self.keys % number


SMALL = Part("small/%04d.bin", 1_000, 1 << 10)
LARGE = Part("large/%d.bin", 4, 64 << 20)
NESTED = Part("nested/%03d/%03d.txt", 100_000, 16)
FLAT = Part("flat/%06d.txt", 100_000, 16)
MILLION = Part("million/%07d.txt", 1_000_000, 0)
WRITTEN = "put/"


def bench_dir() -> str:
    """The folder of the data, on a real disk: WIO_BENCH_DIR, else `benchmarks` in the tests' cache."""
    return os.environ.get("WIO_BENCH_DIR") or os.path.join(cache_dir(), "benchmarks")


def make_tree(folder: str, parts: list[Part]) -> str:
    """Makes what is missing of the plain files of `parts` in `folder`/data; returns that folder, of buckets."""
    data_dir = os.path.join(folder, "data")
    top = os.path.join(data_dir, BUCKET, PREFIX)
    os.makedirs(os.path.join(top, WRITTEN), exist_ok=True)
    for part in parts:
        stamp = os.path.join(folder, part.stamp)
        if os.path.exists(stamp):
            continue
        print(f"making {part.key_count:,} files {part.keys} of {part.size:,} bytes in {top}", flush=True)
        for number in range(part.key_count):
            path = os.path.join(top, part.key(number))
            if number % 1000 == 0 or part.key_count < 1000:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(secrets.token_bytes(part.size))
        open(stamp, "w", encoding="utf-8").close()
    return data_dir


def put_objects(folder: str, endpoint: Endpoint, loadgen: str, parts: list[Part]) -> None:
    """Writes the objects of `parts` through S3, where they aren't yet; their stamps lie in `folder`."""
    for part in parts:
        stamp = os.path.join(folder, part.stamp)
        if os.path.exists(stamp):
            continue
        print(f"putting {part.key_count:,} objects {part.keys} of {part.size:,} bytes (once)", flush=True)
        connections = 32 if part.size < 1 << 20 else 2
        load.run(
            loadgen,
            endpoint,
            load.Load("put", part.keys, part.key_count, connections, size=part.size, requests=part.key_count),
        )
        open(stamp, "w", encoding="utf-8").close()


def remove_written(data_dir: str) -> None:
    """Removes what was written, behind the server's back, and waits until the disk has come to rest."""
    written = os.path.join(data_dir, BUCKET, PREFIX, WRITTEN)
    for name in os.listdir(written) if os.path.isdir(written) else []:
        path = os.path.join(written, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    os.sync()
