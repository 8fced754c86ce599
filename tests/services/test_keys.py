"""Subkeys are stable, one for each purpose, and outlive a rotation; the secret is nobody else's to read."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workspacesio.domain.errors import Invalid
from workspacesio.services import keys
from workspacesio.services.keys import Keyring, load_or_make_secret

OLD, NEW = "o" * 32, "n" * 32


def test_subkeys_are_what_they_were() -> None:
    """Pinned: another value here would end every credential and change every secret in use."""
    subkey = Keyring(OLD).current("s3 token 1")
    assert subkey.key_id.hex() == "6b755f4c"
    assert subkey.key.hex() == "ea7c7455a0da01efbd4357524b35b7ad90c275fcbf45113f0df6710bf6e4bded"


def test_every_purpose_and_every_secret_has_its_own() -> None:
    made = {
        (subkey.key_id, subkey.key)
        for keyring in (Keyring(OLD), Keyring(NEW))
        for subkey in map(keyring.current, ("s3 token 1", "s3 token 11", "s3 token 2", "s3 secret 1", ""))
    }
    assert len({key for _, key in made}) == 10
    assert len({key_id for key_id, _ in made}) == 2


def test_the_first_secret_makes_new_keys_and_all_are_accepted() -> None:
    before, rotated = Keyring(OLD), Keyring(f"{NEW}, {OLD}")
    old = before.current("p")
    assert rotated.current("p") == Keyring(NEW).current("p") != old
    assert rotated.by_id(old.key_id, "p") == old
    assert Keyring(NEW).by_id(old.key_id, "p") is None


@pytest.mark.parametrize("secret", ["", "short", f"{OLD},", f"{OLD},short", " " * 40, ","])
def test_short_secrets_are_refused_without_repeating_them(secret: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Keyring(secret)
    assert "short" not in str(refusal.value)


def test_nothing_shows_the_keys() -> None:
    keyring = Keyring(OLD)
    subkey = keyring.current("p")
    shown = f"{keyring!r} {keyring} {subkey!r} {subkey}"
    assert OLD not in shown
    assert repr(subkey.key) not in shown


def test_purposes_that_strangers_name_fill_no_memory() -> None:
    """A token names its node before anybody knows that it is genuine."""
    keyring = Keyring(OLD)
    first = keyring.current("s3 token 0")
    for node in range(2 * keys.MAX_SUBKEYS):
        keyring.by_id(first.key_id, f"s3 token {node}")
    assert len(keyring._subkeys) <= keys.MAX_SUBKEYS
    assert keyring.current("s3 token 0") == first


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    secret = load_or_make_secret(tmp_path)
    assert len(secret) == 64
    assert load_or_make_secret(tmp_path) == secret
    assert stat.S_IMODE(os.stat(tmp_path / keys.FILE_NAME).st_mode) == 0o600
    assert os.listdir(tmp_path) == [keys.FILE_NAME]
    Keyring(secret)


def test_no_two_installations_have_the_same_secret(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert load_or_make_secret(tmp_path / "a") != load_or_make_secret(tmp_path / "b")


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_or_make_secret, [tmp_path] * 32))) == 1
    assert os.listdir(tmp_path) == [keys.FILE_NAME]
