"""Requests to the S3 server of one node: signed, sent again where that helps, refusals in plain words.

The requests that no library makes as they are needed here: listings that carry any name (obstore's end at the
first one with a control character), and uploads that go on after a reboot.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
import urllib.parse

from workspacesio.client.connection import connect, explain, is_away
from workspacesio.client.errors import Away, CommandError, Refused
from workspacesio.client.http_exchange import Answer, Exchange
from workspacesio.client.signature import Keys, Request, signed_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

PATIENCE_SECONDS = 15.0
"""For so long a request that failed is sent again, unless the command has more of it."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
UNDER_WAY_SECONDS = 1.0
"""Whatever broke off later than this was under way: that the line is slow doesn't use up the patience."""
MOST_BROKEN_OFF = 10
"""So often in a row."""
RENEW_BEFORE = 0.2
"""Keys are renewed when this part of their life is left."""
RENEW_BEFORE_SECONDS = 300.0
"""Or this long, where that is less."""
RENEW_AGAIN_SECONDS = 5.0
MOST_REFUSAL_BYTES = 1 << 20
"""Of what is said in one."""

_AGAIN = frozenset({429, 500, 502, 503, 504})
_KEYS_ENDED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidTokenId", "InvalidToken"}
)


class S3Refused(CommandError):
    """The S3 server refused; `code` as S3 spells it, "" where it said none (HEAD has no room for it)."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _Kept:
    """A thread's connection: the socket, what stands before each path, headers for the proxy, the last answer."""

    __slots__ = ("before", "exchange", "for_proxy", "last", "socket")

    def __init__(self, opened: socket.socket, before: str, for_proxy: dict[str, str]) -> None:
        self.socket = opened
        self.before = before
        self.for_proxy = for_proxy
        self.exchange = Exchange(opened)
        self.last: Answer | None = None


