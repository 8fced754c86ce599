"""The canonical form of a request, over which Signature Version 4 is computed.

Source: "Signature Calculations for the Authorization Header" and "Authenticating Requests: Using Query
Parameters" in the Amazon S3 API reference. S3 differs from other services in that the path is encoded
once and never normalised: `.`, `..` and `//` are parts of a key.

The server hands over the path percent-decoded, so the canonical path is Amazon's encoding of the decoded
one. That is the only form that a correct client can have signed; `/a%2Fb` and `/a/b` are the same path to
S3 too.

The query is decoded once, by `RequestQuery`, and everybody reads it from there: what the signature covers
and what an operation acts on cannot differ.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from workspacesio.s3.error_codes import ErrorCode, S3Error

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def _encoding_table(safe: str) -> list[str]:
    """For each byte, what UriEncode writes for it."""
    return [chr(byte) if chr(byte) in safe else f"%{byte:02X}" for byte in range(256)]


_ENCODED_IN_PATH = _encoding_table(_UNRESERVED + "/")
_ENCODED = _encoding_table(_UNRESERVED)

_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~/]*")
_PLAIN = re.compile(r"[A-Za-z0-9\-._~]*")

_CANONICAL_QUERY = re.compile(
    r"[A-Za-z0-9\-._~&=]*+(?:%(?:[01][0-9A-F]|2[0-9ABCF]|3[A-F]|40|5[BCDE]|60|7[BCDF]|[89A-F][0-9A-F])"
    r"[A-Za-z0-9\-._~&=]*+)*+"
)
"""A query in which every byte is written as UriEncode would: unreserved bytes plain, the others %XX in
upper case."""

_MALFORMED_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def uri_encode(text: str) -> str:
    """Amazon's UriEncode: all but unreserved characters of the UTF-8 form as %XX, space as %20, `/` as
    %2F."""
    if _PLAIN.fullmatch(text):
        return text
    return text.encode("utf-8", "surrogatepass").decode("latin-1").translate(_ENCODED)


def canonical_uri(path: str) -> str:
    """The encoded form of a decoded path: as `uri_encode`, but slashes stay."""
    if _PLAIN_PATH.fullmatch(path):
        return path or "/"
    return path.encode("utf-8", "surrogatepass").decode("latin-1").translate(_ENCODED_IN_PATH)


class RequestQuery:
    """The parameters of a request's query, decoded once.

    As S3 does, `+` and `%20` both mean a space, `a` means `a=`, only the first `=` divides, only `&`
    separates, empty pieces don't count, and a name may occur several times.

    Raises S3Error InvalidURI for a `%` that isn't followed by two hexadecimal digits and for bytes that
    are no UTF-8.
    """

    __slots__ = ("_encoded", "pairs")

    def __init__(self, query_string: str) -> None:
        self.pairs: list[tuple[str, str]]
        self._encoded: list[tuple[str, str]]
        if not query_string:
            self.pairs = []
            self._encoded = []
            return
        raw = [_divide(piece) for piece in query_string.split("&") if piece]
        if _CANONICAL_QUERY.fullmatch(query_string) and not any("=" in value for _, value in raw):
            self._encoded = raw
            self.pairs = [(_decode(name), _decode(value)) for name, value in raw] if "%" in query_string else raw
            return
        if _MALFORMED_ESCAPE.search(query_string):
            raise S3Error(ErrorCode.InvalidURI)
        self.pairs = [(_decode(name), _decode(value)) for name, value in raw]
        self._encoded = [(uri_encode(name), uri_encode(value)) for name, value in self.pairs]

    def get(self, name: str) -> str | None:
        """The value of the parameter, of the first where it is repeated, or None if there is none."""
        for found, value in self.pairs:
            if found == name:
                return value
        return None

    def get_all(self, name: str) -> list[str]:
        """Every value of the parameter, in the order of the request."""
        return [value for found, value in self.pairs if found == name]

    def __contains__(self, name: str) -> bool:
        return any(found == name for found, _ in self.pairs)

    def canonical(self, *, without: str | None = None) -> str:
        """The canonical query string: encoded, sorted by name and then by value, without one parameter."""
        return self._joined(without, sorted)

    def canonical_by_name(self, *, without: str | None = None) -> str:
        """As `canonical`, but the values of a repeated name stay in the order of the request.

        So Go clients sign (net/url, Values.Encode): the MinIO client's `watch` repeats `events`.
        """
        return self._joined(without, lambda encoded: sorted(encoded, key=itemgetter(0)))

    def _joined(
        self, without: str | None, in_order: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]
    ) -> str:
        encoded = self._encoded
        if without is not None:
            encoded = [pair for pair in encoded if pair[0] != without]
        if len(encoded) > 1:
            encoded = in_order(encoded)
        return "&".join([f"{name}={value}" for name, value in encoded])


def _divide(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    return name, value


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error(ErrorCode.InvalidURI) from None


def fold_headers(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; the values of a repeated header joined by commas, in their order."""
    folded: dict[str, str] = {}
    for name, value in items:
        if name in folded:
            folded[name] = f"{folded[name]},{value}"
        else:
            folded[name] = value
    return folded


def canonical_headers(names: Sequence[str], headers: Mapping[str, str]) -> str:
    """One line `name:value` for each name, values trimmed and inner white space made one space.

    A name that the request doesn't have stands with an empty value, so that its removal is noticed.
    """
    get = headers.get
    return "".join([f"{name}:{' '.join(get(name, '').split())}\n" for name in names])
