"""A certificate authority of a test's own, and the certificates that it signs, made by `openssl`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Certificate:
    """Paths of PEM files. `authority` is what a client has to trust."""

    authority: str
    certificate: str
    key: str


def make_certificate(folder: str, *names: str) -> Certificate:
    """For these subject alternative names, such as `DNS:localhost` and `IP:127.0.0.1`."""

    def path(name: str) -> str:
        return os.path.join(folder, name)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl(
        *("req", "-x509", *new_key, "-keyout", path("ca.key"), "-out", path("ca.pem")),
        *("-subj", "/CN=Test authority", "-days", "2", *authority),
    )
    openssl("req", *new_key, "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=server")
    with open(path("server.cnf"), "w", encoding="utf-8") as file:
        file.write(f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\n")
    openssl(
        *("x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key")),
        *("-CAcreateserial", "-out", path("server.pem"), "-days", "2", "-extfile", path("server.cnf")),
    )
    return Certificate(path("ca.pem"), path("server.pem"), path("server.key"))
