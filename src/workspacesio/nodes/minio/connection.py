"""Signed requests to a MinIO server, with bounded waits, to allowed addresses only.

Signature and encryption of administration requests are the `minio` package's; the request itself is made here,
since `MinioAdmin` sends policies with every letter beyond ASCII spelled in six (the server takes 20 KiB), follows
redirects and repeats requests by itself.
"""

import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider, StaticProvider
from minio.crypto import decrypt, encrypt
from minio.signer import sign_v4_s3
from minio.time import to_amz_date

from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import AddressNotAllowed, NodeDown
from workspacesio.nodes.minio.failures import (
    Absent,
    NotPermitted,
    RequestRefused,
    Unanswered,
    error_code,
    failures,
    problem_of,
    understood,
)
from workspacesio.nodes.minio.pool import REQUEST_SECONDS, ServerPool
from workspacesio.nodes.minio.reach import Reach
from workspacesio.nodes.minio.small_requests import SmallRequests
from workspacesio.nodes.minio.sts_signature import sts_headers

__all__ = [
    "REQUEST_SECONDS",
    "Absent",
    "AddressNotAllowed",
    "Answer",
    "Connection",
    "NotPermitted",
    "RequestRefused",
    "ServerAccess",
    "Unanswered",
    "failures",
    "understood",
]

_ADMINISTRATION = "/minio/admin/v3/"
SEALING_SECONDS = 10.0
_sealing = threading.BoundedSemaphore(2)
"""In the whole process: the key of each sealed body takes 64 MiB of memory and a tenth of a second (argon2id)."""


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
    """One in each process and node. Safe to use from many threads. Raises the NodeErrors of `failures.py`,
    and KnownAway of `reach.py`."""

    def __init__(self, access: ServerAccess, allowed: AllowedAddresses) -> None:
        self.access = access
        self.reach = Reach()
        self._http = ServerPool(allowed, self.reach)
        self._small = SmallRequests(self._http, access.endpoint, self.reach)
        self._credentials = Credentials(access.access_key, access.secret)

    @cached_property
    def s3(self) -> Minio:
        """With the node's own keys. Made when asked for: AWS has other APIs at other addresses."""
        return self.s3_with(StaticProvider(self.access.access_key, self.access.secret))

    def s3_with(self, keys: Provider) -> Minio:
        """The server's S3 interface as the holder of these keys has it."""
        parts = urlsplit(self.access.endpoint)
        return Minio(
            parts.netloc,
            credentials=keys,
            secure=parts.scheme == "https",
            region=self.access.region,
            http_client=self._http,
        )

    def close(self) -> None:
        self._small.close()
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
        if encrypted:
            body = self.sealed(body)
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        url = urlsplit(self.access.endpoint)._replace(path=_ADMINISTRATION + command, query=text)
        now = datetime.now(UTC)
        digest = sha256(body).hexdigest()
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
        return self._send(method, url.geturl(), headers, body)

    def sealed(self, body: bytes) -> bytes:
        """As the server wants bodies that hold secrets. Raises NodeDown when too many others are at it."""
        with _turn_to_seal():
            return encrypt(body, self.access.secret)

    def decrypted(self, answer: Answer) -> Any:
        """The JSON of an answer that came sealed."""
        reader = urllib3.HTTPResponse(io.BytesIO(answer.body), preload_content=False)
        with _turn_to_seal(), failures():
            return json.loads(decrypt(cast("Any", reader), self.access.secret))

    def secure_token_service(self, user: str, secret: str, fields: Mapping[str, str]) -> bytes:
        """One request of the STS API, with a user's own keys."""
        return self.query(user, secret, fields, service="sts")

    def query(self, user: str, secret: str, fields: Mapping[str, str], *, service: str) -> bytes:
        """One request of an API of AWS's older kind, whose actions are forms."""
        body = urlencode(fields).encode()
        headers = sts_headers(
            host=_host(self.access.endpoint),
            region=self.access.region,
            user=user,
            secret=secret,
            body=body,
            now=datetime.now(UTC),
            service=service,
        )
        status, answer = self._small.post(headers, body)
        if status == 200:
            return answer
        raise problem_of(status, error_code(answer))

    def date(self) -> datetime | None:
        """What the server's clock says, in whole seconds, asked without keys."""
        return self._send("GET", self.access.endpoint + "/minio/health/live", {}, b"").date

    def _send(self, method: str, url: str, headers: Mapping[str, Any], body: bytes) -> Answer:
        response = self._http.request(method, url, body=body, headers=dict(headers))
        with failures():
            date = response.headers.get("date")
            told_at = parsedate_to_datetime(date) if date else None
        if response.status in (200, 204):
            told_at = told_at if told_at is None or told_at.tzinfo else told_at.replace(tzinfo=UTC)
            return Answer(response.data, told_at)
        raise problem_of(response.status, error_code(response.data))


def _host(endpoint: str) -> str:
    """As it is signed and sent: without the port that goes without saying."""
    parts = urlsplit(endpoint)
    return parts.netloc.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))


@contextmanager
def _turn_to_seal() -> Iterator[None]:
    if not _sealing.acquire(timeout=SEALING_SECONDS):
        raise NodeDown("Too many users are being made on servers at once; try again.")
    try:
        yield
    finally:
        _sealing.release()
