"""The key of all keys, and the subkeys made from it: one for each purpose and node.

Subkeys come from HKDF-SHA-256 (RFC 5869), so that none tells anything of another. Each carries the id of the
secret it was made from: `WIO_SECRET` may hold several secrets separated by commas, the first makes new keys, all
are accepted, which is how a secret is rotated.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workspacesio.domain.errors import Invalid

FILE_NAME = "secret"
MIN_SECRET_CHARACTERS = 16
KEY_ID_BYTES = 4
MAX_SUBKEYS = 1024
"""Kept in memory. A token names its node before anybody knows that it is genuine."""


@dataclass(frozen=True, slots=True)
class Subkey:
    """A key for one purpose; `key_id` says which of the secrets it was made from."""

    key_id: bytes
    key: bytes = field(repr=False)


class Keyring:
    """Makes subkeys. Keep one in a process; it holds the secrets in memory and shows them to nobody."""

    def __init__(self, secret: str) -> None:
        parts = [part.strip() for part in secret.split(",")]
        if any(len(part) < MIN_SECRET_CHARACTERS for part in parts):
            raise Invalid(
                f"WIO_SECRET needs at least {MIN_SECRET_CHARACTERS} characters; "
                "`openssl rand -hex 32` makes a good one.",
                code="invalid_setting",
            )
        self._secrets = {_key_id(part): part.encode() for part in parts}
        self._current = _key_id(parts[0])
        self._subkeys: dict[tuple[bytes, str], Subkey] = {}

    def current(self, purpose: str) -> Subkey:
        """The subkey for making new things. `purpose` names use and node, such as `s3 token 7`."""
        return self._subkey(self._current, purpose)

    def by_id(self, key_id: bytes, purpose: str) -> Subkey | None:
        """The subkey with which something was made, or None when its secret is no longer held."""
        return self._subkey(key_id, purpose) if key_id in self._secrets else None

    def _subkey(self, key_id: bytes, purpose: str) -> Subkey:
        found = self._subkeys.get((key_id, purpose))
        if found is None:
            derivation = HKDF(SHA256(), 32, salt=b"workspacesio", info=purpose.encode())
            found = Subkey(key_id, derivation.derive(self._secrets[key_id]))
            if len(self._subkeys) >= MAX_SUBKEYS:
                self._subkeys.clear()
            self._subkeys[key_id, purpose] = found
        return found


def _key_id(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"workspacesio key id", hashlib.sha256)[:KEY_ID_BYTES]


def load_or_make_secret(state_dir: Path) -> str:
    """The secret in the state folder; made on the first start, readable by its owner alone."""
    path = state_dir / FILE_NAME
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    temporary = state_dir / f".{FILE_NAME}-{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)  # never over a secret that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
    return path.read_text().strip()
