"""`wio serve`: says what is wrong in one sentence, runs all parts or none, and can be reached as it says."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from journeys.places import own_workspace
from journeys.processes import (
    api_workers,
    descendants,
    endpoint_workers,
    lives,
    parent_of,
    peak_memory,
    wait_until,
)
from servers.clients import CLIENTS
from servers.process import free_port, http_status
from servers.service import Service

WIO = os.path.join(os.path.dirname(sys.executable), "wio")
MOST_MEMORY = 200_000_000


def sentence(folder: str, state: str, *options: str, seconds: float = 30) -> str:
    """What `wio serve` says that refuses to start: one line, with status 1."""
    ended = subprocess.run(
        [WIO, "serve", folder, *options],
        env={**os.environ, "WIO_STATE_DIR": state},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    assert ended.stderr.startswith("wio serve: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("wio serve: ").strip()


def free_ports() -> list[str]:
    return ["--port", str(free_port()), "--s3-port", str(free_port())]


def test_a_second_server_is_refused_in_one_sentence(running: Service, tree: str, tmp_path: Path) -> None:
    other = str(tmp_path / "state")
    assert sentence(tree, running.state_dir, *free_ports()) == (
        f"Another server is running on the state folder {running.state_dir}; stop it, or give this one its own "
        "with WIO_STATE_DIR."
    )
    taken = "Port {} is taken by another program; choose one with {}."
    for port, option in ((running.port, "--port"), (running.s3_port, "--s3-port")):
        assert sentence(tree, other, *free_ports(), option, str(port)) == taken.format(port, option)
    role = sentence(tree, other, "--role", "s3", "--s3-port", str(running.s3_port))
    assert role == taken.format(running.s3_port, "--s3-port")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert sentence(tree, other, *free_ports(), "--port", str(port)) == taken.format(port, "--port")
    # The first has gone on all the while.
    assert http_status(f"{running.api_url}/api/v1/health") == 200
    assert http_status(f"{running.s3_url}/-/health") == 200


def test_what_can_not_be_served_is_refused_in_one_sentence(tree: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    given = ["--certificate", str(nonsense), "--key", str(nonsense)]
    for options, said in (
        (["--host", "203.0.113.7"], "This machine has no address 203.0.113.7; choose another with --host."),
        (
            ["--host", "no such name"],
            "No machine is called 'no such name'; --host is a name or an address of this one.",
        ),
        (given, f"{nonsense} and {nonsense} are no certificate and its key; give PEM, without a password."),
    ):
        assert sentence(tree, state, *free_ports(), *options) == said
    missing = str(tmp_path / "missing")
    assert sentence(missing, state) == f"{missing} is not a folder; name one that exists."
    assert "can't be used" in sentence(tree, "/proc/state")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "99999"], "argument --port: '99999' is no number from 1 to 65535; "),
        (["--s3-port", "0"], "argument --s3-port: '0' is no number from 1 to 65535; "),
        (["--port", "http"], "argument --port: 'http' is no number from 1 to 65535; "),
        (["--port", "8200", "--s3-port", "8200"], "--port and --s3-port are two different ports."),
    ],
)
def test_a_port_that_can_not_be_meant_is_wrong_usage(tmp_path: Path, options: list[str], said: str) -> None:
    state = tmp_path / "state"
    command = [WIO, "serve", "--state-dir", str(state), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr.startswith(f"wio: {said}")
    assert ended.stderr.count("\n") == 1
    assert not state.exists()


@pytest.mark.parametrize("role", ["api", "s3", "worker"])
def test_a_part_that_runs_alone_says_so(tmp_path: Path, role: str) -> None:
    state = str(tmp_path / "state")
    command = [WIO, "serve", "--role", role, "--state-dir", state, *free_ports()]
    part = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert part.stdout is not None
    try:
        line = part.stdout.readline()
        option = {"api": "--port", "s3": "--s3-port"}.get(role)
        where = f"listens at http://localhost:{command[command.index(option) + 1]}" if option else "works"
        assert line == f"WorkspacesIO's {role} part {where}, on the state folder {state}; it logs here.\n"
    finally:
        part.send_signal(signal.SIGTERM)
        part.communicate(timeout=30)
    assert part.returncode == 0


# --- processes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "seconds"), [(signal.SIGTERM, 15), (signal.SIGINT, 8)], ids=["in an upload", "idle"]
)
def test_it_stops_within_seconds_and_leaves_no_process(
    running: Service, number: signal.Signals, seconds: float
) -> None:
    """A client that keeps its connection open doesn't hold it up; an upload under way gets ten seconds."""
    place = own_workspace(running.administrator(), "work")
    assert running.process is not None
    family = {running.process.pid, *descendants(running.process.pid)}
    assert len(family) >= 7
    idle = http.client.HTTPConnection("127.0.0.1", running.s3_port)
    idle.request("GET", "/-/health")
    idle.getresponse().read()
    sending = http.client.HTTPConnection("127.0.0.1", running.s3_port)
    if number == signal.SIGTERM:
        named = {"Bucket": place.bucket, "Key": place.key("never finished")}
        link = place.client().generate_presigned_url("put_object", Params=named)
        sending.putrequest("PUT", link.partition(str(running.s3_port))[2])
        sending.putheader("Content-Length", str(64 << 20))
        sending.endheaders(b"x" * (4 << 20))
        time.sleep(0.3)

    begun = time.monotonic()
    running.process.send_signal(number)
    assert running.process.wait(30) == 0
    assert time.monotonic() - begun < seconds
    wait_until(lambda: not any(lives(pid) for pid in family), "every process has ended", seconds=2)
    idle.close()
    sending.close()
    assert "Traceback" not in running.log()
    os.unlink(running.log_path)
    running.start()
    assert not os.path.exists(os.path.join(running.folder, place.key("never finished")))
    listed = place.client().list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)
    assert listed["KeyCount"] == 0


