"""MinIO on one folder, and its client mc."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from servers.installed import installed
from servers.process import Process, free_port
from servers.s3_server import S3Server


@contextmanager
def minio(
    folder: str, *, env: Mapping[str, str] | None = None, before: S3Server | None = None
) -> Iterator[S3Server]:
    """Runs MinIO on `folder`/data, with its log in `folder`/minio.log; `env` adds settings (MINIO_…).

    `before`: as which it ran in this folder until it was stopped; address and root user stay.
    """
    data_dir = os.path.join(folder, "data")
    os.makedirs(data_dir, exist_ok=True)
    address = before.endpoint.removeprefix("http://") if before else f"127.0.0.1:{free_port()}"
    access_key, secret_key = "minio-root", before.secret_key if before else secrets.token_hex(16)
    command = [installed("minio"), "server", data_dir, "--quiet", "--address", address]
    command += ["--console-address", f"127.0.0.1:{free_port()}", "--certs-dir", os.path.join(folder, "certs")]
    settings = {
        "MINIO_ROOT_USER": access_key,
        "MINIO_ROOT_PASSWORD": secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        **(env or {}),
    }
    with Process(command, env=settings, log_path=os.path.join(folder, "minio.log")) as process:
        process.wait_for_http(f"http://{address}/minio/health/cluster")
        yield S3Server(f"http://{address}", access_key, secret_key, data_dir, process)


def mc_path() -> str:
    """The MinIO client (not Midnight Commander, which has the same name). Raises `ServerMissing`."""
    return installed("mc")
