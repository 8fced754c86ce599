"""Walking a workspace on an S3 server: its keys in order, listed at several places at once.

The first pages are asked for one by one, and tell whether there is more, and how long one takes. Where they come
slowly, the folders right below (or, where these are few, those in them) cut the rest into ranges, which some
threads list ahead of where the walk is, in order and a few pages each; else one thread lists ahead. Pages go by
the node's own connection, so only to addresses that were judged (`nodes/connecting.py`).

An object whose key the endpoint would not serve is not indexed, and told.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise

from workspacesio.domain.names import key_problem
from workspacesio.index.crawl_folder import Known, Walked
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.found import Found
from workspacesio.index.key_folding import KeyFolding
from workspacesio.index.key_ranges import (
    EVERYTHING,
    AskPage,
    KeyRange,
    ListedPage,
    RangeReader,
    check_progress,
    patiently,
    thinned,
)
from workspacesio.nodes.folder.scan import is_utf8
from workspacesio.nodes.minio.listing_pages import ListedObject
from workspacesio.nodes.stamps import WHOLE_SECOND, object_stamp

FLUSH_KEYS = 20_000
RANGE_KEYS = 16_000
"""A range has about as many, which is what is listed ahead. Of short ones much would be listed twice."""

QUICK_PAGE_SECONDS = 0.05
"""Of a server whose pages come sooner, one listing is nearly as quick as what is listed is recorded, and several
are dearer: MinIO walks on beyond the end of each range, which takes half as much processor time again."""

PAGES_AT_FIRST = 5
"""Of a quick server; each is worked on before the next is asked for. MinIO writes down what it meets on its disks
in pieces of 5,000 keys, and sleeps for 50 and then 250 ms where it is asked for one that isn't written yet
(cmd/metacache-set.go)."""

MAX_RANGES = 512
_UNKNOWN = 8
_ENOUGH_FOLDERS = 16


class ServerWalk:
    """One workspace; `prefix` is its own, `expected` about how many objects it has.

    Raises NodeDown and other NodeErrors of the server.
    """

    def __init__(
        self,
        ask_page: AskPage,
        prefix: str,
        workspace_id: int,
        known: Known,
        *,
        exclusions: Exclusions,
        expected: int | None,
    ) -> None:
        self._ask_page = ask_page
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
            objects = page.objects()
            yield from folding.keys(self._found(objects, problems), page.mark)
            yield Walked(None, 0, problems)
            since_flush += len(objects)
            if since_flush >= FLUSH_KEYS:
                since_flush = 0
                yield from folding.flush()
        yield from folding.end()

    def _found(self, objects: Sequence[ListedObject], problems: list[tuple[str, str]]) -> list[tuple[str, Found]]:
        """Path and object of what is indexed."""
        skip, excludes = len(self._prefix), self._exclusions.excludes if self._exclusions else None
        found = []
        for key, size, seconds, etag in objects:
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
        token: str | None = None
        last = after
        is_quick = True
        for number in range(PAGES_AT_FIRST):
            mark, begun = self._known.mark(), time.perf_counter()
            start = "" if number else after
            answer = patiently(lambda: self._ask_page(prefix, start_after=start, token=token))  # noqa: B023 - at once
            if number == 1:
                # The first page takes longer, since the server begins to look: the second tells how quick it is.
                is_quick = time.perf_counter() - begun < QUICK_PAGE_SECONDS
            check_progress(answer, last if number else "", token)
            yield ListedPage(answer, mark, EVERYTHING)
            token, last = answer.token, answer.last_key or last
            if token is None:
                return
            if not is_quick:
                break
        folders = self._folders(prefix) if self._ranges > 1 and not is_quick else []
        bounds = thinned([one for one in folders if one > last], self._ranges - 1)
        ranges = [KeyRange(*bound) for bound in pairwise([None, *bounds, None])]
        assert token is not None
        with RangeReader(self._ask_page, self._known.mark, prefix, ranges, token=token, last=last) as reader:
            yield from reader.pages()

    def _folders(self, prefix: str) -> list[str]:
        """Some folders below the prefix at which keys can be divided, in order."""
        top = self._below(prefix)
        if len(top) >= _ENOUGH_FOLDERS:
            return top
        return sorted({*top, *(below for one in top for below in self._below(one))})

    def _below(self, prefix: str) -> list[str]:
        page = patiently(lambda: self._ask_page(prefix, delimiter="/").read())
        return [one for one in page.common_prefixes if is_utf8(one)]
