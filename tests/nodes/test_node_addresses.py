"""Where this server connects on behalf of a node, and where it doesn't: not even an empty connection."""

from __future__ import annotations

import http.server
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

import workspacesio
from workspacesio.domain.errors import Invalid
from workspacesio.nodes import connecting
from workspacesio.nodes.addresses import AllowedAddresses, is_public, plain_address
from workspacesio.nodes.connecting import connect
from workspacesio.nodes.errors import AddressNotAllowed, NodeDown
from workspacesio.nodes.minio.connection import Connection, ServerAccess
from workspacesio.services.server_fields import server_address
from workspacesio.settings import read_settings

ANY = AllowedAddresses()
PUBLIC = AllowedAddresses.of([], public_only=True)


@contextmanager
def listener(family: int = socket.AF_INET, host: str = "127.0.0.1") -> Iterator[tuple[int, list[str]]]:
    """A port, and who connected to it."""
    seen: list[str] = []
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()
        server.settimeout(0.2)
        yield server.getsockname()[1], seen
        try:
            while True:
                connection, address = server.accept()
                connection.close()
                seen.append(address[0])
        except TimeoutError:
            pass


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names lead to these addresses, another answer each time. Returns what was looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:0:10.1.2.3",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a01:203",
        "2002:7f00:1::",
        "2002:0a01:0203::1",
        "2001:0:53aa:64c:0:0:f5ff:fffe",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "100::1",
    ],
)
def test_what_only_this_network_reaches_is_not_public(address: str) -> None:
    assert not PUBLIC.permits("minio.example.org", address, 9000)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::"]
)
def test_what_everybody_reaches_is_public(address: str) -> None:
    assert is_public(plain_address(address))
    assert PUBLIC.permits("minio.example.org", address, 9000)


@pytest.mark.parametrize(
    ("port", "allowed"),
    [(80, True), (443, True), (9000, True), (1024, True), (22, False), (25, False), (1023, False)],
)
def test_ports_of_other_services_are_not_tried(port: int, allowed: bool) -> None:
    assert PUBLIC.permits("minio.example.org", "1.1.1.1", port) is allowed
    assert ANY.permits("minio.example.org", "1.1.1.1", port)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "allowed"),
    [
        ("10.1.2.3:9000", "m", "10.1.2.3", 9000, True),
        ("10.1.2.3:9000", "m", "10.1.2.3", 9001, False),
        ("10.0.0.0/8:9000", "m", "10.9.9.9", 9000, True),
        ("10.0.0.0/8:9000", "m", "10.9.9.9", 22, False),
        ("10.0.0.0/8", "m", "10.9.9.9", 22, True),
        ("[fd00::7]:9000", "m", "fd00::7", 9000, True),
        ("[fd00::7]:9000", "m", "fd00::7", 9001, False),
        ("[fd00::/8]:9000", "m", "fd12::7", 9000, True),
        ("fd00::/8", "m", "fd12::7", 1, True),
        ("fd00::7", "m", "fd00::7", 1, True),
        ("minio.lan:9000", "MINIO.lan.", "10.1.2.3", 9000, True),
        ("minio.lan:9000", "minio.lan", "10.1.2.3", 22, False),
        ("minio.lan:9000", "minio.lan", "169.254.169.254", 9000, False),
        ("0.0.0.0/0", "m", "169.254.169.254", 9000, False),
    ],
)
def test_entries_with_ports(entry: str, host: str, address: str, port: int, allowed: bool) -> None:
    for public_only in (False, True):
        assert AllowedAddresses.of([entry], public_only=public_only).permits(host, address, port) is allowed


