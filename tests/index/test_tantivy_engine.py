"""The embedded engine: the suite of all engines, and what may happen to its files and its processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.engine_contract import EngineContract, all_ids, check, in_order, reader, writer
from index.engine_worlds import entry, random_entries, random_query
from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.domain.search_patterns import fits_name, is_wild, pattern_parts
from workspacesio.domain.search_query import AllOf, AnyOf, Everything, NameMatches, Not, Words, Workspaces
from workspacesio.domain.search_words import fold, indexed_text
from workspacesio.index import tantivy_facets, tantivy_names, tantivy_paging, tantivy_patterns
from workspacesio.index.engine import Engine, EngineReader, EngineWriter, Facet, FacetRequest, SearchRequest, Sort
from workspacesio.index.packing import pack_etag, unpack_etag
from workspacesio.index.tantivy_engine import TantivyEngine
from workspacesio.index.tantivy_grams import grams, in_json, spelled
from workspacesio.index.tantivy_seen import SeenIds

__all__ = ["reader", "writer"]


_TESTS = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "engine-1"


@pytest.fixture
def engine(folder: Path) -> Engine:
    return TantivyEngine(folder)


class TestTantivy(EngineContract):
    pass


def test_patterns_that_nearly_find_too_much_are_answered_alike(
    writer: EngineWriter, reader: EngineReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a regular expression, which takes over where many names have the texts of the pattern."""
    random = Random(8)
    entries = random_entries(random, 200)
    writer.put(entries)
    writer.commit()
    monkeypatch.setattr(tantivy_names, "MOST", 1)
    patterns = [
        query for _ in range(3000) if isinstance(query := random_query(random, entries, depth=0), NameMatches)
    ]
    wild = [query for query in patterns if is_wild(query.pattern)][:150]
    assert len(wild) == 150
    for query in wild:
        check(reader, entries, query)


@pytest.mark.parametrize("sorted_here", [1, 7])
def test_ranks_that_are_too_large_to_be_sorted_here_are_in_the_same_order(
    writer: EngineWriter, reader: EngineReader, monkeypatch: pytest.MonkeyPatch, sorted_here: int
) -> None:
    """As with thousands of hits: of the last rank on a page the engine is asked once more."""
    random = Random(9)
    entries = random_entries(random, 300, values=5)
    writer.put(entries)
    writer.commit()
    monkeypatch.setattr(tantivy_paging, "SORTED_HERE", sorted_here)
    words = AnyOf((Words(("alpha",)), Words(("beta",)), Words(("gamma",)), Words(("x",))))
    for query in (words, Words(("alpha",)), AllOf((words, Not(Words(("r1",))))), Words(("nowhere",))):
        for descending in (True, False):
            for limit in (1, 4, 50, 1000):
                request = SearchRequest(query, Sort.RELEVANCE, descending, limit)
                assert all_ids(reader, request) == in_order(entries, query, Sort.RELEVANCE, descending)


