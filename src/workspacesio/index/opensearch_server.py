"""The search server of the settings: OpenSearch 2 and 3, Elasticsearch 7.10 and newer. One place speaks to it.

Whatever goes wrong is `Unavailable` with a sentence that names neither the address (people who search read it) nor
any secret; the log tells the operator the address too. At most `SEARCHES_AT_ONCE` requests of a process wait for
answers; after one was given up, the others are refused at once for `AWAY_SECONDS`, and then one goes ahead.
"""

import logging
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import orjson
from opensearchpy import OpenSearch, Urllib3HttpConnection
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import ConnectionTimeout, SerializationError, SSLError, TransportError
from opensearchpy.serializer import JSONSerializer
from urllib3 import Timeout

from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.settings import Settings

SEARCHES_AT_ONCE = 16
TURN_SECONDS = 3.0
AWAY_SECONDS = 1.0
CONNECT_SECONDS = 3.0
"""Tried twice. A network that swallows packets is told from a server that has much to do."""
ANSWER_SECONDS = 10.0
"""For what people wait for."""

CODE = "engine_unavailable"
MISSING = "index_missing"
BLOCKED = "cluster_block_exception"

logger = logging.getLogger(__name__)
# The library logs each failure with its traceback, and traces what people look for; what goes wrong is told below.
for name in ("opensearch", "opensearchpy.trace"):
    logging.getLogger(name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """`WIO_ELASTICSEARCH_NODE_1` and what belongs to it. `certificates`: a file of CA certificates."""

    host: str
    port: int
    path: str = ""
    tls: bool = False
    user: str | None = None
    password: str = field(default="", repr=False)
    certificates: str | None = None
    prefix: str = "workspacesio"

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None if no server is set. Raises Invalid, without the address: it may hold a password."""
        if settings.elasticsearch_node is None:
            return None
        try:
            parts = urlsplit(settings.elasticsearch_node)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise Invalid(
                "WIO_ELASTICSEARCH_NODE_1 is an address such as https://search.example.org:9200.",
                code="invalid_setting",
            )
        tls = parts.scheme == "https"
        user = settings.elasticsearch_user or (unquote(parts.username) if parts.username else None)
        return cls(
            host=parts.hostname,
            port=port or (443 if tls else 9200),
            path=parts.path.rstrip("/"),
            tls=tls,
            user=user,
            password=settings.elasticsearch_password or unquote(parts.password or ""),
            certificates=settings.elasticsearch_certificates,
            prefix=settings.elasticsearch_prefix,
        )

    def __str__(self) -> str:
        """For the operator: without user and password."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{self.path}"


class SearchServer:
    """Connections to the server; one for each process. Safe to use from many threads."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.prefix = address.prefix
        self._client = _client(address)
        self._turns = threading.Semaphore(SEARCHES_AT_ONCE)
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._problem: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        address = ServerAddress.of(settings)
        return None if address is None else cls(address)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        parameters: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """The answer's JSON. `body`: bytes as they are, anything else as JSON.

        Raises `SearchServerRefused` (a kind of Unavailable) for an answer that is an error, and Unavailable.
        """
        if body is not None and not isinstance(body, bytes):
            body = orjson.dumps(body)
        # Lines of JSON, with the last line's end; JSON itself may end with one, too.
        kind = "application/x-ndjson" if path.endswith("_bulk") else "application/json"
        with self._turn():
            try:
                answer = self._client.transport.perform_request(
                    method,
                    path,
                    params=dict(parameters or {}),
                    body=body,
                    timeout=Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),  # type: ignore[arg-type]
                    headers={"content-type": kind},
                )
            except (NoConnection, SerializationError) as error:
                raise self._given_up(error) from None
            except TransportError as error:
                self._answered()
                raise _refused(error) from None
        self._answered()
        return answer

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock:
            if self._problem is not None:
                now = time.monotonic()
                if now < self._away_until:
                    raise Unavailable(self._problem, code=CODE)
                self._away_until = now + AWAY_SECONDS
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise Unavailable("The search server is busy; try again in a moment.", code=CODE)
        try:
            yield
        finally:
            self._turns.release()

    def _answered(self) -> None:
        with self._lock:
            if self._problem is not None:
                logger.info("the search server %s answers again", self.address)
            self._problem = None

    def _given_up(self, error: Exception) -> Unavailable:
        problem = _no_answer(error)
        with self._lock:
            if self._problem != problem:
                logger.warning("the search server %s is away: %s (%s)", self.address, problem, _kind(error))
            self._problem = problem
            self._away_until = time.monotonic() + AWAY_SECONDS
        return Unavailable(problem, code=CODE)


class SearchServerRefused(Unavailable):
    """The server answered with an error. `status` as in HTTP, `kind` its own name of it."""

    default_code = CODE

    def __init__(self, sentence: str, *, status: int, kind: str, code: str | None = None) -> None:
        super().__init__(sentence, code=code)
        self.status = status
        self.kind = kind


_FULL = "The search server takes no writes: its disk is full or its indices are set to read-only; make room there."
_BUSY = "The search server has too much to do; try again in a moment."
_SENTENCES = {
    401: "The search server refuses the user or the password that the service has for it; check its settings.",
    403: "The search server doesn't let the service's user do this; give it all rights on its own indices.",
    404: "The index is missing on the search server; it is filled again, until then search is incomplete.",
    413: "The search server refuses a request of this size; raise its http.max_content_length.",
    429: _BUSY,
    502: "The search server is not reached through its proxy; try again in a moment.",
    503: "The search server is not ready; try again in a moment.",
    504: "The search server did not answer its proxy in time; try again in a moment.",
}


def refusal_sentence(status: int, kind: str) -> str:
    """What is wrong, for an error that the server told, of a request or of one item of many."""
    if kind == BLOCKED:
        return _FULL if status in (403, 429) else _SENTENCES[503]
    return _SENTENCES.get(status, f"The search server refused the request ({status} {kind[:80]}).")


def _refused(error: TransportError) -> SearchServerRefused:
    status = error.status_code if isinstance(error.status_code, int) else 0
    kind = error.error if isinstance(error.error, str) and error.error.isidentifier() else "error"
    if kind == "search_phase_execution_exception" and isinstance(error.info, dict):
        causes = error.info.get("error", {}).get("root_cause") or [{}]
        kind = str(causes[0].get("type", kind))
    code = MISSING if status == 404 and kind == "index_not_found_exception" else None
    logger.info("the search server answered %s %s", status, kind)
    return SearchServerRefused(refusal_sentence(status, kind), status=status, kind=kind, code=code)


def _no_answer(error: Exception) -> str:
    if isinstance(error, ConnectionTimeout):
        return "The search server did not answer in time; try again in a moment."
    if isinstance(error, SSLError):
        return "The search server's certificate is not trusted; check WIO_ELASTICSEARCH_CA."
    if isinstance(error, SerializationError):
        return "What answers at the search server's address is no search server; check WIO_ELASTICSEARCH_NODE_1."
    return "The search server doesn't answer; try again in a moment."


def _kind(error: Exception) -> str:
    cause = error.info if isinstance(error, TransportError) and isinstance(error.info, Exception) else error
    return type(cause).__name__


class _Connection(Urllib3HttpConnection):
    def _raise_warnings(self, warning_headers: Any) -> None:
        """Servers nag in headers; Python would print each to standard error."""


class _Json(JSONSerializer):
    def loads(self, s: str) -> Any:
        try:
            return orjson.loads(s)
        except ValueError as error:
            raise SerializationError("not JSON", error) from None

    def dumps(self, data: Any) -> Any:
        return data


def _client(address: ServerAddress) -> OpenSearch:
    headers = {}
    if address.user is not None:
        # RFC 7617 with UTF-8; urllib3 would make Latin-1 of it.
        secret = b64encode(f"{address.user}:{address.password}".encode()).decode()
        headers["authorization"] = f"Basic {secret}"
    return OpenSearch(
        hosts=[{"host": address.host, "port": address.port, "url_prefix": address.path}],
        use_ssl=address.tls,
        headers=headers,
        connection_class=_Connection,
        serializer=_Json(),
        timeout=ANSWER_SECONDS,
        # Once more over a new connection: an idle one may have been closed in the moment in which it was used. All
        # that is asked here may be asked twice.
        max_retries=1,
        retry_on_status=(),
        pool_maxsize=SEARCHES_AT_ONCE,
        verify_certs=True,
        ca_certs=address.certificates,
    )
