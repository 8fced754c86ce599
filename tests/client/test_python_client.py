"""`workspacesio.Client` on a service, as a program uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from servers.service import PASSWORD, Person, Service, service
from workspacesio import Client, errors

BIG = bytes(range(256)) * 80_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("python") / "lab")
    for path, body in {"plates/a.csv": b"a,b\n", "plates/raw/b.bin": b"12345"}.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "wb") as file:
            file.write(body)
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def people(served: Service) -> tuple[Person, Person]:
    ada = served.administrator()
    ada.wio("root", "import", "existing", "plates")
    return ada, served.colleague("ben")


def signed_in(person: Person, monkeypatch: pytest.MonkeyPatch) -> Client:
    """In this process, with what `wio login` left in the person's home."""
    monkeypatch.setenv("HOME", person.home)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "WIO_TOKEN", "WIO_API_URL"):
        monkeypatch.delenv(name, raising=False)
    return Client(person.service.api_url)


@pytest.fixture
def ada(people: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with signed_in(people[0], monkeypatch) as client:
        yield client


@pytest.fixture
def ben(people: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with signed_in(people[1], monkeypatch) as client:
        yield client


def test_what_lies_there_is_listed_and_read(ada: Client) -> None:
    assert [one.reference for one in ada.workspaces()] == ["ada/plates"]
    plates = ada.workspace("plates")
    assert (plates.reference, plates.level, plates.bucket) == ("ada/plates", "owner", "lab")
    assert [(one.path, one.size) for one in plates.ls()] == [("a.csv", 4), ("raw/", None)]
    assert [one.path for one in plates.walk()] == ["a.csv", "raw/b.bin"]
    assert plates.read_text("a.csv") == "a,b\n"
    assert plates.read_bytes("raw/b.bin", first=2) == b"12"
    assert plates.stat("raw/b.bin").size == 5
    assert "ada" in repr(plates)
    assert "Client('http://" in repr(ada)
    assert "wios_" not in repr(ada) + repr(plates)


def test_what_is_written_is_whole(ada: Client) -> None:
    own = ada.create("written")
    own.write_bytes("small.txt", b"one")
    own.write_bytes("big.bin", BIG)
    assert own.read_bytes("big.bin") == BIG
    assert own.stat("small.txt").content_type == "text/plain"
    for path in ("small.txt", "big.bin"):
        with pytest.raises(errors.Conflict):
            own.write_bytes(path, BIG, overwrite=False)
    assert own.read_bytes("small.txt") == b"one"
    own.delete("small.txt")
    own.delete("small.txt")
    with pytest.raises(errors.NotFound):
        own.read_bytes("small.txt")
    with pytest.raises(errors.Conflict):
        ada.create("written")


def test_sharing_and_its_end(people: tuple[Person, Person], ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    plates = ada.workspace("plates")
    given = plates.share("ben", folder="raw")
    assert given["enforced"] == "enforced"
    assert [one["folder"] for one in plates.shares()] == ["raw/"]
    with signed_in(people[1], monkeypatch) as ben:
        theirs = ben.workspace("ada/plates")
        assert (theirs.level, theirs.folders) == (None, ("raw/",))
        assert [one.path for one in theirs.ls()] == ["raw/"]
        assert theirs.read_bytes("raw/b.bin") == b"12345"
        for call in (lambda: theirs.read_bytes("a.csv"), lambda: theirs.write_bytes("raw/x", b"x")):
            with pytest.raises(errors.Refused):
                call()
        plates.unshare("ben", folder="raw/")
        with pytest.raises(errors.NotFound):
            theirs.read_bytes("raw/b.bin")
        with pytest.raises(errors.NotFound):
            theirs.ls()
        with pytest.raises(errors.NotFound) as refused:
            ben.workspace("ada/plates")
    assert refused.value.code


def test_what_a_notebook_shows(ada: Client) -> None:
    own = ada.create("in a notebook")
    own.write_bytes("<script>alert(1)</script>/a\u202eb.txt", b"1")
    assert "<td>ada/in a notebook</td>" in ada._repr_html_()
    assert "<td>s3://lab/private/ada/in a notebook/</td>" in own._repr_html_()
    deadline = time.monotonic() + 30
    while not (found := ada.search("script")).total:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;/a\\u202eb.txt</td>" in found._repr_html_()
    for shown in (ada._repr_html_(), own._repr_html_(), found._repr_html_()):
        assert "<script>" not in shown
        assert "wios_" not in shown
        ElementTree.fromstring(f"<div>{shown}</div>")


def test_search_and_keys(ada: Client) -> None:
    deadline = time.monotonic() + 30
    while (found := ada.search("ext:csv")).total != 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ([one["path"] for one in found], len(found)) == (["a.csv"], 1)
    assert len(ada.search(limit=1)) == 1
    with pytest.raises(errors.Invalid):
        ada.search("siz:>1GB")
    keys = ada.token("plates", read_only=True)
    assert set(keys) >= {"access_key_id", "secret_access_key", "session_token", "endpoint", "region", "expires_at"}


def test_who_is_not_signed_in(
    served: Service, people: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    del people
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WIO_TOKEN", raising=False)
    with pytest.raises(errors.WorkspacesIOError, match="wio login"):
        Client(served.api_url)
    with Client(served.api_url, token="wios_nobody") as stranger, pytest.raises(errors.Unauthenticated):
        stranger.workspaces()
    with Client("http://127.0.0.1:1", token="x") as away, pytest.raises(errors.WorkspacesIOError):
        away.workspaces()
    assert PASSWORD not in repr(stranger)


def test_importing_the_package_loads_little() -> None:
    code = "import sys, workspacesio; print([m for m in sys.modules if m.startswith('workspacesio.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    heavy = "import sys; from workspacesio import Client; print([m for m in sys.modules if m in %r])"
    absent = ["fastapi", "sqlalchemy", "pydantic", "tantivy", "granian", "argparse"]
    done = subprocess.run([sys.executable, "-c", heavy % absent], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
