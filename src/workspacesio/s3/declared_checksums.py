"""What a request declares of checksums, held to the rules of S3: one at most, of a known algorithm, well-formed.

Source: "Checking object integrity" in the Amazon S3 user guide. `checksums` has the algorithms themselves.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import NamedTuple

from workspacesio.s3.checksums import (
    BY_HEADER,
    HEADER_PREFIX,
    ChecksumAlgorithm,
    ChecksumHasher,
    ChecksumType,
    encode,
)
from workspacesio.s3.error_codes import ErrorCode, S3Error


class DeclaredChecksum(NamedTuple):
    """A checksum that comes with a body. `value` is base64, or None: it follows in a trailer."""

    algorithm: ChecksumAlgorithm
    value: str | None


_NOT_VALUES = frozenset(("x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"))
_PART_COUNT = re.compile(r"[1-9][0-9]{0,4}")


def declared_checksum(headers: Mapping[str, str]) -> DeclaredChecksum | None:
    """The one checksum that a request's headers, or its trailer, declare for the body; None if there is
    none.

    `headers`: folded, by lower-case name. Raises S3Error InvalidRequest for more than one, for an unknown
    algorithm, for a value that is none of the algorithm's, and where `x-amz-sdk-checksum-algorithm` says
    something else.
    """
    declared = _only_one(headers)
    if (named := headers.get("x-amz-sdk-checksum-algorithm")) is None:
        return declared
    algorithm = parse_algorithm(named)
    if declared is None:
        raise S3Error(
            ErrorCode.InvalidRequest,
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
            "headers were found.",
        )
    if declared.algorithm is not algorithm:
        raise invalid_value("x-amz-sdk-checksum-algorithm")
    return declared


def _only_one(headers: Mapping[str, str]) -> DeclaredChecksum | None:
    names = [name for name in headers if name.startswith(HEADER_PREFIX) and name not in _NOT_VALUES]
    trailer = headers.get("x-amz-trailer")
    if len(names) + (trailer is not None) > 1:
        raise S3Error(
            ErrorCode.InvalidRequest,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    if trailer is not None:
        if (in_trailer := BY_HEADER.get(trailer.strip().lower())) is None:
            raise S3Error(
                ErrorCode.InvalidRequest, "The value specified in the x-amz-trailer header is not supported"
            )
        return DeclaredChecksum(in_trailer, None)
    if not names:
        return None
    if (algorithm := BY_HEADER.get(names[0])) is None:
        raise S3Error(
            ErrorCode.InvalidRequest, "The algorithm type you specified in x-amz-checksum- header is invalid."
        )
    return DeclaredChecksum(algorithm, parse_value(algorithm, headers[names[0]]))


def multipart_type(algorithm: ChecksumAlgorithm, requested: str | None) -> ChecksumType:
    """The type for a new upload: `x-amz-checksum-type`, or the algorithm's default. Raises S3Error
    InvalidRequest."""
    if requested is None:
        return algorithm.multipart_types[0]
    if requested.upper() not in ChecksumType.__members__:
        raise invalid_value("x-amz-checksum-type")
    wanted = ChecksumType(requested.upper())
    if wanted not in algorithm.multipart_types:
        raise S3Error(
            ErrorCode.InvalidRequest,
            f"The {wanted} checksum type cannot be used with the {algorithm.value.lower()} checksum algorithm.",
        )
    return wanted


def parse_algorithm(name: str) -> ChecksumAlgorithm:
    """The algorithm of `x-amz-checksum-algorithm` and the like, in any case. Raises S3Error
    InvalidRequest."""
    try:
        return ChecksumAlgorithm(name.upper())
    except ValueError:
        raise S3Error(
            ErrorCode.InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(ChecksumAlgorithm))}]",
        ) from None


def parse_value(algorithm: ChecksumAlgorithm, text: str, *, where: str = "header") -> str:
    """A checksum's value, checked for form. `where`: `header` or `trailing header`. Raises S3Error
    InvalidRequest."""
    digest = _decode(text)
    if digest is None or len(digest) != algorithm.digest_size:
        raise invalid_value(algorithm.header, where)
    return encode(digest)


def parse_object_value(algorithm: ChecksumAlgorithm, text: str, checksum_type: ChecksumType) -> str:
    """The value that completing an upload declares for the object: for COMPOSITE with `-N` behind, which
    may be absent.

    Raises S3Error InvalidRequest.
    """
    value, dash, count = text.partition("-")
    if dash and (checksum_type is not ChecksumType.COMPOSITE or _PART_COUNT.fullmatch(count) is None):
        raise invalid_value(algorithm.header)
    return parse_value(algorithm, value) + dash + count


def check(algorithm: ChecksumAlgorithm, declared: str, hasher: ChecksumHasher) -> None:
    """Raise S3Error BadDigest unless the body that the hasher has seen has the declared value."""
    if not compare_digest(declared, encode(hasher.digest())):
        raise S3Error(
            ErrorCode.BadDigest, f"The {algorithm.value} you specified did not match the calculated checksum."
        )


def parse_content_md5(value: str) -> bytes:
    """The digest of a Content-MD5 header (RFC 1864). Raises S3Error InvalidDigest."""
    digest = _decode(value)
    if digest is None or len(digest) != 16:
        raise S3Error(
            ErrorCode.InvalidDigest, "The Content-MD5 you specified was invalid.", **{"Content-MD5": value[:256]}
        )
    return digest


def check_content_md5(declared: bytes, computed: bytes) -> None:
    """Raise S3Error BadDigest unless the body's MD5 is the declared one."""
    if not compare_digest(declared, computed):
        raise S3Error(
            ErrorCode.BadDigest,
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest=encode(declared),
            CalculatedDigest=encode(computed),
        )


def invalid_value(header: str, where: str = "header") -> S3Error:
    """The refusal of a checksum header's value."""
    return S3Error(ErrorCode.InvalidRequest, f"Value for {header} {where} is invalid.")


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
