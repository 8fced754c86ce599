"""What differs between two folders, local or in workspaces: both are gone through once, in the order of S3.

What is equal is told from listings: the size, and that the source is not younger than its copy. Times of objects
are those of their writing; a download takes them over in whole seconds. With `by_content` the MD5 is compared
instead, where the ETag of the object is one.
"""

from __future__ import annotations

import hashlib
import os

from workspacesio.client.copy_plan import LeftOut, Patterns, local_files, objects_below, stat_of
from workspacesio.client.places import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

READ_BYTES = 1 << 20


class File:
    """One file or object of a side. `modified`: seconds since 1970. `etag`: "" for a local one."""

    __slots__ = ("end", "etag", "modified", "size")

    def __init__(self, end: str | Place, size: int, modified: float, etag: str = "") -> None:
        self.end = end
        self.size = size
        self.modified = modified
        self.etag = etag


class Pair:
    """What lies at one path on both sides; None on one where nothing does."""

    __slots__ = ("path", "source", "target")

    def __init__(self, path: str, source: File | None, target: File | None) -> None:
        self.path = path
        self.source = source
        self.target = target


def pairs(source: str | Place, target: str | Place, patterns: Patterns) -> Iterator[Pair | LeftOut]:
    """All paths that the patterns take. What can't be read of the source is told; it may be there all the same."""
    ones, others = _files(source, patterns), (one for one in _files(target, patterns) if isinstance(one, tuple))
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        if isinstance(one, LeftOut):
            yield one
            one = next(ones, None)
        elif other is None or (one is not None and _order(one[0]) < _order(other[0])):
            assert one is not None
            yield Pair(one[0], one[1], None)
            one = next(ones, None)
        elif one is None or _order(other[0]) < _order(one[0]):
            yield Pair(other[0], None, other[1])
            other = next(others, None)
        else:
            yield Pair(one[0], one[1], other[1])
            one, other = next(ones, None), next(others, None)


def differs(source: File, target: File, *, by_content: bool = False) -> bool:
    """Whether the source is to be copied again. Raises OSError."""
    if source.size != target.size:
        return True
    if by_content:
        mine, theirs = _digest(source), _digest(target)
        if mine and theirs:
            return mine != theirs
    at = int(source.modified) if isinstance(target.end, str) else source.modified
    return at > target.modified


def _digest(file: File) -> str:
    """The MD5 of the content in hexadecimal digits; "" where it isn't known."""
    if isinstance(file.end, Place):
        etag = file.etag.strip('"')
        return etag if len(etag) == 32 else ""
    digest = hashlib.md5(usedforsecurity=False)
    with open(file.end, "rb") as opened:
        while piece := opened.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _files(side: str | Place, patterns: Patterns) -> Iterator[tuple[str, File] | LeftOut]:
    if isinstance(side, Place):
        from datetime import datetime

        for path, found in objects_below(side):
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
                    yield path, File(file, status.st_size, status.st_mtime)
        elif not path or path.endswith("/") or patterns.take(path):
            yield file


def _order(path: str) -> bytes:
    return path.encode(errors="surrogateescape")
