"""How fast a body may be handed to the server: as fast as its client takes it.

granian 2.8 takes what `send_bytes` gives it into an unbounded queue and never makes the caller wait, so a slow
client would have a whole object gathered in memory for it. What waits in that queue is known all the same: it is
what was handed over less what the kernel has taken from it, and the kernel counts that for every TCP connection
(tcp(7), TCP_INFO: `tcpi_bytes_acked`; SIOCOUTQ). The server's sockets are descriptors of this process, and the one
of a request is found by its client's address.
"""

import asyncio
import os
import socket
import stat
import struct
import termios
from collections import OrderedDict
from fcntl import ioctl
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

WINDOW_BYTES = 2 * 1024 * 1024
"""What may wait in the server for one client."""

_SETTLED_SECONDS = 0.05
"""The kernel's queue was empty for so long: then nothing waits in the server, whatever the count says."""

_FIRST_SLEEP = 0.0005
_LONGEST_SLEEP = 0.05

_BYTES_ACKED_AT = 120
"""Of `struct tcp_info` in linux/tcp.h: 8 bytes, 24 numbers of 4, 2 of 8."""

_TCP_CLOSE = 7
"""`tcpi_state`, the first byte, of a connection that was reset or has ended: include/net/tcp_states.h."""

_TLS_RECORD = (16_384, 16_406)
"""Bytes of content, and what RFC 8446 5.2 makes of them with an AEAD tag of 16 bytes."""

_seen: OrderedDict[str, int] = OrderedDict()
"""Which descriptor a client's connection had last: a hint, always looked at again."""

_MAX_SEEN = 4096


class ClientGone(Exception):
    """The client's connection doesn't exist any more."""


class ClientStalled(Exception):
    """The client has taken nothing for too long. Its connection was cut."""


class Pace:
    """One request's way out. `close` it; the connection itself stays the server's."""

    def __init__(self, client: str, *, encrypted: bool, idle_seconds: float) -> None:
        """`client`: the address as the server writes it. Raises ClientGone."""
        self._connection = _connection_of(client)
        self._encrypted = encrypted
        self._idle_seconds = idle_seconds
        self._handed = 0
        self._start = 0
        self._start = self._progress().taken

    def close(self) -> None:
        self._connection.close()

    def cut(self) -> None:
        """End the connection, whatever still waits for it."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    async def handed(self, size: int) -> None:
        """Return when what was handed over, these bytes included, has gone but for the window.

        Raises ClientGone or ClientStalled.
        """
        self._handed += size
        progress = self._progress()
        if self._handed - progress.taken > WINDOW_BYTES:
            await self._wait(progress)

    async def _wait(self, before: "_Progress") -> None:
        sleep = _FIRST_SLEEP
        still = 0.0
        while True:
            await asyncio.sleep(sleep)
            now = self._progress()
            if self._handed - now.taken <= WINDOW_BYTES:
                return
            still = still + sleep if now == before else 0.0
            if now.queued == 0 and still >= _SETTLED_SECONDS:
                self._start -= self._handed - now.taken
                return
            if still >= self._idle_seconds:
                self.cut()
                raise ClientStalled
            before = now
            sleep = min(sleep * 2, _LONGEST_SLEEP)

    def _progress(self) -> "_Progress":
        try:
            info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            (queued,) = struct.unpack("i", ioctl(self._connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))
        except OSError:
            raise ClientGone from None
        if info[0] == _TCP_CLOSE:
            raise ClientGone
        (acknowledged,) = struct.unpack_from("Q", info, _BYTES_ACKED_AT)
        taken = acknowledged + queued
        if self._encrypted:
            content, record = _TLS_RECORD
            taken = taken * content // record
        return _Progress(taken - self._start, queued)


class _Progress(NamedTuple):
    """Bytes of the body that the kernel has taken, and bytes that still lie in its queue."""

    taken: int
    queued: int


def _connection_of(client: str) -> socket.socket:
    """A descriptor of our own of the socket whose peer is `client`. Raises ClientGone."""
    host, _, port = client.rpartition(":")
    try:
        wanted = (_address(host.strip("[]")), int(port))
    except ValueError:
        raise ClientGone from None
    hint = _seen.get(client)
    if hint is not None and (connection := _if_peer_is(hint, wanted)) is not None:
        return connection
    for name in os.listdir("/proc/self/fd"):
        connection = _if_peer_is(int(name), wanted)
        if connection is not None:
            _seen[client] = int(name)
            if len(_seen) > _MAX_SEEN:
                _seen.popitem(last=False)
            return connection
    raise ClientGone


def _if_peer_is(descriptor: int, wanted: tuple[object, int]) -> socket.socket | None:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        own = os.dup(descriptor)
    except OSError:
        return None
    try:
        connection = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        return None
    try:
        peer = connection.getpeername()
        if isinstance(peer, tuple) and (_address(peer[0]), peer[1]) == wanted:
            return connection
    except (OSError, ValueError):
        pass
    connection.close()
    return None


def _address(text: str) -> object:
    """An address, IPv4 in IPv6's clothes as what it is."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
