"""`wio serve`: says what is wrong in one sentence, runs all parts or none, and can be reached as it says."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from journeys.certificates import Certificate, make_certificate
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
from journeys.reverse_proxy import documented_servers, placed, reverse_proxy
from servers.clients import CLIENTS
from servers.process import free_port, http_status
from servers.service import Service, service

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
    same = str(free_port())
    for options, said in (
        (["--port", "99999"], "--port is a number from 1 to 65535."),
        (["--host", "203.0.113.7"], "This machine has no address 203.0.113.7; choose another with --host."),
        (
            ["--host", "no such name"],
            "No machine is called 'no such name'; --host is a name or an address of this one.",
        ),
        (["--port", same, "--s3-port", same], "--port and --s3-port are two different ports."),
        (given, f"{nonsense} and {nonsense} are no certificate and its key; give PEM, without a password."),
    ):
        assert sentence(tree, state, *free_ports(), *options) == said
    missing = str(tmp_path / "missing")
    assert sentence(missing, state) == f"{missing} is not a folder; name one that exists."
    assert "can't be used" in sentence(tree, "/proc/state")


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
    assert len(parts) == 3
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
        lambda: len([pid for pid in descendants(supervisor) if parent_of(pid) == supervisor]) == 3,
        "three parts run again",
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


# --- addresses ---------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(str(tmp_path), "DNS:localhost", "IP:127.0.0.1", f"IP:{own_address()}")


def own_address() -> str:
    """An address of this machine that is not loopback."""
    shown = json.loads(subprocess.run(["ip", "-j", "addr"], capture_output=True, check=True).stdout)
    addresses = [
        address["local"]
        for interface in shown
        for address in interface["addr_info"]
        if address["family"] == "inet" and not address["local"].startswith("127.")
    ]
    assert addresses, "this machine has no network"
    return str(addresses[0])


def registered(running: Service, api_url: str, environment: dict[str, str]) -> Any:
    """ada, the administrator, who reached the service at `api_url`."""
    running.person("ada").environment = {"WIO_API_URL": api_url, **environment}
    return running.administrator("ada")


def test_its_own_certificate_works_for_every_client(
    tree: str, tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--certificate", certificate.certificate, "--key", certificate.key]
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, certificate.authority)
    with service(tree, base=str(tmp_path / "service"), options=options) as running:
        api_url = f"https://localhost:{running.port}"
        assert f"https://localhost:{running.s3_port}" in running.log()
        ada = registered(running, api_url, {"SSL_CERT_FILE": certificate.authority})
        place = own_workspace(ada, "work")
        assert place.credential["endpoint"] == f"https://localhost:{running.s3_port}"
        s3 = place.client(verify=certificate.authority)
        body = os.urandom(3_000_000)
        s3.put_object(Bucket=place.bucket, Key=place.key("kept"), Body=body)  # aws-chunked, as boto3 does over TLS
        assert s3.get_object(Bucket=place.bucket, Key=place.key("kept"))["Body"].read() == body
        link = ada.wio("presign", "work/kept").strip()
        fetched = subprocess.run(
            ["curl", "-sf", "--cacert", certificate.authority, link], capture_output=True, check=True
        )
        assert fetched.stdout == body
        stranger = subprocess.run(["curl", "-sf", "--cacert", "/dev/null", link], check=False)
        assert stranger.returncode != 0
        # Plain HTTP on a TLS port is no answer, and harms nobody.
        assert http_status(f"http://127.0.0.1:{running.s3_port}/") in (0, 400)
        assert s3.head_object(Bucket=place.bucket, Key=place.key("kept"))["ContentLength"] == len(body)


def test_on_every_interface_it_prints_and_hands_out_what_others_can_reach(tree: str, tmp_path: Path) -> None:
    with service(tree, base=str(tmp_path / "service"), options=["--host", "0.0.0.0"]) as running:
        printed = dict(re.findall(r"^  (API|S3) +(http://\S+)$", running.log(), re.MULTILINE))
        assert set(printed) == {"API", "S3"}
        for address in printed.values():
            assert "localhost" not in address
            assert "127.0.0.1" not in address
            assert "0.0.0.0" not in address
        assert http_status(f"{printed['API']}/api/v1/health") == 200
        assert http_status(f"{printed['S3']}/-/health") == 200
        assert f"wio login {printed['API']}" in running.log() or f"WIO_API_URL={printed['API']}" in running.log()

        ada = registered(running, printed["API"], {})
        place = own_workspace(ada, "work")
        assert place.credential["endpoint"] == printed["S3"]
        place.client().put_object(Bucket=place.bucket, Key=place.key("x"), Body=b"1")
        link = ada.wio("presign", "work/x").strip()
        assert link.startswith(printed["S3"])
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"1"
        for host in ("nas.example.org", own_address(), "[fd00::2]"):
            connection = http.client.HTTPConnection("127.0.0.1", running.port)
            connection.request("GET", "/api/v1/service", headers={"Host": f"{host}:{running.port}"})
            shown = json.loads(connection.getresponse().read())
            connection.close()
            assert shown["s3_address"] == f"http://{host}:{running.s3_port}"


# --- behind a reverse proxy --------------------------------------------------------------------------------


class Behind:
    """A service behind nginx as documented, on ports of its own."""

    def __init__(self, tree: str, base: Path, certificate: Certificate) -> None:
        self.api_port, self.s3_port = free_port(), free_port()
        self.api_url = f"https://localhost:{self.api_port}"
        self.s3_url = f"https://localhost:{self.s3_port}"
        self.service = Service(tree, base=str(base))
        self.service.environment = {
            "WIO_PUBLIC_NAME": self.api_url,
            "WIO_S3_PUBLIC_NAME": self.s3_url,
            "WIO_TRUSTED_PROXIES": "127.0.0.1",
        }
        api, endpoint = documented_servers()
        self.servers = placed(api, listen=self.api_port, to=self.service.port, certificate=certificate)
        self.servers += placed(endpoint, listen=self.s3_port, to=self.service.s3_port, certificate=certificate)


@pytest.fixture
def behind(tree: str, tmp_path: Path, certificate: Certificate) -> Iterator[Behind]:
    (tmp_path / "service").mkdir()
    made = Behind(tree, tmp_path / "service", certificate)
    made.service.start()
    try:
        with reverse_proxy(str(tmp_path), made.servers) as proxy:
            context = ssl.create_default_context(cafile=certificate.authority)
            proxy.wait_until(lambda: _answers(f"{made.api_url}/api/v1/health", context))
            yield made
    finally:
        made.service.stop()


def _answers(url: str, context: ssl.SSLContext) -> bool:
    try:
        with urllib.request.urlopen(url, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_behind_nginx_as_documented(
    behind: Behind, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert behind.api_url in behind.service.log()
    assert behind.s3_url in behind.service.log()
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, certificate.authority)
    ada = registered(behind.service, behind.api_url, {"SSL_CERT_FILE": certificate.authority})
    place = own_workspace(ada, "work")
    assert place.credential["endpoint"] == behind.s3_url
    assert f"wio login {behind.api_url}" in ada.wio("user", "invite", "carol@example.org") + ada.wio(
        "share", "work", "everyone"
    )

    s3 = place.client(verify=certificate.authority)
    body = os.urandom(20 << 20)
    key = "r\u00e9sum\u00e9 + 100%/a b"
    s3.put_object(Bucket=place.bucket, Key=place.key(key), Body=body, Metadata={"note": "kept"})
    answer = s3.get_object(Bucket=place.bucket, Key=place.key(key))
    assert (answer["Body"].read(), answer["Metadata"]) == (body, {"note": "kept"})
    part = s3.get_object(Bucket=place.bucket, Key=place.key(key), Range="bytes=1000000-1000009")
    assert part["Body"].read() == body[1000000:1000010]
    source = tmp_path / "big"
    source.write_bytes(body)
    s3.upload_file(str(source), place.bucket, place.key("in parts"))
    assert s3.get_object(Bucket=place.bucket, Key=place.key("in parts"))["Body"].read() == body
    listed = s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)["Contents"]
    assert {entry["Key"] for entry in listed} == {place.key(key), place.key("in parts")}
    for name in ("boto3", "aws"):
        client = CLIENTS[name](place.credential)
        if name == "aws":
            client.env["AWS_CA_BUNDLE"] = certificate.authority  # type: ignore[attr-defined]
        client.write(place.bucket, place.key(name), b"by " + name.encode())
        assert client.read(place.bucket, place.key(name)) == b"by " + name.encode()

    link = ada.wio("presign", f"work/{key}").strip()
    assert link.startswith(behind.s3_url + "/")
    curl = ["curl", "-sf", "--cacert", certificate.authority]
    assert subprocess.run([*curl, link], capture_output=True, check=True).stdout == body
    upload = ada.wio("presign", "work/linked", "--method", "PUT").strip()
    subprocess.run([*curl, "-T", str(source), upload], check=True)
    assert s3.head_object(Bucket=place.bucket, Key=place.key("linked"))["ContentLength"] == len(body)


def test_only_named_proxies_are_believed(behind: Behind, certificate: Certificate) -> None:
    """Sign-in is limited by the caller's address, which nobody may choose who isn't the proxy."""
    context = ssl.create_default_context(cafile=certificate.authority)
    registered(behind.service, behind.api_url, {"SSL_CERT_FILE": certificate.authority})

    def sign_in(email: str, password: str, forwarded: str) -> int:
        request = urllib.request.Request(
            f"{behind.api_url}/api/v1/sign-in",
            json.dumps({"email": email, "password": password}).encode(),
            {"Content-Type": "application/json", "X-Forwarded-For": forwarded},
        )
        try:
            with urllib.request.urlopen(request, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    statuses = [sign_in("ada@example.org", "wrong", f"198.51.100.{number}") for number in range(11)]
    assert statuses == [401] * 10 + [429], "a caller chose an address for itself"


def test_the_api_behind_a_proxy_alone_never_hands_out_localhost(tree: str, tmp_path: Path) -> None:
    """A proxy for the API that doesn't pass on the name by which it was called, and no name for the endpoint."""
    running = Service(tree, base=str(tmp_path))
    running.environment = {"WIO_PUBLIC_NAME": "https://data.example.org"}
    running.start()
    try:
        with urllib.request.urlopen(f"{running.api_url}/api/v1/service") as answer:
            shown = json.loads(answer.read())
        assert shown["public_address"] == "https://data.example.org"
        assert shown["s3_address"] == f"http://data.example.org:{running.s3_port}"
    finally:
        running.stop()


# --- memory ------------------------------------------------------------------------------------------------


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
