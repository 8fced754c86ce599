"""What every engine promises (`index/engine.py`), asked of each by the same tests.

A test module says `class TestTantivy(EngineContract)` and gives a fixture `engine`: an Engine that holds nothing.
Expected answers are those of `domain/search_matching.py` on all entries, one by one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from random import Random
from typing import cast

import pytest

from index.engine_worlds import Change, entry, fields, random_entries, random_query
from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_levels import by_name_alone
from workspacesio.domain.search_matching import matches, rank
from workspacesio.domain.search_patterns import fold_pattern
from workspacesio.domain.search_query import (
    AllOf,
    AnyOf,
    Everything,
    Folders,
    HasExtension,
    HasTag,
    ModifiedBetween,
    NameMatches,
    Not,
    OfType,
    PathMatches,
    PathWords,
    Query,
    SizeBetween,
    Words,
    Workspaces,
)
from workspacesio.domain.search_types import extension_of, type_of, year_of
from workspacesio.index.engine import (
    Bucket,
    Engine,
    EngineReader,
    EngineWriter,
    Entry,
    Facet,
    FacetAnswer,
    FacetRequest,
    SearchRequest,
    Sort,
)

ORDERS = [(sort, descending) for sort in Sort for descending in (True, False)]

KINDS: list[tuple[Query, list[int]]] = [
    (Words(("sample",)), [1, 2, 3]),
    (Words(("raw", "sample")), [1]),
    (Words(("sample", "raw")), []),
    (Words(("reads",)), [3]),
    (Words(("2024", "sample")), []),
    (Words(("deep", "words")), [5]),
    (PathWords(("sample",)), [1, 2, 3]),
    (PathWords(("raw", "sample")), [1]),
    (PathWords(("sample", "raw")), []),
    (PathWords(("deep", "words")), []),
    (NameMatches("ampl"), [1, 2, 3]),
    (NameMatches("a"), [1, 2, 3, 4, 6]),
    (NameMatches("_1"), [1]),
    (NameMatches("g"), [2, 3, 6]),
    (NameMatches(" "), [4]),
    (NameMatches("*.tif"), [1]),
    (NameMatches("sample*"), [1, 2, 3]),
    (NameMatches("*"), [1, 2, 3, 4, 5, 6, 7]),
    (NameMatches("s?mple*g"), [2]),
    (NameMatches("?????"), [5]),
    (NameMatches("x"), [5]),
    (NameMatches("x*"), [5]),
    (NameMatches("*f"), [1]),
    (NameMatches("*.*?"), [1, 2, 3, 4]),
    (NameMatches(r"\*star\?"), []),
    (NameMatches(r"\*star*"), [6]),
    (PathMatches("raw/*"), [1]),
    (PathMatches("raw/**"), [1, 2, 3]),
    (PathMatches("**/sample*"), [1, 2, 3]),
    (PathMatches("**sample_1**"), [1]),
    (PathMatches("raw/*/*/*"), [3]),
    (PathMatches("raw/sample_1.tif"), [1]),
    (PathMatches("*"), [4, 5, 6]),
    (PathMatches("**"), [1, 2, 3, 4, 5, 6, 7]),
    (PathMatches("dir/"), [7]),
    (PathMatches("d*/"), [7]),
    (HasExtension("tif"), [1]),
    (HasExtension(""), [5, 6, 7]),
    (OfType("image"), [1, 2]),
    (OfType("image/png"), [2]),
    (HasTag("colour", None), [4, 6]),
    (HasTag("colour", "red"), [4]),
    (HasTag("plate", "7"), [6]),
    (SizeBetween(3, 5), [3, 4, 5]),
    (SizeBetween(6, None), [6, 7]),
    (SizeBetween(None, 2**70), [1, 2, 3, 4, 5, 6, 7]),
    (SizeBetween(2**70, None), []),
    (SizeBetween(5, 3), []),
    (ModifiedBetween(None, -1), [1]),
    (ModifiedBetween(0, 3_000_000), [2, 3, 4]),
    (Workspaces(frozenset([2, 99])), [6, 7]),
    (Workspaces(frozenset()), []),
    (Folders(frozenset([11])), [2, 3]),
    (Folders(frozenset([12, 20])), [3, 6, 7]),
    (Folders(frozenset()), []),
    (Not(Words(("sample",))), [4, 5, 6, 7]),
    (Not(Not(Words(("sample",)))), [1, 2, 3]),
    (AllOf(()), [1, 2, 3, 4, 5, 6, 7]),
    (AnyOf(()), []),
    (AllOf((Words(("sample",)), Not(OfType("image")))), [3]),
    (AllOf((Not(Words(("sample",))), Not(HasExtension("")))), [4]),
    (AnyOf((HasExtension("tif"), Not(NameMatches("a")))), [1, 5, 7]),
    (Not(AllOf(())), []),
    (by_name_alone(Words(("deep", "words")), frozenset({1})), []),
    (by_name_alone(Words(("deep", "words")), frozenset({2})), [5]),
    (by_name_alone(Words(("sample",)), frozenset({1})), [1, 2, 3]),
    (by_name_alone(OfType("image"), frozenset({1})), [1, 2]),
    (by_name_alone(OfType("other"), frozenset({1})), [5, 6, 7]),
    (by_name_alone(OfType("image/png"), frozenset({1})), []),
    (by_name_alone(HasTag("colour", None), frozenset({1})), [6]),
]
"""Of the entries of `test_each_kind_of_query`, and which of them are found."""


def in_order(entries: Iterable[Entry], query: Query, sort: Sort, descending: bool) -> list[int]:
    """The ids of the entries found, as every engine must give them."""
    found = sorted((each for each in entries if matches(query, fields(each))), key=lambda each: each.id)
    # Python's sort is stable: equal values stay in the order of their ids, whichever way the values go.
    keys: dict[Sort, Callable[[Entry], object]] = {
        Sort.RELEVANCE: lambda each: (rank(query, fields(each)), each.modified),
        Sort.SIZE: lambda each: each.size,
        Sort.MODIFIED: lambda each: each.modified,
        Sort.PATH: lambda each: each.path,
    }
    key = cast("Callable[[Entry], int]", keys[sort])
    return [each.id for each in sorted(found, key=key, reverse=descending)]


def facet_of(entries: Iterable[Entry], query: Query, request: FacetRequest) -> FacetAnswer:
    """Counted one by one."""
    counts: dict[str, list[int]] = defaultdict(list)
    for each in entries:
        if matches(query, fields(each)):
            counts[_key(each, request)].append(each.size)

    def order(bucket: Bucket) -> tuple[int, int, str]:
        number = request.facet in {Facet.WORKSPACE, Facet.FOLDER, Facet.YEAR}
        return -bucket.count, int(bucket.key or -1) if number else 0, bucket.key

    buckets = sorted((Bucket(key, len(sizes), sum(sizes)) for key, sizes in counts.items()), key=order)
    others = buckets[request.top :]
    return FacetAnswer(
        tuple(buckets[: request.top]), sum(other.count for other in others), sum(other.bytes for other in others)
    )


def _key(each: Entry, request: FacetRequest) -> str:
    match request.facet:
        case Facet.EXTENSION:
            return extension_of(each.path)
        case Facet.TYPE:
            return type_of(each.path, each.content_type)
        case Facet.WORKSPACE:
            return str(each.workspace_id)
        case Facet.YEAR:
            return str(year_of(each.modified))
        case Facet.FOLDER:
            return str(each.folder_ids[request.depth]) if request.depth < len(each.folder_ids) else ""


def pages(reader: EngineReader, request: SearchRequest) -> Iterator[list[int]]:
    """The ids page by page. Whoever takes them may change the index in between."""
    after = None
    for _ in range(10_000):
        answer = reader.search(
            SearchRequest(request.query, request.sort, request.descending, request.limit, after, request.highlight)
        )
        assert len(answer.hits) <= request.limit
        yield [hit.id for hit in answer.hits]
        after = answer.next_after
        if after is None:
            return
    raise AssertionError("a walk over pages has no end")


def all_ids(reader: EngineReader, request: SearchRequest) -> list[int]:
    return [number for page in pages(reader, request) for number in page]


def check(reader: EngineReader, entries: Iterable[Entry], query: Query) -> None:
    """Totals, hits and facets of one query."""
    expected = [each for each in entries if matches(query, fields(each))]
    size = sum(each.size for each in expected)
    assert reader.total(query) == (len(expected), size), query
    ids = all_ids(reader, SearchRequest(query, Sort.PATH, descending=False, limit=1000))
    assert ids == in_order(expected, query, Sort.PATH, descending=False), query
    requests = [FacetRequest(facet, top=5) for facet in Facet] + [FacetRequest(Facet.FOLDER, depth=2)]
    answers = reader.facets(query, requests)
    assert answers == [facet_of(expected, query, request) for request in requests], query


@pytest.fixture
def writer(engine: Engine) -> Iterator[EngineWriter]:
    writer = engine.writer()
    yield writer
    writer.close()


@pytest.fixture
def reader(engine: Engine, writer: EngineWriter) -> Iterator[EngineReader]:
    """Of an engine that has been made: readers make nothing."""
    writer.commit()
    reader = engine.reader()
    yield reader
    reader.close()


class EngineContract:
    """Subclasses give `engine`; `writer` and `reader` are fixtures of this module, to be imported beside it."""

    def test_what_was_put_is_found_after_the_commit(self, writer: EngineWriter, reader: EngineReader) -> None:
        assert reader.entries() == 0
        assert reader.total(Everything()) == (0, 0)
        writer.put([entry(1, "a/one.txt", size=5), entry(2, "two.txt", size=7)])
        assert reader.total(Everything()) == (0, 0)
        writer.commit()
        assert reader.total(Everything()) == (2, 12)
        assert reader.entries() == 2

    def test_putting_an_entry_again_replaces_it(self, writer: EngineWriter, reader: EngineReader) -> None:
        writer.put([entry(1, "a/one.txt", size=5), entry(1, "a/one.txt", size=6)])
        writer.commit()
        assert reader.total(Everything()) == (1, 6)
        writer.put([entry(1, "a/new.txt", size=9)])
        writer.commit()
        assert reader.total(NameMatches("one")) == (0, 0)
        assert reader.total(NameMatches("new")) == (1, 9)

    def test_entries_folders_and_workspaces_are_removed(self, writer: EngineWriter, reader: EngineReader) -> None:
        entries = [
            entry(1, "a/x", folders=(10, 11)),
            entry(2, "a/b/x", folders=(10, 11, 12)),
            entry(3, "a/b/y", folders=(10, 11, 12)),
            entry(4, "x", folders=(10,)),
            entry(5, "x", workspace=2, folders=(20,)),
            entry(6, "y", workspace=2, folders=(20,)),
        ]

        def left() -> list[int]:
            writer.commit()
            return sorted(all_ids(reader, SearchRequest(Everything(), Sort.PATH)))

        writer.put(entries)
        assert left() == [1, 2, 3, 4, 5, 6]
        writer.remove([3, 99])
        assert left() == [1, 2, 4, 5, 6]
        writer.remove_folders([11], direct_only=True)
        assert left() == [2, 4, 5, 6]
        writer.put([entries[0]])
        writer.remove_folders([11, 99])
        assert left() == [4, 5, 6]

    def test_hits_show_all_of_an_entry(self, writer: EngineWriter, reader: EngineReader) -> None:
        full = Entry(
            id=2**40 + 7,
            workspace_id=3,
            folder_ids=(2**36, 2**36 + 1),
            path='a "quoted"\\/näme\t☃ .TIF',
            size=2**45,
            modified=-1,
            etag="d41d8cd98f00b204e9800998ecf8427e-12",
            content_type="image/tiff",
            user={"owner": "ada"},
            tags={"project": "moon"},
            facts={"width": "100"},
            text="some words of the content",
            problem="Only half of it could be read.",
        )
        plain = entry(5, "b", etag='an "odd" étag')
        writer.put([full, plain])
        writer.commit()
        hit, other = reader.search(SearchRequest(Everything(), Sort.PATH, descending=False)).hits
        assert (hit.id, hit.workspace_id, hit.path, hit.size) == (full.id, 3, full.path, 2**45)
        assert (hit.modified, hit.etag, hit.content_type) == (-1, full.etag, "image/tiff")
        assert (hit.facts, hit.tags, hit.problem) == ({"width": "100"}, {"project": "moon"}, full.problem)
        assert (other.etag, other.content_type, other.facts, other.tags) == (plain.etag, "", {}, {})
        assert (other.problem, hit.highlights, other.highlights) == ("", (), ())

    def test_highlights_are_of_words_in_path_and_content(self, writer: EngineWriter, reader: EngineReader) -> None:
        text = "x " * 500 + "the Red Kidney was red" + " y" * 500
        writer.put([entry(1, "Kidney/scan.txt", text=text)])
        writer.commit()
        query = AllOf((Words(("kidney",)), Words(("red", "kidney"))))
        (hit,) = reader.search(SearchRequest(query, highlight=True)).hits
        shown = [[piece[start:end] for start, end in ranges] for piece, ranges in hit.highlights]
        assert shown == [["Kidney"], ["Red Kidney"]]
        assert hit.highlights[0][0] == "Kidney/scan.txt"
        assert hit.highlights[1][0] in text
        assert len(hit.highlights[1][0]) < 300

    def test_each_kind_of_query(self, writer: EngineWriter, reader: EngineReader) -> None:
        entries = [
            entry(1, "raw/Sample_1.TIF", size=1, modified=-5, folders=(1, 10)),
            entry(2, "raw/2/sample.png", size=2, modified=0, folders=(1, 10, 11), content_type="image/png; q=1"),
            entry(3, "raw/2/3/SampleReads2024.gz", size=3, modified=1, folders=(1, 10, 11, 12)),
            entry(4, "Naïve file.csv", size=4, modified=3_000_000, folders=(1,), tags={"Colour": "Red"}),
            entry(5, "x_y-z", size=5, modified=4_000_000, folders=(1,), text="Deep words, and more"),
            entry(
                6, "*Stargazer?", workspace=2, size=6, folders=(20,), user={"colour": "b"}, facts={"plate": "7"}
            ),
            entry(7, "dir/", workspace=2, size=7, folders=(20, 21)),
        ]
        writer.put(entries)
        writer.commit()
        for query, found in KINDS:
            assert sorted(all_ids(reader, SearchRequest(query))) == found, query
            assert [each.id for each in entries if matches(query, fields(each))] == found, query
            check(reader, entries, query)

    def test_random_queries_find_what_filtering_one_by_one_finds(
        self, writer: EngineWriter, reader: EngineReader
    ) -> None:
        random = Random(5)
        entries = random_entries(random, 300)
        for at in range(0, 300, 100):
            writer.put(entries[at : at + 100])
            writer.commit()
        found = 0
        for _ in range(150):
            query = random_query(random, entries, depth=2)
            found += reader.total(query)[0]
            check(reader, entries, query)
        assert found > 2_000

    @pytest.mark.parametrize(("sort", "descending"), ORDERS)
    def test_hits_are_in_order_to_the_last(
        self, writer: EngineWriter, reader: EngineReader, sort: Sort, descending: bool
    ) -> None:
        random = Random(6)
        entries = random_entries(random, 150)
        writer.put(entries[:70])
        writer.commit()
        writer.put(entries[70:])
        writer.commit()
        for _ in range(4):
            query = AnyOf((random_query(random, entries, depth=1), Words(("alpha",)), Words(("beta", "gamma"))))
            for limit in (1, 7, 1000):
                ids = all_ids(reader, SearchRequest(query, sort, descending, limit))
                assert ids == in_order(entries, query, sort, descending)

    @pytest.mark.parametrize(("sort", "descending"), ORDERS)
    def test_a_walk_shows_what_stays_exactly_once_while_others_come_and_go(
        self, writer: EngineWriter, reader: EngineReader, sort: Sort, descending: bool
    ) -> None:
        """Among few values, so that most places are among equals, and the entry at the cursor itself goes."""
        random = Random(7)
        entries = random_entries(random, 80, values=3)
        query = AnyOf((Words(("alpha",)), Words(("beta",)), Everything()))
        held = {each.id: each for each in entries}
        touched: set[int] = set()
        writer.put(entries)
        writer.commit()
        shown: list[int] = []
        next_id = 1000
        for page in pages(reader, SearchRequest(query, sort, descending, limit=5)):
            shown += page
            gone = {page[-1], random.choice(entries).id, random.choice(entries).id} & held.keys()
            writer.remove(sorted(gone))
            moved = [Change.of(held[number], random) for number in random.sample(sorted(held.keys() - gone), 2)]
            new = random_entries(random, 4, first_id=next_id, values=3)
            next_id += 4
            writer.put([*new, *moved])
            writer.commit()
            touched |= gone | {each.id for each in new} | {each.id for each in moved}
            held = {number: each for number, each in held.items() if number not in gone}
        stayed = [each for each in entries if each.id not in touched]
        assert len(stayed) > 5
        expected = in_order(stayed, query, sort, descending)
        assert [number for number in shown if number not in touched] == expected
        # An entry that was changed may be shown again at its new place, but none at the same.
        originals = [number for number in shown if number < 1000 and number not in {e.id for e in stayed}]
        assert len(shown) >= len(stayed) + len(set(originals))

    def test_facets_are_exact_with_many_values_in_many_parts(
        self, writer: EngineWriter, reader: EngineReader
    ) -> None:
        """Each part of the index knows but its own most frequent values; what counts is frequent only in sum."""
        entries: list[Entry] = []
        for part in range(4):
            names = [f"f{part}_{each}.x{part}{each % 1100:04}" for each in range(2200)] + [f"rare{part}.tif"]
            names += ["1.big", "2.big", "3.big"] if part == 0 else []
            begin = len(entries)
            entries += [
                entry(begin + at + 1, name, size=at, workspace=1 + at % 301, folders=(1 + at % 301, 5 + at))
                for at, name in enumerate(names)
            ]
            writer.put(entries[begin:])
            writer.commit()
        for query in (Everything(), SizeBetween(100, None)):
            for top in (0, 1, 3, 100, 5000):
                requests = [FacetRequest(facet, top) for facet in Facet]
                expected = [facet_of(entries, query, request) for request in requests]
                assert reader.facets(query, requests) == expected
        (answer,) = reader.facets(Everything(), [FacetRequest(Facet.EXTENSION, top=1)])
        assert [bucket[:2] for bucket in answer.buckets] == [("tif", 4)]
        assert reader.facets(Everything(), []) == []

    def test_folders_are_counted_at_any_depth(self, writer: EngineWriter, reader: EngineReader) -> None:
        entries = [
            entry(depth + 1, "a/" * depth + "x", size=depth, folders=tuple(range(100, 101 + depth)))
            for depth in range(60)
        ]
        writer.put(entries)
        writer.commit()
        for depth in (1, 2, 9, 10, 59, 60, 500):
            request = FacetRequest(Facet.FOLDER, depth=depth)
            assert reader.facets(Everything(), [request]) == [facet_of(entries, Everything(), request)]

    def test_sums_are_exact_beyond_what_a_floating_point_number_holds(
        self, writer: EngineWriter, reader: EngineReader
    ) -> None:
        entries = [entry(at, f"{at}.bin", size=2**52 + at % 2, workspace=at % 3 + 1) for at in range(1, 40)]
        writer.put(entries)
        writer.commit()
        check(reader, entries, Everything())
        check(reader, entries, Workspaces(frozenset([1, 2])))

    def test_thousands_of_workspaces_and_folders_filter(self, writer: EngineWriter, reader: EngineReader) -> None:
        entries = [
            entry(at, f"{at}.txt", workspace=at % 700 + 1, folders=(at % 700 + 1, 10_000 + at))
            for at in range(1, 1500)
        ]
        writer.put(entries)
        writer.commit()
        sight = AnyOf(
            (
                Workspaces(frozenset(range(600, 9000))),
                Folders(frozenset(range(10_000, 60_000, 7))),
            )
        )
        check(reader, entries, AllOf((sight, NameMatches("1"))))
        check(reader, entries, Not(sight))

    def test_no_limit_no_hits(self, writer: EngineWriter, reader: EngineReader) -> None:
        writer.put([entry(1, "a", size=4)])
        writer.commit()
        page = reader.search(SearchRequest(Everything(), limit=0))
        assert (page.total, page.total_bytes, page.hits, page.next_after) == (1, 4, (), None)

    def test_long_patterns_are_answered_or_refused(self, writer: EngineWriter, reader: EngineReader) -> None:
        name = "Ab" * 120
        writer.put([entry(1, name)])
        writer.commit()
        patterns = {
            name: 1,
            f"*{name}": 1,
            f"b*{name[2:]}": 0,
            "?" * 60 + "*": 1,
            "*".join(name[:12]) + "*": 1,
            "*".join(name[:12]) + "x": 0,
            "*".join(name): 1,
            "?" * 240: 1,
        }
        answers = {}
        for pattern in patterns:
            with suppress(Invalid):
                answers[pattern] = reader.total(NameMatches(fold_pattern(pattern)))[0]
        assert {pattern: patterns[pattern] for pattern in answers} == answers
        assert len(answers) >= len(patterns) - 3

    def test_an_erased_engine_is_empty_again(self, engine: Engine, writer: EngineWriter) -> None:
        writer.put([entry(1, "a")])
        writer.commit()
        assert engine.size_bytes() > 0
        assert engine.damaged() is None
        writer.close()
        engine.erase()
        again = engine.writer()
        again.put([entry(2, "b")])
        again.commit()
        reader = engine.reader()
        assert all_ids(reader, SearchRequest(Everything())) == [2]
        reader.close()
        again.close()

    def test_a_writer_goes_on_where_another_ended(self, engine: Engine, writer: EngineWriter) -> None:
        writer.put([entry(1, "a"), entry(2, "b")])
        writer.commit()
        writer.put([entry(3, "never committed")])
        writer.close()
        again = engine.writer()
        again.put([entry(2, "c"), entry(4, "d")])
        again.commit()
        reader = engine.reader()
        page = reader.search(SearchRequest(Everything(), Sort.PATH, descending=False))
        assert [(hit.id, hit.path) for hit in page.hits] == [(1, "a"), (2, "c"), (4, "d")]
        reader.close()
        again.close()
