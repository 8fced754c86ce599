"""versitygw on a folder whose sub-folders are buckets."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from servers.installed import installed
from servers.process import Process, free_port
from servers.s3_server import S3Server


@contextmanager
def versitygw(folder: str, *, data_dir: str | None = None, sidecar: bool = True) -> Iterator[S3Server]:
    """Serves `data_dir` (default: `folder`/data), with its log in `folder`/versitygw.log.

    With `sidecar` its metadata go to `folder`/sidecar, so that nothing is written onto files that are there
    already; without, to extended attributes of the files, which is versitygw's own default.
    """
    data_dir = data_dir or os.path.join(folder, "data")
    os.makedirs(data_dir, exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    access_key, secret_key = "versitygw-root", secrets.token_hex(16)
    command = [installed("versitygw"), "--port", address, "--health", "/health", "--quiet", "posix"]
    if sidecar:
        side = os.path.join(folder, "sidecar")
        os.makedirs(side, exist_ok=True)
        command += ["--sidecar", side]
    command.append(data_dir)
    settings = {"ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key}
    with Process(command, env=settings, log_path=os.path.join(folder, "versitygw.log")) as process:
        process.wait_for_http(f"http://{address}/health")
        yield S3Server(f"http://{address}", access_key, secret_key, data_dir, process)
