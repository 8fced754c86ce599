"""What a Signature Version 4 says, wherever in the request it stands, and the small formats in it.

Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from workspacesio.s3.error_codes import ErrorCode, S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"
TERMINAL = "aws4_request"

MAX_SKEW_SECONDS = 15 * 60
"""How far a request's time may lie from the server's, either way."""

MAX_EXPIRES_SECONDS = 7 * 24 * 3600
"""The longest life of a presigned link."""

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class PayloadMode(Enum):
    """How the body is covered by the signature: the values of `x-amz-content-sha256`, or a hash."""

    HASHED = "a SHA-256 in hexadecimal"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def chunked(self) -> bool:
        """Whether the body is encoded as aws-chunked."""
        return self not in (PayloadMode.HASHED, PayloadMode.UNSIGNED)


_MODES = {mode.value: mode for mode in PayloadMode if mode is not PayloadMode.HASHED}
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class ParsedSignature(NamedTuple):
    """A signature and everything that it names, not yet verified.

    `date`, `region`: the credential's scope (`YYYYMMDD`). `timestamp`: the time of signing as it was
    signed (`YYYYMMDDTHHMMSSZ`), `signed_at` the same in POSIX seconds. `expires_at`: when a presigned
    link ends, in POSIX seconds; None for a signature in the Authorization header. `payload`: what the
    canonical request says of the body.
    """

    access_key_id: str
    date: str
    region: str
    signed_headers: str
    signature: str
    timestamp: str
    signed_at: float
    expires_at: float | None
    security_token: str | None
    payload: str
    payload_mode: PayloadMode

    @property
    def presigned(self) -> bool:
        """Whether it is a presigned link (the signature stands in the query)."""
        return self.expires_at is not None

    @property
    def scope(self) -> str:
        """The credential scope, as the strings to sign spell it."""
        return f"{self.date}/{self.region}/{SERVICE}/{TERMINAL}"

    @property
    def payload_sha256(self) -> str | None:
        """The hash that the body must have, in lower-case hexadecimal, or None if none was declared."""
        return self.payload.lower() if self.payload_mode is PayloadMode.HASHED else None

    def __repr__(self) -> str:
        return f"ParsedSignature({self.access_key_id}/{self.scope}, {self.timestamp})"


class Credential(NamedTuple):
    """The parts of `AKID/YYYYMMDD/REGION/s3/aws4_request`."""

    access_key_id: str
    date: str
    region: str


_CREDENTIAL = re.compile(r"([!-+\--.0-~]{1,256})/([0-9]{8})/([A-Za-z0-9_\-]{1,64})/s3/aws4_request")


@lru_cache(maxsize=4096)
def parse_credential(text: str, code: ErrorCode, context: str) -> Credential:
    """The credential's parts. Raises S3Error with `code` and a message that begins with `context`."""
    match = _CREDENTIAL.fullmatch(text)
    if match is not None:
        return Credential(*match.groups())
    pieces = text.split("/")
    if len(pieces) != 5:
        problem = 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
    elif pieces[3] != SERVICE:
        problem = f'incorrect service. This endpoint belongs to "{SERVICE}".'
    elif pieces[4] != TERMINAL:
        problem = f'incorrect terminal. This endpoint uses "{TERMINAL}".'
    elif re.fullmatch(r"[0-9]{8}", pieces[1]) is None:
        problem = 'incorrect date format. The date in the credential must be in the format "yyyyMMdd".'
    else:
        problem = "the access key ID or the region is not valid."
    raise S3Error(code, context + problem)


_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")


@lru_cache(maxsize=256)
def parse_timestamp(text: str) -> float | None:
    """POSIX seconds of `YYYYMMDDTHHMMSSZ`, or None where it is no such time."""
    if _TIMESTAMP.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} (?:GMT|[+-][0-9]{4})"
)


def parse_http_date(text: str) -> str | None:
    """The `YYYYMMDDTHHMMSSZ` of an HTTP date (RFC 9110, 5.6.7; with a zone too, as RFC 1123), or None."""
    if _HTTP_DATE.fullmatch(text) is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # what the library makes of the zone -0000
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return None


_SIGNED_HEADERS = re.compile(r"[a-z0-9!#$%&'*+\-.^_`|~]+(?:;[a-z0-9!#$%&'*+\-.^_`|~]+)*")


_MAX_SIGNED_HEADERS = 8192
"""Characters. Longer lists are refused before they can fill the cache."""


def signed_header_names(text: str) -> tuple[str, ...] | None:
    """The names in a SignedHeaders list, or None where it is not a list of distinct lower-case names."""
    return _names_in(text) if len(text) <= _MAX_SIGNED_HEADERS else None


@lru_cache(maxsize=512)
def _names_in(text: str) -> tuple[str, ...] | None:
    if _SIGNED_HEADERS.fullmatch(text) is None:
        return None
    names = tuple(text.split(";"))
    return names if len(set(names)) == len(names) else None


def payload_mode(value: str) -> PayloadMode:
    """The mode that a value of `x-amz-content-sha256` asks for. Raises S3Error InvalidArgument for any
    other."""
    if (mode := _MODES.get(value)) is not None:
        return mode
    if _HEX_SHA256.fullmatch(value) is not None:
        return PayloadMode.HASHED
    raise S3Error(
        ErrorCode.InvalidArgument,
        f"x-amz-content-sha256 must be {', '.join(_MODES)} or a valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=value[:256],
    )


def iso_time(seconds: float) -> str:
    """A time as S3's error documents show it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
