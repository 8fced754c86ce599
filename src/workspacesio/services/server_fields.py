"""Addresses and secrets of servers, as operators type them."""

from urllib.parse import urlsplit

from workspacesio.domain.errors import Invalid
from workspacesio.nodes.addresses import is_host

DEFAULT_REGION = "us-east-1"
MAX_SECRET_CHARACTERS = 128


def server_address(text: str) -> str:
    """`http` or `https`, a host and a port, spelled so that every library reads the same. Raises Invalid."""
    text = text.strip().removesuffix("/").lower()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    shown = f"[{host}]" if ":" in host else host
    address = f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")
    # Parsers drop line ends, and what stands before an '@', each its own way: what isn't given back is refused.
    understood = address == text and is_host(host) and "%" not in host and port != 0
    if parts.scheme not in ("http", "https") or not understood:
        raise Invalid(
            "The address of a server is like https://minio.example.org:9000, with nothing behind it.",
            code="invalid_address",
        )
    return address


def server_secret(text: str) -> str:
    """Raises Invalid for what can't be the secret of an access key."""
    if not 1 <= len(text) <= MAX_SECRET_CHARACTERS or not text.isprintable():
        raise Invalid("That is no secret of an access key.", code="invalid_secret")
    return text
