"""What happens to an answer while it is sent: readers that go away or stop, objects that change, log lines."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from s3.certificates import self_signed
from s3.sockets import connected, head_of
from s3.world import BUCKET, SETTINGS, World, always, running_world, served
from workspacesio.nodes.folder.reading import VIEW_BYTES
from workspacesio.s3.app import Endpoint
from workspacesio.s3.http_line import HttpLine
from workspacesio.s3.http_rounds import Rounds

SIZE = 64 * 1024 * 1024
TARGET = f"/{BUCKET}/ada/big"


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[World]:
    settings = replace(SETTINGS, send_idle_seconds=1.0)
    with running_world(str(tmp_path / "served"), str(tmp_path / "state"), settings) as world:
        os.makedirs(world.path("ada"))
        with open(world.path("ada/big"), "wb") as file:
            file.write(b"old!" * (SIZE // 4))
        yield world


def opened(world: World, key: str = "ada/big") -> int:
    """How many descriptors of this process, in which the server runs, are open on the object."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith(world.path(key))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_reader_that_goes_away_leaves_nothing_open(impatient: World) -> None:
    world = impatient
    for _ in range(3):
        with connected(world) as connection:
            connection.sendall(head_of(world, "GET", TARGET, world.signed("GET", TARGET)))
            assert connection.recv(65536)
    wait_until(lambda: opened(world) == 0, 5)
    assert world.raw("HEAD", TARGET).status == 200


def test_a_reader_that_stops_reading_is_let_go(impatient: World) -> None:
    world = impatient
    with connected(world) as connection:
        connection.sendall(head_of(world, "GET", TARGET, world.signed("GET", TARGET)))
        assert connection.recv(65536)
        assert opened(world) >= 1
        wait_until(lambda: opened(world) == 0, 5)
        got = 65536
        connection.settimeout(5)
        while piece := connection.recv(1 << 20):
            got += len(piece)
        assert got < SIZE


def test_a_reader_that_is_slow_but_reads_gets_everything(impatient: World) -> None:
    world = impatient
    with connected(world) as connection:
        headers = {**world.signed("GET", TARGET), "Connection": "close"}
        connection.sendall(head_of(world, "GET", TARGET, headers))
        got = 0
        while piece := connection.recv(1 << 20):
            got += len(piece)
            if got < 4_000_000:
                time.sleep(0.1)
    assert got > SIZE


def test_a_slow_reader_costs_no_memory(impatient: World) -> None:
    """Whatever the size: no more is read than can be written."""
    world = impatient
    size = 3 * 1024**3
    with open(world.path("ada/huge"), "wb") as file:
        file.truncate(size)
    target = f"/{BUCKET}/ada/huge"
    before = resident_bytes()
    with connected(world) as connection:
        connection.sendall(head_of(world, "GET", target, world.signed("GET", target)))
        for _ in range(40):
            assert connection.recv(1 << 18)
            time.sleep(0.04)
        assert opened(world, "ada/huge") >= 1
        assert resident_bytes() - before < 50_000_000


