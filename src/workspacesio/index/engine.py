"""The interface of the engines that answer searches, and what it promises.

An engine is derived data: it holds what the catalogue says, can be thrown away and filled again. One writer at a
time, any number of readers in any process.

Contract, proven for every engine by one suite (`tests/index/engine_contract.py`):

- What was put or removed is seen by readers after `commit`, all of it or (after a crash) none or all, in any
  process.
- Putting an entry whose id is there replaces it.
- Totals, counts and sums are exact, whatever the number of hits.
- A walk over pages shows every entry that stayed as it was exactly once, in one order, while others come and go.
- Entries hold no rights and no names of owners, nodes or workspaces: those are the database's, at the time of
  asking.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from workspacesio.domain.search_query import Query


class Entry(NamedTuple):
    """One stored object as it is indexed. A tuple, since a crawl makes tens of thousands a second.

    `id`, `folder_ids`: numbers that the catalogue gave, never reused; `folder_ids` begins with the workspace's
    own folder and ends with the one that holds the entry. `path` is relative to the workspace. `modified`:
    microseconds since 1970 UTC. `content_type` is '' where only names are indexed. `user` and `tags`: metadata by
    key. `facts`: what an extractor found (`width`, `columns`), `text` the words of the content. `problem`: why the
    content could not be read, for people.
    """

    id: int
    workspace_id: int
    folder_ids: tuple[int, ...]
    path: str
    size: int
    modified: int
    etag: str = ""
    content_type: str = ""
    user: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    facts: Mapping[str, str] = {}
    text: str = ""
    problem: str = ""


class EngineWriter(Protocol):
    """Raises Unavailable when the engine is away or its disk is full; nothing since the last commit is kept."""

    def put(self, entries: Iterable[Entry]) -> None: ...

    def remove(self, entry_ids: Iterable[int]) -> None: ...

    def remove_folders(self, folder_ids: Iterable[int], *, direct_only: bool = False) -> None:
        """Every entry below these folders; `direct_only`: those that lie right in them."""
        ...

    def commit(self) -> None: ...

    def close(self) -> None: ...


class Sort(StrEnum):
    RELEVANCE = "relevance"
    SIZE = "size"
    MODIFIED = "modified"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """`query` has no `Named` left. `after` is what the page before gave as `next_after`."""

    query: Query
    sort: Sort = Sort.RELEVANCE
    descending: bool = True
    limit: int = 50
    after: str | None = None
    highlight: bool = False


class Hit(NamedTuple):
    """`highlights`: pieces of path or content in which words were found, as (text, ranges of characters)."""

    id: int
    workspace_id: int
    path: str
    size: int
    modified: int
    etag: str
    content_type: str
    facts: Mapping[str, str]
    tags: Mapping[str, str]
    problem: str
    highlights: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchPage:
    total: int
    total_bytes: int
    hits: tuple[Hit, ...]
    next_after: str | None


class Facet(StrEnum):
    EXTENSION = "ext"
    TYPE = "type"
    WORKSPACE = "workspace"
    FOLDER = "folder"
    YEAR = "year"


class Bucket(NamedTuple):
    """`key` is the extension, type, year, or the number of the workspace or folder as text."""

    key: str
    count: int  # type: ignore[assignment]  # tuples have a method of that name, which nobody needs here
    bytes: int


@dataclass(frozen=True, slots=True)
class FacetRequest:
    """The `top` buckets by count, then key. `depth`: for FOLDER, that of the folders counted (1: right in the
    workspace); entries that lie in no folder of that depth are counted under key ''."""

    facet: Facet
    top: int = 100
    depth: int = 1


@dataclass(frozen=True, slots=True)
class FacetAnswer:
    """`others`: count and bytes of what is in none of the buckets shown."""

    buckets: tuple[Bucket, ...]
    others_count: int
    others_bytes: int

    @property
    def total(self) -> tuple[int, int]:
        """Count and bytes of all that was asked for."""
        count = self.others_count + sum(bucket.count for bucket in self.buckets)
        return count, self.others_bytes + sum(bucket.bytes for bucket in self.buckets)


class EngineReader(Protocol):
    """Raises Unavailable when the engine is away or damaged."""

    def search(self, request: SearchRequest) -> SearchPage: ...

    def total(self, query: Query) -> tuple[int, int]:
        """Count and bytes, exact."""
        ...

    def facets(self, query: Query, requests: Sequence[FacetRequest]) -> list[FacetAnswer]: ...

    def entries(self) -> int:
        """How many the index holds."""
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """`size_bytes` on disk. `damaged`: why it must be rebuilt, or None. `is_removed`: whether a look at the disk
    tells that it is there no more; what lies on a server says so when it is written."""

    def writer(self) -> EngineWriter: ...

    def reader(self) -> EngineReader: ...

    def damaged(self) -> str | None: ...

    def is_removed(self) -> bool: ...

    def size_bytes(self) -> int: ...

    def erase(self) -> None: ...
