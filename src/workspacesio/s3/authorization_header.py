"""Signatures in the Authorization header: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.

Source: "Authenticating Requests: Using the Authorization Header" in the Amazon S3 API reference.
"""

import re
from collections.abc import Mapping

from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.signature_fields import (
    ALGORITHM,
    MAX_SKEW_SECONDS,
    ParsedSignature,
    iso_time,
    parse_credential,
    parse_http_date,
    parse_timestamp,
    payload_mode,
)

_COMPONENTS = re.compile(r" *Credential=([^,\s]+) *, *SignedHeaders=([^,\s]+) *, *Signature=([0-9a-f]{64}) *")
_MALFORMED = "The authorization header is malformed; "


def parse_header_signature(authorization: str, headers: Mapping[str, str], now: float) -> ParsedSignature:
    """The signature in an Authorization header, and its time and token from the headers beside it.

    `headers`: folded, by lower-case name. `now`: POSIX seconds. The value of the header is never repeated
    in a message: it may hold another scheme's secret.

    Raises S3Error: InvalidRequest (SigV2, SigV4A, no x-amz-content-sha256), InvalidArgument (another
    scheme, a bad x-amz-content-sha256), AuthorizationHeaderMalformed, AccessDenied (no date),
    RequestTimeTooSkewed.
    """
    scheme, _, rest = authorization.partition(" ")
    if scheme != ALGORITHM:
        raise _unsupported(scheme, rest)
    match = _COMPONENTS.fullmatch(rest)
    if match is None:
        raise S3Error(ErrorCode.AuthorizationHeaderMalformed, _MALFORMED + _what_is_missing(rest))
    credential_text, signed_headers, signature = match.groups()
    credential = parse_credential(credential_text, ErrorCode.AuthorizationHeaderMalformed, _MALFORMED)

    timestamp, signed_at = _signing_time(headers)
    if abs(signed_at - now) > MAX_SKEW_SECONDS:
        raise S3Error(
            ErrorCode.RequestTimeTooSkewed,
            RequestTime=timestamp,
            ServerTime=iso_time(now),
            MaxAllowedSkewMilliseconds=MAX_SKEW_SECONDS * 1000,
        )
    if not timestamp.startswith(credential.date):
        raise S3Error(
            ErrorCode.AuthorizationHeaderMalformed,
            _MALFORMED + "Invalid credential date. Date is not the same as X-Amz-Date.",
        )
    payload = headers.get("x-amz-content-sha256")
    if payload is None:
        raise S3Error(ErrorCode.InvalidRequest, "Missing required header for this request: x-amz-content-sha256")
    return ParsedSignature(
        *credential,
        signed_headers=signed_headers,
        signature=signature,
        timestamp=timestamp,
        signed_at=signed_at,
        expires_at=None,
        security_token=headers.get("x-amz-security-token"),
        payload=payload,
        payload_mode=payload_mode(payload),
    )


def _signing_time(headers: Mapping[str, str]) -> tuple[str, float]:
    """The time of signing from X-Amz-Date or, where that is absent, Date; as signed, and in POSIX
    seconds."""
    text = headers.get("x-amz-date")
    if text is None and (date := headers.get("date")) is not None:
        text = date if parse_timestamp(date) is not None else parse_http_date(date)
    seconds = parse_timestamp(text) if text is not None else None
    if text is None or seconds is None:
        raise S3Error(ErrorCode.AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    return text, seconds


def _what_is_missing(components: str) -> str:
    for name in ("Credential", "SignedHeaders", "Signature"):
        if f"{name}=" not in components:
            return f"missing {name}."
    return "expecting Credential, SignedHeaders and Signature, each once, in this order."


def _unsupported(scheme: str, rest: str) -> S3Error:
    if scheme == "AWS" or scheme.startswith("AWS4-"):
        return S3Error(
            ErrorCode.InvalidRequest,
            f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        )
    if not rest:
        return S3Error(
            ErrorCode.InvalidArgument,
            "Authorization header is invalid -- one and only one ' ' (space) required",
            ArgumentName="Authorization",
        )
    return S3Error(ErrorCode.InvalidArgument, "Unsupported Authorization Type", ArgumentName="Authorization")
