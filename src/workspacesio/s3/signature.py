"""Signature Version 4: who claims to have signed a request, and whether they did.

Two steps, because the secret is found by what the first one says:

    parsed = parse_authorization(query, headers, now=now)     None: the request is anonymous
    …look up the secret of parsed.access_key_id and parsed.security_token…
    verify(parsed, secret, method=…, path=…, query=…, headers=…)

`headers` come from `fold_headers`, `host` among them, and `query` is the request's `RequestQuery`. After
`verify` returned, the method, the path, the whole query, the host, every `x-amz-*` header and the other
signed headers are what the holder of the secret signed. The body is so only when it has been compared
with `payload_sha256`, or has passed through `streaming_body`.

Unsigned headers: `host` and every `x-amz-*` must be signed. In the Authorization form `x-amz-date` and
`x-amz-content-sha256` may be left out of the list, as S3 allows, since the string to sign holds their
values anyway. Others, such as `range` or `content-type`, may be unsigned, as in S3.
"""

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

from workspacesio.s3.authorization_header import parse_header_signature
from workspacesio.s3.canonical_request import RequestQuery, canonical_headers, canonical_uri
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.presigned_query import parse_query_signature, signs_in_query
from workspacesio.s3.signature_fields import (
    ALGORITHM,
    SERVICE,
    TERMINAL,
    ParsedSignature,
    signed_header_names,
)

_BOUND_ANYWAY = frozenset(("x-amz-date", "x-amz-content-sha256"))


def parse_authorization(
    query: RequestQuery, headers: Mapping[str, str], *, now: float, region: str | None = None
) -> ParsedSignature | None:
    """The signature of a request, checked in form and time, or None if the request is anonymous.

    `now`: POSIX seconds. `region`: the only one to accept; by default any is, since an endpoint of one's
    own has none and clients put in whatever they were configured with. It is signed, and chunk signatures
    use the same.

    Raises S3Error for a signature that is malformed, of another kind, given twice, or outside its time.
    """
    authorization = headers.get("authorization")
    in_query = bool(query.pairs) and signs_in_query(query)
    if authorization is None and not in_query:
        return None
    if authorization is not None:
        if in_query:
            raise S3Error(
                ErrorCode.InvalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query "
                "string parameter or the Authorization header should be specified",
                ArgumentName="Authorization",
            )
        parsed = parse_header_signature(authorization, headers, now)
        code, context = ErrorCode.AuthorizationHeaderMalformed, "The authorization header is malformed; "
    else:
        parsed = parse_query_signature(query, headers, now)
        code, context = (
            ErrorCode.AuthorizationQueryParametersError,
            "Error parsing the X-Amz-Credential parameter; ",
        )
    if signed_header_names(parsed.signed_headers) is None:
        raise S3Error(code, "SignedHeaders must be a list of distinct lower-case header names, separated by ';'.")
    if region is not None and parsed.region != region:
        raise S3Error(
            code,
            f"{context}the region '{parsed.region}' is wrong; expecting '{region}'",
            Region=region,
        )
    return parsed


@lru_cache(maxsize=4096)
def signing_key(secret_access_key: str, date: str, region: str) -> bytes:
    """The key that signs requests of one secret on one day in one region, and their chunks.

    Kept for the last few thousand credentials, under the secret itself: a key that is given another
    secret can't meet the old one's. Only dates that `parse_authorization` let through come here.
    """
    key = hmac.digest(f"AWS4{secret_access_key}".encode(), date.encode(), "sha256")
    key = hmac.digest(key, region.encode(), "sha256")
    key = hmac.digest(key, SERVICE.encode(), "sha256")
    return hmac.digest(key, TERMINAL.encode(), "sha256")


def verify(
    parsed: ParsedSignature,
    secret_access_key: str,
    *,
    method: str,
    path: str,
    query: RequestQuery,
    headers: Mapping[str, str],
) -> None:
    """Return if the request was signed with the secret, unchanged since.

    `path`: percent-decoded, as the server hands it over. `headers`: folded, by lower-case name.

    Raises S3Error AccessDenied for headers that should have been signed, else SignatureDoesNotMatch.
    """
    names = signed_header_names(parsed.signed_headers) or ()
    _check_signed(parsed, names, headers)
    without = "X-Amz-Signature" if parsed.presigned else None
    head, tail = (
        f"{method}\n{canonical_uri(path)}\n",
        f"\n{canonical_headers(names, headers)}\n{parsed.signed_headers}\n{parsed.payload}",
    )
    key = signing_key(secret_access_key, parsed.date, parsed.region)

    def is_signed(canonical: str) -> tuple[bool, str]:
        hashed = sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
        string_to_sign = f"{ALGORITHM}\n{parsed.timestamp}\n{parsed.scope}\n{hashed}"
        expected = hmac.digest(key, string_to_sign.encode(), "sha256").hex()
        return hmac.compare_digest(expected, parsed.signature), string_to_sign

    canonical = head + query.canonical(without=without) + tail
    signed, string_to_sign = is_signed(canonical)
    if not signed and len(query.pairs) > 1:
        signed, _ = is_signed(head + query.canonical_by_name(without=without) + tail)
    if not signed:
        raise S3Error(
            ErrorCode.SignatureDoesNotMatch,
            AWSAccessKeyId=parsed.access_key_id,
            StringToSign=string_to_sign,
            SignatureProvided=parsed.signature,
            CanonicalRequest=_without_token(canonical),
        )


def _check_signed(parsed: ParsedSignature, names: tuple[str, ...], headers: Mapping[str, str]) -> None:
    """Raise AccessDenied unless `host` and all `x-amz-*` headers of the request are among the signed
    names."""
    missing = [name for name in headers if name.startswith("x-amz-") and name not in names]
    if missing and not parsed.presigned:
        missing = [name for name in missing if name not in _BOUND_ANYWAY]
    if "host" not in names:
        missing.append("host")
    if missing:
        raise S3Error(
            ErrorCode.AccessDenied,
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(missing),
        )


_TOKENS = re.compile(r"^(x-amz-security-token:).*$|((?:^|&)X-Amz-Security-Token=)[^&\n]*", re.MULTILINE)


def _without_token(canonical: str) -> str:
    """The canonical request as it may be shown: with the session token's place, not the token."""
    return _TOKENS.sub(r"\1\2(token)", canonical)
