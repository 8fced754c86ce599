"""Signed requests to a MinIO server, with bounded waits, to allowed addresses only.

Signature and encryption of administration requests are the `minio` package's; the request itself is made here,
since `MinioAdmin` sends policies with every letter beyond ASCII spelled in six (the server takes 20 KiB), follows
redirects and repeats requests by itself.
"""

import io
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.crypto import decrypt, encrypt
from minio.error import MinioException, S3Error
from minio.signer import sign_v4_s3, sign_v4_sts
from minio.time import to_amz_date
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import NodeDown, NodeError

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""A request that the server has not answered within this time is given up; it may still be carried out."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_ADMINISTRATION = "/minio/admin/v3/"
_KEY_PROBLEMS = {
    "InvalidAccessKeyId": "The server doesn't know the node's access key.",
    "SignatureDoesNotMatch": "The server refuses the secret of the node's access key.",
    "AccessDenied": "The node's access key may not do that on the server.",
    "XMinioAdminAccessDenied": "The node's access key may not do that on the server.",
    "AccountNotEligible": "The node's access key is disabled on the server.",
    "RequestTimeTooSkewed": "The server's clock and this one's differ too much.",
}


class NotPermitted(NodeDown):
    """The server doesn't do it with these keys, so the node can't be used. `code` is the server's."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class AddressNotAllowed(NodeDown):
    """The node's address is none that this server may connect to."""


class Unanswered(NodeDown):
    """No answer in time. What was asked for may or may not be done, now or later."""


class Absent(NodeError):
    """The user, group or policy that was named is not there."""


class RequestRefused(NodeError):
    """The server refuses the request for another reason. `code` is the server's."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Where a server is and with which keys it is administered."""

    endpoint: str
    region: str
    access_key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes = field(repr=False)
    date: datetime | None


class Connection:
    """One in each process and node. Safe to use from many threads. Raises the NodeErrors above."""

    def __init__(self, access: ServerAccess, allowed: AllowedAddresses) -> None:
        self.access = access
        self._http = _pool(urlsplit(access.endpoint).hostname or "", allowed)
        self._credentials = Credentials(access.access_key, access.secret)
        parts = urlsplit(access.endpoint)
        self.s3 = Minio(
            parts.netloc,
            access_key=access.access_key,
            secret_key=access.secret,
            secure=parts.scheme == "https",
            region=access.region,
            http_client=self._http,
        )

    def close(self) -> None:
        self._http.clear()

    def administer(
        self,
        method: str,
        command: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        encrypted: bool = False,
    ) -> Answer:
        """One request of the administration API. `encrypted`: the body is sealed, as the server wants it."""
        sent = encrypt(body, self.access.secret) if encrypted else body
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        url = urlsplit(self.access.endpoint)._replace(path=_ADMINISTRATION + command, query=text)
        now = datetime.now(UTC)
        digest = sha256(sent).hexdigest()
        headers = sign_v4_s3(
            method=method,
            url=url,
            region=self.access.region,
            headers={
                "Host": _host(self.access.endpoint),
                "Content-Type": "application/octet-stream",
                "x-amz-content-sha256": digest,
                "x-amz-date": to_amz_date(now),
            },
            credentials=self._credentials,
            content_sha256=digest,
            date=now,
        )
        return self._send(method, url.geturl(), headers, sent)

    def decrypted(self, answer: Answer) -> Any:
        """The JSON of an answer that came sealed."""
        reader = urllib3.HTTPResponse(io.BytesIO(answer.body), preload_content=False)
        with failures():
            return json.loads(decrypt(cast("Any", reader), self.access.secret))

    def secure_token_service(self, user: str, secret: str, fields: Mapping[str, str]) -> bytes:
        """One request of the STS API, with a user's own keys."""
        body = urlencode(fields)
        now = datetime.now(UTC)
        digest = sha256(body.encode()).hexdigest()
        headers = sign_v4_sts(
            method="POST",
            url=urlsplit(self.access.endpoint),
            region=self.access.region,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Host": _host(self.access.endpoint),
                "X-Amz-Date": to_amz_date(now),
            },
            credentials=Credentials(user, secret),
            content_sha256=digest,
            date=now,
        )
        return self._send("POST", self.access.endpoint + "/", headers, body.encode()).body

    def date(self) -> datetime | None:
        """What the server's clock says, in whole seconds, asked without keys."""
        return self._send("GET", self.access.endpoint + "/minio/health/live", {}, b"").date

    def _send(self, method: str, url: str, headers: Mapping[str, Any], body: bytes) -> Answer:
        until = time.monotonic() + REQUEST_SECONDS
        with failures():
            response = self._http.request(
                method, url, body=body, headers=dict(headers), redirect=False, preload_content=False
            )
            data = _whole_body(response, until)
            date = response.headers.get("date")
            told_at = parsedate_to_datetime(date) if date else None
        if response.status in (200, 204):
            return Answer(data, told_at if told_at is None or told_at.tzinfo else told_at.replace(tzinfo=UTC))
        raise _problem(response.status, _code(data))


