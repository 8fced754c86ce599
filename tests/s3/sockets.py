"""Requests written byte by byte, for what no client library would send."""

from __future__ import annotations

import hashlib
import hmac
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from s3.rights import Keys
from s3.world import Answer, World


@contextmanager
def connected(world: World) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        yield connection


def head_of(world: World, method: str, target: str, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\n{lines}\r\n".encode()


def signed_head(
    world: World,
    method: str,
    target: str,
    *,
    length: int,
    headers: dict[str, str] | None = None,
    payload: str = "UNSIGNED-PAYLOAD",
    keys: Keys | None = None,
) -> tuple[bytes, dict[str, str]]:
    """The head of a request whose body follows by hand, and its headers."""
    signed = world.signed(method, target, {**(headers or {}), "X-Amz-Content-SHA256": payload}, keys=keys)
    signed["Content-Length"] = str(length)
    return head_of(world, method, target, signed), signed


def received(connection: socket.socket) -> Answer | None:
    """The final answer, or None where the server closed the connection without one."""
    data = b""
    try:
        while True:
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return None
                data += piece
            head, _, rest = data.partition(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            if status != 100:
                break
            data = rest
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            piece = connection.recv(65536)
            if not piece:
                break
            rest += piece
    except ConnectionError:
        return None
    return Answer(status, headers, rest)


def signed_chunks(world: World, headers: dict[str, str], chunks: list[bytes], keys: Keys | None = None) -> bytes:
    """An aws-chunked body with signed chunks, for a request with these (signed) headers."""
    keys = keys or world.ada
    authorization = headers["Authorization"]
    scope = authorization.partition("Credential=")[2].partition(",")[0].partition("/")[2]
    previous = authorization.rpartition("Signature=")[2]
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    body = b""
    empty = hashlib.sha256(b"").hexdigest()
    for chunk in [*chunks, b""]:
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                headers["X-Amz-Date"],
                scope,
                previous,
                empty,
                hashlib.sha256(chunk).hexdigest(),
            )
        )
        previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n"
    return body
