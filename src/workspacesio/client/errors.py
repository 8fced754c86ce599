"""What ends a command early. The message is one sentence for a person and says what to do next."""

from __future__ import annotations


class CommandError(Exception):
    """Refused or failed: exit status 1. `below`: lines to print under the sentence, as they are."""

    exit_status = 1
    below = ""


class UsageError(CommandError):
    """Typed in a way that can't be meant: exit status 2."""

    exit_status = 2


class NotSignedIn(CommandError):
    """There is no sign-in here for this server."""


class NotAllowed(CommandError):
    """The caller's rights don't reach so far, or don't any more."""


class NotThere(CommandError):
    """No object, or none that the caller may know of, has this name."""


class Away(CommandError):
    """A server can't be reached at all: what else is asked of it goes the same way."""


class Refused(CommandError):
    """The server answered with an error; `code` is the stable code of the API, "" where it gave none."""

    def __init__(self, message: str, *, status: int, code: str = "", details: dict[str, object] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details or {}
