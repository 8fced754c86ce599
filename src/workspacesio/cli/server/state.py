"""The state folder and the settings of a server, as its processes share them.

`wio serve` starts its parts as processes of their own; what was said on its command line travels to them in the
environment, so that every part, started alone or together, reads its settings in one place.
"""

import fcntl
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.services.keys import Keyring, load_or_make_secret
from workspacesio.settings import Settings

LOCK_FILE = "serve.lock"
DATABASE_FILE = "workspacesio.sqlite3"

_OURS = frozenset({LOCK_FILE, DATABASE_FILE, "secret", "metadata", "locks", "listings", "index", "lost+found"})
"""What a state folder may hold that was restored in part or only begun; and what a new filesystem holds."""


@dataclass(frozen=True, slots=True)
class ServerState:
    settings: Settings
    keyring: Keyring = field(repr=False)
    database_url: str = field(repr=False)

    def open_database(self) -> Database:
        return Database(self.database_url)


def database_file(state_dir: Path) -> Path:
    """Where the database is, unless WIO_DATABASE_URL says otherwise."""
    return state_dir / DATABASE_FILE


def prepare_state(settings: Settings) -> ServerState:
    """Make the state folder if it is missing, and close it to others; raises Invalid when it can't be used.

    A folder that holds other people's files is none, and is left as it is.
    """
    folder = settings.state_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = set(os.listdir(folder))
        if names.isdisjoint((LOCK_FILE, DATABASE_FILE)) and not names <= _OURS:
            raise Invalid(
                f"The folder {folder} holds files that are not this service's; name an empty or a new one with "
                "WIO_STATE_DIR.",
                code="state_folder",
            )
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077:
            folder.chmod(0o700)
        secret = settings.secret or load_or_make_secret(folder)
    except OSError as error:
        raise Invalid(
            f"The state folder {folder} can't be used ({error.strerror}); name another with WIO_STATE_DIR.",
            code="state_folder",
        ) from error
    url = settings.database_url or sqlite_url(database_file(folder))
    return ServerState(replace(settings, state_dir=folder.resolve()), Keyring(secret), url)


def hold_state_folder(state: ServerState, *, alone: bool) -> int:
    """Lock the state folder while the process lives: for itself alone, or beside other parts of one service.

    Returns the descriptor that holds the lock; forks hold it too. Raises Conflict when another server has it.
    """
    path = state.settings.state_dir / LOCK_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict(
            f"Another server is running on the state folder {state.settings.state_dir}; stop it, or give this one "
            "its own with WIO_STATE_DIR.",
            code="already_running",
        ) from None
    return descriptor
