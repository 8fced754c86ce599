"""S3 keys that need no table to be understood: an access key id, a derived secret, and a sealed token.

    secret  = base64(HMAC-SHA-256(subkey("s3 secret", node), access key id)), 40 characters, with A and a for
              + and / so that no tool has to escape it
    token   = base64url(1 byte version | 4 bytes key id | 12 bytes nonce | AES-256-GCM(payload))
    payload = JSON {c: credential id, u: user id, n: node, a: access key id, e: expiry, w: workspaces,
              r: read only}

The header of the token is authenticated with it. A token says who and how narrow, never what is allowed: rights
are looked up with each request. Node and key id pick the subkey, so a node's keys open no other node's tokens.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workspacesio.domain.facts import Narrowing
from workspacesio.services.keys import KEY_ID_BYTES, Keyring

_VERSION = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + KEY_ID_BYTES + 4
MAX_TOKEN_CHARACTERS = 4096
MAX_NARROWED_WORKSPACES = 100
"""Keeps the token within what HTTP servers take as a header or in an address."""


@dataclass(frozen=True, slots=True)
class TokenContents:
    """What a session token says of itself: whose credential it is, on which node, until when, and for what."""

    credential_id: int
    user_id: int
    node_id: int
    access_key_id: str
    expires_at: datetime
    narrowing: Narrowing


def new_access_key_id() -> str:
    """20 characters, as clients expect, beginning with WIO: 85 random bits."""
    return "WIO" + base64.b32encode(secrets.token_bytes(11)).decode()[:17]


def secret_access_key(keyring: Keyring, node_id: int, access_key_id: str, key_id: bytes | None = None) -> str:
    """The secret that belongs to an access key id; raises KeyError when its master secret is no longer held."""
    purpose = f"s3 secret {node_id}"
    subkey = keyring.current(purpose) if key_id is None else keyring.by_id(key_id, purpose)
    if subkey is None:
        raise KeyError("unknown key id")
    digest = hmac.digest(subkey.key, access_key_id.encode(), hashlib.sha256)
    return base64.b64encode(digest, altchars=b"Aa").decode()[:40]


def seal(keyring: Keyring, contents: TokenContents) -> str:
    """The session token: encrypted with the node's own subkey, so that none of another node opens."""
    subkey = keyring.current(_purpose(contents.node_id))
    workspaces = contents.narrowing.workspaces
    payload = {
        "c": contents.credential_id,
        "u": contents.user_id,
        "n": contents.node_id,
        "a": contents.access_key_id,
        "e": int(contents.expires_at.timestamp()),
        "w": None if workspaces is None else sorted(workspaces),
        "r": contents.narrowing.read_only,
    }
    header = _VERSION + subkey.key_id + contents.node_id.to_bytes(4, "big")
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps(payload, separators=(",", ":")).encode()
    sealed = header + nonce + AESGCM(subkey.key).encrypt(nonce, plain, header)
    return _spelled(sealed)


def unseal(keyring: Keyring, token: str) -> tuple[TokenContents, bytes] | None:
    """The contents and the id of the secret it was sealed with, or None for anything that is not a token.

    A token has one spelling: base64 has several for the same bytes (padding, spare bits), which are refused.
    """
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        return None
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if _spelled(sealed) != token:
        return None
    header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
    if len(nonce) < _NONCE_BYTES or header[:1] != _VERSION:
        return None
    key_id, node_id = header[1 : 1 + KEY_ID_BYTES], int.from_bytes(header[1 + KEY_ID_BYTES :], "big")
    subkey = keyring.by_id(key_id, _purpose(node_id))
    if subkey is None:
        return None
    try:
        plain = AESGCM(subkey.key).decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header)
    except InvalidTag:
        return None
    payload = json.loads(plain)
    workspaces = payload["w"]
    contents = TokenContents(
        payload["c"],
        payload["u"],
        payload["n"],
        payload["a"],
        datetime.fromtimestamp(payload["e"], UTC),
        Narrowing(None if workspaces is None else frozenset(workspaces), payload["r"]),
    )
    return contents, key_id


def _spelled(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _purpose(node_id: int) -> str:
    return f"s3 token {node_id}"
