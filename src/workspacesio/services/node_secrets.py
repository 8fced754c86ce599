"""The secrets of nodes, sealed for the database, and the secrets of the users that are made on their servers.

    sealed = 1 byte version | 4 bytes key id | 12 bytes nonce | AES-256-GCM(secret)

The node's number is authenticated with it, so that a secret opens on its own node only.
"""

import base64
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workspacesio.domain.errors import Unavailable
from workspacesio.services.keys import KEY_ID_BYTES, Keyring

_VERSION = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + KEY_ID_BYTES


def seal_secret(keyring: Keyring, node_id: int, secret: str) -> bytes:
    subkey = keyring.current(_purpose(node_id))
    header = _VERSION + subkey.key_id
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + AESGCM(subkey.key).encrypt(nonce, secret.encode(), header)


def open_secret(keyring: Keyring, node_id: int, sealed: bytes) -> str:
    """Raises Unavailable when it was sealed with a WIO_SECRET that is no longer held."""
    header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
    subkey = keyring.by_id(header[1:], _purpose(node_id))
    if subkey is not None and header[:1] == _VERSION:
        try:
            return AESGCM(subkey.key).decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header).decode()
        except (InvalidTag, ValueError):
            pass
    raise Unavailable(
        "The node's secret can't be opened with this service's WIO_SECRET; set it again with "
        "`wio node set NODE --secret-stdin`.",
        code="node_secret",
    )


def server_user_secret(keyring: Keyring, node_id: int, name: str) -> str:
    """The secret of a user made on a node's server: derived, stored nowhere; 40 characters, MinIO's most."""
    digest = hmac.digest(keyring.current(f"minio user {node_id}").key, name.encode(), hashlib.sha256)
    return base64.b64encode(digest, altchars=b"Aa").decode()[:40]


def server_user_key_id(keyring: Keyring, node_id: int) -> bytes:
    """Of the service's secret from which they are derived now."""
    return keyring.current(f"minio user {node_id}").key_id


def _purpose(node_id: int) -> str:
    return f"node secret {node_id}"
