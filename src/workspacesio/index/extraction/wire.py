"""Messages between processes over a stream socket: a length, a payload, and a descriptor that may come with it.

Either side may be hostile to the other, so lengths are bounded and what arrives is data: JSON or plain bytes.
"""

import json
import os
import socket
import struct
import time
from typing import Any

_HEAD = struct.Struct("!I")
MOST_BYTES = 8 << 20


class BrokenMessage(Exception):
    """What arrived is no message of ours."""


def send(stream: socket.socket, payload: bytes, fd: int | None = None) -> None:
    """Raises OSError, TimeoutError, and ValueError for what is too long."""
    if len(payload) > MOST_BYTES:
        raise ValueError("too long for a message")
    head = _HEAD.pack(len(payload))
    if fd is None:
        stream.sendall(head + payload)
    else:
        socket.send_fds(stream, [head], [fd])
        stream.sendall(payload)


def send_json(stream: socket.socket, message: object, fd: int | None = None) -> None:
    send(stream, json.dumps(message).encode(), fd)


def receive(stream: socket.socket, until: float | None = None) -> tuple[bytes, int | None] | None:
    """The next message and its descriptor, or None at the end. Raises OSError, BrokenMessage, and TimeoutError
    when it isn't there whole at the time `until` (of time.monotonic)."""
    _wait_until(stream, until)
    head, fds, flags, _ = socket.recv_fds(stream, _HEAD.size, 1)
    fd = fds[0] if fds else None
    try:
        if not head:
            return None
        if flags & socket.MSG_CTRUNC:
            raise BrokenMessage
        head += _exactly(stream, _HEAD.size - len(head), until)
        (length,) = _HEAD.unpack(head)
        if length > MOST_BYTES:
            raise BrokenMessage
        return _exactly(stream, length, until), fd
    except BaseException:
        if fd is not None:
            os.close(fd)
        raise


def receive_json(stream: socket.socket, until: float | None = None) -> tuple[Any, int | None] | None:
    received = receive(stream, until)
    if received is None:
        return None
    payload, fd = received
    try:
        return json.loads(payload), fd
    except (ValueError, RecursionError) as error:
        if fd is not None:
            os.close(fd)
        raise BrokenMessage from error


def _exactly(stream: socket.socket, length: int, until: float | None) -> bytes:
    pieces = bytearray()
    while len(pieces) < length:
        _wait_until(stream, until)
        piece = stream.recv(min(length - len(pieces), 1 << 20))
        if not piece:
            raise BrokenMessage
        pieces += piece
    return bytes(pieces)


def _wait_until(stream: socket.socket, until: float | None) -> None:
    if until is not None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        stream.settimeout(left)
