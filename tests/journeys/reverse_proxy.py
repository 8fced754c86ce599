"""nginx in front of a service, configured as docs/deploying.md shows it: what people copy is what is tested."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from journeys.certificates import Certificate
from servers.installed import installed
from servers.process import Process

_DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "deploying.md")

_AROUND = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


def documented_servers() -> list[str]:
    """The `server` blocks of the document, by the port of the service that they lead to: the API's first."""
    with open(_DOCUMENT, encoding="utf-8") as file:
        shown = re.findall(r"^```nginx\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^server \{\n.*?^\}", "\n".join(shown), re.MULTILINE | re.DOTALL)
    return sorted(blocks, key=lambda block: "127.0.0.1:8101" in block)


def placed(block: str, *, listen: int, to: int, certificate: Certificate) -> str:
    """The block on a free port, towards a test's service, with its certificate; all else as documented."""
    own = f"ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key};"
    block, listens = re.subn(r"listen 443 ssl;", f"listen 127.0.0.1:{listen} ssl; {own}", block)
    block, passes = re.subn(r"127\.0\.0\.1:810[01];", f"127.0.0.1:{to};", block)
    assert (listens, passes) == (1, 1), block
    return block


@contextmanager
def reverse_proxy(folder: str, servers: str) -> Iterator[Process]:
    """Runs nginx with these `server` blocks."""
    # Its workers must reach the test's folder; only root has to be told to stay root.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = os.path.join(folder, "nginx.conf")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(_AROUND.format(user=user, folder=folder, servers=servers))
    command = [installed("nginx"), "-c", configuration, "-p", folder, "-e", os.path.join(folder, "nginx.log")]
    with Process(command, log_path=os.path.join(folder, "nginx.log")) as process:
        yield process
