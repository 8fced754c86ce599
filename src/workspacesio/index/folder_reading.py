"""Reading one folder of a node for the index: what a listing would show of it, and what not and why.

The rules are those of `nodes/folder/sight.py`. An ETag costs reading an attribute and a hash, so it is looked up
only for what is new or changed, as stamps tell. What the storage fails to tell of a file leaves it as it was.
"""

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from typing import NamedTuple

from workspacesio.domain.crawl_reasons import KEPT
from workspacesio.domain.names import MAX_KEY_BYTES, SYSTEM_FOLDERS
from workspacesio.index.big_folder import BigFolder, Seen
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Found
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.page_etags import PageEtags
from workspacesio.nodes.folder.scan import LINK, is_utf8, write_sorted
from workspacesio.nodes.folder.sight import Sight, Way, entry_left_out, too_long
from workspacesio.nodes.folder.survey import Reason
from workspacesio.nodes.stamps import EARLIEST_NS, LATEST_NS, file_modified, file_stamp, held, object_stamp

BIG = 50_000
"""A folder with more entries is sorted in a file and handed on in stretches."""

LINK_NOT_FOLLOWED = "it is a symbolic link that leads nowhere, out of its folder or to what is not served"
"""Whoever holds a share of the folder reads nothing through a link that leads out of it; nor do they find it. What
lies elsewhere in the workspace is found there."""
LINK_TO_FOLDER = "it is a symbolic link to a folder, whose files are found where they lie"
"""A link to the next folder in each of thirty would make a thousand million paths to the same files."""

_LONGEST_NAME = 256
_NAME = itemgetter(0)
"""Texts are sorted in half the time of tuples."""


class Opened(NamedTuple):
    """A folder, open at `fd`, with its fstat, and the way to it. `path` is from the workspace on: '' or 'a/b/'."""

    fd: int
    status: os.stat_result
    way: Way
    path: str


