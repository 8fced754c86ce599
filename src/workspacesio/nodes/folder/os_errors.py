"""One table from what the operating system says to what a driver raises."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from workspacesio.nodes.errors import (
    FileInTheWay,
    FolderInTheWay,
    KeyNotPossible,
    KeyTooLong,
    NodeDown,
    NodeError,
    NodeFull,
    NodeReadOnly,
    NodeRefused,
    NoSuchObject,
)

_SENTENCES: dict[int, tuple[type[NodeError], str]] = {
    errno.ENOSPC: (NodeFull, "The filesystem is full."),
    errno.EDQUOT: (NodeFull, "A quota of the filesystem is full."),
    errno.EFBIG: (NodeFull, "The filesystem can't hold a file of this size."),
    errno.EACCES: (NodeRefused, "The operating system does not permit this."),
    errno.EPERM: (NodeRefused, "The operating system does not permit this."),
    errno.ETXTBSY: (NodeRefused, "The file is a program that is running."),
    errno.EBUSY: (NodeRefused, "The operating system is using this file or folder."),
    errno.EROFS: (NodeReadOnly, "The filesystem is mounted read-only."),
    errno.ENOENT: (NoSuchObject, "There is no such object."),
    errno.ENAMETOOLONG: (KeyTooLong, "The filesystem can't hold a name of this length."),
    errno.EILSEQ: (KeyNotPossible, "The filesystem can't hold this name."),
    errno.EINVAL: (KeyNotPossible, "The filesystem can't hold this name."),
    errno.ENOTDIR: (FileInTheWay, "There is a file where a folder must be."),
    errno.EISDIR: (FolderInTheWay, "There is a folder where the file must go."),
    errno.ENOTEMPTY: (FolderInTheWay, "There is a folder where the file must go."),
    errno.EEXIST: (KeyNotPossible, "There is something else where the file must go."),
    errno.ELOOP: (KeyNotPossible, "A symbolic link is in the way."),
    errno.EXDEV: (KeyNotPossible, "Another filesystem is in the way."),
    errno.EMLINK: (KeyNotPossible, "The folder can't hold more folders."),
}


def node_error(error: OSError) -> NodeError:
    """The NodeError for an OSError. What isn't known means that the storage doesn't answer as it should."""
    kind, sentence = _SENTENCES.get(
        error.errno or 0, (NodeDown, f"The storage failed ({errno.errorcode.get(error.errno or 0, 'unknown')}).")
    )
    return kind(sentence)


@contextmanager
def translated() -> Iterator[None]:
    """Everything inside raises NodeError instead of OSError."""
    try:
        yield
    except OSError as error:
        raise node_error(error) from error
