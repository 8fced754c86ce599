"""The embedded engine: tantivy, in a folder of its own.

One process writes, which a lock on the folder sees to (it ends with the process); any number read. A commit writes
new files, syncs them, and replaces `meta.json` as its last step: whatever is killed before that leaves the commit
before. Readers look at `meta.json` at every request (3 µs) and open what is new, so they find at once what was
committed, in any process.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import tantivy

from workspacesio.domain.errors import Unavailable, WorkspacesIOError
from workspacesio.domain.search_query import Query
from workspacesio.index import tantivy_facets, tantivy_files
from workspacesio.index.engine import (
    EngineReader,
    EngineWriter,
    Entry,
    FacetAnswer,
    FacetRequest,
    SearchPage,
    SearchRequest,
)
from workspacesio.index.tantivy_answers import MOST_BUCKETS, Answers
from workspacesio.index.tantivy_hits import hits
from workspacesio.index.tantivy_paging import page
from workspacesio.index.tantivy_queries import Queries
from workspacesio.index.tantivy_schema import VERSION, EntryDocuments, register_tokenizers, schema
from workspacesio.index.tantivy_seen import SeenIds

_HEAP_BYTES = 100_000_000
"""Of the entries not yet written; more makes fewer, larger segments."""
_NO_ENTRY = -1
_BATCH_CHARACTERS = 300_000
"""Documents are handed over so many at once: one alone would wake tantivy's thread, which costs as much as it;
many more would no longer be in the processor's cache."""
_SPELLED_AT_ONCE = 100