class FolderReader:
    """For one workspace, in one thread. Methods raise OSError when the folder can't be read."""

    def __init__(
        self, sight: Sight, records: MetadataStore, exclusions: Exclusions, *, scratch: str | None
    ) -> None:
        self._sight = sight
        self._etags = PageEtags(records)
        self._excluded = exclusions.excludes_last if exclusions else None
        self._scratch = scratch

    def read(  # noqa: PLR0912 - one loop, gone through for every file
        self, folder: Opened, known: Mapping[str, int], *, folders_only: bool = False
    ) -> Seen | None:
        """All that is shown, or None of a big folder. `known`: stamps by name."""
        seen = Seen()
        fd, device, base, path = folder.fd, folder.status.st_dev, folder.way.base, folder.path
        found, problems, excluded = seen.found, seen.problems, self._excluded
        long = _may_be_too_long(base)
        closed_too, any_device = self._sight.tree.serves_closed, self._sight.tree.cross_filesystems
        known_stamp, etag_of = known.get, self._etags.of
        others: list[os.DirEntry[str]] = []
        looked = 0
        with os.scandir(fd) as entries:
            for entry in entries:
                looked += 1
                if looked > BIG:
                    return None
                name = entry.name
                if not entry.is_file(follow_symlinks=False):
                    others.append(entry)
                    continue
                if folders_only or (excluded is not None and excluded(path + name)):
                    continue
                if name in SYSTEM_FOLDERS:
                    continue
                if not name.isascii() and not is_utf8(name):
                    problems.append((Reason.NOT_UTF8, path + name))
                    continue
                if long and too_long(base + name):
                    problems.append((Reason.TOO_LONG, path + name))
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                    mode, size, modified = status.st_mode, status.st_size, status.st_mtime_ns
                    if mode & 0o170000 != 0o100000:
                        continue
                    if not (closed_too or mode & 0o044):
                        problems.append((Reason.OWNER_ONLY, path + name))
                        continue
                    if status.st_dev != device and not any_device:
                        problems.append((Reason.OTHER_FILESYSTEM, path + name))
                        continue
                    stamp = hash((size, modified, status.st_ino, status.st_ctime_ns)) or 1  # stamps.file_stamp
                    etag = "" if known_stamp(name) == stamp else etag_of(fd, name.encode(), status)[0]
                except OSError as error:
                    _keep(error, path, name, known, seen)
                    continue
                shown = modified // 1000 if EARLIEST_NS <= modified <= LATEST_NS else file_modified(status)
                found.append(Found(name, size, shown, etag, stamp))
        for entry in others:
            self._other(entry, folder, known, seen, long=long, folders_only=folders_only)
        if not folders_only:
            self._marker(folder, seen)
        seen.looked = looked
        found.sort(key=_NAME)
        seen.folders.sort()
        return seen

    def _other(
        self,
        entry: "os.DirEntry[str]",
        folder: Opened,
        known: Mapping[str, int],
        seen: Seen,
        *,
        long: bool,
        folders_only: bool,
    ) -> None:
        """What is no file: a folder, a link, or something that no key can mean."""
        name = entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        path = f"{folder.path}{name}/" if is_folder else folder.path + name
        if name in SYSTEM_FOLDERS:
            return
        if not is_utf8(name):
            seen.problems.append((Reason.NOT_UTF8, path))
        elif not is_folder and not entry.is_symlink():
            seen.problems.append((Reason.SPECIAL, path))
        elif self._excluded is not None and self._excluded(path):
            return
        elif long and too_long(f"{folder.way.base}{name}/" if is_folder else folder.way.base + name):
            seen.problems.append((Reason.TOO_LONG, path))
        elif is_folder:
            seen.folders.append(name)
        else:
            self._link(folder, name, known, seen, folders_only=folders_only)

    def _link(
        self, folder: Opened, name: str, known: Mapping[str, int], seen: Seen, *, folders_only: bool = False
    ) -> None:
        path = folder.path + name
        target = self._sight.link(folder.way, name, beneath=True)
        if target is None:
            seen.problems.append((LINK_NOT_FOLLOWED, path))
        elif stat.S_ISDIR(target[1].st_mode):
            if self._excluded is None or not self._excluded(path + "/"):
                seen.problems.append((LINK_TO_FOLDER, path))
        elif not folders_only:
            with self._sight.linked_file(target[0]) as shown:
                if shown is None:
                    seen.problems.append((LINK_NOT_FOLLOWED, path))
                else:
                    fd, last, status = shown
                    self._file(fd, last, status, name, folder.path, known, seen)

    def _file(  # noqa: PLR0917 - one file, behind a link or of a big folder
        self,
        fd: int,
        last: bytes,
        status: os.stat_result,
        name: str,
        path: str,
        known: Mapping[str, int],
        seen: Seen,
    ) -> None:
        stamp = file_stamp(status)
        try:
            etag = "" if known.get(name) == stamp else self._etags.of(fd, last, status)[0]
        except OSError as error:
            _keep(error, path, name, known, seen)
            return
        seen.found.append(Found(name, status.st_size, file_modified(status), etag, stamp))

    def _marker(self, folder: Opened, seen: Seen) -> None:
        """The folder as an object of its own, if it is marked as one."""
        if folder.way.base:
            record = self._sight.record(folder.fd, folder.status)
            if record.marker is not None:
                modified, etag = held(int(record.modified * 1_000_000)), record.marker.etag
                seen.found.append(Found("", 0, modified, etag, object_stamp(0, modified, etag)))

    # --- big folders ----------------------------------------------------------------------------------------

    @contextmanager
    def sorted_names(self, folder: Opened) -> Iterator[BigFolder]:
        """The names of a folder of any size, sorted in a file that nobody else sees."""
        with tempfile.TemporaryFile(dir=self._scratch) as names:
            with tempfile.TemporaryFile(dir=self._scratch) as runs:
                write_sorted(folder.fd, runs, names)
            names.flush()
            big = BigFolder(names)
            long = _may_be_too_long(folder.way.base)
            with os.scandir(folder.fd) as entries:
                for entry in entries:
                    big.seen.looked += 1
                    if not entry.is_file(follow_symlinks=False):
                        self._other(entry, folder, {}, big.seen, long=long, folders_only=True)
                    elif not is_utf8(entry.name):
                        big.seen.problems.append((Reason.NOT_UTF8, folder.path + entry.name))
            big.seen.folders.sort()
            yield big

    def stretch(self, folder: Opened, names: list[str], known: Mapping[str, int], *, first: bool) -> Seen:
        """What these names of a big folder (files, and links with their NUL) stand for."""
        seen = Seen(looked=len(names))
        long = _may_be_too_long(folder.way.base)
        for spelled in names:
            name = spelled.removesuffix(LINK)
            if self._excluded is not None and self._excluded(folder.path + name):
                continue
            if long and too_long(folder.way.base + name):
                seen.problems.append((Reason.TOO_LONG, folder.path + name))
                continue
            if spelled.endswith(LINK):
                before = len(seen.problems)
                self._link(folder, name, known, seen)
                del seen.problems[before:]  # told with the whole folder
                continue
            try:
                status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            except OSError as error:
                _keep(error, folder.path, name, known, seen)
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            reason = self._why_not_shown(status, folder)
            if reason is None:
                self._file(folder.fd, name.encode(), status, name, folder.path, known, seen)
            else:
                seen.problems.append((reason, folder.path + name))
        if first:
            self._marker(folder, seen)
        seen.found.sort(key=_NAME)
        return seen

    def _why_not_shown(self, status: os.stat_result, folder: Opened) -> Reason | None:
        if not (self._sight.tree.serves_closed or status.st_mode & 0o044):
            return Reason.OWNER_ONLY
        if status.st_dev != folder.status.st_dev and not self._sight.tree.cross_filesystems:
            return Reason.OTHER_FILESYSTEM
        return None


def _may_be_too_long(base: str) -> bool:
    return len(base.encode()) + _LONGEST_NAME > MAX_KEY_BYTES


def _keep(error: OSError, path: str, name: str, known: Mapping[str, int], seen: Seen) -> None:
    """A file that vanished is left out; one that the storage fails to tell of stays as it is recorded.

    Raises NodeDown where it says something of more than this file.
    """
    entry_left_out(error)
    if isinstance(error, FileNotFoundError):
        return
    seen.problems.append((KEPT, path + name))
    if name in known:
        seen.found.append(Found(name, 0, 0, "", known[name]))
