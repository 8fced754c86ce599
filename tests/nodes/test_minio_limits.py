"""What no policy can keep a MinIO server from saying: pinned, so that the documents stay true.

All of it concerns names and sizes, never contents. A proxy in front that refuses what no honest client sends
closes the first, and the last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers.installed import installed
from servers.minio_subjects import MinioSubjects
from servers.process import Process, free_port
from servers.s3_server import S3Server
from servers.signed_connection import Keys, SignedConnection
from workspacesio.domain.s3_policies import Grant, compile_documents

PROXY = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        if ($http_prefix) {{ return 403; }}
        if ($args ~ "(^|&)(Prefix|[^=&]*%[^=&]*)(=|&|$)") {{ return 403; }}
        location /minio/ {{ return 403; }}
        location / {{
            proxy_pass {server};
            proxy_set_header Host $http_host;
            proxy_http_version 1.1;
            proxy_request_buffering off;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def keys(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    subjects = MinioSubjects(minio_server, str(tmp_path_factory.mktemp("mc")))
    assert subjects.root.send("PUT", "/limits").status == 200
    for key in ("mine/k", "secret/k"):
        assert subjects.root.send("PUT", f"/limits/{key}", body=b"bytes").status == 200
    subjects.write_policy("limits", compile_documents([Grant("limits", "mine/")])[0])
    subjects.add_user("limits", ["limits"])
    yield subjects.assume_role("limits")
    subjects.root.close()


@contextmanager
def connected(endpoint: str, keys: Keys) -> Iterator[SignedConnection]:
    connection = SignedConnection(endpoint, keys)
    yield connection
    connection.close()


SECRET = [("list-type", "2"), ("prefix", "secret/")]
MINE = [("list-type", "2"), ("prefix", "mine/")]


def test_a_false_header_lists_names_elsewhere_in_the_bucket(minio_server: S3Server, keys: Keys) -> None:
    with connected(minio_server.endpoint, keys) as connection:
        assert connection.send("GET", "/limits", SECRET).status == 403
        by_header = connection.send("GET", "/limits", SECRET, headers=[("Prefix", "mine/")])
        assert by_header.status == 200
        assert b"<Key>secret/k</Key>" in by_header.body
        assert connection.send("GET", "/limits", [*SECRET, ("Prefix", "mine/")]).status == 200
        assert connection.send("GET", "/limits/secret/k", headers=[("Prefix", "mine/")]).status == 403


def test_a_proxy_that_refuses_them_closes_that(minio_server: S3Server, keys: Keys, tmp_path: Path) -> None:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(PROXY.format(user=user, folder=tmp_path, port=port, server=minio_server.endpoint))
    command = [
        installed("nginx"),
        "-c",
        str(configuration),
        "-p",
        str(tmp_path),
        "-e",
        str(tmp_path / "nginx.log"),
    ]
    endpoint = f"http://127.0.0.1:{port}"
    with Process(command, log_path=str(tmp_path / "log")) as process:
        process.wait_for_http(f"{endpoint}/")
        with connected(endpoint, keys) as connection:
            assert connection.send("GET", "/limits", MINE).status == 200
            assert connection.send("GET", "/limits/mine/k").body == b"bytes"
            assert connection.send("GET", "/limits", SECRET).status == 403
            for name in ("Prefix", "prefix", "PREFIX"):
                assert connection.send("GET", "/limits", SECRET, headers=[(name, "mine/")]).status == 403
            assert connection.send("GET", "/limits", [*SECRET, ("Prefix", "mine/")]).status == 403
            assert connection.send("GET", "/minio/admin/v3/accountinfo").status == 403


def test_tags_tell_whether_a_key_is_there(minio_server: S3Server, keys: Keys) -> None:
    with connected(minio_server.endpoint, keys) as connection:
        for method in ("GET", "DELETE"):
            assert connection.send(method, "/limits/secret/k", [("tagging", "")]).status == 403
            assert connection.send(method, "/limits/secret/nothing", [("tagging", "")]).status == 404


def test_the_size_of_the_whole_bucket_is_told(minio_server: S3Server, keys: Keys) -> None:
    with connected(minio_server.endpoint, keys) as connection:
        told = connection.send("GET", "/minio/admin/v3/accountinfo")
        assert told.status == 200
        assert b'"name":"limits"' in told.body
        assert b'"size"' in told.body
