"""nginx serving a folder's files as they are: no signatures, no rights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from servers.installed import installed
from servers.process import Process, free_port

_CONFIGURATION = """
{user}
worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ root "{data_dir}"; }}
    }}
}}
"""


@dataclass(frozen=True)
class NginxServer:
    """A running nginx: its address without a final slash and the folder that it serves."""

    endpoint: str
    data_dir: str
    process: Process


@contextmanager
def nginx(folder: str, *, data_dir: str) -> Iterator[NginxServer]:
    """Serves the files of `data_dir`, with configuration, log and temporary files in `folder`."""
    port = free_port()
    # Workers run as the user who starts them and can read a test's folders; only root has to be told so.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = os.path.join(folder, "nginx.conf")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(_CONFIGURATION.format(user=user, folder=folder, port=port, data_dir=data_dir))
    command = [installed("nginx"), "-c", configuration, "-p", folder, "-e", os.path.join(folder, "nginx.log")]
    with Process(command, log_path=os.path.join(folder, "nginx.log")) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/")
        yield NginxServer(f"http://127.0.0.1:{port}", data_dir, process)