def test_over_tls(impatient: World, tmp_path: Path) -> None:
    world = impatient
    certificate = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, tmp_path / "key.pem")
    with served(Endpoint(world.rights, always(world.driver), SETTINGS), tls) as port:
        headers = world.signed("GET", TARGET, {"Host": f"127.0.0.1:{port}"})
        deadline = time.monotonic() + 10
        while True:
            try:
                connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=20)
                connection.request("GET", TARGET, headers=headers)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
        received = connection.getresponse().read()
        connection.close()
    assert received == b"old!" * (SIZE // 4)


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_object_that_changes_under_its_reader_is_never_mixed(impatient: World) -> None:
    """In place, as a shell does it: the reader gets the old bytes, or a body that ends early, with what was just
    being copied when it changed."""
    world = impatient
    with connected(world) as connection:
        connection.sendall(head_of(world, "GET", TARGET, world.signed("GET", TARGET)))
        received = connection.recv(1 << 20)
        time.sleep(0.05)
        with open(world.path("ada/big"), "r+b") as file:
            file.write(b"NEW?" * (SIZE // 4))
        connection.settimeout(5)
        while piece := connection.recv(1 << 20):
            received += piece
    body = received.partition(b"\r\n\r\n")[2]
    assert len(body) < SIZE - VIEW_BYTES
    assert b"NEW?" not in body[:-VIEW_BYTES]


def rewritten_with_the_old_time(path: str) -> None:
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"NEW?" * (SIZE // 4))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_and_made_as_long_again(path: str) -> None:
    os.truncate(path, SIZE // 2)
    os.truncate(path, SIZE)


@pytest.mark.parametrize("change", [rewritten_with_the_old_time, cut_and_made_as_long_again])
@pytest.mark.parametrize("wanted", [None, (1_000_000, SIZE - 2)], ids=["whole", "range"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_slow_reader_gets_one_version_or_an_answer_that_breaks_off(
    impatient: World,
    tmp_path: Path,
    change: Callable[[str], None],
    wanted: tuple[int, int] | None,
    version: str,
    scheme: str,
) -> None:
    world = impatient
    certificate = self_signed(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, tmp_path / "key.pem")
    with served(
        Endpoint(world.rights, always(world.driver), SETTINGS), tls if scheme == "https" else None
    ) as port:
        asked = {"Host": f"127.0.0.1:{port}", **({"Range": f"bytes={wanted[0]}-{wanted[1]}"} if wanted else {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in world.signed("GET", TARGET, asked).items())
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with (
            ssl.create_default_context(cafile=certificate).wrap_socket(plain, server_hostname="127.0.0.1")
            if scheme == "https"
            else plain as connection
        ):
            connection.sendall(f"GET {TARGET} HTTP/{version}\r\n{lines}\r\n".encode())
            received = bytearray(connection.recv(1 << 16))
            change(world.path("ada/big"))
            with suppress(ConnectionError, ssl.SSLError):
                while piece := connection.recv(1 << 20):
                    received += piece
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert f"content-length: {wanted[1] - wanted[0] + 1 if wanted else SIZE}".encode() in head.lower()
    assert len(body) < SIZE - VIEW_BYTES
    assert set(body[: max(0, len(body) - VIEW_BYTES)]) <= set(b"old!")


def test_an_edit_of_what_was_sent_but_not_read_yet_changes_nothing(impatient: World) -> None:
    """The last megabytes may lie in the kernel's queues for as long as the reader likes."""
    world = impatient
    with connected(world) as connection:
        headers = {**world.signed("GET", TARGET), "Connection": "close"}
        connection.sendall(head_of(world, "GET", TARGET, headers))
        received = bytearray()
        while len(received) < SIZE - 600_000:
            received += connection.recv(1 << 16)
        wait_until(lambda: opened(world) == 0, 5)
        with open(world.path("ada/big"), "r+b") as file:
            file.write(b"NEW?" * (SIZE // 4))
        connection.settimeout(5)
        while piece := connection.recv(1 << 16):
            received += piece
    assert bytes(received).partition(b"\r\n\r\n")[2] == b"old!" * (SIZE // 4)


def test_an_object_that_is_cut_under_its_reader_ends_early(impatient: World) -> None:
    world = impatient
    with connected(world) as connection:
        connection.sendall(head_of(world, "GET", TARGET, world.signed("GET", TARGET)))
        received = len(connection.recv(1 << 20))
        os.truncate(world.path("ada/big"), SIZE // 2)
        connection.settimeout(5)
        while piece := connection.recv(1 << 20):
            received += len(piece)
    assert received < SIZE
    assert world.raw("HEAD", TARGET).headers["content-length"] == str(SIZE // 2)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(("first", "last"), [(0, SIZE - 1), (12_345, SIZE - 678), (SIZE - (17 << 20), SIZE - 1)])
def test_every_byte_arrives(impatient: World, first: int, last: int, *, in_memory: bool) -> None:
    world = impatient
    content = os.urandom(SIZE)
    with open(world.path("ada/big"), "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
        if not in_memory:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    answer = world.raw("GET", TARGET, {"Range": f"bytes={first}-{last}"})
    assert answer.status == 206
    assert answer.body == content[first : last + 1]


@pytest.mark.parametrize("left", [1, 3_000_000])
def test_an_edit_of_what_is_sent_last_is_never_a_whole_answer(impatient: World, left: int) -> None:
    """However little is left to send when it happens."""
    world = impatient
    with connected(world) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.sendall(head_of(world, "GET", TARGET, world.signed("GET", TARGET)))
        received = connection.recv(1 << 16)
        with open(world.path("ada/big"), "r+b") as file:
            file.seek(SIZE - left)
            file.write(b"N" * left)
        connection.settimeout(5)
        while piece := connection.recv(1 << 20):
            received += piece
    body = received.partition(b"\r\n\r\n")[2]
    assert len(body) < SIZE
    assert body == b"old!" * (len(body) // 4) + b"old!"[: len(body) % 4]


def test_a_small_answer_after_a_long_one_is_sent_as_ever(impatient: World) -> None:
    world = impatient
    session = http.client.HTTPConnection("127.0.0.1", world.port, timeout=20)
    for _ in range(2):
        session.request("GET", TARGET, headers=world.signed("GET", TARGET))
        assert session.getresponse().read() == b"old!" * (SIZE // 4)
        session.request("HEAD", TARGET, headers=world.signed("HEAD", TARGET))
        assert session.getresponse().read() == b""
    session.close()


def test_a_client_that_sends_its_next_request_ahead_gets_the_whole_answer(impatient: World) -> None:
    world = impatient
    head = head_of(world, "GET", TARGET, world.signed("GET", TARGET))
    with connected(world) as connection:
        connection.sendall(head + head)
        received = 0
        while received < SIZE:
            piece = connection.recv(1 << 20)
            assert piece
            received += len(piece)


def test_many_readers_at_once(impatient: World) -> None:
    world = impatient

    async def read(session: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        headers = {**world.signed("GET", TARGET), "Connection": "close"}
        writer.write(head_of(world, "GET", TARGET, headers))
        received = await reader.read(-1)
        writer.close()
        return received.endswith(b"old!" * 100) and len(received) > SIZE

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(read(session) for session in range(4)))

    assert asyncio.run(all_of_them()) == [True] * 4
    wait_until(lambda: opened(world) == 0, 5)


def test_the_access_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It says who, what and how it went, and neither query nor headers, where secrets are."""
    caplog.set_level(logging.INFO, logger="workspacesio.s3.access")
    answer = world.raw("GET", f"/{BUCKET}/ada/%0Anone%22?X-Secret=hidden")
    client = world.client()
    link = client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "ada/none"})
    world.raw("GET", link.removeprefix(world.url), sign=False)
    wait_until(lambda: len(caplog.records) >= 2, 5)
    first = caplog.records[0].getMessage()
    assert re.fullmatch(
        rf"{answer.headers['x-amz-request-id']} 127\.0\.0\.1:\d+ "
        r'"GET /data/ada/\\nnone\\"" 404 NoSuchKey done [\d.]+ms',
        first,
    ), first
    for record in caplog.records:
        said = record.getMessage()
        assert "hidden" not in said
        assert world.ada.token not in said
        assert "X-Amz" not in said


def test_what_is_lent_is_with_the_system_before_the_next_is_asked_for() -> None:
    """It may be a file's own bytes, which are verified then."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            accepted, _ = server.accept()
        with client:
            transport, line = await loop.connect_accepted_socket(lambda: HttpLine(loop, Rounds(loop)), accepted)
            line.opened(transport)
            while not transport.get_write_buffer_size():
                line.write(bytes(256 << 10))
                await asyncio.sleep(0.01)
            assert line.sends_views
            line.write(memoryview(bytes(1000)))
            await asyncio.wait_for(line.drained(5), 1)
            taken = asyncio.create_task(line.copied(5))
            await asyncio.sleep(0.1)
            assert not taken.done()
            client.settimeout(0.1)
            with suppress(TimeoutError):
                while True:
                    await asyncio.to_thread(client.recv, 1 << 20)
            await asyncio.wait_for(taken, 1)
            assert transport.get_write_buffer_size() == 0
            transport.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
