"""Everything that can go wrong for a reason the caller can understand.

    WorkspacesIOError
    ├── Unauthenticated      who is calling is not known          (401)
    │   └── TooManyAttempts  sign-in is limited in rate           (429)
    ├── Refused              known, visible, and not allowed      (403)
    ├── NotFound             absent, or not for the caller to see (404)
    ├── Conflict             the state does not permit it now     (409)
    │   └── Ambiguous        a name that means more than one thing
    ├── Invalid              the request itself is wrong          (422)
    ├── NotSupported         this node or service can't do that   (501)
    └── Unavailable          a part of the service is away        (503)

Statuses are the transports' business: each keeps one table from these classes to its own answers.
`code` is stable and meant for programs, `str(error)` is one sentence that says what to do next.
"""

from collections.abc import Mapping
from typing import ClassVar


class WorkspacesIOError(Exception):
    """Root of the tree. `details` is plain data that may be shown to the caller: never a secret."""

    default_code: ClassVar[str] = "error"

    def __init__(
        self, sentence: str, *, code: str | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code or self.default_code
        self.details: Mapping[str, object] = details or {}


class Unauthenticated(WorkspacesIOError):
    default_code = "unauthenticated"


class TooManyAttempts(Unauthenticated):
    default_code = "too_many_attempts"


class Refused(WorkspacesIOError):
    default_code = "refused"


class NotFound(WorkspacesIOError):
    default_code = "not_found"


class Conflict(WorkspacesIOError):
    default_code = "conflict"


class Ambiguous(Conflict):
    default_code = "ambiguous"


class Invalid(WorkspacesIOError):
    default_code = "invalid"


class NotSupported(WorkspacesIOError):
    default_code = "not_supported"


class Unavailable(WorkspacesIOError):
    default_code = "unavailable"
