"""Owner, group, mode, ACL and foreign extended attributes: what a written file takes over, and from whom.

A file that is overwritten hands on all of them, or the write is refused. A new file takes from its folder: the
group, the mode without x, and in place of the mode the default ACL where there is one (acl(5), "Object creation
and default ACLs", with 0666 as the mode asked for). Set-user-ID and set-group-ID bits and file capabilities are
never handed on: a write in place would have cleared them too.
"""

import contextlib
import errno
import os
import stat
import struct
from typing import NamedTuple

from workspacesio.nodes.folder.metadata import ATTRIBUTE

ACCESS_ACL = "system.posix_acl_access"
DEFAULT_ACL = "system.posix_acl_default"

_NOT_HANDED_ON = frozenset({ATTRIBUTE.decode(), "security.capability", "security.ima", "security.evm"})
_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODATA})

_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x04, 0x10, 0x20
"""linux/posix_acl_xattr.h and linux/posix_acl.h."""


class Attributes(NamedTuple):
    """`uid` None: that of the process. `required`: fail rather than leave any of it out."""

    uid: int | None
    gid: int
    mode: int
    extended: tuple[tuple[str, bytes], ...]
    required: bool


def handed_on(fd: int, found: os.stat_result) -> Attributes:
    """What the file that is being overwritten hands on. `fd` is open for reading, `found` its fstat."""
    extended = []
    for name in _attribute_names(fd):
        if name not in _NOT_HANDED_ON:
            with contextlib.suppress(FileNotFoundError):
                extended.append((name, os.getxattr(fd, name)))
    mode = stat.S_IMODE(found.st_mode) & 0o1777
    return Attributes(found.st_uid, found.st_gid, mode, tuple(extended), required=True)


def inherited_by_file(folder_fd: int, folder: os.stat_result) -> Attributes:
    """What a new file takes from its folder."""
    mode = stat.S_IMODE(folder.st_mode) & 0o666
    default = _read_acl(folder_fd, DEFAULT_ACL)
    if default is None:
        return Attributes(None, folder.st_gid, mode, (), required=False)
    acl = [(tag, perm & 0o6 if tag in (_USER_OBJ, _OTHER) else perm, who) for tag, perm, who in default]
    masked = _MASK if any(tag == _MASK for tag, _, _ in acl) else _GROUP_OBJ
    acl = [(tag, perm & 0o6 if tag == masked else perm, who) for tag, perm, who in acl]
    by_tag = {tag: perm for tag, perm, _ in acl}
    mode = by_tag.get(_USER_OBJ, 0) << 6 | by_tag.get(masked, 0) << 3 | by_tag.get(_OTHER, 0)
    extended = ((ACCESS_ACL, _written_acl(acl)),) if masked == _MASK else ()
    return Attributes(None, folder.st_gid, mode, extended, required=False)


def new_folder_mode(parent_fd: int, parent: os.stat_result) -> int:
    """The mode to make a folder with. A default ACL takes away what it does not give."""
    return 0o777 if _read_acl(parent_fd, DEFAULT_ACL) is not None else parent.st_mode & 0o777


def inherit_to_folder(fd: int, parent_fd: int, parent: os.stat_result) -> None:
    """Give the new folder `fd` its parent's group and mode. The kernel gave it the default ACL already."""
    mode = stat.S_IMODE(parent.st_mode) & 0o2777
    made = os.fstat(fd)
    if made.st_gid != parent.st_gid:
        with contextlib.suppress(PermissionError):
            os.fchown(fd, -1, parent.st_gid)
    if _read_acl(parent_fd, DEFAULT_ACL) is not None:
        mode = stat.S_IMODE(os.fstat(fd).st_mode) | mode & stat.S_ISGID
    _set_mode(fd, mode, required=False)


def apply(fd: int, attributes: Attributes) -> None:
    """Give them to the file `fd`, which nobody else sees yet. Raises OSError (EPERM) where that's not allowed."""
    mine = os.fstat(fd)
    uid = mine.st_uid if attributes.uid is None else attributes.uid
    if (uid, attributes.gid) != (mine.st_uid, mine.st_gid):
        try:
            os.fchown(fd, uid, attributes.gid)
        except PermissionError:
            if attributes.required:
                raise
        mine = os.fstat(fd)  # which may have taken bits of the mode
    if stat.S_IMODE(mine.st_mode) != attributes.mode:
        _change_mode(fd, attributes.mode, required=attributes.required)
    for name, value in attributes.extended:
        if _current(fd, name) != value:
            os.setxattr(fd, name, value)


def _set_mode(fd: int, mode: int, *, required: bool) -> None:
    if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
        _change_mode(fd, mode, required=required)


def _change_mode(fd: int, mode: int, *, required: bool) -> None:
    """Filesystems without modes of their own (FAT, some CIFS mounts) refuse every change."""
    try:
        os.fchmod(fd, mode)
    except PermissionError:
        if required:
            raise


def clear(fd: int) -> None:
    """Take away what `apply` gave, before other attributes are applied."""
    for name in _attribute_names(fd):
        if not name.startswith("security."):
            with contextlib.suppress(OSError):
                os.removexattr(fd, name)


def _attribute_names(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return []
        raise


def _current(fd: int, name: str) -> bytes | None:
    try:
        return os.getxattr(fd, name)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise


def _read_acl(fd: int, name: str) -> list[tuple[int, int, int]] | None:
    raw = _current(fd, name)
    if raw is None:
        return None
    return list(_ENTRY.iter_unpack(raw[_HEADER.size :])) or None


def _written_acl(entries: list[tuple[int, int, int]]) -> bytes:
    return _HEADER.pack(2) + b"".join(_ENTRY.pack(*entry) for entry in entries)
