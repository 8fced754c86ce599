"""A connection to the server: TLS verified, through the proxy that the environment names, failures in plain words.

Proxies as curl and Python have them: https_proxy, http_proxy, all_proxy and no_proxy, in small or capital letters;
HTTP_PROXY in capitals is not read, since a web server's request header can set it (httpoxy, CVE-2016-5385).
"""

from __future__ import annotations

import base64
import errno
import functools
import http.client
import os
import socket
import ssl
import urllib.parse

from workspacesio.client.errors import CommandError

TIMEOUT_SECONDS = 60


def proxy_for(scheme: str, host: str, environment: os._Environ[str] | dict[str, str]) -> str | None:
    """The proxy's address for requests to `host`, or None."""
    direct = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if direct.strip() == "*" or host in ("localhost", "127.0.0.1", "::1"):
        return None
    for name in filter(None, (part.strip().lower().lstrip("*").lstrip(".") for part in direct.split(","))):
        if host == name or host.endswith("." + name):
            return None
    names = [f"{scheme}_proxy", "HTTPS_PROXY" if scheme == "https" else "", "all_proxy", "ALL_PROXY"]
    return next((environment[name] for name in names if environment.get(name)), None)


def connect(server: str) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """An unopened connection to a server, what to put before each path, and headers for the proxy.

    Raises CommandError for an address or certificate file that can't be used.
    """
    parts = urllib.parse.urlsplit(server)
    host = parts.hostname or ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise CommandError(f"{server} names no usable port; write it like https://HOST:8100.") from error
    proxy = proxy_for(parts.scheme, host, os.environ)
    if proxy is None:
        return _connection(parts.scheme, host, port), parts.path, {}
    through = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if through.scheme not in ("http", "https") or not through.hostname:
        raise CommandError(
            f"the proxy {_without_password(through)} is not an HTTP proxy; correct {parts.scheme}_proxy."
        )
    headers = {}
    if through.username is not None:
        pair = f"{urllib.parse.unquote(through.username)}:{urllib.parse.unquote(through.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    connection = _connection(parts.scheme, through.hostname, through.port or 8080)
    if parts.scheme == "https":
        connection.set_tunnel(host, port, headers)
        return connection, parts.path, {}
    return connection, server, headers


def _connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    if scheme == "https":
        try:
            context = _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        except OSError as error:  # SSL_CERT_FILE names something unreadable
            raise CommandError(f"certificates can't be read ({error}); check SSL_CERT_FILE.") from error
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


@functools.cache
def _context(*_: str | None) -> ssl.SSLContext:
    """One for all connections, of the certificates that the environment names: to read them takes 20 ms."""
    return ssl.create_default_context()


def is_away(error: Exception) -> bool:
    """Whether there is no way to a server at all, unlike one that breaks off."""
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def explain(error: Exception, server: str, *, has_answered: bool = False) -> str:
    """One sentence for a connection that failed, with what to do next. `has_answered`: ever before."""
    proxy = proxy_for(server.partition(":")[0], urllib.parse.urlsplit(server).hostname or "", os.environ)
    via = f" through the proxy {_without_password(urllib.parse.urlsplit(proxy))}" if proxy else ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {server} can't be trusted ({error.verify_message}); ask who runs it for its CA "
            "certificate and set SSL_CERT_FILE to that file."
        )
    if isinstance(error, ssl.SSLError):
        return f"{server} doesn't speak TLS{via} ({error.reason}); does its address begin with http:// instead?"
    if isinstance(error, socket.gaierror):
        return f"no machine is called {urllib.parse.urlsplit(server).hostname!r}{via}; check the address."
    if isinstance(error, TimeoutError):
        return f"{server} didn't answer{via} within {TIMEOUT_SECONDS} s; try again, or ask who runs it."
    if isinstance(error, ConnectionRefusedError) and has_answered:
        return f"nothing listens at {server} any more{via}; try again when it is back."
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {server}{via}; start it with `wio serve`, or give another address."
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError) and has_answered:
        return f"the line to {server} broke off again and again{via}; try again when it is better."
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return (
            f"{server} closed the connection{via} without an answer; does its address begin with https:// instead?"
        )
    if isinstance(error, OSError) and "Tunnel connection failed" in str(error):
        return f"the way to {server} was refused{via} ({error}); set no_proxy if it needs no proxy."
    return f"{server} can't be reached{via} ({error}); check the address and the network."


def _without_password(parts: urllib.parse.SplitResult) -> str:
    return parts.netloc.rpartition("@")[2] or parts.path