def _whole_body(response: urllib3.BaseHTTPResponse, until: float) -> bytes:
    """Raises Unanswered when it isn't there in time (`time.monotonic`), NodeDown when it is too long."""
    pieces = bytearray()
    try:
        while piece := response.read1(_PIECE_BYTES):
            pieces += piece
            if time.monotonic() > until:
                raise Unanswered("The server did not answer in time.")
            if len(pieces) > MAX_ANSWER_BYTES:
                raise NodeDown("The server answers as no MinIO server does.")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return bytes(pieces)


@contextmanager
def failures() -> Iterator[None]:
    """What the libraries raise becomes a NodeError that names no key and no body."""
    try:
        yield
    except urllib3.exceptions.LocationValueError as error:
        raise NodeDown("The node's address is no address.") from error
    except (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError) as error:
        raise Unanswered("The server broke off or did not answer in time.") from error
    except urllib3.exceptions.SSLError as error:
        raise NodeDown("The server's certificate is not trusted here.") from error
    except urllib3.exceptions.HTTPError as error:
        raise NodeDown("The server can't be reached.") from error
    except S3Error as error:
        raise _problem(403 if error.code in _KEY_PROBLEMS else 400, error.code or "") from error
    except (MinioException, ValueError, TypeError, KeyError, OSError, ElementTree.ParseError) as error:
        raise NodeDown("The server answers as no MinIO server does.") from error


@contextmanager
def understood() -> Iterator[None]:
    """Around reading an answer: one of another shape than a MinIO server's is NodeDown, whatever is in it."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise NodeDown("The server answers as no MinIO server does.") from error


def _problem(status: int, code: str) -> NodeError:
    if code in _KEY_PROBLEMS:
        return NotPermitted(_KEY_PROBLEMS[code], code)
    if status == 404 and code.startswith("XMinioAdminNoSuch"):
        return Absent("The server has nothing of that name.")
    if status in (401, 403):
        return NotPermitted("The server refuses the node's access key.", code)
    if code:
        return RequestRefused(f"The server refuses that ({code}).", code)
    return NodeDown(f"The server answers with status {status}, as no MinIO server does.")


def _code(body: bytes) -> str:
    """The error's code in an answer of the administration API (JSON) or of STS (XML)."""
    try:
        found = json.loads(body)
        return str(found.get("Code", "")) if isinstance(found, dict) else ""
    except ValueError:
        text = body.decode(errors="replace")
        return text.partition("<Code>")[2].partition("</Code>")[0][:100]


def _host(endpoint: str) -> str:
    """As it is signed and sent: without the port that goes without saying."""
    parts = urlsplit(endpoint)
    return parts.netloc.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))


def _pool(host: str, allowed: AllowedAddresses) -> urllib3.PoolManager:
    """Connections are looked at after they are made and before anything is sent."""

    def checked(connected: Any) -> Any:
        if not allowed.permits(host, connected.getpeername()[0]):
            connected.close()
            raise AddressNotAllowed(
                "This server may not connect to the node's address; WIO_NODE_ADDRESSES lists what is allowed."
            )
        return connected

    class PlainConnection(HTTPConnection):
        def _new_conn(self) -> Any:
            return checked(super()._new_conn())

    class SecureConnection(HTTPSConnection):
        def _new_conn(self) -> Any:
            return checked(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    pool = urllib3.PoolManager(
        maxsize=16,
        retries=False,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        ssl_context=ssl.create_default_context(),
    )
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool
