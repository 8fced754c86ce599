"""Walking a workspace on an S3 server: its keys in order, listed at several places at once.

The first pages tell whether there is more, and how long one takes. Where they come slowly, the folders right below
(or, where these are few, those in them) cut the rest into ranges, which some threads list ahead of where the walk
is, in order and a few pages each; else one thread lists ahead. Pages go through the node's own connection, so only
to addresses that were judged (`nodes/connecting.py`).

An object whose key the endpoint would not serve is not indexed, and told.
"""

import time
from collections.abc import Generator, Iterator
from itertools import pairwise

from workspacesio.domain.names import key_problem
from workspacesio.index.crawl_folder import Known, Walked
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Found
from workspacesio.index.key_folding import KeyFolding
from workspacesio.index.key_ranges import (
    KeyRange,
    ListedPage,
    ListKeys,
    RangeReader,
    check_order,
    patiently,
    thinned,
)
from workspacesio.nodes.folder.scan import is_utf8
from workspacesio.nodes.stamps import WHOLE_SECOND, object_stamp

FLUSH_KEYS = 20_000
RANGE_KEYS = 16_000
"""A range has about as many, which is what is listed ahead. Of short ones much would be listed twice."""

QUICK_PAGE_SECONDS = 0.05
"""Of a server whose pages come sooner, one listing is nearly as quick as what is listed is recorded, and several
are dearer: MinIO walks on beyond the end of each range, which takes half as much processor time again."""

MAX_RANGES = 512
_UNKNOWN = 8
_ENOUGH_FOLDERS = 16


class ServerWalk:
    """One workspace; `prefix` is its own, `expected` about how many objects it has.

    Raises NodeDown and other NodeErrors of the server.
    """

    def __init__(
        self,
        list_keys: ListKeys,
        prefix: str,
        workspace_id: int,
        known: Known,
        *,
        exclusions: Exclusions,
        expected: int | None,
    ) -> None:
        self._list_keys = list_keys
        self._prefix = prefix
        self._workspace_id = workspace_id
        self._known = known
        self._exclusions = exclusions
        self._ranges = _UNKNOWN if expected is None else min(expected // RANGE_KEYS, MAX_RANGES)

    def walk(self, start: str = "", *, after: str | None = None) -> Generator[Walked, None, None]:
        """What lies below `start` ('' or 'a/b/'), behind the path `after`."""
        folding = KeyFolding(self._workspace_id, self._known.mark(), top=start, after=after)
        since_flush = 0
        for page in self._pages(self._prefix + start, "" if after is None else self._prefix + after):
            if page is None:
                yield Walked(None, 0)
                continue
            problems: list[tuple[str, str]] = []
            yield from folding.keys(self._found(page, problems), page.mark)
            yield Walked(None, 0, problems)
            since_flush += len(page.objects)
            if since_flush >= FLUSH_KEYS:
                since_flush = 0
                yield from folding.flush()
        yield from folding.end()

    def _found(self, page: ListedPage, problems: list[tuple[str, str]]) -> list[tuple[str, Found]]:
        """Path and object of what is indexed."""
        skip, excludes = len(self._prefix), self._exclusions.excludes if self._exclusions else None
        found = []
        for key, size, seconds, etag in page.objects:
            path = key[skip:]
            problem = key_problem(key)
            if problem is not None:
                problems.append((f"{problem}, so its key can't be served", path))
                continue
            if excludes is not None and excludes(path):
                continue
            modified = seconds * WHOLE_SECOND
            stamp = object_stamp(size, modified, etag)
            found.append((path, Found(path[path.rfind("/") + 1 :], size, modified, etag, stamp)))
        return found

    def _pages(self, prefix: str, after: str) -> Iterator[ListedPage | None]:
        """All pages behind `after` in order, and None now and then while one is waited for."""
        mark = self._known.mark()
        first = patiently(lambda: self._list_keys(prefix, start_after=after))
        check_order(first, "", None)
        yield ListedPage(first.objects, mark)
        if first.token is None:
            return
        last = first.objects[-1].key if first.objects else after
        # The first page takes longer, since the server begins to look; the second one tells how quick it is.
        mark, begun = self._known.mark(), time.perf_counter()
        second = patiently(lambda: self._list_keys(prefix, token=first.token))
        is_quick = time.perf_counter() - begun < QUICK_PAGE_SECONDS
        check_order(second, last, first.token)
        yield ListedPage(second.objects, mark)
        if second.token is None:
            return
        last = second.objects[-1].key if second.objects else last
        folders = self._folders(prefix) if self._ranges > 1 and not is_quick else []
        bounds = thinned([one for one in folders if one > last], self._ranges - 1)
        ranges = [KeyRange(*bound) for bound in pairwise([None, *bounds, None])]
        reader = RangeReader(self._list_keys, self._known.mark, prefix, ranges, token=second.token, last=last)
        with reader:
            yield from reader.pages()

    def _folders(self, prefix: str) -> list[str]:
        """Some folders below the prefix at which keys can be divided, in order."""
        top = self._below(prefix)
        if len(top) >= _ENOUGH_FOLDERS:
            return top
        return sorted({*top, *(below for one in top for below in self._below(one))})

    def _below(self, prefix: str) -> list[str]:
        page = patiently(lambda: self._list_keys(prefix, delimiter="/"))
        return [one for one in page.common_prefixes if is_utf8(one)]
