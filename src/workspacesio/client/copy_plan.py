"""What a copy of files, objects and folders consists of, one object at a time.

A folder is meant by its contents where it was typed with a final slash, else by itself, as with rsync and `mc cp`.
"""

from __future__ import annotations

import fnmatch
import os
import stat

from workspacesio.client.errors import CommandError, UsageError
from workspacesio.client.local_names import Rules, Taken, Ways, folded, is_part, reason_against, rules_for
from workspacesio.client.operating_system import is_folder
from workspacesio.client.places import Item, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_KEY_BYTES = 1024


class Copy:
    """One object or file, from where to where. `size` in bytes and `etag` as they were listed.

    `copied`: which version it turned out to be, the ETag of an object or what tells a file from a changed one.
    """

    __slots__ = ("copied", "etag", "size", "source", "target")

    def __init__(self, source: str | Place, target: str | Place, size: int, etag: str = "") -> None:
        self.source = source
        self.target = target
        self.size = size
        self.etag = etag
        self.copied: object = None


class LeftOut:
    """What can't be copied or isn't meant to be, and why. `failed`: it is meant to be, and should have been."""

    __slots__ = ("failed", "name", "reason")

    def __init__(self, name: str, reason: str, *, failed: bool = False) -> None:
        self.name = name
        self.reason = reason
        self.failed = failed


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
    ends = [Ends(target.end) for _ in sources]
    copies = _copies(sources, folders, ends, patterns or Patterns(), into=into)
    if len(sources) == 1:
        return copies
    names = [one.base_name() for one in sources if one not in folders or not one.by_contents]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"two of these are called {twice!r}, and one would overwrite the other in {target.typed!r}."
        )
    return _once(copies, ends[0].rules)


def _once(copies: Iterator[Copy | LeftOut], rules: Rules) -> Iterator[Copy | LeftOut]:
    """The same, but nothing where something else of them goes already: to move it there would delete that."""
    taken = set()
    for step in copies:
        if isinstance(step, Copy):
            name = folded(name_of(step.target), rules)
            if name in taken:
                yield LeftOut(name_of(step.source), f"another one goes to {name_of(step.target)}", failed=True)
                continue
            taken.add(name)
        yield step


def name_of(end: str | Place) -> str:
    """As a person would type it."""
    return end if isinstance(end, str) else end.name()


def _copies(
    sources: Sequence[Named], folders: Sequence[Named], ends: Sequence[Ends], patterns: Patterns, *, into: bool
) -> Iterator[Copy | LeftOut]:
    for one, target in zip(sources, ends, strict=True):
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


def _single(one: Named, base: str, target: Ends) -> Copy | LeftOut:
    end = target.below(base)
    if isinstance(end, LeftOut):
        return end
    if isinstance(one.end, str):
        return Copy(one.end, end, os.stat(one.end).st_size)
    details = one.end.details()
    return Copy(one.end, end, details.size, details.etag)


def _below(one: Named, base: str, target: Ends, patterns: Patterns) -> Iterator[Copy | LeftOut]:
    found = local_files(one.end) if isinstance(one.end, str) else objects_below(one.end)
    for path, copied in found:
        if isinstance(copied, LeftOut):
            yield copied
        elif patterns.take(path):
            end = target.below(f"{base}/{path}" if base else path)
            if isinstance(end, LeftOut):
                name = copied if isinstance(copied, str) else copied[0].name()
                yield LeftOut(name, end.reason, failed=end.failed)
            elif isinstance(copied, str):
                status = stat_of(copied)
                yield status if isinstance(status, LeftOut) else Copy(copied, end, status.st_size)
            else:
                place, item = copied
                yield Copy(place, end, item.size or 0, item.etag)


def objects_below(folder: Place) -> Iterator[tuple[str, tuple[Place, Item] | LeftOut]]:
    """Paths below a folder. What stands for an empty one, and holds nothing, is no object that anybody means."""
    for item in folder.walk():
        path = item.path[len(folder.folder) :]
        if not item.path.endswith("/"):
            yield path, (folder.at(item.path), item)
        elif item.size:
            yield path, LeftOut(folder.name(item.path), "it has the name of a folder, and holds bytes")