@pytest.mark.parametrize(
    "entry", ["", ":9000", "a b", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:65536", "[minio]:9000", "http://m", "m:x"]
)
def test_what_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        AllowedAddresses.of([entry])


def test_the_setting_is_checked_when_the_service_starts() -> None:
    found = read_settings({"WIO_NODE_ADDRESSES": "minio.lan:9000, 10.0.0.0/8,[fd00::7]:9000"})
    assert found.node_addresses == ("minio.lan:9000", "10.0.0.0/8", "[fd00::7]:9000")
    with pytest.raises(Invalid, match=r"WIO_NODE_ADDRESSES lists '10.0.0.0/33'"):
        read_settings({"WIO_NODE_ADDRESSES": "minio.lan,10.0.0.0/33"})


def test_an_address_that_is_not_allowed_gets_no_connection() -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with listener(family, host) as (port, seen):
            for allowed in (
                AllowedAddresses.of(["10.0.0.0/8"]),
                PUBLIC,
                AllowedAddresses.of([f"{port + 1}.example"]),
            ):
                with pytest.raises(AddressNotAllowed):
                    connect(allowed, host, port, 1)
        assert seen == []
        with listener(family, host) as (port, seen):
            connect(ANY, host, port, 1).close()
        assert seen == [host]


@pytest.mark.parametrize("spelled", ["127.1", "2130706433", "0x7f000001", "017700000001", "0", "localhost"])
def test_other_spellings_of_this_machine_are_the_same_address(spelled: str) -> None:
    with listener() as (port, seen), pytest.raises(AddressNotAllowed):
        connect(PUBLIC, spelled, port, 1)
    assert seen == []


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is connected to, though the name leads elsewhere a moment later."""
    with listener() as (port, seen):
        asked = resolving(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
        connect(ANY, "rebinding.example.org", port, 1).close()
        assert asked == ["rebinding.example.org"]
        with pytest.raises(AddressNotAllowed):
            connect(ANY, "rebinding.example.org", port, 1)
    assert seen == ["127.0.0.1"]


def test_of_several_addresses_only_the_allowed_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as (port, seen), listener(socket.AF_INET6, "::1") as (_, others):
        resolving(monkeypatch, ["169.254.169.254", "::1", "127.0.0.1"])
        connect(AllowedAddresses.of(["127.0.0.1"]), "several.example.org", port, 1).close()
    assert (seen, others) == (["127.0.0.1"], [])


def test_public_addresses_of_this_very_machine_are_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its firewall keeps others out, and not its own processes. (127.0.0.1 stands for such an address.)"""
    monkeypatch.setattr("workspacesio.nodes.addresses.is_public", lambda _: True)
    with listener() as (port, seen):
        with pytest.raises(AddressNotAllowed):
            connect(PUBLIC, "127.0.0.1", port, 1)
        connect(AllowedAddresses.of(["127.0.0.1"], public_only=True), "127.0.0.1", port, 1).close()
    assert seen == ["127.0.0.1"]
    assert not connecting._is_this_machine(socket.AF_INET, ("192.0.2.1", 9))


def test_neither_redirects_nor_proxies_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for the S3 client of the library, either; a server may say whatever it likes of where to go on."""

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        target: ClassVar[str]
        status: ClassVar[int]

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(self.status)
            self.send_header("Location", self.target)
            self.send_header("x-amz-bucket-region", "elsewhere")
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST = do_HEAD = do_DELETE = do_GET

        def log_message(self, *_: object) -> None: ...

    with listener() as (port, seen), http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        elsewhere = f"http://127.0.0.1:{port}/latest"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere)
        endpoint = f"http://127.0.0.1:{server.server_port}"
        Elsewhere.target = elsewhere
        for status in (301, 302, 303, 307, 308, 305):
            Elsewhere.status = status
            connection = Connection(ServerAccess(endpoint, "us-east-1", "key", "secret-of-it"), ANY)
            for request in (
                connection.date,
                lambda made=connection: made.administer("GET", "info"),
                lambda made=connection: made.secure_token_service("u", "secret-of-u", {"Action": "AssumeRole"}),
                lambda made=connection: made.s3.list_buckets(),
                lambda made=connection: list(made.s3.list_objects("bucket")),
            ):
                with pytest.raises(Exception, match=r".*") as raised:
                    request()
                assert isinstance(raised.value, NodeDown) or "minio" in type(raised.value).__module__
            connection.close()
        server.shutdown()
    assert seen == []


def test_nothing_else_opens_connections() -> None:
    """Whoever asks a node's server goes by the pool, and its addresses are those that the service allows it."""
    source = os.path.dirname(workspacesio.__file__)
    opens = re.compile(
        r"PoolManager|create_connection|urlopen\(|HTTPS?Connection\(|socket\.socket\("
        r"|import (?:boto|httpx|requests|aiohttp)"
    )
    found, allows = set(), set()
    for area in ("nodes", "services", "api"):
        for folder, _, names in os.walk(os.path.join(source, area)):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".py"):
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                    inside = os.path.relpath(path, source)
                    found |= {inside} if opens.search(text) else set()
                    allows |= {inside} if "AllowedAddresses.of(" in text or "AllowedAddresses()" in text else set()
    assert found == {"nodes/connecting.py", "nodes/minio/pool.py"}
    assert allows == {"services/node_addresses.py"}


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        (" https://Minio.Example.org/ ", "https://minio.example.org"),
        ("https://[2001:db8::7]:9000", "https://[2001:db8::7]:9000"),
        ("http://minio_1:9000", "http://minio_1:9000"),
        ("http://xn--bcher-kva.example", "http://xn--bcher-kva.example"),
    ],
)
def test_addresses_that_are_taken(typed: str, address: str) -> None:
    assert server_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "minio.example.org",
        "//minio.example.org",
        "ftp://minio.example.org",
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock",
        "http://",
        "http://user@minio.example.org",
        "http://user:password@minio.example.org",
        "http://allowed.example.org@169.254.169.254",
        "http://169.254.169.254#@allowed.example.org",
        "http://allowed.example.org\\@169.254.169.254",
        "http://169.254.169.254\\.example.org",
        "http://minio.example.org/path",
        "http://minio.example.org?query",
        "http://minio.example.org#",
        "http://minio.example.org//",
        "http://minio.example.org:0",
        "http://minio.example.org:65536",
        "http://minio.example.org:-1",
        "http://minio.example.org:",
        "http://minio.example.org:80:90",
        "http://minio.exa\nmple.org",
        "http://minio.example.org\r\nHost: other",
        "http://mi\tnio.example.org",
        "http://minio example.org",
        "http://127.0.0.1%00.example.org",
        "http://[fe80::1%25eth0]:9000",
        "http://[::1",
        "http://[v1.x]:9000",
        "http://①②⑦.0.0.1",
        "http://b\u00fccher.example",
        "http://a..b",
        "http://" + "a" * 254,
    ],
)
def test_addresses_that_are_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        server_address(typed)
    assert refused.value.code == "invalid_address"
