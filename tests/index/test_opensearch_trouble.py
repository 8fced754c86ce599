"""A search server that is away, full, hangs, is lost, is another's, or is no search server: nothing is lost, and
each answer is one sentence without secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from index.engine_contract import all_ids, entry
from index.held import check_engine
from index.opensearch_settings import environment_of, server_of
from index.recorded import Clock, Model, Random, catalogued, open_recorder, serving, settle
from journeys.reverse_proxy import reverse_proxy
from s3.certificates import self_signed
from servers.opensearch import SearchServerProcess, opensearch2
from servers.process import free_port
from workspacesio.database.sessions import sqlite_url
from workspacesio.domain.errors import Invalid, Unavailable
from workspacesio.domain.search_query import Everything
from workspacesio.index import opensearch_server
from workspacesio.index.catalogue import Catalogue
from workspacesio.index.engine import Engine, SearchRequest
from workspacesio.index.engine_upkeep import RETIRED_SECONDS
from workspacesio.index.found import Found
from workspacesio.index.opensearch_engine import OpenSearchEngine
from workspacesio.index.opensearch_server import AWAY_SECONDS, SearchServer, ServerAddress
from workspacesio.index.opensearch_writer import OpenSearchWriter
from workspacesio.index.tantivy_engine import TantivyEngine
from workspacesio.settings import read_settings


@pytest.fixture(scope="module")
def process() -> Iterator[SearchServerProcess]:
    """One that nobody else uses: it is stopped, killed and made to hang."""
    with opensearch2() as server:
        yield server


@pytest.fixture
def server(process: SearchServerProcess) -> Iterator[SearchServer]:
    if process.process.returncode is not None:
        process.start()
    yield from server_of(process)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(sqlite_url(tmp_path / "catalogue.sqlite"))
    made.store.make(1, 0, 1)
    yield made
    made.close()


@dataclass
class Engines:
    """Both kinds; `kind` is the one that is wanted."""

    server: SearchServer
    folder: Path
    kind: str = "opensearch"
    made: list[int] = field(default_factory=list)

    def __call__(self, kind: str, number: int) -> Engine | None:
        if kind == "tantivy":
            return TantivyEngine(self.folder / f"engine-{number}")
        self.made.append(number)
        return OpenSearchEngine(self.server, number, "trouble")


def call(process: SearchServerProcess, method: str, path: str, body: object = None) -> object:
    request = urllib.request.Request(
        process.endpoint + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_until_asked_again() -> None:
    time.sleep(AWAY_SECONDS * 1.5)


def ask(server: SearchServer, seconds: float) -> None:
    with suppress(Unavailable):
        server.ask("GET", "/", seconds=seconds)


def filled_engine(server: SearchServer, number: int, owner: str = "one") -> OpenSearchEngine:
    engine = OpenSearchEngine(server, number, owner)
    engine.erase()
    writer = engine.writer()
    writer.put([entry(at, f"{at}.txt") for at in range(1, 4)])
    writer.commit()
    return engine


def test_what_changes_while_it_is_away_is_found_when_it_is_back(
    process: SearchServerProcess, server: SearchServer, catalogue: Catalogue, tmp_path: Path
) -> None:
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(server, tmp_path), clock)
    settle(recorder, upkeep, clock)
    model: Model = {}
    changes = Random(1, recorder=recorder, model=model)
    for _ in range(30):
        changes.change()
    assert recorder.commit()
    before = check_engine(recorder)
    assert before > 5
    engine = serving(recorder).engine

    for stop in (process.stop, process.kill):
        changes.change()
        stop()
        with pytest.raises(Unavailable, match=r"^The search server doesn't answer; try again in a moment\.$"):
            engine.reader().total(Everything())
        for _ in range(15):
            changes.change()
            assert not recorder.commit()
        assert catalogued(catalogue) == {place: found for place, found in model.items() if found}
        process.start()
        wait_until_asked_again()
        settle(recorder, upkeep, clock)
        assert check_engine(recorder) == len(model)
    assert serving(recorder).engine is engine, "what was there is used again, not made anew"
    recorder.close()


def test_a_worker_that_starts_while_it_is_away_goes_on_when_it_is_there(
    process: SearchServerProcess, server: SearchServer, catalogue: Catalogue, tmp_path: Path
) -> None:
    process.stop()
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(server, tmp_path), clock)
    recorder.put(1, "a/x.txt", Found("x.txt", 5, 10))
    recorder.commit()
    upkeep.step()
    process.start()
    wait_until_asked_again()
    settle(recorder, upkeep, clock)
    assert check_engine(recorder) == 1
    recorder.close()


def test_a_full_disk_stops_writes_and_no_searches(
    process: SearchServerProcess, server: SearchServer, catalogue: Catalogue, tmp_path: Path
) -> None:
    """The block is the one that the server sets itself at its flood stage."""
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(server, tmp_path), clock)
    settle(recorder, upkeep, clock)
    recorder.put(1, "a.txt", Found("a.txt", 5, 10))
    assert recorder.commit()
    indices = f"/{server.prefix}-*/_settings"
    call(process, "PUT", indices, {"index.blocks.read_only_allow_delete": True})
    recorder.put(1, "b.txt", Found("b.txt", 5, 10))
    assert not recorder.commit()
    feed = serving(recorder)
    assert feed.problem is not None
    assert feed.problem.startswith("The search server takes no writes: its disk is full")
    assert feed.engine.reader().total(Everything()) == (1, 5)
    call(process, "PUT", indices, {"index.blocks.read_only_allow_delete": None})
    settle(recorder, upkeep, clock)
    assert check_engine(recorder) == 2
    recorder.close()


def test_an_index_that_somebody_deleted_is_filled_again_and_never_made_by_writing(
    process: SearchServerProcess, server: SearchServer, catalogue: Catalogue, tmp_path: Path
) -> None:
    clock = Clock()
    recorder, upkeep = open_recorder(catalogue, Engines(server, tmp_path), clock)
    settle(recorder, upkeep, clock)
    for name in ("a.txt", "b.txt"):
        recorder.put(1, name, Found(name, 5, 10))
    assert recorder.commit()
    engine, number = serving(recorder).engine, serving(recorder).number
    call(process, "DELETE", f"/{server.prefix}-{number}-entries")
    with pytest.raises(Unavailable, match="missing on the search server") as raised:
        engine.reader().search(SearchRequest(Everything()))
    assert raised.value.code == "index_missing"
    recorder.put(1, "c.txt", Found("c.txt", 5, 10))
    assert not recorder.commit()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        call(process, "GET", f"/{server.prefix}-{number}/_count")
    assert engine.damaged() == "it is missing on the search server"
    with pytest.raises(Unavailable, match="it is missing"):
        engine.writer()
    settle(recorder, upkeep, clock)
    assert serving(recorder).number > number
    assert check_engine(recorder) == 3
    recorder.close()


def test_moving_between_the_engines_is_a_rebuild_beside_the_one_that_serves(
    process: SearchServerProcess, server: SearchServer, catalogue: Catalogue, tmp_path: Path
) -> None:
    clock = Clock()
    engines = Engines(server, tmp_path, kind="tantivy")
    recorder, upkeep = open_recorder(catalogue, engines, clock)
    settle(recorder, upkeep, clock)
    changes = Random(2, recorder=recorder, model={})
    for _ in range(30):
        changes.change()
    recorder.commit()
    held = check_engine(recorder)
    for kind in ("opensearch", "tantivy"):
        recorder.close()
        engines.kind = kind
        recorder, upkeep = open_recorder(catalogue, engines, clock)
        rows = {row.state: row.kind for row in catalogue.engines()}
        assert rows["filling"] == kind != rows["serving"]
        settle(recorder, upkeep, clock)
        assert serving(recorder).kind == kind
        assert check_engine(recorder) == held > 5
        clock.now += RETIRED_SECONDS * 2
        settle(recorder, upkeep, clock)
        assert {row.kind for row in catalogue.engines()} == {kind}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        call(process, "GET", f"/{server.prefix}-{engines.made[-1]}/_count")
    recorder.close()


def test_services_that_share_a_server_never_touch_each_others_indices(
    process: SearchServerProcess, server: SearchServer
) -> None:
    engine = filled_engine(server, 1)
    foreign = OpenSearchEngine(server, 1, "another")
    assert foreign.damaged() == "it belongs to another service on the search server"
    for forbidden in (foreign.erase, foreign.writer):
        with pytest.raises(Unavailable, match=r"another service"):
            forbidden()
    for other in server_of(process):
        assert other.prefix != server.prefix
        neighbour = filled_engine(other, 1, "another")
        neighbour.erase()
        assert neighbour.damaged() == "it is missing on the search server"
    assert engine.damaged() is None
    assert engine.reader().entries() == 3


def test_an_index_of_another_version_is_made_again(process: SearchServerProcess, server: SearchServer) -> None:
    engine = filled_engine(server, 1)
    call(process, "PUT", f"/{server.prefix}-1/_mapping", {"_meta": {"version": 0, "owner": "one"}})
    assert engine.damaged() == "it was made by another version"


def test_a_server_that_hangs_is_given_up_and_others_are_refused_at_once(
    process: SearchServerProcess, server: SearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = filled_engine(server, 1).reader()
    with process.process.frozen():
        with pytest.raises(Unavailable, match=r"did not answer in time"):
            server.ask("GET", "/", seconds=0.5)
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=r"did not answer in time"):
            reader.total(Everything())
        assert time.monotonic() - begun < opensearch_server.ANSWER_SECONDS / 3
    wait_until_asked_again()
    assert reader.total(Everything())[0] == 3


def test_more_searches_than_it_takes_wait_for_their_turn(
    process: SearchServerProcess, server: SearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opensearch_server, "TURN_SECONDS", 0.3)
    with process.process.frozen():
        waiting = [Thread(target=ask, args=(server, 2.0)) for _ in range(opensearch_server.SEARCHES_AT_ONCE)]
        for thread in waiting:
            thread.start()
        time.sleep(0.2)
        with pytest.raises(Unavailable, match="is busy"):
            server.ask("GET", "/")
    for thread in waiting:
        thread.join()


_SECRET = "pass:wörd/1"
_TLS_PROXY = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    client_max_body_size 0;
    auth_basic "search";
    auth_basic_user_file {folder}/users;
    location /search/ {{ proxy_pass {to}/; }}
}}
"""


