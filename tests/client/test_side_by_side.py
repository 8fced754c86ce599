"""Threads and processes of the client beside each other, and a crash in between."""

from __future__ import annotations

import json
import os
import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from servers.scripted_server import answering, storage, whole
from workspacesio import Client, errors
from workspacesio.client import private_files, sign_in
from workspacesio.client.copy_plan import Copy
from workspacesio.client.http_api import HttpApi
from workspacesio.client.moving import remove_source
from workspacesio.client.places import Place
from workspacesio.client.references import Located


def test_threads_that_write_one_private_file(tmp_path: Path) -> None:
    path = str(tmp_path / "cache" / "credentials.json")
    written = ["x" * 50_000] * 10
    problems: list[BaseException | str] = []

    def write() -> None:
        try:
            for _ in range(20):
                private_files.write_json(path, written)
                if private_files.read_json(path) != written:
                    problems.append("half a file was there")
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert os.listdir(tmp_path / "cache") == ["credentials.json"]


class _Asked(BaseHTTPRequestHandler):
    """Answers with the port from which it was asked: another connection has another one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_forked_process_has_a_connection_of_its_own() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Asked) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        api = HttpApi(f"http://127.0.0.1:{server.server_port}")
        parents = api.get("/workspaces")
        child = os.fork()
        if not child:
            os._exit(0 if api.get("/workspaces") != parents else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert api.get("/workspaces") == parents
        api.close()
        server.shutdown()


def test_a_client_is_pickled_without_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = "http://127.0.0.1:9"
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "WIO_TOKEN", "WIO_API_URL"):
        monkeypatch.delenv(name, raising=False)
    pickled = pickle.dumps(Client(server, token="a-secret"))
    assert b"a-secret" not in pickled
    with pytest.raises(errors.Unauthenticated, match="wio login"):
        pickle.loads(pickled)
    sign_in.remember(server, {"user": {"email": "ada@example.org", "username": "ada"}, "token": "another"})
    assert pickle.loads(pickled)._caller.token == "another"
    monkeypatch.setenv("WIO_TOKEN", "a-third")
    assert pickle.loads(pickled)._caller.token == "a-third"


def test_what_is_moved_here_is_on_the_disk_before_it_goes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def answer(head: bytes) -> bytes:
        done.append(head.split()[0].decode())
        return whole("200 OK", b"", 'ETag: "x"')

    monkeypatch.setattr(os, "fsync", noted)
    target = tmp_path / "one"
    target.write_bytes(b"")
    workspace = {"bucket": "bucket", "prefix": "w/", "owner": "ada", "name": "w", "level": "owner", "folders": []}
    with answering(answer) as endpoint, storage(endpoint, []) as node:
        step = Copy(Place(Located(workspace, "w", "one"), node), str(target), 0, '"x"')
        step.copied = '"x"'
        remove_source(step)
    assert done == [str(target), str(tmp_path), "HEAD", "DELETE"]