def test_totals_and_facets_of_a_commit_are_looked_for_once(
    writer: EngineWriter, reader: EngineReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def counted(name: str) -> None:
        look = getattr(tantivy_facets, name)

        def looking(*asked: object) -> object:
            looks.append(name)
            return look(*asked)

        monkeypatch.setattr(tantivy_facets, name, looking)

    counted("total")
    counted("facets")
    requests = [FacetRequest(Facet.WORKSPACE, top=3), FacetRequest(Facet.EXTENSION)]
    for commit in range(1, 3):
        writer.put([entry(10 * commit + number, f"{number}.txt", workspace=number) for number in range(5)])
        writer.commit()
        looks.clear()
        after, there = None, (5 * commit, 5 * commit)
        for _ in range(2):
            page = reader.search(SearchRequest(Words(("txt",)), Sort.PATH, descending=False, limit=3, after=after))
            after = page.next_after
            assert (page.total, page.total_bytes) == there
            assert [answer.total for answer in reader.facets(Words(("txt",)), requests)] == [there, there]
        assert reader.total(Words(("txt",))) == there
        assert reader.total(Words(("0",))) == (commit, commit)
        assert looks == ["total", "facets", "total"]


def test_thousands_of_files_that_say_they_have_exabytes_cost_few_sums(
    writer: EngineWriter, reader: EngineReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = []
    real = tantivy_facets._Sums._of
    monkeypatch.setattr(tantivy_facets._Sums, "_of", lambda *given: sums.append(given) or real(*given))
    monkeypatch.setattr(tantivy_facets, "_MOST_SUMS", 50)
    entries = [entry(at, f"{at}.x{at % 7}", size=2**62 + at) for at in range(1, 2_000)]
    writer.put(entries)
    writer.commit()
    size = sum(one.size for one in entries)
    assert reader.total(Everything()) == (1_999, pytest.approx(size))
    assert len(sums) <= 51
    [answer] = reader.facets(Everything(), [FacetRequest(Facet.EXTENSION)])
    assert sum(bucket.bytes for bucket in answer.buckets) == pytest.approx(size)
    assert (answer.others_count, answer.others_bytes >= 0) == (0, True)
    assert len(sums) <= 2 * 51


def test_patterns_look_at_few_names_in_all(
    writer: EngineWriter, reader: EngineReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [entry(n, f"a{n:02}b.txt", workspace=n % 10) for n in range(100)]
    writer.put(entries)
    writer.commit()
    # Ten names each are nearly found: those of three are read, four are looked for among all.
    monkeypatch.setattr(tantivy_names, "MOST", 35)
    monkeypatch.setattr(tantivy_patterns, "MOST_BY_EXPRESSION", 4 * len(entries))
    patterns = tuple(NameMatches(f"*a*{digit}b.txt") for digit in range(10))
    as_many_as_may_be = AnyOf(patterns[: 3 + 4] * 3)
    check(reader, entries, as_many_as_may_be)
    with pytest.raises(Invalid, match="nearly finds more names than can be looked at one by one") as caught:
        reader.total(AnyOf(patterns))
    assert (caught.value.code, caught.value.details["pattern"]) == ("invalid_query", "*a*7b.txt")
    # Wherever the query says where to look.
    everywhere, somewhere = Workspaces(frozenset(range(10))), Workspaces(frozenset([3]))
    check(reader, entries, AllOf((everywhere, AllOf((somewhere, AnyOf(patterns))))))


def test_patterns_of_texts_that_overlap_are_answered_alike(writer: EngineWriter, reader: EngineReader) -> None:
    """Grams find the beginning and the end of a pattern in names that are too short for both."""
    names = ["".join(letters) for length in range(1, 7) for letters in product("ab", repeat=length)]
    writer.put([entry(number, name) for number, name in enumerate([*names, "abcxdef", "abc def", "abcdef"])])
    writer.commit()
    names += ["abcxdef", "abc def", "abcdef"]
    random = Random(10)
    patterns = {"".join(random.choices("aabb?*", k=random.randrange(1, 9))) for _ in range(400)}
    for pattern in sorted(patterns | {"abc?def", "*bc?de*", "abc??ef", "?abab*"}):
        found = reader.search(SearchRequest(NameMatches(pattern), Sort.PATH, descending=False, limit=1000))
        fitting = sorted(name for name in names if fits_name(pattern, name))
        assert [hit.path for hit in found.hits] == fitting, pattern


def test_broad_patterns_are_not_looked_for_in_all_names(
    writer: EngineWriter, reader: EngineReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people write mostly needs no expression, however many names there are."""
    names = ["IMG_0001.tif", "IMG_2.tif", "kidney stain.csv", "kidneyXstain.csv", "x.tif"]
    entries = [entry(number, name) for number, name in enumerate(names)]
    writer.put(entries)
    writer.commit()
    monkeypatch.setattr(tantivy_names, "MOST", 0)
    monkeypatch.setattr(tantivy_patterns, "MOST_BY_EXPRESSION", 0)
    for pattern in ("img_*.tif", "img_????.tif", "*kidney?stain*", "*.tif", "img_*", "*_00*"):
        check(reader, entries, NameMatches(pattern))
    for pattern in ("*kidney*stain*", "*a?e*", "????"):
        with pytest.raises(Invalid, match="write more of the name"):
            reader.total(NameMatches(pattern))


@pytest.mark.parametrize("pattern", ["*" + "a*" * 150, "a" * 60 + "?*" * 60, "**?*?**a*b*", "a?*?a", "ab*ba"])
def test_no_pattern_makes_a_name_slow(pattern: str) -> None:
    fits = tantivy_names.fitting(pattern_parts(pattern))
    began = time.process_time()
    for name in ("a" * 149, "a" * 1000, "ab" * 500, "b", "aba", "abba", "aaa", "aaaa"):
        assert fits(name) == fits_name(pattern, name)
    assert time.process_time() - began < 5


def put_and_commit(engine: Engine, numbers: range) -> None:
    with closing(engine.writer()) as writer:
        writer.put([entry(number, f"a/{number}.txt") for number in numbers])
        writer.commit()


def test_one_writer_at_a_time(engine: Engine) -> None:
    with closing(engine.writer()) as first:
        with pytest.raises(Unavailable):
            engine.writer()
        first.put([entry(1, "a")])
        first.commit()
    with closing(engine.writer()):
        pass


def test_readers_in_other_processes_see_a_commit_at_once(engine: Engine, folder: Path) -> None:
    script = """
import sys
from pathlib import Path
from workspacesio.domain.search_query import Everything
from workspacesio.index.tantivy_engine import TantivyEngine
reader = TantivyEngine(Path(sys.argv[1])).reader()
for line in sys.stdin:
    print(reader.total(Everything())[0], flush=True)
"""
    with closing(engine.writer()) as writer:
        writer.commit()
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            for number in range(1, 30):
                writer.put([entry(number, f"{number}")])
                writer.commit()
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == f"{number}\n"
            process.stdin.close()


@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_killed_writer_had_half_done_is_swept(engine: Engine, folder: Path, is_new: bool) -> None:
    """tantivy writes `meta.json` as another file first, which a kill leaves for ever."""
    if not is_new:
        with closing(engine.writer()) as writer:
            writer.put([entry(1, "a.txt")])
            writer.commit()
    folder.mkdir(exist_ok=True)
    (folder / ".tmpAbC123").write_text("{")
    with closing(engine.writer()):
        assert not list(folder.glob(".tmp*"))
    assert engine.damaged() is None


def test_a_writer_killed_at_any_moment_leaves_a_commit(engine: Engine, folder: Path) -> None:
    """It says what it committed. What is found after the kill is that commit, or the one it was at, and whole."""
    script = """
import sys
from pathlib import Path
from index.engine_worlds import entry
from workspacesio.index.tantivy_engine import TantivyEngine
writer = TantivyEngine(Path(sys.argv[1])).writer()
number = int(sys.argv[2])
while True:
    writer.put([entry(each, f"{each}.txt") for each in range(number, number + 300)])
    writer.remove([number - 1])
    number += 300
    writer.commit()
    print(number, flush=True)
"""
    committed = 1
    for kill in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder), str(committed)],
            stdout=subprocess.PIPE,
            text=True,
            env=_TESTS,
        )
        assert process.stdout is not None
        with process:
            process.stdout.readline()
            timer = threading.Timer(0.011 * kill, process.send_signal, [signal.SIGKILL])
            timer.start()
            *_, last = [str(committed + 300), *process.stdout]
            timer.join()
        assert engine.damaged() is None
        with closing(engine.reader()) as reader:
            ids = sorted(all_ids(reader, SearchRequest(Everything(), Sort.PATH, limit=1000)))
        upto = ids[-1] + 1
        assert upto in {int(last), int(last) + 300}
        # The last of each batch was removed with the batch that came after it.
        assert ids == [each for each in range(1, upto) if each % 300 or each == upto - 1]
        committed = upto


def test_what_a_cut_off_commit_left_is_not_in_the_way_of_the_next(engine: Engine, folder: Path) -> None:
    """tantivy numbers the files of the next commit as those of the one that was cut off."""
    put_and_commit(engine, range(1, 10))
    before = (folder / "meta.json").read_bytes()
    for _ in range(3):
        with closing(engine.writer()) as writer:
            writer.remove([3, 4])
            writer.commit()
        assert list(folder.glob("*.del"))
        # Killed before its last step.
        (folder / "meta.json").write_bytes(before)
        (folder / "0123456789abcdef0123456789abcdef.idx").write_bytes(b"begun")
    with closing(engine.writer()) as writer:
        assert not list(folder.glob("*.del"))
        writer.remove([3, 4])
        writer.commit()
    assert engine.damaged() is None
    with closing(engine.reader()) as reader:
        assert reader.entries() == 7
    assert not (folder / "0123456789abcdef0123456789abcdef.idx").exists()


def unmerged_segments(folder: Path) -> None:
    """Leaves eight segments, which the next commit merges, as of a writer that was killed before it could.

    The largest has no entry removed; from the second, with the entries 200 to 204, the last commit removed one.
    """
    script = """
import os, signal, sys
from pathlib import Path
from index.engine_worlds import entry
from workspacesio.index.tantivy_engine import TantivyEngine
writer = TantivyEngine(Path(sys.argv[1])).writer()
for each in range(1, 9):
    first, several = 100 * each, 10 if each == 1 else 5
    writer.put([entry(number, f"{number}/a.txt", folders=(1, number)) for number in range(first, first + several)])
    if each == 8:
        writer.remove([204])
    writer.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-c", script, str(folder)], check=False, env=_TESTS)
        if len(segments(folder)) == 8:
            return
    pytest.fail("the merge was always quicker than the kill")


def segments(folder: Path) -> list[object]:
    return list(json.loads((folder / "meta.json").read_bytes())["segments"])


@pytest.mark.parametrize("verb", ["remove", "remove_folders", "put"])
def test_what_is_removed_first_stays_removed_when_a_merge_was_cut_off(
    engine: Engine, folder: Path, verb: str
) -> None:
    """tantivy would number it as the last commit, and the merge pass it over where that commit had removed."""
    unmerged_segments(folder)
    with closing(engine.writer()) as writer, closing(engine.reader()) as reader:
        match verb:
            case "remove":
                writer.remove([200])
            case "remove_folders":
                writer.remove_folders([200])
            case _:
                writer.put([entry(200, "200/b.txt", folders=(1, 200))])
        writer.put([entry(900, "900/a.txt", folders=(1, 900))])
        writer.commit()
        until = time.monotonic() + 20
        while len(segments(folder)) > 2:
            assert time.monotonic() < until
            time.sleep(0.005)
        ids = all_ids(reader, SearchRequest(Everything(), Sort.PATH, limit=100))
    left = range(200 if verb == "put" else 201, 204)
    others = [number for each in range(3, 9) for number in range(100 * each, 100 * each + 5)]
    assert sorted(ids) == [*range(100, 110), *left, *others, 900]


def test_a_full_disk_keeps_the_last_commit_and_the_writer_goes_on_when_there_is_room(folder: Path) -> None:
    """A limit on the size of files fails as a full disk does, in the middle of a file."""
    script = """
import resource, signal, sys
from pathlib import Path
from index.engine_worlds import entry
from workspacesio.domain.errors import Unavailable
from workspacesio.index.tantivy_engine import TantivyEngine
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = TantivyEngine(Path(sys.argv[1])).writer()
writer.put([entry(each, f"{each}.txt") for each in range(1, 100)])
writer.commit()
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    writer.put([entry(each, f"{each}-{each * 7919}.txt") for each in range(100, 5000)])
    writer.commit()
except Unavailable:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.put([entry(7, "seven.txt"), entry(6000, "last.txt")])
    writer.commit()
    print("went on")
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=_TESTS,
    )
    assert result.stdout == "went on\n"
    engine = TantivyEngine(folder)
    assert engine.damaged() is None
    with closing(engine.reader()) as reader:
        ids = all_ids(reader, SearchRequest(Everything(), Sort.PATH, limit=1000))
        assert sorted(ids) == [*range(1, 100), 6000]
        assert reader.total(NameMatches("seven")) == (1, 1)


def damages(folder: Path) -> Iterator[tuple[str, Path, bytes | None]]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".lock":
            continue
        whole = path.read_bytes()
        yield "gone", path, None
        yield "empty", path, b""
        if len(whole) > 1:
            yield "cut off", path, whole[: len(whole) // 2]
            yield "a bit", path, bytes([whole[0] ^ 4]) + whole[1:]


def test_every_damage_of_a_file_is_detected(engine: Engine, folder: Path) -> None:
    put_and_commit(engine, range(1, 50))
    with closing(engine.writer()) as writer:
        writer.remove([3, 4])
        writer.commit()
    assert engine.damaged() is None
    seen = set()
    for kind, path, content in damages(folder):
        whole = path.read_bytes()
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        assert engine.damaged(), f"{kind}: {path.name}"
        path.write_bytes(whole)
        seen.add(path.suffix)
    assert seen >= {".idx", ".pos", ".term", ".fast", ".fieldnorm", ".store", ".del", ".json"}
    assert engine.damaged() is None


def test_a_damaged_index_is_unavailable_to_readers_and_writers(engine: Engine, folder: Path) -> None:
    put_and_commit(engine, range(1, 50))
    (folder / "meta.json").write_text("{")
    with closing(engine.reader()) as reader, pytest.raises(Unavailable):
        reader.total(Everything())
    with pytest.raises(Unavailable):
        engine.writer()


def test_an_index_of_another_version_is_to_be_rebuilt(engine: Engine, folder: Path) -> None:
    put_and_commit(engine, range(1, 5))
    (folder / "wio-version").write_text("0")
    assert "version" in str(engine.damaged())
    with closing(engine.reader()) as reader, pytest.raises(Unavailable):
        reader.total(Everything())
    with pytest.raises(Unavailable):
        engine.writer()


def test_a_reader_of_what_is_not_there_is_told_so(engine: Engine) -> None:
    assert engine.damaged() is not None
    assert engine.size_bytes() == 0
    with closing(engine.reader()) as reader, pytest.raises(Unavailable):
        reader.total(Everything())


def test_a_cursor_that_is_none_is_refused(engine: Engine) -> None:
    put_and_commit(engine, range(1, 5))
    with closing(engine.reader()) as reader:
        for cursor in ("", "x", "[]", "[1,2]", '["a",1,2]', "[0,[],1]", "[0,1,null]", "{}"):
            with pytest.raises(Invalid):
                reader.search(SearchRequest(Everything(), after=cursor))


def test_an_interrupted_caller_is_not_taken_for_a_failing_index(engine: Engine) -> None:
    def entries() -> Iterator[object]:
        yield entry(1, "a")
        raise KeyboardInterrupt

    with closing(engine.writer()) as writer, pytest.raises(KeyboardInterrupt):
        writer.put(entries())  # type: ignore[arg-type]


def test_searches_go_on_in_many_threads_while_the_index_changes(engine: Engine) -> None:
    problems: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            last = 0
            while not done.is_set():
                total, size = reader.total(Words(("txt",)))
                assert total == size
                assert total >= last
                last = total
                assert len(reader.search(SearchRequest(Everything(), limit=10)).hits) == 10
        except BaseException as problem:
            problems.append(problem)

    put_and_commit(engine, range(1, 20))
    with closing(engine.writer()) as writer, closing(engine.reader()) as reader:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(20, 60):
            writer.put([entry(number, f"{number}.txt")])
            writer.commit()
        done.set()
        for thread in threads:
            thread.join()
    assert problems == []


@pytest.mark.parametrize(
    "etag",
    [
        "",
        "d41d8cd98f00b204e9800998ecf8427e",
        "d41d8cd98f00b204e9800998ecf8427e-3",
        "D41D8CD98F00B204E9800998ECF8427E",
        "d4 1d8cd98f00b204e9800998ecf8427",
        "ab",
        "é",
        "d41d8cd98f00b204e9800998ecf8427e-é",
    ],
)
def test_etags_come_back_as_they_were(etag: str) -> None:
    assert unpack_etag(pack_etag(etag)) == etag


def test_grams_of_plain_and_of_other_names_are_made_alike() -> None:
    assert grams("ab") == "/ab ab/"
    assert grams("äb c") == "/äb äb\0 b\0c \0c/"
    assert grams("ab c") == "/ab ab\0 b\0c \0c/"


@given(st.lists(st.text(st.characters(codec="ascii") | st.sampled_from("aB 0"), max_size=9)))
def test_names_spelled_at_once_are_spelled_as_each(names: list[str]) -> None:
    """As JSON has them: those with something to escape, one by one."""
    names = [name.replace("/", "") for name in names]
    for some in (names, [name for name in names if name.isprintable() and '"' not in name and "\\" not in name]):
        assert list(spelled(some)) == [
            tuple(map(in_json, (name, fold(name), indexed_text(name), grams(fold(name))))) for name in some
        ]


def test_numbers_seen_are_those_there_at_the_start_and_those_since() -> None:
    seen = SeenIds(10)
    assert [seen.add(number) for number in (10, 11, 11, 2**40, 2**40 + 1, 2**40, 65_536, 0)] == [
        True,
        False,
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_files_take_space_until_they_are_erased(engine: Engine, folder: Path) -> None:
    put_and_commit(engine, range(1, 5))
    assert engine.size_bytes() == sum(os.stat(file).st_size for file in folder.iterdir())
    engine.erase()
    assert not folder.exists()
