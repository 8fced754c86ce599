"""What can go wrong, for programs: see `workspacesio.domain.errors`."""

from workspacesio.domain.errors import (
    Ambiguous,
    Conflict,
    Invalid,
    NotFound,
    NotSupported,
    Refused,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
    WorkspacesIOError,
)

__all__ = [
    "Ambiguous",
    "Conflict",
    "Invalid",
    "NotFound",
    "NotSupported",
    "Refused",
    "TooManyAttempts",
    "Unauthenticated",
    "Unavailable",
    "WorkspacesIOError",
]
