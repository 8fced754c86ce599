"""From a key to a place in the node's folder, and safely from a place to a file descriptor.

Everything is reached from one descriptor of the node's folder, by paths relative to it ("places"; b'' is the
node's folder itself), as bytes. Two steps:

1. `walk` goes along the key's components with lstat, follows symbolic links in userspace, and says where the key
   really lies: a place without links, below the workspace's own folder.
2. `open` opens that place by openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS. Whoever swapped a component
   for a link in between gets an error, never another file.

What makes a key absent, for readers and listings alike (`Walk.obstacle`):

- a component that is the name of a system folder, or that the filesystem can't hold;
- a folder without r-x for group or others above it, or a file without r for group or others, unless the node
  serves those too (as every node does whose own folder is closed in that way: its modes tell nothing);
- a link that leads out of the workspace, nowhere, or into a folder above one that the key already went
  through (such a link would give endless keys);
- another filesystem mounted in between, unless the node crosses filesystems;
- another spelling than the stored one, where the filesystem folds names.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Sequence

from workspacesio.domain import names
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.errors import KeyNotPossible, KeyTooLong, NoSuchBucket
from workspacesio.nodes.folder import syscalls
from workspacesio.nodes.folder.os_errors import translated
from workspacesio.nodes.folder.root_folder import RootFolder
from workspacesio.nodes.folder.walk import Obstacle, Walk, closed, contains, file_closed, folder_closed, join
from workspacesio.nodes.values import ObjectAddress, Scope

__all__ = [
    "SYSTEM_NAMES",
    "FolderLayout",
    "NodeTree",
    "Obstacle",
    "Walk",
    "contains",
    "file_closed",
    "folder_closed",
    "join",
]

SYSTEM_NAMES = frozenset(name.encode() for name in names.SYSTEM_FOLDERS)

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK
_ABSENT_ERRNOS = frozenset({errno.ENOENT, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})


def check_key(key: str) -> None:
    """Raise KeyTooLong or KeyNotPossible where `key` can't name a plain file."""
    problem = names.key_problem(key)
    if problem is None:
        return
    whole = key.encode(errors="surrogatepass")
    lengths = [len(component) for component in whole.split(b"/")]
    too_long = len(whole) > names.MAX_KEY_BYTES or max(lengths) > names.MAX_COMPONENT_BYTES
    kind = KeyTooLong if too_long else KeyNotPossible
    raise kind(f"This key can't be used here: {problem}.")


