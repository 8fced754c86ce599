"""Requests to the running endpoint, signed by hand, so that each can be wrong in exactly one way.

The arithmetic follows "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference, and
shares no code with the endpoint.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Answer:
    """`headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code, '' where there is none."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found[1].decode() if found else ""

    @property
    def worker(self) -> str:
        """Which process answered: the first half of a request's id is the process's own."""
        return self.headers["x-amz-request-id"][:8]

    @property
    def plain(self) -> bytes:
        """The body without what differs between any two requests."""
        return re.sub(rb"<(RequestId|Resource|Key|BucketName)>[^<]*</\1>", b"", self.body)

    def texts(self, element: str) -> list[str]:
        """The texts of all elements of this name."""
        return [text.decode() for text in re.findall(rb"<%b>([^<]*)</%b>" % ((element.encode(),) * 2), self.body)]


def encoded(text: str | bytes, safe: str = "") -> str:
    return quote(text, safe=f"-_.~{safe}")


def key_path(bucket: str, key: str) -> str:
    """The path of an object, encoded."""
    return f"/{bucket}/{encoded(key, '/')}"


def canonical_query(query: str) -> str:
    pairs = []
    for piece in query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            decode = [encoded(unquote_to_bytes(part.replace("+", " "))) for part in (name, value)]
            pairs.append((decode[0], decode[1]))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


@dataclass
class Keys:
    """A credential as `wio token` or the API gives it, and the endpoint it is for."""

    host: str
    port: int
    access_key: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str = "us-east-1"

    @classmethod
    def of(cls, credential: Mapping[str, Any]) -> Keys:
        parts = urlsplit(credential["endpoint"])
        assert parts.hostname is not None
        assert parts.port is not None
        return cls(
            parts.hostname,
            parts.port,
            credential["access_key_id"],
            credential["secret_access_key"],
            credential["session_token"],
        )

    # --- signing --------------------------------------------------------------------------------------------

    def signing_key(self, date: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (date, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key

    def _signature(self, method: str, target: str, signed: Mapping[str, str], payload: str, stamp: str) -> str:
        path, _, query = target.partition("?")
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed))
        canonical = "\n".join(
            (method, encoded(unquote_to_bytes(path), "/"), canonical_query(query), lines, names, payload)
        )
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        return hmac.digest(self.signing_key(stamp[:8]), to_sign.encode(), "sha256").hex()

    def sign(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        payload: str = UNSIGNED,
        at: float | None = None,
        unsigned: Iterable[str] = (),
    ) -> dict[str, str]:
        """The headers to send. `unsigned`: lower-case names that are sent and not signed."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if at is None else at))
        sent = {"host": f"{self.host}:{self.port}", "x-amz-date": stamp, "x-amz-content-sha256": payload}
        if self.token is not None:
            sent["x-amz-security-token"] = self.token
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        signed = {name: value for name, value in sent.items() if name not in set(unsigned)}
        signature = self._signature(method, target, signed, payload, stamp)
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{stamp[:8]}/{self.region}/s3/aws4_request, "
            f"SignedHeaders={';'.join(sorted(signed))}, Signature={signature}"
        )
        return sent

    def presign(self, method: str, target: str, *, expires: int = 3600, at: float | None = None) -> str:
        """The target with the query that signs it."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if at is None else at))
        path, _, query = target.partition("?")
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{stamp[:8]}/{self.region}/s3/aws4_request",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": "host",
        }
        if self.token is not None:
            parameters["X-Amz-Security-Token"] = self.token
        added = "&".join(f"{name}={encoded(value)}" for name, value in parameters.items())
        target = f"{path}?{query}&{added}" if query else f"{path}?{added}"
        host = {"host": f"{self.host}:{self.port}"}
        return f"{target}&X-Amz-Signature={self._signature(method, target, host, UNSIGNED, stamp)}"

    # --- sending --------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
        at: float | None = None,
        unsigned: Iterable[str] = (),
    ) -> Answer:
        """A signed request on a connection of its own."""
        payload = hashlib.sha256(body).hexdigest() if payload is None else payload
        return self.send(
            method, target, self.sign(method, target, headers, payload=payload, at=at, unsigned=unsigned), body
        )

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        return send(self.host, self.port, method, target, headers, body)

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", target, headers=headers)

    def put(self, target: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("PUT", target, body, headers)

    def list(self, bucket: str, prefix: str, **parameters: str) -> Answer:
        """One page of ListObjectsV2."""
        given = {"list-type": "2", "prefix": prefix} | {
            name.replace("_", "-"): value for name, value in parameters.items()
        }
        query = "&".join(f"{name}={encoded(value)}" for name, value in given.items())
        return self.get(f"/{bucket}?{query}")

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=20)

    def head_of(self, method: str, target: str, headers: Mapping[str, str]) -> bytes:
        """The bytes of a request's head."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")

    def signed_chunks(self, headers: Mapping[str, str], chunks: Iterable[bytes]) -> bytes:
        """An aws-chunked body with signed chunks, for a request with these (signed) headers."""
        stamp = headers["x-amz-date"]
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        previous = headers["authorization"].rpartition("Signature=")[2]
        body = b""
        for chunk in [*chunks, b""]:
            to_sign = "\n".join(
                ("AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY, hashlib.sha256(chunk).hexdigest())
            )
            previous = hmac.digest(self.signing_key(stamp[:8]), to_sign.encode(), "sha256").hex()
            body += b"%x;chunk-signature=%b\r\n%b\r\n" % (len(chunk), previous.encode(), chunk)
        return body


def send(host: str, port: int, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Any request, on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        names = {name.lower() for name in headers}
        if "host" not in names:
            connection.putheader("Host", f"{host}:{port}")
        for name, value in headers.items():
            connection.putheader(name, value)
        if (
            "content-length" not in names
            and "transfer-encoding" not in names
            and (body or method in ("PUT", "POST"))
        ):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        response = connection.getresponse()
        return Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
    finally:
        connection.close()


def read_answer(connection: socket.socket) -> Answer | None:
    """The final answer on a raw connection, or None where the server closed it without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        )
    except (ConnectionError, http.client.HTTPException, TimeoutError):
        return None
    finally:
        response.close()


def exchange(host: str, port: int, data: bytes, *, timeout: float = 10) -> Answer | None:
    """What comes back for these bytes, or None where nothing does."""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(data)
        return read_answer(connection)


def everything_back(host: str, port: int, data: bytes, *, idle: float = 0.3) -> bytes:
    """All bytes that come back, until the server closes or says nothing more for `idle` seconds."""
    received = b""
    with socket.create_connection((host, port), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(idle)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionError, TimeoutError):
            pass
    return received


def from_every_worker(ask: Callable[[], Answer], *, workers: int = 2) -> list[Answer]:
    """The answers of each endpoint worker to the same request, the first of each.

    All workers accept from one socket, and an idle one takes every connection that comes alone: so many ask at
    once.
    """
    found: dict[str, Answer] = {}
    with ThreadPoolExecutor(12) as pool:
        for _ in range(100):
            for answer in pool.map(lambda _: ask(), range(12)):
                found.setdefault(answer.worker, answer)
            if len(found) == workers:
                return list(found.values())
    raise AssertionError(f"only {len(found)} of {workers} workers answered")