def local_files(folder: str) -> Iterator[tuple[str, str | LeftOut]]:
    """Paths below a folder, with slashes, in the order of S3: by their bytes, a folder's name with its slash.

    Links to files are what they point to; links to folders are left out. What has come of downloads isn't there.
    """
    open_folders = [_entries(folder, "")]
    while open_folders:
        path, found = next(open_folders[-1], ("", None))
        if found is None:
            open_folders.pop()
        elif isinstance(found, LeftOut):
            yield path, found
        elif path.endswith("/"):
            open_folders.append(_entries(found.path, path))
        else:
            reason = _not_copied(found)
            yield path, LeftOut(found.path, reason) if reason else found.path


def _entries(folder: str, before: str) -> Iterator[tuple[str, os.DirEntry[str] | LeftOut]]:
    """What lies in a folder, whose path is `before`; the paths of folders end with a slash."""
    try:
        found = [(os.fsencode(entry.name), entry) for entry in os.scandir(folder)]
        found = [(name + b"/" if is_folder(one) else name, one) for name, one in found]
    except OSError as error:
        yield before, _unreadable(folder, error)
        return
    found.sort(key=lambda one: one[0], reverse=True)
    while found:  # those that were gone through, and what is known of them, take no memory any more
        name, entry = found.pop()
        if not is_part(entry.name):
            yield f"{before}{entry.name}{'/' if name.endswith(b'/') else ''}", entry


def stat_of(file: str) -> os.stat_result | LeftOut:
    """Of a file that was listed; it may be gone since then."""
    try:
        return os.stat(file)
    except OSError as error:
        return _unreadable(file, error)


def _unreadable(path: str, error: OSError) -> LeftOut:
    """What is gone since it was listed is no failure."""
    return LeftOut(path, f"it can't be read: {error.strerror}", failed=not isinstance(error, FileNotFoundError))


def _not_copied(entry: os.DirEntry[str]) -> str:
    """Why a directory entry is left out; "" for one that is copied."""
    try:
        mode = stat.S_IFREG if entry.is_file(follow_symlinks=False) else entry.stat().st_mode
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "it is a link to a folder"
    if not stat.S_ISREG(mode):
        return "it is no file but a device, pipe or socket"
    return ""


class Ends:
    """Where paths below a target lie; for those that go there, in the order of S3."""

    def __init__(self, target: str | Place) -> None:
        self._target = target
        self.rules = rules_for(target) if isinstance(target, str) else Rules()
        self._taken = Taken(self.rules)
        self._ways = Ways(target if isinstance(target, str) else "")

    def take(self, path: str) -> None:
        """What is there already and stays: beside it there can be no other of its name."""
        self._taken.reason_against(path)

    def below(self, path: str, *, is_new: bool = False) -> str | Place | LeftOut:
        """Left out if its name can't be held there, or not beside what came before.

        `is_new`: nothing of exactly this name is there.
        """
        if isinstance(self._target, str):
            reason = reason_against(path, self._target, self.rules) or self._taken.reason_against(path)
            if not reason and (link := self._ways.reason_against(path)):
                return LeftOut(path, link, failed=True)
            end = os.path.join(self._target, *path.split("/")) if path else self._target
            if is_new and self.rules.folds and not reason and os.path.lexists(end):
                reason = "there is a file here already whose name differs from it in case only"
            return LeftOut(path, reason) if reason else end
        whole = f"{self._target.folder}{path}" if path else self._target.path
        try:
            too_long = len(self._target.key(whole).encode()) > MAX_KEY_BYTES
        except UnicodeEncodeError:
            return LeftOut(path, "its name is no UTF-8, which S3 can't hold; rename it first")
        return LeftOut(path, "its name is too long for S3") if too_long else self._target.at(whole)


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
