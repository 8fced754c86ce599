"""What differs between two folders, local or in workspaces: both are gone through once, in the order of S3.

What is equal is told from listings: the size, and that the source is not younger than its copy. Times of objects
are those of their writing, which many servers tell in whole seconds; a download takes them over so. What was
written at about the time of its copy may be what was copied, or not any more: there, and with `by_content`
everywhere, contents are compared, where the ETag of the object tells them.
"""

from __future__ import annotations

import os
import sys

from workspacesio.client.checksums import etag_of_file, is_md5
from workspacesio.client.copy_plan import LeftOut, Patterns, local_files, objects_below, stat_of
from workspacesio.client.errors import CommandError
from workspacesio.client.places import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ENCODE_ERRORS = sys.getfilesystemencodeerrors()
UNSURE_SECONDS = 2.0
"""So near to each other, times in whole seconds don't tell which of two is younger, and a copy takes its time."""


class File:
    """One file or object of a side. `modified`: seconds since 1970. `etag`: "" for a local one.

    `made`: for a local one when it came there, under its name or with its contents, whatever `modified` says.
    """

    __slots__ = ("end", "etag", "made", "modified", "size")

    def __init__(self, end: str | Place, size: int, modified: float, etag: str = "", *, made: float = 0.0) -> None:
        self.end = end
        self.size = size
        self.modified = modified
        self.etag = etag
        self.made = made


class Pair:
    """What lies at one path on both sides; None on one where nothing does."""

    __slots__ = ("path", "source", "target")

    def __init__(self, path: str, source: File | None, target: File | None) -> None:
        self.path = path
        self.source = source
        self.target = target


def pairs(source: str | Place, target: str | Place, patterns: Patterns) -> Iterator[Pair | LeftOut]:
    """All paths that the patterns take. What can't be read of the source is told; it may be there all the same.

    Raises CommandError.
    """
    ones, others = _files(source, patterns), (one for one in _files(target, patterns) if isinstance(one, tuple))
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        if isinstance(one, LeftOut):
            yield one
            one = next(ones, None)
        elif one is not None and other is not None and one[0] == other[0]:
            yield Pair(one[0], one[1], other[1])
            one, other = next(ones, None), next(others, None)
        elif one is not None and (other is None or _order(one[0]) < _order(other[0])):
            yield Pair(one[0], one[1], None)
            one = next(ones, None)
        else:
            assert other is not None
            yield Pair(other[0], None, other[1])
            other = next(others, None)


def differs(source: File, target: File, *, by_content: bool = False) -> bool:
    """Whether the source is to be copied again. Raises OSError."""
    if source.size != target.size:
        return True
    if isinstance(target.end, str):
        is_younger = int(source.modified) > target.modified
        is_unsure = not is_younger and target.made - source.modified < UNSURE_SECONDS
    else:
        is_younger = source.modified > target.modified
        is_unsure = abs(target.modified - source.modified) < UNSURE_SECONDS
    if by_content or is_unsure:
        has_same = _has_same_content(source, target)
        if has_same is not None:
            return not has_same
    return is_younger


def _has_same_content(one: File, other: File) -> bool | None:
    """None where ETags don't tell it."""
    if isinstance(one.end, str):
        one, other = other, one
    etag = one.etag.strip('"')
    if isinstance(other.end, Place):
        theirs = other.etag.strip('"')
        return etag == theirs if is_md5(etag) and is_md5(theirs) else None
    made = etag_of_file(other.end, etag)
    return None if made is None else made == etag


def _files(side: str | Place, patterns: Patterns) -> Iterator[tuple[str, File] | LeftOut]:
    if isinstance(side, Place):
        from datetime import datetime

        before = b""
        for path, found in objects_below(side):
            at_path = _order(path)
            if at_path < before:  # what is passed over seems to be missing, and would be deleted elsewhere
                raise CommandError(f"{side.storage.endpoint} doesn't list in the order of S3; copy it with cp -r.")
            before = at_path
            if isinstance(found, LeftOut):
                yield found
            elif patterns.take(path):
                place, item = found
                at = datetime.fromisoformat(item.modified).timestamp()
                yield path, File(place, item.size or 0, at, item.etag)
        return
    if not os.path.isdir(side):
        return
    for path, file in local_files(side):
        if not isinstance(file, LeftOut):
            if patterns.take(path):
                status = stat_of(file)
                if isinstance(status, LeftOut):
                    yield status
                else:
                    yield path, File(file, status.st_size, status.st_mtime, made=status.st_ctime)
        elif not path or path.endswith("/") or patterns.take(path):
            yield file


def _order(path: str) -> bytes:
    return path.encode(errors=_ENCODE_ERRORS)
