"""MinIO, versitygw and nginx on the data of `dataset`, each in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import dataset
from benchmarks.endpoint import Endpoint
from servers.minio import minio
from servers.nginx import nginx
from servers.s3_server import S3Server
from servers.versitygw import versitygw


def _endpoint(server: S3Server) -> Endpoint:
    return Endpoint(
        url=server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        session_token="",
        bucket=dataset.BUCKET,
        prefix=dataset.PREFIX,
        process=server.process,
    )


def _folder(name: str) -> str:
    folder = os.path.join(dataset.bench_dir(), name)
    os.makedirs(folder, exist_ok=True)
    return folder


@contextmanager
def start_minio(parts: list[dataset.Part], loadgen: str) -> Iterator[tuple[Endpoint, str]]:
    """MinIO as it comes, but for the scanner, which would take time from the others while they are measured.

    Yields the endpoint and the folder of buckets.
    """
    folder = _folder("minio")
    with minio(folder, env={"MINIO_SCANNER_SPEED": "slowest"}) as server:
        client = server.boto3_client()
        if dataset.BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=dataset.BUCKET)
        client.close()
        dataset.put_objects(folder, _endpoint(server), loadgen, parts)
        yield _endpoint(server), server.data_dir


@contextmanager
def start_versitygw(parts: list[dataset.Part], loadgen: str) -> Iterator[tuple[Endpoint, str]]:
    """versitygw as it comes, metadata in extended attributes. Yields endpoint and folder of buckets."""
    del loadgen
    folder = _folder("versitygw")
    data_dir = dataset.make_tree(folder, parts)
    with versitygw(folder, data_dir=data_dir, sidecar=False) as server:
        yield _endpoint(server), data_dir


@contextmanager
def start_nginx(parts: list[dataset.Part], loadgen: str) -> Iterator[tuple[Endpoint, str]]:
    """nginx on the files that WorkspacesIO serves, without signatures or rights: the limit."""
    del loadgen
    data_dir = dataset.make_tree(_folder("workspacesio"), parts)
    with nginx(_folder("nginx"), data_dir=data_dir) as server:
        yield (
            Endpoint(server.endpoint, "", "", "", dataset.BUCKET, dataset.PREFIX, server.process),
            data_dir,
        )
