"""Where the next page of a search begins, sealed: nobody else's, and of no other query.

    cursor  = base64url(4 bytes key id | 12 bytes nonce | AES-256-GCM(payload)), without padding
    payload = JSON [microseconds since 1970 at which the first page was asked, the engine's own place]

User, text and order are authenticated with it. A cursor carries no right: each page is asked with the rights that
are held then.
"""

import base64
import hashlib
import json
import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workspacesio.domain.errors import Invalid
from workspacesio.index.engine import Sort
from workspacesio.services.keys import KEY_ID_BYTES, Keyring

MAX_CHARACTERS = 8192
"""A path of 1,024 characters, in JSON and base64, and some more."""

_PURPOSE = "search cursors"
_NONCE_BYTES = 12
_HEADER_BYTES = KEY_ID_BYTES + _NONCE_BYTES


class Asked(NamedTuple):
    """What a cursor belongs to."""

    user_id: int
    text: str
    sort: Sort
    descending: bool


class Place(NamedTuple):
    """`asked_at`: when the first page was asked, which is when ages in the query end. `after`: the engine's."""

    asked_at: int
    after: str


def seal_cursor(keyring: Keyring, asked: Asked, place: Place) -> str:
    subkey = keyring.current(_PURPOSE)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(subkey.key).encrypt(nonce, json.dumps(place).encode(), _bound(asked))
    return base64.urlsafe_b64encode(subkey.key_id + nonce + sealed).decode().rstrip("=")


def open_cursor(keyring: Keyring, asked: Asked, cursor: str) -> Place:
    """Raises Invalid for what is no cursor of this user's and query's."""
    if len(cursor) <= MAX_CHARACTERS and cursor.isascii():
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            subkey = keyring.by_id(sealed[:KEY_ID_BYTES], _PURPOSE)
            if subkey is not None:
                nonce, rest = sealed[KEY_ID_BYTES:_HEADER_BYTES], sealed[_HEADER_BYTES:]
                return Place(*json.loads(AESGCM(subkey.key).decrypt(nonce, rest, _bound(asked))))
        except (InvalidTag, ValueError):
            pass
    raise Invalid(
        "The next page belongs to another query or user; ask for the first page again.", code="invalid_cursor"
    )


def _bound(asked: Asked) -> bytes:
    spelled = json.dumps([asked.user_id, asked.text, asked.sort.value, asked.descending])
    return hashlib.sha256(spelled.encode()).digest()
