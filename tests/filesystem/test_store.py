"""`client.store`: a store of obstore for one shared folder, on a folder and on MinIO."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
import pytest
from obstore.exceptions import BaseError, PermissionDeniedError

from filesystem.conftest import Shelf, sign_in_as
from workspacesio import Client, errors
from workspacesio.client import store
from workspacesio.client.places import Place
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage

ODD = "100% #1 [x] {y} ~ü+&=?'\"!"


def paths(opened: obstore.store.S3Store) -> list[str]:
    return sorted(one["path"] for page in obstore.list(opened) for one in page)


def test_a_store_of_one_shared_folder(shelf: Shelf, signed_in_as_ben: None) -> None:
    with Client() as client:
        opened = client.store(f"ada/{shelf.name}", "open")
        body = os.urandom(12_000_000)
        obstore.put(opened, "store/big.bin", body, chunk_size=5 << 20)
        obstore.put(opened, f"store/{ODD}/{ODD}", b"odd")
        assert bytes(obstore.get_range(opened, "store/big.bin", start=7, end=9_000_000)) == body[7:9_000_000]
        assert bytes(obstore.get(opened, f"store/{ODD}/{ODD}").bytes()) == b"odd"
        assert {"store/big.bin", f"store/{ODD}/{ODD}", "note.txt"} <= set(paths(opened))
        assert shelf.owner.wio("cat", f"{shelf.name}/open/store/{ODD}/{ODD}") == "odd"
        below = client.store(client.workspace(f"ada/{shelf.name}"), f"open/store/{ODD}/")
        assert paths(below) == [ODD]
        obstore.delete(opened, ["store/big.bin", f"store/{ODD}/{ODD}"])
        for path in ("", "closed"):
            with pytest.raises(BaseError, match="AccessDenied"):
                paths(client.store(f"ada/{shelf.name}", path))
        with pytest.raises(PermissionDeniedError):
            obstore.put(client.store(f"ada/{shelf.name}", "open", read_only=True), "new", b"x")
        for path in ("open/../closed", "open//x", "open/a\nb"):
            with pytest.raises(errors.Invalid, match="obstore can't name"):
                client.store(f"ada/{shelf.name}", path)
        with pytest.raises(errors.NotFound):
            client.store("ada/nope")


def test_taken_back_it_gives_nothing_any_more(shelf: Shelf, signed_in_as_ben: None) -> None:
    with Client() as client:
        opened = client.store(f"ada/{shelf.name}", "open")
        assert bytes(obstore.get(opened, "note.txt").bytes()) == b"yours"
        shelf.unshare()
        try:
            with pytest.raises(PermissionDeniedError):
                obstore.get(opened, "note.txt")
            with pytest.raises(PermissionDeniedError):
                obstore.put(opened, "new.txt", b"x")
        finally:
            shelf.share()


def test_it_tells_no_secret(shelf: Shelf, signed_in_as_ben: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_SECRET_ACCESS_KEY": "somebody-elses",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    with Client() as client:
        opened = client.store(f"ada/{shelf.name}", "open")
        assert bytes(obstore.get(opened, "note.txt").bytes()) == b"yours"
        provider = opened.credential_provider
        assert isinstance(provider, store.Keys)
        keys = provider()
        shown = f"{opened!r} {opened.config} {opened.client_options} {opened.credential_provider!r}"
        with pytest.raises(BaseError) as refused:
            obstore.get(client.store(f"ada/{shelf.name}", "closed"), "secret.txt")
        for secret in (keys["secret_access_key"], keys.get("token"), "somebody-elses"):
            assert secret
            assert secret not in shown
            assert secret not in str(refused.value)


def test_its_keys_are_renewed(shelf: Shelf, signed_in_as_ben: None) -> None:
    given: list[bool] = []
    with Client() as client:
        real = client.token(f"ada/{shelf.name}")

        def issue(fresh: bool) -> dict[str, Any]:
            """Keys that are said to live for two seconds; the second ones are none."""
            given.append(fresh)
            wrong = {"access_key_id": "NOBODYS"} if len(given) == 2 else {}
            return {**real, **wrong, "expires_at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}

        described = client.workspace(f"ada/{shelf.name}")._described
        made = store.store(Place(Located(described, f"ada/{shelf.name}", "open"), NodeStorage(issue)))
        for number in range(20):
            obstore.put(made, "x", b"x")
            assert len(given) == 1, number
        time.sleep(1.7)
        with pytest.raises(BaseError, match=r"InvalidToken|InvalidAccessKeyId"):
            obstore.get(made, "x")
        time.sleep(1.7)
        assert bytes(obstore.get(made, "x").bytes()) == b"x"
        assert len(given) == 3


def test_the_documented_example(shelves: dict[str, Shelf], monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = shelves["folder"]
    page = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "python.md")
    with open(page, encoding="utf-8") as file:
        (example,) = re.findall(r"```python\n(import obstore\n.*?)```", file.read(), re.DOTALL)
    sign_in_as(shelf.owner, monkeypatch)
    with Client() as client:
        known: dict[str, Any] = {"client": client}
        exec(example.replace("ada/plates", f"ada/{shelf.name}"), known)
    assert bytes(known["body"]) == b"a,b\n"
    assert shelf.owner.wio("cat", f"{shelf.name}/raw/new/plate-9.csv") == "a,b\n"
