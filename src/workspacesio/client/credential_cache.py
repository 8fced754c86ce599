"""Credentials kept between commands, until shortly before they expire.

One private file for each sign-in, in a folder named after a random key of that sign-in: after logging out or
signing in again nothing of it is found. Inside, the key is what was asked for: workspaces, node, reading only,
duration.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

from workspacesio.client import private_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFERENCE_SECONDS = 300
"""How long a resolved name is believed. A command of this user that changes what names mean drops them all."""


def get(cache_key: str, request: dict[str, Any], *, left: float = 0.0) -> dict[str, Any] | None:
    """The credential of an earlier, equal request, if more than `left` of its life (0 to 1) is still to come."""
    entry = _read(cache_key, "credentials").get(_spelled(request))
    if not isinstance(entry, dict):
        return None
    now = time.time()
    begins, ends = float(entry["issued_at"]), float(entry["use_until"])
    if not begins <= now < ends or ends - now < left * (ends - begins):
        return None
    credential: dict[str, Any] = entry["credential"]
    return credential


def put(cache_key: str, request: dict[str, Any], credential: dict[str, Any]) -> None:
    """Keep a credential until a tenth of its life, or a minute where that is more, is left."""
    from datetime import datetime

    now = time.time()
    life = datetime.fromisoformat(credential["expires_at"]).timestamp() - now
    margin = max(life / 10, min(60, life / 2))
    entry = {"issued_at": now, "use_until": now + life - margin, "credential": credential}
    kept = {key: one for key, one in _read(cache_key, "credentials").items() if one["use_until"] > now}
    _write(cache_key, "credentials", {**kept, _spelled(request): entry})


def get_reference(cache_key: str, typed: str) -> dict[str, Any] | None:
    """What a name meant a short while ago."""
    entry = _read(cache_key, "references").get(typed)
    if not isinstance(entry, dict) or not 0 <= time.time() - entry["at"] < REFERENCE_SECONDS:
        return None
    return entry


def put_references(cache_key: str, found: dict[str, dict[str, Any]]) -> None:
    """Keep what names mean."""
    now = time.time()
    kept = {
        typed: one
        for typed, one in _read(cache_key, "references").items()
        if 0 <= now - one["at"] < REFERENCE_SECONDS
    }
    _write(cache_key, "references", {**kept, **{typed: {**one, "at": now} for typed, one in found.items()}})


def clear(cache_key: str) -> None:
    """Forget everything of one sign-in."""
    if not cache_key:
        return
    with contextlib.suppress(OSError):
        for entry in os.scandir(os.path.join(private_files.cache_dir(), cache_key)):
            private_files.remove(entry.path)


def _spelled(request: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in request.items() if value}, sort_keys=True)


def _read(cache_key: str, name: str) -> dict[str, Any]:
    if not cache_key:
        return {}
    kept = private_files.read_json(os.path.join(private_files.cache_dir(), cache_key, name + ".json"))
    return kept if isinstance(kept, dict) else {}


def _write(cache_key: str, name: str, value: dict[str, Any]) -> None:
    if cache_key:
        private_files.write_json(os.path.join(private_files.cache_dir(), cache_key, name + ".json"), value)