def test_tls_with_a_password_which_nobody_is_told(
    process: SearchServerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    certificate = self_signed(tmp_path)
    hashed = base64.b64encode(hashlib.sha1(_SECRET.encode()).digest()).decode()
    (tmp_path / "users").write_text(f"ada:{{SHA}}{hashed}\n")
    port = free_port()
    (tmp_path / "nginx").mkdir()
    block = _TLS_PROXY.format(port=port, folder=tmp_path, to=process.endpoint)
    environment = environment_of(process) | {
        "WIO_ELASTICSEARCH_NODE_1": f"https://ada:pass%3Aw%C3%B6rd%2F1@127.0.0.1:{port}/search/",
        "WIO_ELASTICSEARCH_CA": str(certificate),
    }

    def asked(changed: dict[str, str]) -> str:
        settings = read_settings(environment | changed)
        server = SearchServer.of(settings)
        assert server is not None
        try:
            said = f"{settings!r} {server.address!r} {server.address} {server!r}"
            try:
                said += f" {filled_engine(server, 1).reader().entries()} entries"
            except Unavailable as error:
                said += f" {error} {error.details}"
            return said
        finally:
            server.close()

    with reverse_proxy(str(tmp_path / "nginx"), block) as proxy:
        proxy.wait_until(lambda: listens(port))
        answers = [
            asked({}),
            asked({"WIO_ELASTICSEARCH_CA": ""}),
            asked({"WIO_ELASTICSEARCH_PASSWORD": "wrong"}),
            asked({"WIO_ELASTICSEARCH_NODE_1": f"https://127.0.0.1:{port}/search"}),
            asked(
                {
                    "WIO_ELASTICSEARCH_NODE_1": f"https://127.0.0.1:{port}/search",
                    "WIO_ELASTICSEARCH_USER": "ada",
                    "WIO_ELASTICSEARCH_PASSWORD": _SECRET,
                }
            ),
        ]
    endings = ("3 entries", "not trusted", "refuses the user or the password", "refuses the user or", "3 entries")
    for answer, ending in zip(answers, endings, strict=True):
        assert ending in answer, answer
    everything = "".join(answers) + caplog.text
    for secret in (_SECRET, "pass%3A", "w%C3%B6rd", "YWRhOnBhc3M6"):
        assert secret not in everything


def test_what_is_no_search_server_is_said_to_be_none(tmp_path: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Welcome</h1>")

        def log_message(self, *_: object) -> None:
            pass

    with answering(Page) as address:
        server = SearchServer.of(read_settings({"WIO_ELASTICSEARCH_NODE_1": address}))
        assert server is not None
        with pytest.raises(Unavailable, match=r"is no search server; check WIO_ELASTICSEARCH_NODE_1"):
            OpenSearchEngine(server, 1, "one").damaged()
        server.close()


@pytest.mark.parametrize(
    "address", ["search.example.org:9200", "ftp://a:b@host", "https://", "http://host:port", "http://h/?a=b"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(Invalid, match="WIO_ELASTICSEARCH_NODE_1") as raised:
        SearchServer.of(read_settings({"WIO_ELASTICSEARCH_NODE_1": address}))
    assert "a:b" not in str(raised.value)


def test_prefixes_are_names_of_indices() -> None:
    assert read_settings({}).elasticsearch_prefix == "workspacesio"
    for prefix in ("Upper", "a*", "-a", "a,b", "../x", "a/b", "x" * 101):
        with pytest.raises(Invalid, match="WIO_ELASTICSEARCH_PREFIX"):
            read_settings({"WIO_ELASTICSEARCH_PREFIX": prefix})


def test_a_server_with_too_much_to_do_is_asked_again_more_and_more_slowly() -> None:
    """Real ones answer so only under loads that a test can't make: as a whole, or for single entries."""
    busy = {"type": "es_rejected_execution_exception", "reason": "queue is full"}
    answers = [
        (429, {"error": busy, "status": 429}),
        (200, {"errors": True, "items": [{"index": {"status": 429, "error": busy}}]}),
        (200, {"errors": False, "items": []}),
        *[(429, {"error": busy, "status": 429})] * 6,
    ]
    bodies: list[bytes] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            status, answer = answers.pop(0)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    waited: list[float] = []
    with answering(Busy) as address:
        server = SearchServer.of(read_settings({"WIO_ELASTICSEARCH_NODE_1": address}))
        assert server is not None
        writer = OpenSearchWriter(server, "index", sleep=waited.append)
        writer.put([entry(1, "a"), entry(2, "b")])
        writer._send()
        assert waited == [0.2, 0.4]
        assert len(bodies) == 3
        assert len(set(bodies)) == 1
        writer.put([entry(3, "c")])
        with pytest.raises(Unavailable, match="has too much to do"):
            writer.commit()
        assert waited[2:] == [0.2, 0.4, 0.8, 1.6, 3.2]
        server.close()


def test_what_was_put_before_folders_are_removed_goes_with_them_and_what_comes_after_stays(
    server: SearchServer,
) -> None:
    engine = OpenSearchEngine(server, 1, "one")
    engine.erase()
    writer = engine.writer()
    writer.put([entry(1, "a/x", folders=(5, 6)), entry(2, "b", folders=(5,))])
    writer.remove_folders([6])
    writer.put([entry(3, "a/y", folders=(5, 6))])
    writer.commit()
    assert all_ids(engine.reader(), SearchRequest(Everything())) == [2, 3]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class answering:
    """A handler of HTTP at an address of its own."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_a_network_that_swallows_packets_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder waits meanwhile, and whoever needs it. A connection is tried twice, for CONNECT_SECONDS."""
    monkeypatch.setattr(opensearch_server, "CONNECT_SECONDS", 0.3)
    with ExitStack() as opened:
        full = opened.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = ServerAddress(*full.getsockname())
        for _ in range(3):  # from now on the kernel drops what asks for a connection
            one = opened.enter_context(socket.socket())
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(full.getsockname())
        time.sleep(0.2)
        server = SearchServer(address)
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            server.ask("POST", "/_bulk", b"", seconds=3)
        assert time.monotonic() - begun < 2
        server.close()


def test_what_is_not_answered_is_not_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SearchServer(ServerAddress(*silent.getsockname()))
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="in time"):
            server.ask("POST", "/_bulk", b"", seconds=3)
        assert time.monotonic() - begun < 5.9
        server.close()
