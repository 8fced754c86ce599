"""Long random tokens: made once, shown once, stored as a hash.

256 random bits can't be guessed, so a fast hash is enough; passwords are another matter (`passwords.py`).
The prefix says what a token is for, to people and to scanners that look for leaked secrets.
"""

import hashlib
import secrets

SESSION = "wios_"
API_KEY = "wiok_"
ONE_TIME = "wiot_"

MAX_CHARACTERS = 200
"""No token is longer; whatever is longer isn't looked up."""


def new_token(prefix: str) -> tuple[str, bytes]:
    """A token with 256 random bits, and the hash to store."""
    token = prefix + secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> bytes:
    """SHA-256 of the token."""
    return hashlib.sha256(token.encode()).digest()
