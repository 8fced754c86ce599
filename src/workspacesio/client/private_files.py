"""Files that only their owner may read: the configuration, with its session tokens, and cached credentials.

Folders as the XDG Base Directory Specification has them; on macOS and Windows where programs have theirs there.
A file is 0600 from the moment it exists, and replaced in one step, so no reader sees half of it. On Windows it
has the access list of the user's profile.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

from workspacesio.client import operating_system
from workspacesio.client.errors import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


XDG = sys.platform not in ("win32", "darwin")
"""Where platformdirs would say the same, and takes longer to load than all that a short command needs."""


def config_path() -> str:
    """Where the configuration is: $XDG_CONFIG_HOME/workspacesio/config.json, or as the system has it."""
    if XDG:
        return os.path.join(_base("XDG_CONFIG_HOME", ".config"), "workspacesio", "config.json")
    import platformdirs

    return os.path.join(platformdirs.user_config_dir("workspacesio", appauthor=False), "config.json")


def cache_dir() -> str:
    """What may be thrown away at any time: $XDG_CACHE_HOME/workspacesio, or as the system has it."""
    if XDG:
        return os.path.join(_base("XDG_CACHE_HOME", ".cache"), "workspacesio")
    import platformdirs

    return platformdirs.user_cache_dir("workspacesio", appauthor=False)


def _base(variable: str, default: str) -> str:
    value = os.environ.get(variable, "")
    # The specification: a relative path is invalid and is ignored.
    return value if os.path.isabs(value) else os.path.join(os.path.expanduser("~"), default)


def make_private_dir(path: str) -> None:
    """Make a folder that only its owner may enter, and its parents. Raises CommandError."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
    except OSError as error:
        raise CommandError(
            f"{path} can't be made ({error.strerror}); make its parent folder writable for you."
        ) from error


def write_json(path: str, value: Any) -> None:
    """As `write_text`."""
    write_text(path, json.dumps(value))


def write_text(path: str, text: str) -> None:
    """Replace a private file. Raises CommandError with the reason where that fails."""
    make_private_dir(os.path.dirname(path))
    temporary = f"{path}.{os.urandom(6).hex()}.tmp"  # one for each thread
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | operating_system.NOT_THROUGH_LINKS
        descriptor = os.open(temporary, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise CommandError(f"{path} can't be written: {error.strerror}.") from error


def read_json(path: str) -> Any:
    """What `write_json` wrote, or None where there is nothing, or nothing that can be believed.

    A file of somebody else's is not believed: it could name a server of theirs. One that others may read is
    made private first, with a word about it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | operating_system.NOT_THROUGH_LINKS)
    except OSError:
        return None
    with os.fdopen(descriptor, encoding="utf-8") as file:
        status = os.fstat(descriptor)
        if operating_system.is_anothers(status):
            return None
        if operating_system.make_private(descriptor, status):
            sys.stderr.write(f"wio: {path} could be read by others; it is private now.\n")
        try:
            return json.load(file)
        except ValueError:
            return None


def remove(path: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