class NodeTree(RootFolder):
    """Places in the node's folder. Methods raise OSError unless said otherwise, and are safe in threads."""

    # --- places ---------------------------------------------------------------------------------------------

    def bucket_place(self, bucket: str) -> bytes:
        """Where a bucket's keys begin. Raises NoSuchBucket."""
        if self.layout is FolderLayout.BUCKET:
            if bucket != self.bucket_name:
                raise NoSuchBucket("There is no such bucket on this node.")
            return b""
        if (
            not bucket
            or "/" in bucket
            or "\0" in bucket
            or bucket in (".", "..")
            or bucket in names.SYSTEM_FOLDERS
        ):
            raise NoSuchBucket("There is no such bucket on this node.")
        place = bucket.encode(errors="surrogateescape")
        try:
            found = os.stat(place, dir_fd=self.root_fd, follow_symlinks=False)
        except OSError as error:
            raise NoSuchBucket("There is no such bucket on this node.") from error
        closed = folder_closed(found.st_mode) and not self.serves_closed
        if not stat.S_ISDIR(found.st_mode) or closed or self._misspelled(b"", self.root_stat, place):
            raise NoSuchBucket("There is no such bucket on this node.")
        return place

    def boundary_place(self, scope: Scope) -> bytes:
        """The folder that must not be left, whether it exists or not. Raises NoSuchBucket."""
        place = self.bucket_place(scope.bucket)
        boundary = scope.boundary.rstrip("/").encode()
        return join(place, boundary) if boundary else place

    def walk(self, scope: Scope, key: str) -> Walk:
        """Where `key` (whole, from the bucket's root; a trailing slash doesn't count) leads. Raises NoSuchBucket.

        For ('', '') boundaries and keys this is the bucket's folder. The key must begin with the boundary.
        """
        bucket = self.bucket_place(scope.bucket)
        boundary = scope.boundary.rstrip("/").encode()
        components = [part for part in key.rstrip("/").encode().split(b"/") if part]
        fixed = boundary.count(b"/") + 1 if boundary else 0
        walk = self._advance(bucket, self._stat_of(bucket), components[:fixed], None, ())
        if walk.missing or walk.obstacle or len(components) <= fixed:
            if walk.missing and walk.obstacle is None:
                return Walk(walk.place, walk.stat, (*walk.missing, *components[fixed:]))
            return walk
        return self._advance(walk.place, walk.stat, components[fixed:], walk.place, ())

    def address_walk(self, address: ObjectAddress) -> Walk:
        """`walk` of an object's address after the rules for keys. Raises KeyNotPossible, NoSuchBucket."""
        check_key(address.key)
        if not address.key.startswith(address.boundary):
            raise KeyNotPossible("This key does not lie in the workspace.")
        return self.walk(address.scope, address.key)

    def _stat_of(self, place: bytes) -> os.stat_result:
        if not place:
            return self.root_stat
        return os.stat(place, dir_fd=self.root_fd, follow_symlinks=False)

    def _advance(
        self,
        place: bytes,
        found: os.stat_result,
        components: Sequence[bytes],
        boundary: bytes | None,
        visited: tuple[bytes, ...],
    ) -> Walk:
        """Go on from the folder `place`. With `boundary` None links are not followed at all."""
        root_fd = self.root_fd
        link: bytes | None = None
        last = len(components) - 1
        for index, name in enumerate(components):
            if not stat.S_ISDIR(found.st_mode):
                return Walk(place, found, tuple(components[index:]), Obstacle.NOT_A_FOLDER)
            if name in SYSTEM_NAMES:
                return Walk(place, found, tuple(components[index:]), Obstacle.SYSTEM_FOLDER)
            here = place + b"/" + name if place else name
            try:
                below = os.stat(here, dir_fd=root_fd, follow_symlinks=False)
            except OSError as error:
                obstacle = _obstacle_of(error)
                return Walk(place, found, tuple(components[index:]), obstacle, visited=visited)
            if not self.folding.known_exact(found) and self._misspelled(place, found, name):
                return Walk(place, found, tuple(components[index:]), Obstacle.SPELLING)
            if stat.S_ISLNK(below.st_mode):
                target = self.follow(boundary, here, (*visited, place)) if boundary is not None else None
                if target is None:
                    return Walk(place, found, tuple(components[index:]), Obstacle.LINK)
                if index == last:
                    link = here
                visited = (*visited, place)
                here, below = target
            elif not self.serves_closed and closed(below.st_mode):
                return Walk(place, found, tuple(components[index:]), Obstacle.CLOSED)
            place, found = here, below
        return Walk(place, found, link=link, visited=visited)

    def follow(
        self, boundary: bytes, link: bytes, visited: tuple[bytes, ...]
    ) -> tuple[bytes, os.stat_result] | None:
        """Where the symbolic link at place `link` really leads, if that is below the place `boundary`, else None.

        `visited` are the folders in which the key's links were followed so far, this link's folder included.
        """
        try:
            real = os.path.realpath(join(self._real_path, link), strict=True)
        except (OSError, ValueError):
            return None
        if self._real_path != b"/":
            if not real.startswith(self._real_path + b"/"):
                return None
            real = real[len(self._real_path) :]
        place = real.lstrip(b"/")
        if not place or place == boundary or not contains(boundary, place):
            return None
        start = self._stat_of(boundary)
        relative = place[len(boundary) :].lstrip(b"/")
        walk = self._advance(boundary, start, relative.split(b"/"), None, ())
        if not walk.found:
            return None
        if stat.S_ISDIR(walk.stat.st_mode) and any(contains(place, folder) for folder in visited):
            return None
        return place, walk.stat

    def _misspelled(self, folder: bytes, folder_stat: os.stat_result, name: bytes) -> bool:
        with contextlib.suppress(OSError):
            return self.folding.misspelled(self.root_fd, folder, folder_stat, name)
        return True

    # --- descriptors ----------------------------------------------------------------------------------------

    def open(self, place: bytes, flags: int) -> int:
        """Open a place without following any link. ELOOP and EXDEV mean that it was swapped or is mounted over.

        O_NONBLOCK and O_NOCTTY keep fifos and terminals from holding up whoever opens them.
        """
        return syscalls.openat2(
            self.root_fd, place, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW, self._resolve
        )

    def open_folder(self, place: bytes) -> int:
        """A readable descriptor of the folder at `place`: for scandir, fsync, and as dir_fd."""
        return self.open(place, _FOLDER_FLAGS)

    def open_file(self, place: bytes) -> tuple[int, os.stat_result]:
        """The regular file at `place` for reading, and its fstat. Raises OSError (ENOENT for anything else)."""
        try:
            fd = self.open(place, os.O_RDONLY | os.O_NOATIME)
        except PermissionError:
            # O_NOATIME is for the owner and root; others leave a time of access where the mount keeps them.
            fd = self.open(place, os.O_RDONLY)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, "not a regular file")
        return fd, found

    def open_cached(self, address: ObjectAddress) -> tuple[int, os.stat_result] | None:
        """The regular file at a key and its fstat, if no link is on the way and the kernel has it in its caches.

        None where any of that isn't so, isn't certain, or where the key is absent: `address_walk` then tells.
        Raises NoSuchBucket.
        """
        key = address.key
        if names.key_problem(key) is not None or not key.startswith(address.boundary) or key[-1] == "/":
            return None
        bucket = self.bucket_place(address.bucket)
        place = bucket + b"/" + key.encode() if bucket else key.encode()
        root_fd, exact, closed_too = self.root_fd, self.folding.known_exact, self.serves_closed
        folder = self.root_stat
        try:
            os.close(syscalls.openat2(root_fd, place, os.O_PATH, self._resolve_cached))
            end = place.find(b"/")
            while end >= 0:
                if not exact(folder):
                    return None
                folder = os.stat(place[:end], dir_fd=root_fd, follow_symlinks=False)
                if not stat.S_ISDIR(folder.st_mode) or (folder_closed(folder.st_mode) and not closed_too):
                    return None
                end = place.find(b"/", end + 1)
            found = os.stat(place, dir_fd=root_fd, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or (file_closed(found.st_mode) and not closed_too):
                return None
            return self.open_file(place) if exact(folder) else None
        except OSError:
            return None

    def in_memory(self, place: bytes) -> bool:
        """Whether the kernel has the way to `place` in its caches, so that walking it doesn't wait for a disk."""
        try:
            os.close(syscalls.openat2(self.root_fd, place, os.O_PATH, self._resolve_cached))
        except OSError as error:
            return error.errno == errno.ENOENT
        return True


def _obstacle_of(error: OSError) -> Obstacle | None:
    """What an lstat error means for a key; None when the name just isn't there. Raises what is no answer."""
    if error.errno == errno.ENOENT:
        return None
    if error.errno in _ABSENT_ERRNOS:
        return Obstacle.NAME
    if error.errno in (errno.EACCES, errno.EPERM):
        return Obstacle.UNREADABLE
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return Obstacle.NOT_A_FOLDER
    with translated():
        raise error
