"""A TCP proxy in front of one server or several, which can be cut off, hang, trickle, and cut single requests."""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from servers.process import free_port

Mode = Literal["pass", "refuse", "hang", "trickle"]


@dataclass
class Cut:
    """The request of this number, counted from 1 as they begin, is cut: before it arrives, or its answer is."""

    number: int
    answered: bool
    done: bool = False


@dataclass
class Proxy:
    """`mode` holds for requests that begin later; `cut_off` ends those under way, too."""

    targets: list[str]
    """Addresses, taken in turn for each connection."""

    mode: Mode = "pass"
    cut: Cut | None = None
    answered_bytes: int | None = None
    """Each connection is cut after so many bytes of answers."""
    requests: int = 0
    received_bytes: int = 0
    """Of all requests."""
    port: int = field(default_factory=free_port)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[socket.socket] = field(default_factory=set)
    _stopped: bool = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut_off(self, mode: Mode = "refuse") -> None:
        self.mode = mode
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def cut_request(self, number: int, *, answered: bool) -> Cut:
        with self._lock:
            self.requests = 0
            self.cut = Cut(number, answered)
            return self.cut

    def serve(self, listener: socket.socket) -> None:
        for number in itertools.count():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            threading.Thread(target=self._connection, args=(client, number), daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self.cut_off()

    def _connection(self, client: socket.socket, number: int) -> None:
        target = urlsplit(self.targets[number % len(self.targets)])
        with self._lock:
            self._open.add(client)
        try:
            if self.mode in ("hang", "trickle"):
                self._hang(client)
                return
            with socket.create_connection((target.hostname or "", target.port or 80), 5) as server:
                with self._lock:
                    self._open.add(server)
                try:
                    self._relay(client, server)
                finally:
                    with self._lock:
                        self._open.discard(server)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        waits_for_request, dropped, answered = True, False, 0
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                if ready is client:
                    if waits_for_request:
                        waits_for_request = False
                        dropped = self._is_cut()
                        if dropped and self.cut is not None and not self.cut.answered:
                            return
                    if self.mode in ("hang", "trickle"):
                        self._hang(client)
                        return
                    server.sendall(data)
                    with self._lock:
                        self.received_bytes += len(data)
                else:
                    if dropped:
                        return
                    waits_for_request = True
                    client.sendall(data)
                    answered += len(data)
                    if self.answered_bytes is not None and answered >= self.answered_bytes:
                        return

    def _is_cut(self) -> bool:
        with self._lock:
            self.requests += 1
            if self.cut is None or self.cut.done or self.requests != self.cut.number:
                return False
            self.cut.done = True
            return True

    def _hang(self, client: socket.socket) -> None:
        answer = itertools.chain(b"HTTP/1.1 200 OK\r\n", itertools.cycle(b"X-Slow: 1\r\n"))
        while self.mode != "pass" and not self._stopped:
            if self.mode == "trickle":
                client.sendall(bytes([next(answer)]))
            time.sleep(0.5)


@contextmanager
def tcp_proxy(*targets: str) -> Iterator[Proxy]:
    proxy = Proxy(list(targets))
    with socket.create_server(("127.0.0.1", proxy.port), backlog=200) as listener:
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.stop()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
