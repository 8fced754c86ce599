"""Who is signed in where: the configuration file, and WIO_API_URL and WIO_TOKEN, which go before it.

A token is only ever sent to the server that gave it: with WIO_API_URL set, the token kept for that server is used
and no other.
"""

from __future__ import annotations

import os

from workspacesio.client import private_files
from workspacesio.client.errors import NotSignedIn, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_SERVER = "http://localhost:8100"


class SignIn:
    """A server and the caller's token for it. `cache_key` names the folder of what is cached for it."""

    __slots__ = ("cache_key", "email", "server", "token", "username")

    def __init__(
        self, server: str, token: str, *, email: str = "", username: str = "", cache_key: str = ""
    ) -> None:
        self.server = server
        self.token = token
        self.email = email
        self.username = username
        self.cache_key = cache_key


def check_server(address: str) -> str:
    """A server's address in its one spelling; raises UsageError."""
    address = address.rstrip("/")
    scheme, separator, host = address.partition("://")
    if not separator or scheme.lower() not in ("http", "https") or not host or any(c in host for c in "@?# "):
        raise UsageError(
            f"{address!r} is not the address of a server; write it like https://workspaces.example.org."
        )
    host, slash, path = host.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def server_address() -> str:
    """WIO_API_URL, else the server signed in to last, else the local one."""
    if address := os.environ.get("WIO_API_URL"):
        return check_server(address)
    current = _config().get("current")
    return current if isinstance(current, str) else DEFAULT_SERVER


def current() -> SignIn:
    """The sign-in to use; raises NotSignedIn that says how to sign in."""
    server = server_address()
    token = os.environ.get("WIO_TOKEN")
    if token:
        import hashlib

        return SignIn(server, token, cache_key=hashlib.sha256(f"{server}\0{token}".encode()).hexdigest()[:32])
    return kept_for(server)


def at(address: str) -> SignIn:
    """The sign-in at a server, whichever is the current one. Raises CommandError, UsageError."""
    server = check_server(address)
    return current() if server == server_address() else kept_for(server)


def kept_for(server: str) -> SignIn:
    """As `wio login` left it; raises NotSignedIn that says how to sign in."""
    kept = _config().get("servers", {}).get(server)
    if not isinstance(kept, dict) or not kept.get("token"):
        raise NotSignedIn(
            f"you are not signed in to {server}; type `wio login {server} EMAIL`, or for another server "
            "`wio login https://HOST EMAIL`."
        )
    return SignIn(
        server,
        str(kept["token"]),
        email=str(kept.get("email", "")),
        username=str(kept.get("username", "")),
        cache_key=str(kept.get("cache_key", "")),
    )


def ended(server: str) -> str:
    """The sentence for a token that the server doesn't take any more."""
    if os.environ.get("WIO_TOKEN"):
        return f"{server} doesn't take the token in WIO_TOKEN; unset it and type `wio login {server} EMAIL`."
    kept = _config().get("servers", {}).get(server)
    email = kept.get("email") if isinstance(kept, dict) else None
    return f"your session at {server} has ended; type `wio login {server} {email or 'EMAIL'}`."


def remember(server: str, answer: dict[str, Any]) -> None:
    """Keep the token of a sign-in answer, and make its server the current one."""
    config = _config()
    forget_cached(server)
    config.setdefault("servers", {})[server] = {
        "email": answer["user"]["email"],
        "username": answer["user"]["username"],
        "token": answer["token"],
        "expires_at": answer.get("expires_at"),
        "cache_key": os.urandom(16).hex(),
    }
    config["current"] = server
    private_files.write_json(private_files.config_path(), config)


def forget(server: str) -> None:
    """Drop everything kept for a server: token and cached credentials."""
    forget_cached(server)
    config = _config()
    # `current` stays, so that the next `wio login EMAIL` needs no address.
    config.get("servers", {}).pop(server, None)
    private_files.write_json(private_files.config_path(), config)


def forget_cached(server: str) -> None:
    """Drop the credentials cached for a server's sign-in."""
    from workspacesio.client import credential_cache

    kept = _config().get("servers", {}).get(server)
    if isinstance(kept, dict) and kept.get("cache_key"):
        credential_cache.clear(str(kept["cache_key"]))


def fingerprint() -> str:
    """Another one after each change of who is signed in; it says nothing of who that is."""
    import hashlib

    servers = _config().get("servers", {}).items()
    kept = sorted((server, str(one.get("cache_key"))) for server, one in servers if isinstance(one, dict))
    told = [os.environ.get("WIO_API_URL"), os.environ.get("WIO_TOKEN"), _config().get("current"), kept]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _config() -> dict[str, Any]:
    config = private_files.read_json(private_files.config_path())
    if not isinstance(config, dict) or not isinstance(config.get("servers", {}), dict):
        return {}
    return config
