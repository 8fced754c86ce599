"""What a filesystem is: its identity, and what can be relied on in it.

The identity says whether the filesystem at a node's path is the one that was added. `st_dev` is not it: device
numbers change at every start and mount. It is written `KIND:INODE:FSID:UUID`: f_type of statfs(2), the inode of
the node's folder, f_fsid, and the filesystem's UUID where the kernel tells it. The UUID decides where both sides
know it; else f_fsid does (xfs makes f_fsid from the device number, others from the UUID).
"""

import os
import platform

from workspacesio.nodes.folder import syscalls

EXT = 0xEF53
XFS = 0x58465342
BTRFS = 0x9123683E
ZFS = 0x2FC12FC1
TMPFS = 0x01021994
F2FS = 0xF2F52010
BCACHEFS = 0xCA451A4E

LOCAL_KINDS = frozenset({EXT, XFS, BTRFS, ZFS, TMPFS, F2FS, BCACHEFS})
"""Kinds whose metadata calls don't wait for a network: such calls may run on the event loop."""

CASEFOLD_FLAG_KINDS = frozenset({EXT, F2FS, TMPFS})
"""Kinds where folding of case and Unicode is a flag of single folders."""

NEVER_FOLDING_KINDS = frozenset({BTRFS})


def read_identity(path: str) -> str:
    """The identity of the folder at `path`, to be stored with the node. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return identity_of(fd)
    finally:
        os.close(fd)


def identity_of(fd: int) -> str:
    facts = syscalls.statfs(fd)
    uuid = syscalls.filesystem_uuid(fd) or ""
    return f"{facts.kind & 0xFFFFFFFF:x}:{os.fstat(fd).st_ino}:{facts.identifier}:{uuid}"


def identity_matches(stored: str, found: str) -> bool:
    """Whether `found` is the filesystem that was `stored`. A stored '' accepts anything."""
    if not stored:
        return True
    ours, theirs = stored.split(":"), found.split(":")
    if len(ours) != 4 or len(theirs) != 4 or ours[:2] != theirs[:2]:
        return False
    if ours[3] and theirs[3]:
        return ours[3] == theirs[3]
    return ours[2] == theirs[2]


def is_local(kind: int) -> bool:
    return kind & 0xFFFFFFFF in LOCAL_KINDS


def machine_supported() -> bool:
    """openat2(2) came with Linux 5.6."""
    if platform.system() != "Linux":
        return False
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()) or 0)) >= (5, 6)
