"""What use cases look at in a folder node's tree besides objects: names, owners, emptiness. Changes nothing.

A folder that is reached through a symbolic link, or lies in a system folder, is none: nothing of it is served.
"""

import os
import pwd
from dataclasses import dataclass

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.names import STAGING_FOLDER, SYSTEM_FOLDERS, key_problem
from workspacesio.domain.vocabulary import FolderLayout

MAX_ENTRIES_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class FoundFolders:
    """Folders directly under a prefix, in order, and names that can't be served, as far as they can be shown."""

    names: tuple[str, ...]
    unusable: tuple[tuple[str, str], ...]


def path_of(node: Node, bucket: str, prefix: str) -> str:
    """Where a bucket's prefix lies on this machine."""
    if node.path is None:
        raise Unavailable("That node has no folder on this machine.", code="no_folder")
    parts = [node.path]
    if node.layout == FolderLayout.BUCKETS.value:
        parts.append(bucket)
    return os.path.join(*parts, prefix).rstrip("/") or "/"


def is_folder(node: Node, bucket: str, prefix: str) -> bool:
    """Whether the prefix is a folder, reached without symbolic links."""
    path = path_of(node, bucket, prefix)
    return os.path.isdir(path) and os.path.realpath(path) == path


def holds_files(node: Node, bucket: str, prefix: str) -> bool:
    """Whether anything but empty folders is there, served or not; a link or a file in the way counts."""
    path = path_of(node, bucket, prefix)
    if not os.path.lexists(path):
        return False
    if not is_folder(node, bucket, prefix):
        return True
    looked_at = 0
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    looked_at += 1
                    if looked_at > MAX_ENTRIES_LOOKED_AT or not entry.is_dir(follow_symlinks=False):
                        return True
                    waiting.append(entry.path)
        except OSError:
            return True
    return False


def folders_under(node: Node, bucket: str, prefix: str) -> FoundFolders:
    """What can be imported from directly under the prefix. Raises Unavailable when it can't be read."""
    names, unusable = [], []
    try:
        with os.scandir(path_of(node, bucket, prefix)) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries]
    except OSError as error:
        raise Unavailable(f"The root's folder can't be read: {error.strerror}.", code="node_down") from error
    for name, is_dir, is_link in sorted(found):
        if name == STAGING_FOLDER:
            continue
        problem = key_problem(name)
        if name in SYSTEM_FOLDERS:
            unusable.append((_shown(name), "it has the name of a system folder"))
        elif is_link:
            unusable.append((_shown(name), "it is a symbolic link"))
        elif not is_dir:
            unusable.append((_shown(name), "it lies directly in the root, and a workspace is a folder"))
        elif problem is not None:
            unusable.append((_shown(name), problem))
        else:
            names.append(name)
    return FoundFolders(tuple(names), tuple(unusable))


def unix_owner(node: Node, bucket: str, prefix: str) -> str:
    """The name of the folder's Unix owner, or `uid N` where the system knows no name. Raises OSError."""
    uid = os.lstat(path_of(node, bucket, prefix)).st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _shown(name: str) -> str:
    """A name that may not be UTF-8, for people."""
    return os.fsencode(name).decode(errors="backslashreplace")
