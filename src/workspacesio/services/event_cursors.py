"""Where a reader of events is in the journal, sealed: its numbers count what happens out of the reader's sight.

    cursor = base64url(4 bytes key id | 12 bytes nonce | AES-256-GCM(8 bytes position)), without padding

The user's number is authenticated with it, so that a cursor is nobody else's.
"""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workspacesio.domain.errors import Invalid
from workspacesio.services.keys import KEY_ID_BYTES, Keyring

MAX_CHARACTERS = 100

_PURPOSE = "event cursors"
_NONCE_BYTES = 12
_HEADER_BYTES = KEY_ID_BYTES + _NONCE_BYTES


def seal_cursor(keyring: Keyring, user_id: int, position: int) -> str:
    subkey = keyring.current(_PURPOSE)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(subkey.key).encrypt(nonce, position.to_bytes(8, "big"), _bound(user_id))
    return base64.urlsafe_b64encode(subkey.key_id + nonce + sealed).decode().rstrip("=")


def open_cursor(keyring: Keyring, user_id: int, cursor: str) -> int:
    """Raises Invalid for what is no cursor of this user's."""
    if len(cursor) <= MAX_CHARACTERS and cursor.isascii():
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            subkey = keyring.by_id(sealed[:KEY_ID_BYTES], _PURPOSE)
            if subkey is not None:
                nonce, rest = sealed[KEY_ID_BYTES:_HEADER_BYTES], sealed[_HEADER_BYTES:]
                return int.from_bytes(AESGCM(subkey.key).decrypt(nonce, rest, _bound(user_id)), "big")
        except (InvalidTag, ValueError):
            pass
    raise Invalid(
        "Last-Event-ID is none that you were given here; leave it out to hear what happens from now on.",
        code="invalid_cursor",
    )


def _bound(user_id: int) -> bytes:
    return user_id.to_bytes(8, "big")
