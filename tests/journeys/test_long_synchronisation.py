"""A folder is synchronised up and down while keys end, connections are cut and the command is killed.

The long one, of 20 GB, is `python -m benchmarks.long_synchronisation`; this is the same with less, at both kinds
of nodes, at one time: the line is slow, so that it takes longer than its keys live, and the processor is idle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from benchmarks.long_synchronisation import digests, fill, size_of, synchronised

from servers.counting_proxy import CountingProxy, counting_proxy
from servers.s3_server import S3Server
from servers.service import Person, Service

MIX = ((200, 20_000), (8, 5_000_000), (3, 22_000_000), (1, 30_000_000))
BYTES_PER_SECOND = 9e6
KEYS_SECONDS = 15
EVERY_SECONDS = 3.0


@pytest.fixture
def served(
    minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Person, dict[str, CountingProxy]]]:
    """Somebody with a workspace on each node, named as its node, and the proxies in front of these."""
    lab = str(tmp_path_factory.mktemp("lab") / "data")
    os.makedirs(lab)
    running = Service(lab, base=str(tmp_path_factory.mktemp("service")))
    with (
        counting_proxy(running.s3_url, every=EVERY_SECONDS, bytes_per_second=BYTES_PER_SECOND) as folder,
        counting_proxy(minio_server.endpoint, every=EVERY_SECONDS, bytes_per_second=BYTES_PER_SECOND) as minio,
    ):
        running.environment["WIO_S3_PUBLIC_NAME"] = folder.endpoint
        running.environment["WIO_CREDENTIAL_MAX_SECONDS"] = str(KEYS_SECONDS)
        running.start()
        minio_server.boto3_client().create_bucket(Bucket="long")
        try:
            ada = running.administrator()
            ada.wio(
                *("node", "add", "minio", "minio", "--endpoint", minio_server.endpoint),
                *("--public-endpoint", minio.endpoint, "--access-key", minio_server.access_key, "--secret-stdin"),
                stdin=minio_server.secret_key + "\n",
            )
            ada.wio("root", "create", "minio", "long", "--type", "private", "--name", "there")
            ada.wio("create", "folder", "--root", "private")
            ada.wio("create", "minio", "--root", "there")
            yield ada, {"folder": folder, "minio": minio}
            ada.wio("node", "rm", "minio", "--force")
        finally:
            running.stop()
            bucket = minio_server.boto3_client()
            for page in bucket.get_paginator("list_objects_v2").paginate(Bucket="long"):
                for one in page.get("Contents", ()):
                    bucket.delete_object(Bucket="long", Key=one["Key"])
            bucket.delete_bucket(Bucket="long")


def test_up_and_down_with_keys_that_end(served: tuple[Person, dict[str, CountingProxy]]) -> None:
    ada, proxies = served
    source = os.path.join(ada.home, "source")
    expected, size = fill(source, MIX), size_of(source)

    def there_and_back(node: str) -> None:
        proxy, back = proxies[node], os.path.join(ada.home, f"{node}-back")
        up = synchronised(ada, proxy, ["sync", "./source", node], size=size, killed_at=0.2)
        # A part is lost with a connection, and all that were under way with the process.
        assert (up.again, up.moved < size + (up.cuts + 16) * (8 << 20)) == ([], True), up
        assert up.keys > 1, up
        prefix = ada.json("workspace", "show", node)["prefix"]
        bucket = ada.json("workspace", "show", node)["bucket"]
        proxy.bytes_per_second, proxy.every = None, 0.1
        down = synchronised(
            ada, proxy, ["sync", node, f"./{node}-back"], size=size, kept=back, prefix=f"{bucket}/{prefix}"
        )
        assert (down.again, down.moved < size + (down.cuts + 16) * (8 << 20)) == ([], True), down
        assert digests(back) == expected

    with ThreadPoolExecutor(2) as both:
        list(both.map(there_and_back, proxies))
    shares = ada.json("workspace", "show", "folder")
    stored = os.path.join(ada.service.folder, shares["prefix"])
    assert digests(stored) == expected
    assert all(proxy.cuts > 5 for proxy in proxies.values())