class TantivyEngine:
    """`folder` is the engine's alone and is made with the first writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self) -> EngineWriter:
        """Raises Unavailable while another one is open, in this process or another."""
        return _Writer(self._folder)

    def reader(self) -> EngineReader:
        return _Reader(self._folder)

    def damaged(self) -> str | None:
        problem = tantivy_files.damage(self._folder)
        if problem is None:
            try:
                tantivy.Index.open(str(self._folder))
            except (ValueError, OSError) as error:
                problem = str(error)
        return problem

    def is_removed(self) -> bool:
        return not (self._folder / tantivy_files.META).exists()

    def size_bytes(self) -> int:
        return tantivy_files.size_bytes(self._folder)

    def erase(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class _Writer:
    """After a failure it begins again at the last commit, with the next call.

    No frame that an error may come out of holds tantivy's writer in a variable at that time: the error's traceback
    would keep it, and its lock with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents = EntryDocuments()
        self._writer: tantivy.IndexWriter | None = None
        self._seen = SeenIds(-1)
        self._pending = False
        self._open()

    def put(self, entries: Iterable[Entry]) -> None:
        with self._writing():
            seen = self._seen
            waiting = iter(entries)
            made: list[tuple[int, str]] = []
            size = 0
            while some := list(islice(waiting, _SPELLED_AT_ONCE)):
                for entry, text in zip(some, self._documents.documents(some), strict=True):
                    made.append((entry.id if seen.add(entry.id) else _NO_ENTRY, text))
                    size += len(text)
                    if size >= _BATCH_CHARACTERS:
                        self._add(made)
                        made, size = [], 0
            self._add(made)

    def remove(self, entry_ids: Iterable[int]) -> None:
        self._remove("id", entry_ids)

    def remove_folders(self, folder_ids: Iterable[int], *, direct_only: bool = False) -> None:
        self._remove("parent" if direct_only else "folders", folder_ids)

    def commit(self) -> None:
        if self._pending:
            with self._writing():
                self._tantivy.commit()
            self._pending = False

    def close(self) -> None:
        """What was not committed is not kept."""
        self._lose()

    def _add(self, documents: Sequence[tuple[int, str]]) -> None:
        """With the number of the entry that each replaces."""
        for number, document in documents:
            if number != _NO_ENTRY:
                self._tantivy.delete_documents_by_term("id", number)
            self._tantivy.add_json(document)

    @property
    def _tantivy(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._open()
        assert self._writer is not None
        return self._writer

    def _remove(self, field: str, numbers: Iterable[int]) -> None:
        with self._writing():
            for number in numbers:
                self._tantivy.delete_documents_by_term(field, number)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _failing(self._folder, self._lose):
            if self._writer is None:
                self._open()
            self._pending = True
            yield

    def _open(self) -> None:
        with _failing(self._folder, self._lose):
            self._folder.mkdir(parents=True, exist_ok=True)
            version = self._folder / tantivy_files.VERSION_FILE
            if not (self._folder / tantivy_files.META).exists():
                version.write_text(str(VERSION))
            _check_version(self._folder)
            tantivy_files.sweep(self._folder)
            index = tantivy.Index(schema(), str(self._folder))
            register_tokenizers(index)
            self._writer = index.writer(_HEAP_BYTES, num_threads=1)
            # A new writer gives its first operation the number of the last commit. A merge would take it for done
            # in segments that this commit removed from, and an entry would come back: so it removes nothing.
            self._writer.delete_documents_by_term("id", _NO_ENTRY)
            largest = {"largest": {"max": {"field": "id"}}}
            found = index.searcher().aggregate(tantivy.Query.all_query(), largest)["largest"]["value"]
            self._seen = SeenIds(-1 if found is None else int(found))

    def _lose(self) -> None:
        self._writer = None
        self._pending = False


class _Reader:
    """For any number of threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opening = threading.Lock()
        self._opened: tuple[tuple[int, int, int], tantivy.Searcher, Answers] | None = None
        self._index: tantivy.Index | None = None
        self._schema = schema()

    def search(self, request: SearchRequest) -> SearchPage:
        with _failing(self._folder):
            searcher, answers = self._newest()
            queries = Queries(self._schema, searcher)
            query = queries.asked(request.query)
            count, size = answers.of(request.query, lambda: tantivy_facets.total(searcher, queries, query))
            ids: list[int] = []
            after = None
            if request.limit > 0 and count:
                ids, after = page(searcher, queries, request, query, count)
            return SearchPage(count, size, hits(searcher, queries, request, ids), after)

    def total(self, query: Query) -> tuple[int, int]:
        with _failing(self._folder):
            searcher, answers = self._newest()
            return answers.of(query, lambda: tantivy_facets.total(*self._asked(searcher, query)))

    def facets(self, query: Query, requests: Sequence[FacetRequest]) -> list[FacetAnswer]:
        with _failing(self._folder):
            searcher, answers = self._newest()
            return answers.of(
                (query, tuple(requests)),
                lambda: tantivy_facets.facets(*self._asked(searcher, query), requests),
                lambda found: sum(len(answer.buckets) for answer in found) <= MOST_BUCKETS,
            )

    def entries(self) -> int:
        with _failing(self._folder):
            return self._searcher().num_docs

    def close(self) -> None:
        self._opened = self._index = None

    def _asked(self, searcher: tantivy.Searcher, query: Query) -> tuple[tantivy.Searcher, Queries, tantivy.Query]:
        queries = Queries(self._schema, searcher)
        return searcher, queries, queries.asked(query)

    def _searcher(self) -> tantivy.Searcher:
        return self._newest()[0]

    def _newest(self) -> tuple[tantivy.Searcher, Answers]:
        """Of the last commit."""
        commit = self._commit()
        opened = self._opened
        if opened is not None and opened[0] == commit:
            return opened[1], opened[2]
        with self._opening:
            if self._index is None:
                # To be asked for fields that are not there makes tantivy panic.
                _check_version(self._folder)
                index = tantivy.Index.open(str(self._folder))
                register_tokenizers(index)
                index.config_reader("manual")
                self._index = index
            # The commit is looked at before it is opened: what is found may be newer, never older.
            commit = self._commit()
            self._index.reload()
            searcher, answers = self._index.searcher(), Answers()
            self._opened = (commit, searcher, answers)
            return searcher, answers

    def _commit(self) -> tuple[int, int, int]:
        found = os.stat(self._folder / tantivy_files.META)
        return found.st_ino, found.st_mtime_ns, found.st_size


def _check_version(folder: Path) -> None:
    if (folder / tantivy_files.VERSION_FILE).read_text() != str(VERSION):
        raise Unavailable("The search index was made by another version and must be rebuilt.")


@contextmanager
def _failing(folder: Path, after: Callable[[], None] | None = None) -> Iterator[None]:
    """Makes one error of all that tantivy raises: ValueError for everything, or a panic, which is no Exception."""
    try:
        yield
    except WorkspacesIOError:
        raise
    except FileNotFoundError as error:
        raise Unavailable("There is no search index yet; it is being made.") from error
    except BaseException as error:
        if after is not None:
            after()
        if isinstance(error, ValueError | OSError | RuntimeError) or type(error).__name__ == "PanicException":
            raise Unavailable(f"The search index in {folder.name} can't be used: {error}") from error
        raise
