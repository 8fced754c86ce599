"""What a copy of files, objects and folders consists of, one object at a time.

A folder is meant by its contents where it was typed with a final slash, else by itself, as with rsync and `mc cp`.
"""

from __future__ import annotations

import fnmatch
import os
import stat

from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.places import Item, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_KEY_BYTES = 1024


class Copy:
    """One object or file, from where to where. `size` in bytes and `etag` as they were listed."""

    __slots__ = ("etag", "size", "source", "target")

    def __init__(self, source: str | Place, target: str | Place, size: int, etag: str = "") -> None:
        self.source = source
        self.target = target
        self.size = size
        self.etag = etag


class LeftOut:
    """What can't be copied or isn't meant to be, and why."""

    __slots__ = ("name", "reason")

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason


class Patterns:
    """Which paths are meant. A pattern fits a whole path below what was named, or the last name in it."""

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = include
        self._exclude = exclude

    def take(self, path: str) -> bool:
        if any(_fits(path, pattern) for pattern in self._exclude):
            return False
        return not self._include or any(_fits(path, pattern) for pattern in self._include)


class Named:
    """An argument: how it was typed, and the local path or the place that it means."""

    __slots__ = ("end", "typed")

    def __init__(self, typed: str, end: str | Place) -> None:
        self.typed = typed
        self.end = end

    @property
    def by_contents(self) -> bool:
        return self.typed.endswith(("/", os.sep)) or os.path.basename(self.typed) in (".", "..")

    def is_folder(self) -> bool:
        return os.path.isdir(self.end) if isinstance(self.end, str) else self.end.is_folder()

    def base_name(self) -> str:
        if isinstance(self.end, str):
            return os.path.basename(self.end.rstrip("/" + os.sep))
        return self.end.path.rstrip("/").rpartition("/")[2] or str(self.end.workspace["name"])


def plan(
    sources: Sequence[Named], target: Named, *, recursive: bool, patterns: Patterns | None = None
) -> Iterator[Copy | LeftOut]:
    """All copies, in order. Raises UsageError and CommandError, for the arguments before the first one."""
    into = target.by_contents or target.is_folder()
    if len(sources) > 1 and not into:
        if isinstance(target.end, str):
            raise UsageError(f"{target.typed!r} is no folder, and several things are copied to it.")
        into = True
    folders = [one for one in sources if _is_folder(one)]
    for one in folders:
        if not recursive:
            raise UsageError(f"{one.typed!r} is a folder; add -r to copy what lies in it.")
        _check_not_inside(one, target)
    return _copies(sources, folders, target, patterns or Patterns(), into=into)


def _copies(
    sources: Sequence[Named], folders: Sequence[Named], target: Named, patterns: Patterns, *, into: bool
) -> Iterator[Copy | LeftOut]:
    for one in sources:
        if one in folders:
            base = "" if one.by_contents or not into else one.base_name()
            yield from _below(one, base, target, patterns)
        else:
            yield _single(one, one.base_name() if into else "", target)


def _is_folder(one: Named) -> bool:
    """Raises CommandError where there is nothing of that name."""
    if not isinstance(one.end, str):
        if not one.end.is_folder():
            return False
        one.end.check_there()
        return True
    if not os.path.exists(one.end):
        raise CommandError(f"there is no file {one.typed!r} here.")
    return os.path.isdir(one.end)


def _single(one: Named, base: str, target: Named) -> Copy | LeftOut:
    end = end_below(target.end, base)
    if isinstance(end, LeftOut):
        return end
    if isinstance(one.end, str):
        return Copy(one.end, end, os.stat(one.end).st_size)
    details = one.end.details()
    return Copy(one.end, end, details.size, details.etag)


def _below(one: Named, base: str, target: Named, patterns: Patterns) -> Iterator[Copy | LeftOut]:
    found = local_files(one.end) if isinstance(one.end, str) else objects_below(one.end)
    for path, copied in found:
        if isinstance(copied, LeftOut):
            yield copied
        elif patterns.take(path):
            end = end_below(target.end, f"{base}/{path}" if base else path)
            if isinstance(end, LeftOut):
                yield LeftOut(copied if isinstance(copied, str) else copied[0].name(), end.reason)
            elif isinstance(copied, str):
                yield Copy(copied, end, os.stat(copied).st_size)
            else:
                place, item = copied
                yield Copy(place, end, item.size or 0, item.etag)


def objects_below(folder: Place) -> Iterator[tuple[str, tuple[Place, Item]]]:
    """Paths below a folder. What stands for an empty folder is no object that anybody means."""
    for item in folder.walk():
        if not item.path.endswith("/"):
            yield item.path[len(folder.folder) :], (folder.at(item.path), item)


def local_files(folder: str) -> Iterator[tuple[str, str | LeftOut]]:
    """Paths below a folder, with slashes, in the order of S3: by their bytes, a folder's name with its slash.

    Links to files are what they point to; links to folders are left out.
    """
    try:
        entries = [(os.fsencode(entry.name), entry) for entry in os.scandir(folder)]
    except OSError as error:
        yield "", LeftOut(folder, f"it can't be read: {error.strerror}")
        return
    entries = [(name + b"/" if entry.is_dir(follow_symlinks=False) else name, entry) for name, entry in entries]
    for name, entry in sorted(entries, key=lambda one: one[0]):
        if name.endswith(b"/"):
            for path, below in local_files(entry.path):
                yield f"{entry.name}/{path}", below
        else:
            reason = _not_copied(entry)
            yield entry.name, LeftOut(entry.path, reason) if reason else entry.path


def _not_copied(entry: os.DirEntry[str]) -> str:
    """Why a directory entry is left out; "" for one that is copied."""
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "it is a link to a folder"
    if not stat.S_ISREG(mode):
        return "it is no file but a device, pipe or socket"
    return ""


def end_below(target: str | Place, path: str) -> str | Place | LeftOut:
    """Where a path below a target lies; left out if its name can't be held there."""
    if isinstance(target, str):
        reason = _no_local_name(path)
        return LeftOut(path, reason) if reason else os.path.join(target, *path.split("/")) if path else target
    whole = f"{target.folder}{path}" if path else target.path
    try:
        too_long = len(target.key(whole).encode()) > MAX_KEY_BYTES
    except UnicodeEncodeError:
        return LeftOut(path, "its name is no UTF-8, which S3 can't hold; rename it first")
    return LeftOut(path, "its name is too long for S3") if too_long else target.at(whole)


def _no_local_name(path: str) -> str:
    """Why an object's path can't be that of a local file; "" where it can. Nothing may lead out of the target."""
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        return "no local file can have this name"
    if os.sep != "/" and any(os.sep in part or ":" in part for part in parts):
        return "no file of this system can have this name"
    return ""


def _check_not_inside(source: Named, target: Named) -> None:
    """A folder that is copied into itself would never end. Raises UsageError."""
    one, other = source.end, target.end
    if isinstance(one, str) and isinstance(other, str):
        raise UsageError("both are local; use cp.")
    if isinstance(one, str) or isinstance(other, str):
        return
    if one.is_beside(other) and other.key(other.folder).startswith(one.key(one.folder)):
        raise UsageError(f"{target.typed!r} lies in {source.typed!r}, and a folder can't be copied into itself.")


def _fits(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
