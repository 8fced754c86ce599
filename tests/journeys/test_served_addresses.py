"""`wio serve` is reached as it says: with its own certificate, on every interface, behind a reverse proxy."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from journeys.certificates import Certificate, make_certificate
from journeys.places import own_workspace
from journeys.reverse_proxy import documented_servers, placed, reverse_proxy
from servers.clients import CLIENTS
from servers.process import free_port, http_status
from servers.service import Service, service


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
        ada.wio("cp", "work/kept", "./down")
        with open(os.path.join(ada.home, "down"), "rb") as file:
            assert file.read() == body
        ada.wio("cp", "./down", "work/up")
        assert ada.json("stat", "work/up")["size"] == len(body)
        ada.environment["SSL_CERT_FILE"] = "/dev/null"
        assert "certificate of" in ada.refused("cp", "work/kept", "./again")
        ada.environment["SSL_CERT_FILE"] = certificate.authority
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
