"""A place in a workspace as a store of obstore: for programs that read and write much at once.

obstore asks for keys whenever the ones that it has are about to end; the proxies and certificates are those of the
rest of the client (`connection`).
"""

from __future__ import annotations

import os
import re
import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from obstore.store import S3Store

from workspacesio.client.connection import proxy_for
from workspacesio.client.failures import errors, told

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Credential

    from workspacesio.client.places import Place

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class Keys:
    """Those of one place, as obstore asks for them. Shows none of them."""

    refresh_threshold = timedelta(0)
    """They are asked for again at the time that is told here, which is before their end, and not earlier."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self) -> S3Credential:
        """Raises WorkspacesIOError where there are none any more."""
        with told():
            storage = self._place.storage
            keys = storage.keys()
        until = datetime.now(UTC) + timedelta(seconds=storage.seconds_left())
        return {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "token": keys.session_token or None,
            "expires_at": until,
        }

    def __repr__(self) -> str:
        return f"Keys({self._place.name()!r})"


def store(place: Place) -> S3Store:
    """What lies below a folder; paths in the store begin there. Raises Invalid for one that obstore can't name."""
    key = place.key(place.folder)
    if any(part in ("", ".", "..") or _CONTROL.search(part) for part in key.split("/")[:-1]):
        message = f"obstore can't name {place.name()!r}: an empty name, '.', '..' or a control character is in it."
        raise errors.Invalid(message)
    keys = Keys(place)
    with told():
        endpoint, region = place.storage.endpoint, place.storage.keys().region
    # What is said here isn't taken from the environment, where it may be meant for other programs.
    return S3Store(
        place.bucket,
        prefix=key.rstrip("/") or None,
        endpoint=endpoint,
        region=region,
        virtual_hosted_style_request=False,
        skip_signature=False,
        client_options=_options(endpoint),
        credential_provider=keys,
    )


def _options(endpoint: str) -> ClientConfig:
    parts = urllib.parse.urlsplit(endpoint)
    host = parts.hostname or ""
    options: ClientConfig = {"allow_http": parts.scheme == "http", "timeout": "1h", "read_timeout": "60s"}
    proxy = proxy_for(parts.scheme, host, os.environ)
    if proxy is not None:
        options["proxy_url"] = proxy if "://" in proxy else f"http://{proxy}"
    elif any(os.environ.get(name) for name in _PROXIES):  # one that isn't meant for this host
        options["proxy_url"] = "http://127.0.0.1:9"
        options["proxy_excludes"] = host
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates and parts.scheme == "https":
        try:
            with open(certificates, "rb") as file:
                options["root_certificate"] = file.read()
        except OSError as error:
            message = f"certificates can't be read ({error}); check SSL_CERT_FILE."
            raise errors.WorkspacesIOError(message) from error
    return options