def test_a_killed_part_is_started_again(running: Service) -> None:
    place = own_workspace(running.administrator(), "work")
    place.client().put_object(Bucket=place.bucket, Key=place.key("kept"), Body=b"kept")
    assert running.process is not None
    supervisor = running.process.pid

    def serves() -> bool:
        return (
            len(endpoint_workers(running)) == 2
            and len(api_workers(running)) == 1
            and http_status(f"{running.api_url}/api/v1/health") == 200
            and http_status(f"{running.s3_url}/-/health") == 200
        )

    parts = [pid for pid in descendants(supervisor) if parent_of(pid) == supervisor]
    assert len(parts) == 4
    victims = [*parts, endpoint_workers(running)[0], api_workers(running)[0]]
    for victim in victims:
        if not lives(victim):
            continue
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: not lives(victim), "the killed part is gone")
        wait_until(serves, "all parts serve again", seconds=30)
        assert lives(supervisor)
        answer = place.client().get_object(Bucket=place.bucket, Key=place.key("kept"))
        assert answer["Body"].read() == b"kept"
    wait_until(
        lambda: len([pid for pid in descendants(supervisor) if parent_of(pid) == supervisor]) == 4,
        "four parts run again",
    )


def test_nothing_outlives_a_killed_supervisor(running: Service) -> None:
    assert running.process is not None
    family = descendants(running.process.pid)
    assert len(family) >= 6
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    wait_until(lambda: not any(lives(pid) for pid in family), "every part has ended", seconds=15)
    os.unlink(running.log_path)
    running.start()
    assert http_status(f"{running.s3_url}/-/health") == 200


# --- memory ------------------------------------------------------------------------------------------------


def test_what_only_one_part_needs_is_loaded_by_that_part_alone() -> None:
    code = "import sys, workspacesio.cli.server.serving; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "sqlalchemy" in loaded
    assert not loaded & {"fastapi", "pydantic", "granian", "opensearchpy", "requests", "tantivy", "obstore"}


def test_each_endpoint_worker_stays_small_whatever_the_sizes(running: Service, tmp_path: Path) -> None:
    ada = running.administrator()
    place = own_workspace(ada, "work")
    source = tmp_path / "gigabyte"
    with open(source, "wb") as file:
        file.truncate(1 << 30)
    many = os.path.join(running.folder, place.prefix, "many")
    os.makedirs(many)
    for number in range(200_000):
        os.close(os.open(os.path.join(many, f"{number:06d}"), os.O_CREAT | os.O_WRONLY))

    def upload() -> None:
        link = ada.wio("presign", "work/big", "--method", "PUT").strip()
        subprocess.run(["curl", "-sf", "-T", str(source), link], check=True)

    def upload_in_parts() -> None:
        place.client().upload_file(str(source), place.bucket, place.key("in parts"))

    def download(key: str) -> int:
        link = ada.wio("presign", f"work/{key}").strip()
        command = ["curl", "-sf", "-o", "/dev/null", "-w", "%{size_download}", link]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    with ThreadPoolExecutor(4) as pool:
        uploading = [pool.submit(upload), pool.submit(upload_in_parts)]
        listing = pool.submit(CLIENTS["obstore"](place.credential).list, place.bucket, place.key("many/"))
        for one in uploading:
            one.result()
        assert len(listing.result()) == 200_000
        stalled = [slow_reader(running, ada.wio("presign", "work/big").strip()) for _ in range(8)]
        assert list(pool.map(download, ("big", "in parts", "big"))) == [1 << 30] * 3
        for client in stalled:
            client.close()
    most = {pid: peak_memory(pid) for pid in endpoint_workers(running)}
    assert len(most) == 2
    assert max(most.values()) < MOST_MEMORY, most


def slow_reader(running: Service, link: str) -> socket.socket:
    """A client that asks for an object and then takes nothing of it."""
    client = socket.create_connection(("127.0.0.1", running.s3_port))
    target = link.partition(str(running.s3_port))[2]
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{running.s3_port}\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 200"
    return client
