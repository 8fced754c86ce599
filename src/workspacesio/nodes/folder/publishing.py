"""The moment at which a key gets its new content.

Writing order (what a crash leaves is always the old or the new object):

1. The bytes are in the staged file. It gets the attributes that it will have and the record that describes it.
2. The staged file is synced.
3. Under the key's lock: the key is looked up again, the preconditions are held against what is there, and the
   staged file is renamed to its place (RENAME_NOREPLACE where nothing was there, so that not even a file that a
   shell made meanwhile is lost).
4. The folder is synced; every folder made on the way was synced when it was made.
5. Only then is the write acknowledged.
"""

import errno
import os
import time
from dataclasses import dataclass, replace

from workspacesio.nodes.errors import KeyNotPossible, NodeRefused, NoSuchObject, PreconditionFailed
from workspacesio.nodes.folder import attributes, syscalls
from workspacesio.nodes.folder.metadata import derived_etag
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.placing import (
    Target,
    locate,
    make_folders,
    remove_empty_folders,
)
from workspacesio.nodes.folder.staging import StagedFile
from workspacesio.nodes.values import ObjectAddress, ObjectInfo, ObjectMetadata, Preconditions, Published

_ATTEMPTS = 50
"""Others may remove folders or put files in the way between two steps; each such meeting costs an attempt."""

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
_NO_RENAME_NEW = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


@dataclass(slots=True)
class Publication:
    """One staged file on its way to its key. Blocking; raises NodeError and OSError."""

    node: FolderNode
    address: ObjectAddress
    staged: StagedFile
    metadata: ObjectMetadata
    preconditions: Preconditions
    located: Target | None = None
    """Where the key was found to lie a moment ago, to spare the first look."""

    def publish(self) -> Published:
        node = self.node
        made: tuple[bytes, bytes] | None = None
        vanished = False
        try:
            for attempt in range(_ATTEMPTS):
                known = self.located if attempt == 0 else None
                target = known or locate(node, self.address)
                if target.missing:
                    made = (target.parent, target.folder)
                try:
                    check_preconditions(node, target, self.preconditions)
                    make_folders(node, target.folder, target.missing)
                    parent_fd = node.tree.open_folder(target.parent)
                    try:
                        found, metadata = self._dress(target, parent_fd)
                        if self._swap_in(target, parent_fd):
                            node.sync(parent_fd)
                            return self._published(target, found, metadata)
                    finally:
                        os.close(parent_fd)
                    vanished = False
                except FileNotFoundError:
                    vanished = True
            if vanished:
                # ENOENT each time is also how some FUSE filesystems refuse a name.
                raise KeyNotPossible("The filesystem can't hold a name in this key.")
            raise NodeRefused("Others keep changing what is at this key; try again.")
        except BaseException:
            if made is not None:
                remove_empty_folders(node, made[0], made[1])
            raise

    def _dress(self, target: Target, parent_fd: int) -> tuple[os.stat_result, ObjectMetadata]:
        """Steps 1 and 2. Returns the file's fstat and the metadata that its record now describes it with."""
        fd, node = self.staged.fd, self.node
        attributes.clear(fd)
        if target.existing is None:
            taken = attributes.inherited_by_file(parent_fd, os.fstat(parent_fd))
        else:
            old_fd, old = node.tree.open_file(target.place)
            try:
                taken = attributes.handed_on(old_fd, old)
            finally:
                os.close(old_fd)
        attributes.apply(fd, taken)
        # A time to the nanosecond: an edit in the same tick of the kernel's clock can't have the same.
        now = time.time_ns()
        os.utime(fd, ns=(now, now))
        found = os.fstat(fd)
        metadata = self.metadata
        if not metadata.etag:
            metadata = replace(metadata, etag=derived_etag(found))
        node.records.write(fd, found, metadata, durable=node.durable)
        node.sync(fd)
        return found, metadata

    def _swap_in(self, target: Target, parent_fd: int) -> bool:
        """Step 3. False when something else is at the key than what the staged file was dressed for."""
        staged = self.staged
        with self.node.locks.key(target.place):
            now = self._target_now(target, parent_fd)
            if now.place != target.place or _version(now.existing) != _version(target.existing):
                return False
            check_preconditions(self.node, now, self.preconditions)
            if target.existing is not None:
                os.rename(staged.name, target.name, src_dir_fd=staged.folder_fd, dst_dir_fd=parent_fd)
            else:
                try:
                    _rename_new(staged.folder_fd, staged.name, parent_fd, target.name)
                except FileExistsError:
                    return False
            staged.published()
        return True

    def _target_now(self, target: Target, parent_fd: int) -> Target:
        """The key, looked up again. Where no link leads there, the folder that was opened says it alone."""
        if not target.direct:
            return locate(self.node, self.address)
        try:
            existing = os.stat(target.name, dir_fd=parent_fd, follow_symlinks=False)
        except FileNotFoundError:
            existing = None
        return target._replace(existing=existing)

    def _published(self, target: Target, found: os.stat_result, metadata: ObjectMetadata) -> Published:
        old = target.existing
        if old is not None and old.st_nlink == 1:
            self.node.records.forget(old)
        info = ObjectInfo(self.address.key, found.st_size, found.st_mtime, metadata)
        return Published(info, None if old is None else old.st_size)


def _rename_new(old_fd: int, old: bytes, new_fd: int, new: bytes) -> None:
    """Rename to a name that nobody has. Raises FileExistsError.

    Filesystems that know neither RENAME_NOREPLACE nor links (FAT, some FUSE) are left with a look beforehand.
    """
    try:
        syscalls.rename_new(old_fd, old, new_fd, new)
    except OSError as error:
        if error.errno not in _NO_RENAME_NEW:
            raise
        try:
            os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
        except OSError as link_error:
            if link_error.errno not in _NO_LINKS:
                raise
            _rename_after_look(old_fd, old, new_fd, new)
        else:
            os.unlink(old, dir_fd=old_fd)


def _rename_after_look(old_fd: int, old: bytes, new_fd: int, new: bytes) -> None:
    try:
        os.stat(new, dir_fd=new_fd, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
    else:
        raise FileExistsError(errno.EEXIST, "somebody made a file of this name")


def _version(found: os.stat_result | None) -> tuple[int, ...] | None:
    if found is None:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def check_preconditions(node: FolderNode, target: Target, preconditions: Preconditions) -> None:
    """Raises PreconditionFailed; NoSuchObject when If-Match meets nothing, as S3 does."""
    if preconditions.if_none_match and target.existing is not None:
        raise PreconditionFailed("There is an object already.")
    if preconditions.if_match is None:
        return
    if target.existing is None:
        raise NoSuchObject("There is no object that could match.")
    if preconditions.if_match != "*":
        fd, found = node.tree.open_file(target.place)
        try:
            etag = node.records.read(fd, found, "").etag
        finally:
            os.close(fd)
        compare_etag(etag, preconditions)


def compare_etag(etag: str, preconditions: Preconditions) -> None:
    """Raises PreconditionFailed unless If-Match names this ETag, or any."""
    if preconditions.if_match not in (None, "*", etag):
        raise PreconditionFailed("The object is not the one that was named.")
