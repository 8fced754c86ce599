"""Who is at the other end, and under which address they reached us.

Headers that a proxy adds are believed only from the proxies that the settings name.
"""

import re
from urllib.parse import urlsplit

from starlette.requests import Request

from workspacesio.settings import Settings

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")


def client_address(request: Request, settings: Settings) -> str:
    """The caller's address: the last one in X-Forwarded-For that is no trusted proxy, if a proxy passed it on."""
    peer = request.client.host if request.client else "unknown"
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    for address in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if peer not in settings.trusted_proxies:
            break
        peer = address
    return peer[:64]


def public_address(request: Request, settings: Settings) -> str:
    """The address of this API: as set, else as the caller wrote it, so that a remote caller gets no localhost."""
    if settings.public_name:
        return settings.public_name
    scheme, host, port = _reached(request, settings)
    return f"{scheme}://{host}" + (f":{port}" if port else "")


def s3_address(request: Request, settings: Settings) -> str:
    """The address of the S3 endpoint: as set, else on the API's host where that is set, else on the host that the
    caller reached."""
    if settings.s3_public_name:
        return settings.s3_public_name
    scheme, host, _ = _reached(request, settings)
    if settings.public_name:
        # A proxy in front of the API alone; it need not pass on the name by which it was called.
        scheme, host = request.url.scheme, _host_of(settings.public_name)
    return f"{scheme}://{host}:{settings.s3_port}"


def _host_of(address: str) -> str:
    host = urlsplit(address).hostname or "localhost"
    return f"[{host}]" if ":" in host else host


def _first(value: str) -> str:
    """Of a list to which each proxy on the way added what it saw: what the caller wrote."""
    return value.partition(",")[0].strip()


def _reached(request: Request, settings: Settings) -> tuple[str, str, str | None]:
    scheme, written = request.url.scheme, request.headers.get("host", "")
    peer = request.client.host if request.client else ""
    if peer in settings.trusted_proxies:
        scheme = _first(request.headers.get("x-forwarded-proto", scheme))
        written = _first(request.headers.get("x-forwarded-host", written))
    found = _HOST.fullmatch(written)
    if scheme not in ("http", "https") or found is None:
        return "http", "localhost", str(settings.api_port)
    return scheme, found["name"], found["port"]
