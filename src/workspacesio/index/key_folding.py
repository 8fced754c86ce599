"""Turns keys in their order into listings of folders, as the recorder wants them.

Keys come as `a-b`, `a/x`, `a/y/z`, `a0`: a folder is complete as soon as a key outside of it comes. Names in a
listing are in another order (`a` < `a-b`, while of the folders `a-b/` < `a/`). So where a folder is handed on in
stretches, up to the name n, folders that are recorded may still come though their names are smaller: exactly those
that n begins with, followed by a character below the slash. They are named, and at the end of the folder the ones
that didn't come are handed on as empty.

At `flush` all that was met is handed on, so that the walk can be taken up behind the last key.
"""

from collections.abc import Iterable, Iterator, Sequence

from workspacesio.index.crawl_folder import Walked
from workspacesio.index.found import Found, Listing, split_path
from workspacesio.index.marks import Mark

STRETCH = 10_000


class _Folder:
    """One on the way to the last key. `first`: names up to that one were handed on. `unsure`: see above."""

    __slots__ = ("first", "folders", "found", "path", "since", "unsure")

    def __init__(self, path: str, since: Mark, first: str | None = None) -> None:
        self.path = path
        self.since = since
        self.first = first
        self.found: list[Found] = []
        self.folders: list[str] = []
        self.unsure: set[str] = set() if first is None else hidden_before(first.removesuffix("/"))


class KeyFolding:
    """`top`: the folder in which the walk is ('' or 'a/b/'). `after`: the last path of the walk before, if any."""

    def __init__(self, workspace_id: int, mark: Mark, *, top: str = "", after: str | None = None) -> None:
        self._workspace_id = workspace_id
        self._top = len(top)
        self._last = after
        self._stack: list[_Folder] = []
        if after is None:
            self._stack.append(_Folder(top, mark))
            return
        at = len(top)
        while (cut := after.find("/", at) + 1) > 0:
            self._stack.append(_Folder(after[:at], mark, after[at:cut]))
            at = cut
        self._stack.append(_Folder(after[:at], mark, after[at:]))
        for folder, name in zip(self._stack, after[len(top) :].split("/")[:-1], strict=False):
            folder.unsure.discard(name)

    def keys(self, objects: Sequence[tuple[str, Found]], mark: Mark) -> Iterator[Walked]:
        """More paths, with `found` named by their last part; `mark` was taken before they were asked for."""
        for folder in self._stack:
            if mark.number < folder.since.number:
                folder.since = mark
        stack = self._stack
        current = stack[-1]
        for path, found in objects:
            folder_path = path[: len(path) - len(found.name)]
            if folder_path != current.path:
                while not folder_path.startswith(stack[-1].path):
                    yield from self._close(stack.pop())
                current = self._open(folder_path, mark)
            current.found.append(found)
            if len(current.found) >= STRETCH:
                yield from self._stretch(current, found.name)
        if objects:
            self._last = objects[-1][0]

    def flush(self) -> Iterator[Walked]:
        """All that was met so far; the last one says from which path the walk may be taken up."""
        if self._last is None:
            return
        name = split_path(self._last)[1]
        for folder, below in zip(self._stack, self._stack[1:], strict=False):
            yield from self._stretch(folder, below.path[len(folder.path) :])
        *passed, last = self._stretch(self._stack[-1], name)
        last.position = (self._stack[-1].path, name)
        yield from (*passed, last)

    def end(self) -> Iterator[Walked]:
        """No more keys follow."""
        while self._stack:
            yield from self._close(self._stack.pop())

    def _open(self, path: str, mark: Mark) -> _Folder:
        folder = self._stack[-1]
        at = len(folder.path)
        while at < len(path):
            cut = path.index("/", at) + 1
            name = path[at : cut - 1]
            folder.folders.append(name)
            folder.unsure.discard(name)
            folder = _Folder(path[:cut], mark if mark.number < folder.since.number else folder.since)
            self._stack.append(folder)
            at = cut
        return folder

    def _stretch(self, folder: _Folder, last: str) -> Iterator[Walked]:
        """Names up to `last`, which for a folder that is being walked ends in a slash."""
        passed = {name for name in folder.unsure if name + "/" < last}
        yield from self._empty(folder, passed)
        folder.unsure -= passed
        folder.unsure |= hidden_before(last.removesuffix("/"))
        if last.endswith("/"):
            folder.unsure.discard(last[:-1])
        named = sorted({*folder.folders, *folder.unsure})
        listing = Listing(self._workspace_id, folder.path, folder.found, named, folder.since, folder.first, last)
        folder.first, folder.found, folder.folders = last, [], []
        yield Walked(listing, len(listing.found))

    def _close(self, folder: _Folder) -> Iterator[Walked]:
        named = sorted(folder.folders)
        listing = Listing(self._workspace_id, folder.path, folder.found, named, folder.since, folder.first)
        yield Walked(listing, len(folder.found))
        yield from self._empty(folder, folder.unsure)

    def _empty(self, folder: _Folder, names: Iterable[str]) -> Iterator[Walked]:
        """Folders that didn't come where they would have."""
        for name in sorted(names):
            yield Walked(Listing(self._workspace_id, f"{folder.path}{name}/", [], [], folder.since), 0)


def hidden_before(name: str) -> set[str]:
    """The folders whose names are not behind `name`, but whose keys are: itself, and beginnings of it."""
    return {name[:at] for at in range(1, len(name)) if name[at] < "/"} | ({name} if name else set())
