"""The token that a node's server shows when it tells of events.

    wioe_ + base64url(4 bytes key id | 32 bytes HMAC-SHA-256 of the token's number)

The key is a subkey of the node's own (HKDF), so nothing of it is stored: a node's current number is all that the
database has, and raising it ends the token. It opens the webhook and nothing else.
"""

import base64
import hashlib
import hmac

from workspacesio.services.keys import KEY_ID_BYTES, Keyring, Subkey

PREFIX = "wioe_"
MAX_CHARACTERS = 100


def event_token(keyring: Keyring, node_id: int, number: int) -> str:
    return PREFIX + _spelled(keyring.current(_purpose(node_id)), number)


def is_event_token(keyring: Keyring, node_id: int, number: int, token: str) -> bool:
    """Whether `token` is the one of this number, by any secret that is still held. Takes as long either way."""
    given = token.removeprefix(PREFIX)
    if len(token) > MAX_CHARACTERS or given == token or not given.isascii():
        return False
    try:
        key_id = base64.urlsafe_b64decode(given)[:KEY_ID_BYTES]
    except ValueError:
        return False
    subkey = keyring.by_id(key_id, _purpose(node_id))
    return subkey is not None and hmac.compare_digest(_spelled(subkey, number), given)


def _spelled(subkey: Subkey, number: int) -> str:
    digest = hmac.digest(subkey.key, str(number).encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(subkey.key_id + digest).decode()


def _purpose(node_id: int) -> str:
    return f"event token {node_id}"
