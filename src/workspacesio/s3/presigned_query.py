"""Signatures in the query: presigned links, with their `X-Amz-*` parameters.

Source: "Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference.
"""

import re
from collections.abc import Mapping

from workspacesio.s3.canonical_request import RequestQuery
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.signature_fields import (
    ALGORITHM,
    MAX_EXPIRES_SECONDS,
    MAX_SKEW_SECONDS,
    ParsedSignature,
    PayloadMode,
    iso_time,
    parse_credential,
    parse_timestamp,
    payload_mode,
    signed_header_names,
)

_REQUIRED = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_TOKEN = "X-Amz-Security-Token"  # noqa: S105  (a parameter's name)
_CONTENT_SHA256 = "X-Amz-Content-Sha256"
_PARAMETERS = frozenset((*_REQUIRED, _TOKEN, _CONTENT_SHA256))

_VERSION_2 = frozenset(("AWSAccessKeyId", "Signature"))

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,10}")


def signs_in_query(query: RequestQuery) -> bool:
    """Whether the query claims to be signed, by Signature Version 4 or 2."""
    return any(
        name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature") or name in _VERSION_2
        for name, _ in query.pairs
    )


def parse_query_signature(query: RequestQuery, headers: Mapping[str, str], now: float) -> ParsedSignature:
    """The signature in a presigned link's query.

    `headers`: folded, by lower-case name. `now`: POSIX seconds. The body's hash is that of the parameter
    `X-Amz-Content-Sha256` or of the signed header of this name; without them the body isn't signed.

    Raises S3Error: InvalidRequest (Signature Version 2, SigV4A), AuthorizationQueryParametersError,
    InvalidArgument (a bad content hash), AccessDenied (expired, or not valid yet).
    """
    given = _parameters(query)
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise _wrong(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    credential = parse_credential(
        given["X-Amz-Credential"],
        ErrorCode.AuthorizationQueryParametersError,
        "Error parsing the X-Amz-Credential parameter; ",
    )
    timestamp = given["X-Amz-Date"]
    signed_at = parse_timestamp(timestamp)
    if signed_at is None:
        raise _wrong("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if not timestamp.startswith(credential.date):
        raise _wrong("Invalid credential date. This date is not the same as X-Amz-Date.")
    if _SIGNATURE.fullmatch(given["X-Amz-Signature"]) is None:
        raise _wrong("X-Amz-Signature must be 64 lower-case hexadecimal digits.")
    expires = _expires(given["X-Amz-Expires"])
    _check_life(signed_at, expires, now)
    payload = _payload(given, headers)
    return ParsedSignature(
        *credential,
        signed_headers=given["X-Amz-SignedHeaders"],
        signature=given["X-Amz-Signature"],
        timestamp=timestamp,
        signed_at=signed_at,
        expires_at=signed_at + expires,
        security_token=_token(given, headers),
        payload=payload,
        payload_mode=payload_mode(payload),
    )


def _parameters(query: RequestQuery) -> dict[str, str]:
    """The signing parameters by name: all required ones, none twice."""
    given: dict[str, str] = {}
    for name, value in query.pairs:
        if name in _VERSION_2:
            raise S3Error(
                ErrorCode.InvalidRequest,
                f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
            )
        if name in _PARAMETERS:
            if name in given:
                raise _wrong(f"The parameter {name} must not be given more than once.")
            given[name] = value
    if given.get("X-Amz-Algorithm", "").startswith("AWS4-ECDSA"):
        raise S3Error(
            ErrorCode.InvalidRequest,
            f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        )
    if not all(given.get(name) for name in _REQUIRED):
        raise _wrong(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    return given


def _expires(text: str) -> int:
    if _SECONDS.fullmatch(text) is None:
        raise _wrong(
            "X-Amz-Expires must be non-negative" if text[:1] == "-" else "X-Amz-Expires should be a number"
        )
    seconds = int(text)
    if not 1 <= seconds <= MAX_EXPIRES_SECONDS:
        raise _wrong(f"X-Amz-Expires must be between 1 and {MAX_EXPIRES_SECONDS} seconds (a week)")
    return seconds


def _check_life(signed_at: float, expires: int, now: float) -> None:
    if signed_at > now + MAX_SKEW_SECONDS:
        raise S3Error(ErrorCode.AccessDenied, "Request is not valid yet", ServerTime=iso_time(now))
    if now > signed_at + expires:
        fields = {"X-Amz-Expires": str(expires), "Expires": iso_time(signed_at + expires)}
        raise S3Error(ErrorCode.AccessDenied, "Request has expired", **fields, ServerTime=iso_time(now))


def _payload(given: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The canonical request's word on the body. A header that isn't signed says nothing."""
    in_query = given.get(_CONTENT_SHA256)
    if in_query is not None:
        return in_query
    in_header = headers.get("x-amz-content-sha256")
    names = signed_header_names(given["X-Amz-SignedHeaders"]) or ()
    if in_header is not None and "x-amz-content-sha256" in names:
        return in_header
    return PayloadMode.UNSIGNED.value


def _token(given: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    """The session token, in the query or in a header; the latter is refused by `verify` unless it is
    signed."""
    if _TOKEN not in given:
        return headers.get("x-amz-security-token")
    if "x-amz-security-token" in headers:
        raise _wrong(f"The session token must be given once, as the parameter {_TOKEN}.")
    return given[_TOKEN]


def _wrong(message: str) -> S3Error:
    return S3Error(ErrorCode.AuthorizationQueryParametersError, message)
