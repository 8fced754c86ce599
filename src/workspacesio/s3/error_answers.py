"""From what went wrong below to an S3 error: one table for nodes, one for the authority.

A test holds the tables complete: every class of `nodes.errors` and `domain.errors` is in one of them. What
isn't in them is a mistake of ours and becomes InternalError, with the request's id and nothing else.
"""

import logging

from workspacesio.domain import errors
from workspacesio.nodes import errors as node_errors
from workspacesio.s3.error_codes import ErrorCode, S3Error

_log = logging.getLogger(__name__)

NODE_ANSWERS: dict[type[node_errors.NodeError], ErrorCode] = {
    node_errors.NodeError: ErrorCode.ServiceUnavailable,
    node_errors.NodeDown: ErrorCode.ServiceUnavailable,
    node_errors.AddressNotAllowed: ErrorCode.ServiceUnavailable,
    node_errors.NodeReadOnly: ErrorCode.StorageReadOnly,
    node_errors.NodeFull: ErrorCode.InsufficientStorage,
    node_errors.NodeRefused: ErrorCode.AccessDenied,
    node_errors.NoSuchBucket: ErrorCode.NoSuchBucket,
    node_errors.BucketExists: ErrorCode.BucketAlreadyOwnedByYou,
    node_errors.BucketNotEmpty: ErrorCode.BucketNotEmpty,
    node_errors.NoSuchObject: ErrorCode.NoSuchKey,
    node_errors.NoSuchUpload: ErrorCode.NoSuchUpload,
    node_errors.UploadBusy: ErrorCode.OperationAborted,
    node_errors.KeyNotPossible: ErrorCode.InvalidArgument,
    node_errors.KeyTooLong: ErrorCode.KeyTooLongError,
    node_errors.FileInTheWay: ErrorCode.ObjectParentIsFile,
    node_errors.FolderInTheWay: ErrorCode.ExistingObjectIsDirectory,
    node_errors.FolderTakesNoContent: ErrorCode.DirectoryObjectContainsData,
    node_errors.PreconditionFailed: ErrorCode.PreconditionFailed,
    node_errors.InvalidPart: ErrorCode.InvalidPart,
    node_errors.InvalidPartOrder: ErrorCode.InvalidPartOrder,
    node_errors.PartTooSmall: ErrorCode.EntityTooSmall,
    node_errors.RangeNotSatisfiable: ErrorCode.InvalidRange,
    # Every S3 client tries again after 503, and finds the object as it is by then.
    node_errors.ObjectChanged: ErrorCode.ServiceUnavailable,
}

_SAYS_WHY = (
    node_errors.NodeDown,
    node_errors.NodeReadOnly,
    node_errors.NodeFull,
    node_errors.NodeRefused,
    node_errors.UploadBusy,
    node_errors.KeyNotPossible,
    node_errors.ObjectChanged,
)
"""Where the node's sentence says more than S3's: the caller may act here, and has to know what is in the way."""

DOMAIN_ANSWERS: dict[type[errors.WorkspacesIOError], ErrorCode] = {
    errors.WorkspacesIOError: ErrorCode.InternalError,
    errors.Unauthenticated: ErrorCode.AccessDenied,
    errors.TooManyAttempts: ErrorCode.SlowDown,
    errors.Refused: ErrorCode.AccessDenied,
    # What the caller can't see is never told apart from what isn't there.
    errors.NotFound: ErrorCode.AccessDenied,
    errors.Conflict: ErrorCode.OperationAborted,
    errors.Ambiguous: ErrorCode.OperationAborted,
    errors.Invalid: ErrorCode.InvalidArgument,
    errors.NotSupported: ErrorCode.NotImplemented,
    errors.Unavailable: ErrorCode.ServiceUnavailable,
}

_SHOWN = (errors.Invalid, errors.Conflict, errors.NotSupported)

_UNDECIDED = "Rights can't be checked at the moment; try again shortly."
"""What is said instead of an authority's own words about what is away."""


def s3_error(error: Exception) -> S3Error | None:
    """The S3 error that answers `error`, or None for one that nobody foresaw."""
    if isinstance(error, S3Error):
        return error
    for kind in type(error).__mro__:
        if kind in NODE_ANSWERS:
            return _node_answer(error, NODE_ANSWERS[kind])
        if kind in DOMAIN_ANSWERS:
            return S3Error(DOMAIN_ANSWERS[kind], _sentence(error))
    return None


def _sentence(error: Exception) -> str | None:
    if isinstance(error, errors.Unavailable):
        return _UNDECIDED
    return str(error) if isinstance(error, _SHOWN) else None


def error_answer(error: Exception, request_id: str) -> S3Error:
    """The S3 error that answers `error`; one that nobody foresaw is logged with the request's id."""
    answer = s3_error(error)
    if answer is None:
        _log.error("request %s failed", request_id, exc_info=error)
        return S3Error(ErrorCode.InternalError)
    if answer is not error and answer.status >= 500:
        _log.warning("request %s: %s: %s", request_id, type(error).__name__, str(error))
    return answer


def _node_answer(error: Exception, code: ErrorCode) -> S3Error:
    if isinstance(error, node_errors.RangeNotSatisfiable):
        return S3Error(code, ActualObjectSize=error.size)
    message = str(error) if isinstance(error, _SAYS_WHY) else ""
    return S3Error(code, message or None)
