"""What goes wrong, as programs are told: errors of the one tree, `workspacesio.errors`.

Programs that work on files expect OSError and its kinds. What the filesystem raises is both:

    errors.NotFound          FileNotFoundError
    errors.Refused           PermissionError
    errors.Unauthenticated   PermissionError
    errors.Conflict          FileExistsError where an object is in the way, else OSError
    all others               OSError
"""

from __future__ import annotations

import contextlib
import errno
from typing import ClassVar

from workspacesio.client.errors import CommandError, NotAllowed, NotSignedIn, NotThere, UsageError
from workspacesio.client.errors import Refused as RefusedByApi
from workspacesio.domain import errors as errors  # noqa: PLC0414 - the client's one way to them

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_STATUS: dict[int, type[errors.WorkspacesIOError]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Refused,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.Conflict,
    422: errors.Invalid,
    429: errors.TooManyAttempts,
    501: errors.NotSupported,
    503: errors.Unavailable,
}


class _File:
    """`errno` as the operating system would have it; the sentence stays what `str` says."""

    number: ClassVar[int] = errno.EIO
    errno: int | None

    def __init__(self, *args: object, **fields: object) -> None:
        super().__init__(*args, **fields)
        self.errno = self.number


class FileFailed(_File, errors.WorkspacesIOError, OSError):
    """Anything that the others don't name."""


class FileMissing(_File, errors.NotFound, FileNotFoundError):
    """There is nothing of this name, or nothing that the caller may know of."""

    number = errno.ENOENT


class FileDenied(_File, errors.Refused, PermissionError):
    """The caller's rights don't reach so far, or don't any more."""

    number = errno.EACCES


class FileUnauthenticated(_File, errors.Unauthenticated, PermissionError):
    """Nobody is signed in, or not any more."""

    number = errno.EACCES


class FileConflict(_File, errors.Conflict, OSError):
    """The state doesn't permit it: a name with two meanings, an object that was replaced meanwhile."""

    number = errno.EBUSY


class FileAmbiguous(_File, errors.Ambiguous, OSError):
    """A name that means more than one workspace."""

    number = errno.EINVAL


class FileThere(_File, errors.Conflict, FileExistsError):
    """It exists, and was to be made anew."""

    number = errno.EEXIST


class FileIsFolder(_File, errors.Conflict, IsADirectoryError):
    """A folder, where an object is meant."""

    number = errno.EISDIR


class FileInvalid(_File, errors.Invalid, OSError):
    """A name that can't be held, or an argument that can't be meant."""

    number = errno.EINVAL


class FileNotSupported(_File, errors.NotSupported, OSError):
    """This node can't do that."""

    number = errno.EOPNOTSUPP


class FileUnavailable(_File, errors.Unavailable, OSError):
    """A part of the service is away."""

    number = errno.EAGAIN


_AS_FILES: dict[type[errors.WorkspacesIOError], type[errors.WorkspacesIOError]] = {
    errors.NotFound: FileMissing,
    errors.Refused: FileDenied,
    errors.Unauthenticated: FileUnauthenticated,
    errors.TooManyAttempts: FileUnauthenticated,
    errors.Conflict: FileConflict,
    errors.Ambiguous: FileAmbiguous,
    errors.Invalid: FileInvalid,
    errors.NotSupported: FileNotSupported,
    errors.Unavailable: FileUnavailable,
}


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What goes wrong, as an error of the one tree."""
    try:
        yield
    except CommandError as error:
        raise _in_the_tree(error) from error


@contextlib.contextmanager
def told_of_files() -> Iterator[None]:
    """The same, each an OSError too. What the operating system itself says stays as it is."""
    try:
        yield
    except CommandError as error:
        from workspacesio.client.uploads import Exists

        made = _in_the_tree(error)
        kind = FileThere if isinstance(error, Exists) else _AS_FILES.get(type(made), FileFailed)
        raise kind(str(made), code=made.code, details=made.details) from error


def _in_the_tree(error: CommandError) -> errors.WorkspacesIOError:
    if isinstance(error, RefusedByApi):
        kind = errors.Ambiguous if error.code == "ambiguous" else _BY_STATUS.get(error.status)
        return (kind or errors.WorkspacesIOError)(str(error), code=error.code or None, details=error.details)
    if isinstance(error, NotThere):
        return errors.NotFound(str(error))
    if isinstance(error, NotAllowed):
        return errors.Refused(str(error))
    if isinstance(error, NotSignedIn):
        return errors.Unauthenticated(str(error))
    if isinstance(error, UsageError):
        return errors.Invalid(str(error))
    from workspacesio.client.s3_requests import S3Refused
    from workspacesio.client.uploads import Exists

    if isinstance(error, Exists):
        return errors.Conflict(str(error), code="exists")
    # A place says for which name it was refused, and what S3 said stands behind that.
    refused = error if isinstance(error, S3Refused) else error.__cause__
    if isinstance(refused, S3Refused):
        kind = _BY_STATUS.get(refused.status, errors.WorkspacesIOError)
        return kind(str(error), code=refused.code or None)
    return errors.WorkspacesIOError(str(error))
