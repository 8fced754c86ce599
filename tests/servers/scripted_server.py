"""A server that answers what it is told to, right or wrong, and storage that asks it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from workspacesio.client.s3_requests import NodeStorage

Answer = Callable[[bytes], bytes]


@contextmanager
def answering(answer: Answer, *, resets: bool = False) -> Iterator[str]:
    """A server that answers the head of each request, reads nothing more, and closes or resets the connection."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head and (piece := connection.recv(1000)):
                    head += piece
                connection.sendall(answer(head.partition(b"\r\n\r\n")[0]))
                if resets:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    time.sleep(0.1)
                    continue
                connection.shutdown(socket.SHUT_WR)
                time.sleep(0.3)  # so that the answer isn't lost with what was not read

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def storage(endpoint: str, asked: list[bool]) -> NodeStorage:
    def issue(fresh: bool) -> dict[str, Any]:
        asked.append(fresh)
        return {
            "endpoint": endpoint,
            "access_key_id": "A",
            "secret_access_key": "s",
            "session_token": str(len(asked)),
            "region": "us-east-1",
            "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        }

    return NodeStorage(issue, patience=1.0)


def whole(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>It is so.</Message></Error>".encode()
