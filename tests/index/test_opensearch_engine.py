"""The engine on real search servers: OpenSearch 3, OpenSearch 2 and Elasticsearch 7.10."""

import itertools
from collections.abc import Iterator

import pytest

from index.engine_contract import EngineContract, check, reader, writer
from index.engine_worlds import entry
from index.opensearch_settings import server_of
from servers.opensearch import SearchServerProcess
from workspacesio.domain.search_query import Folders, NameMatches
from workspacesio.index.engine import Engine, EngineReader, EngineWriter, Sort
from workspacesio.index.opensearch_engine import OpenSearchEngine
from workspacesio.index.opensearch_queries import MAX_TERMS
from workspacesio.index.opensearch_server import SearchServer

__all__ = ["reader", "writer"]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def opensearch3(opensearch3_server: SearchServerProcess) -> Iterator[SearchServer]:
    yield from server_of(opensearch3_server)


@pytest.fixture(scope="module")
def opensearch2(opensearch2_server: SearchServerProcess) -> Iterator[SearchServer]:
    yield from server_of(opensearch2_server)


@pytest.fixture(scope="module")
def elasticsearch7(elasticsearch7_server: SearchServerProcess) -> Iterator[SearchServer]:
    yield from server_of(elasticsearch7_server)


def engine_on(server: SearchServer) -> Iterator[Engine]:
    engine = OpenSearchEngine(server, next(_numbers), "contract")
    engine.erase()
    yield engine
    engine.erase()


class TestOpenSearch3(EngineContract):
    @pytest.fixture
    def engine(self, opensearch3: SearchServer) -> Iterator[Engine]:
        yield from engine_on(opensearch3)

    def test_more_ids_than_a_server_takes_at_once(self, writer: EngineWriter, reader: EngineReader) -> None:
        entries = [entry(at, f"{at}.txt", folders=(1, at * 1000)) for at in range(1, 200)]
        writer.put(entries)
        writer.commit()
        assert MAX_TERMS < 150_000
        assert reader.total(Folders(frozenset(range(1000, 151_000)))) == (150, 150)

    def test_a_character_is_a_code_point(self, writer: EngineWriter, reader: EngineReader) -> None:
        """And not half of one, as scripts on the server see it."""
        entries = [entry(at, name) for at, name in enumerate(["😀", "a😀b", "😀😀", "ab", "a"], 1)]
        writer.put(entries)
        writer.commit()
        for pattern in ("?", "??", "???", "*?", "?*?", "*??", "*???", "a?b", "?b*", "*?😀", "😀?"):
            check(reader, entries, NameMatches(pattern))

    def test_several_copies_and_threads_would_make_counts_estimates(
        self, engine: Engine, opensearch3: SearchServer
    ) -> None:
        engine.writer().close()
        [index] = opensearch3.ask("GET", f"/{opensearch3.prefix}-*/_settings").values()
        settings = index["settings"]["index"]
        assert settings["number_of_shards"] == "1"
        assert settings["search"]["concurrent_segment_search"]["mode"] == "none"


class OlderServerContract(EngineContract):
    """Two of the orders are enough: they differ in nothing that an older server could know."""

    @pytest.mark.parametrize(("sort", "descending"), [(Sort.RELEVANCE, True), (Sort.PATH, False)])
    def test_hits_are_in_order_to_the_last(
        self, writer: EngineWriter, reader: EngineReader, sort: Sort, descending: bool
    ) -> None:
        super().test_hits_are_in_order_to_the_last(writer, reader, sort, descending)

    @pytest.mark.parametrize(("sort", "descending"), [(Sort.RELEVANCE, True), (Sort.PATH, False)])
    def test_a_walk_shows_what_stays_exactly_once_while_others_come_and_go(
        self, writer: EngineWriter, reader: EngineReader, sort: Sort, descending: bool
    ) -> None:
        super().test_a_walk_shows_what_stays_exactly_once_while_others_come_and_go(
            writer, reader, sort, descending
        )


class TestOpenSearch2(OlderServerContract):
    @pytest.fixture
    def engine(self, opensearch2: SearchServer) -> Iterator[Engine]:
        yield from engine_on(opensearch2)


class TestElasticsearch7(OlderServerContract):
    @pytest.fixture
    def engine(self, elasticsearch7: SearchServer) -> Iterator[Engine]:
        yield from engine_on(elasticsearch7)
