"""Copies over TLS, where parts are compared by their CRC-32 alone; stores of obstore with the same authority."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Iterator

import obstore
import pytest

from journeys.certificates import Certificate, make_certificate
from servers.service import Person, service
from workspacesio import Client
from workspacesio.client.checksums import spelled
from workspacesio.client.s3_requests import NodeStorage, S3Refused
from workspacesio.client.signature import CHECKSUM, Keys, Request, signed_headers

BODY = random.Random(9).randbytes(20_000_000)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(str(tmp_path_factory.mktemp("certificate")), "DNS:localhost")


@pytest.fixture
def ada(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Person]:
    """With a workspace `work`; this process trusts the authority, and is signed in as she is."""
    folder = str(tmp_path_factory.mktemp("tls") / "lab")
    os.makedirs(folder)
    options = ["--certificate", certificate.certificate, "--key", certificate.key]
    with service(folder, base=str(tmp_path_factory.mktemp("service")), options=options) as running:
        api_url = f"https://localhost:{running.port}"
        running.person("ada").environment = {"WIO_API_URL": api_url, "SSL_CERT_FILE": certificate.authority}
        ada = running.administrator("ada")
        ada.wio("create", "work", "--root", "private")
        for name, value in {"HOME": ada.home, **ada.environment}.items():
            monkeypatch.setenv(name, value)
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "WIO_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield ada


def test_parts_are_compared_by_their_checksums(ada: Person) -> None:
    with open(os.path.join(ada.home, "big"), "wb") as file:
        file.write(BODY)
    ada.wio("cp", "./big", "work/big")
    issued = ada.token("work")
    with NodeStorage(lambda _: issued) as storage, Client() as client:
        described = client.workspace("work")
        key, right = f"{described.prefix}part", spelled(zlib.crc32(BODY[:1000]))
        answer, _ = storage.read(
            Request("PUT", described.bucket, key, headers={CHECKSUM: right}, body=BODY[:1000])
        )
        assert answer.headers.get(CHECKSUM) == right
        with pytest.raises(S3Refused) as refused:
            storage.read(Request("PUT", described.bucket, key, headers={CHECKSUM: right}, body=BODY[1:1001]))
        assert refused.value.code in ("BadDigest", "XAmzContentChecksumMismatch")
        store = client.store("work")
        assert bytes(obstore.get(store, "big").bytes()) == BODY
        obstore.put(store, "small", b"x")
    ada.wio("cp", "work/big", "./down")
    with open(os.path.join(ada.home, "down"), "rb") as file:
        assert file.read() == BODY


@pytest.mark.parametrize(
    ("is_secret", "headers", "signed"),
    [
        (True, {CHECKSUM: "AAAAAA=="}, False),
        (True, {}, True),
        (False, {CHECKSUM: "AAAAAA=="}, True),
    ],
)
def test_what_goes_unsigned(is_secret: bool, headers: dict[str, str], signed: bool) -> None:
    request = Request("PUT", "b", "k", headers=headers, body=b"body")
    made = signed_headers(Keys("A", "s", "", "r"), request, "host", at=0.0, is_secret=is_secret)
    assert (made["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD") is signed
