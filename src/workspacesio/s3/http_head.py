"""The head of a request: what it holds, where it points, and which heads nobody should carry out."""

from contextlib import suppress
from urllib.parse import unquote

import httptools

from workspacesio.s3.exchange import Headers


class Refused(Exception):
    """Understood, but not to be carried out. `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class RequestHead:
    """See `exchange.Head`."""

    __slots__ = (
        "authority",
        "client",
        "headers",
        "http_version",
        "method",
        "path",
        "query_string",
        "scheme",
        "unreadable",
    )

    def __init__(self, client: str, scheme: str) -> None:
        self.client = client
        self.scheme = scheme
        self.headers: Headers = []
        self.unreadable: frozenset[str] = frozenset()
        self.method = self.path = self.query_string = ""
        self.authority: str | None = None
        self.http_version = "1.1"


def check_head(head: RequestHead, *, upgrades: bool) -> None:
    """Raises Refused for what llhttp lets through and nobody should carry out: RFC 9112 2.3, 3.2, 6.1.

    What is said of a body's length has to be understood by everybody in the same way.
    """
    if head.http_version not in ("1.0", "1.1"):
        raise Refused(505)
    names = [name for name, _ in head.headers]
    if names.count("host") != 1 and (head.http_version == "1.1" or "host" in names):
        raise Refused(400)
    if head.unreadable & _FRAMING or head.method == "CONNECT":
        raise Refused(400)
    coding = [value.lower() for name, value in head.headers if name == "transfer-encoding"]
    if coding and (coding != ["chunked"] or head.http_version == "1.0"):
        raise Refused(501)
    if upgrades and (coding or dict(head.headers).get("content-length", "0") != "0"):
        raise Refused(501)  # llhttp hands over no body of a request that asks for another protocol


_FRAMING = frozenset({"host", "content-length", "transfer-encoding"})


def read_target(head: RequestHead, url: bytes) -> None:
    """RFC 9112 3.2: a path, or a whole address as for a proxy. Anything else is left for a path that is none."""
    if not url.startswith(b"/"):
        with suppress(httptools.HttpParserInvalidURLError):
            parsed = httptools.parse_url(url)
            if parsed.host is not None:
                port = f":{parsed.port}" if parsed.port else ""
                head.authority = parsed.host.decode("ascii", "replace") + port
                url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
    path, _, query = url.partition(b"?")
    text = path.decode("ascii", "replace")
    head.path = unquote(text) if "%" in text else text
    head.query_string = query.decode("ascii", "replace")