class NodeStorage:
    """What one credential reaches on a node. For several threads: each has a connection of its own.

    A context manager that closes them all.
    """

    def __init__(self, issue: Callable[[bool], dict[str, Any]], *, patience: float = PATIENCE_SECONDS) -> None:
        """`issue` gives a credential as the API does; told True, one that isn't kept from before."""
        self._issue = issue
        self._patience = patience
        self._lock = threading.Lock()
        self._threads = threading.local()
        self._sockets: set[socket.socket] = set()
        self._closed = threading.Event()
        self._has_answered = False
        self._ends_at = self._renew_at = 0.0
        self._begin(issue(False))

    def read(self, request: Request) -> tuple[Answer, bytes]:
        """The answer and its whole body; as `open`."""
        failing_since = 0.0
        while True:
            answer = self.open(request)
            try:
                return answer, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.disconnect()
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > self._patience:
                    raise CommandError(explain(error, self.endpoint, has_answered=True)) from error
                self._closed.wait(FIRST_PAUSE_SECONDS)

    def open(self, request: Request) -> Answer:
        """The answer, whose body is still to be read before this thread asks again.

        Raises S3Refused, and CommandError where there is no answer.
        """
        failing_since = 0.0
        pause, renewed, broken_off = FIRST_PAUSE_SECONDS, False, 0
        while True:
            failure: CommandError
            begun = time.monotonic()
            try:
                answer = self._send(request)
            except (ssl.SSLCertVerificationError, UnicodeError) as error:
                raise CommandError(explain(error, self.endpoint)) from error
            except (OSError, http.client.HTTPException) as error:
                kind = Away if is_away(error) else CommandError
                failure = kind(explain(error, self.endpoint, has_answered=self._has_answered))
                under_way = time.monotonic() - begun > UNDER_WAY_SECONDS and not isinstance(error, TimeoutError)
                if under_way and broken_off < MOST_BROKEN_OFF:
                    broken_off += 1
                    failing_since, pause = 0.0, FIRST_PAUSE_SECONDS
            else:
                self._has_answered = True
                if answer.status < 300:
                    return answer
                refused = self._refusal(answer)
                if refused.code in _KEYS_ENDED and not renewed:
                    renewed = True
                    self._renew(fresh=True)
                    continue
                if refused.status not in _AGAIN:
                    raise refused
                failure = refused
            self.disconnect()
            # A large body may have been under way for long before the connection broke.
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since + pause > self._patience:
                raise failure
            from random import uniform  # rarely needed, and it loads much

            self._closed.wait(pause * uniform(0.5, 1.0))  # noqa: S311 - many shouldn't come back at once
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def disconnect(self) -> None:
        """Give up this thread's connection, with what is still to be read from it."""
        kept = getattr(self._threads, "kept", None)
        if kept is not None:
            self._threads.kept = None
            self._sockets.discard(kept.socket)
            kept.socket.close()

    def close(self) -> None:
        """All connections. Threads that are waiting for an answer get none."""
        self._closed.set()
        for one in self._sockets.copy():
            # Closing alone wakes nobody who reads; and what TLS would still like to say doesn't matter.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            one.close()  # that of a thread that has ended is nobody's any more
        self.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keys(self) -> Keys:
        """Such as are good for a while. Raises CommandError where the server gives no new ones."""
        failing_since = 0.0
        while time.time() >= self._renew_at:
            try:
                self._renew(fresh=False)
            except CommandError as error:
                if isinstance(error, Refused) and error.status < 500:
                    raise
                # The service is away. The keys are good for a while; when they have ended, it is waited for.
                if time.time() < self._ends_at:
                    self._renew_at = time.time() + RENEW_AGAIN_SECONDS
                    break
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > self._patience or self._closed.wait(1.0):
                    raise
        return self._keys

    def seconds_left(self) -> float:
        """For so long the keys may be used before they are asked for again."""
        return max(1.0, self._renew_at - time.time())

    def renew(self) -> None:
        """Keys that hold the rights of this moment, whatever those before were good for. Raises CommandError."""
        self._renew(fresh=True)

    def _renew(self, *, fresh: bool) -> None:
        ended = self._keys
        with self._lock:
            if self._keys is ended:  # another thread was faster
                self._begin(self._issue(fresh))

    def _begin(self, issued: dict[str, Any]) -> None:
        from datetime import datetime

        self.endpoint: str = issued["endpoint"].rstrip("/")
        self._host = _host(self.endpoint)
        self._is_secret = self.endpoint.startswith("https:")
        self.abilities: dict[str, bool] = issued.get("abilities") or {}
        self.reached: list[dict[str, Any]] = issued.get("workspaces") or []
        now = time.time()
        ends = datetime.fromisoformat(issued["expires_at"]).timestamp()
        self._ends_at = ends
        self._renew_at = max(now + 1.0, ends - min(RENEW_BEFORE_SECONDS, RENEW_BEFORE * (ends - now)))
        self._keys: Keys = Keys(
            issued["access_key_id"], issued["secret_access_key"], issued["session_token"], issued["region"]
        )

    def _send(self, request: Request) -> Answer:
        keys = self.keys()
        kept: _Kept | None = getattr(self._threads, "kept", None)
        if kept is not None and kept.last is not None and (kept.last.is_last or not kept.last.is_read()):
            self.disconnect()
            kept = None
        if kept is None:
            kept = self._threads.kept = self._connect()
        if self._closed.is_set():  # asked behind the socket's being known: `close` sees it, or is seen here
            raise CommandError("it was broken off.")
        signed = signed_headers(keys, request, self._host, at=time.time(), is_secret=self._is_secret)
        headers = {"Host": self._host, "Accept-Encoding": "identity", **signed, **kept.for_proxy}
        query = request.query_string()
        address = kept.before + request.path() + (f"?{query}" if query else "")
        try:
            kept.last = kept.exchange.ask(request.method, address, headers, request.body)
        except BaseException:  # ^C too: half a request or answer would be taken for a part of the next one
            self.disconnect()
            raise
        return kept.last

    def _connect(self) -> _Kept:
        connection, before, for_proxy = connect(self.endpoint)
        connection.connect()
        self._sockets.add(connection.sock)
        return _Kept(connection.sock, before, for_proxy)

    def _refusal(self, answer: Answer) -> S3Refused:
        try:
            content = answer.read(MOST_REFUSAL_BYTES)
        except (OSError, http.client.HTTPException):
            self.disconnect()
            content = b""
        from workspacesio.client.s3_documents import error_of

        code, message = error_of(content)
        if code == "RequestTimeTooSkewed":
            message = _skewed(answer.headers.get("Date", ""), self.endpoint)
        elif not message:
            message = f"{self.endpoint} answered {answer.status} {answer.reason}."
        return S3Refused(message, status=answer.status, code=code)


def _host(endpoint: str) -> str:
    """As it stands in the Host header: without the port that the scheme means anyway."""
    parts = urllib.parse.urlsplit(endpoint)
    host, port = parts.netloc.rpartition("@")[2], {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return host.removesuffix(port) if port else host


def _skewed(date: str, endpoint: str) -> str:
    from email.utils import parsedate_to_datetime

    from workspacesio.client.times import lasting

    try:
        behind = parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return f"{endpoint} has another time than this machine; set the clock, and try again."
    way = "behind" if behind > 0 else "ahead of"
    return f"this machine's clock is {lasting(abs(behind))} {way} that of {endpoint}; set it, and try again."
