"""A token says what was sealed, for its node, under a secret that is held; anything else is no token."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from workspacesio.domain.facts import Narrowing
from workspacesio.services.keys import Keyring
from workspacesio.services.sealed_tokens import (
    MAX_NARROWED_WORKSPACES,
    MAX_TOKEN_CHARACTERS,
    TokenContents,
    new_access_key_id,
    seal,
    secret_access_key,
    unseal,
)

OLD, NEW = "o" * 32, "n" * 32
KEYRING = Keyring(OLD)
CONTENTS = TokenContents(
    5, 3, 7, "WIO23456723456723456", datetime(2030, 1, 1, tzinfo=UTC), Narrowing(frozenset({1, 9}), read_only=True)
)
TOKEN = seal(KEYRING, CONTENTS)

contents = st.builds(
    TokenContents,
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**32 - 1),
    st.text(st.characters(codec="ascii"), max_size=20),
    st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.builds(Narrowing, st.none() | st.frozensets(st.integers(1, 10**9), max_size=5), st.booleans()),
)


@given(contents)
def test_what_is_sealed_is_unsealed(sealed: TokenContents) -> None:
    assert unseal(KEYRING, seal(KEYRING, sealed)) == (sealed, KEYRING.current("").key_id)


def test_sealing_twice_gives_two_tokens_that_say_the_same() -> None:
    again = seal(KEYRING, CONTENTS)
    assert again != TOKEN
    assert unseal(KEYRING, again) == unseal(KEYRING, TOKEN)


def test_a_token_hides_its_contents() -> None:
    raw = base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))
    assert b"WIO" not in raw
    assert CONTENTS.access_key_id not in TOKEN


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_no_character_can_be_changed(position: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n%"
    for character in alphabet:
        if character != TOKEN[position]:
            assert unseal(KEYRING, TOKEN[:position] + character + TOKEN[position + 1 :]) is None


def test_no_byte_can_be_changed_added_or_left_out() -> None:
    raw = base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))

    def spelled(sealed: bytes) -> str:
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    assert unseal(KEYRING, spelled(raw)) is not None
    for position in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[position] ^= 1 << bit
            assert unseal(KEYRING, spelled(bytes(changed))) is None
        assert unseal(KEYRING, spelled(raw[:position])) is None
        assert unseal(KEYRING, spelled(raw[:position] + raw[position + 1 :])) is None
    assert unseal(KEYRING, spelled(raw + b"\0")) is None


@pytest.mark.parametrize("spelling", ["{}=", "{}==", " {}", "{} ", "{}\n", "\ufeff{}", "{}é", "{}\ud800"])
def test_a_token_has_one_spelling(spelling: str) -> None:
    assert unseal(KEYRING, spelling.format(TOKEN)) is None


@settings(max_examples=300)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_garbage_is_no_token(text: str) -> None:
    assert unseal(KEYRING, text) is None


@given(st.binary(max_size=100))
def test_garbage_behind_a_genuine_header_is_no_token(rest: bytes) -> None:
    header = b"\x01" + KEYRING.current("").key_id + (7).to_bytes(4, "big")
    assert unseal(KEYRING, base64.urlsafe_b64encode(header + rest).decode().rstrip("=")) is None


@pytest.mark.parametrize("length", [MAX_TOKEN_CHARACTERS + 1, 10**6])
def test_a_huge_token_is_refused(length: int) -> None:
    assert unseal(KEYRING, "A" * length) is None


def test_the_largest_narrowing_fits() -> None:
    widest = Narrowing(frozenset(range(10**15, 10**15 + MAX_NARROWED_WORKSPACES)))
    token = seal(KEYRING, replace(CONTENTS, narrowing=widest))
    assert len(token) <= MAX_TOKEN_CHARACTERS
    assert unseal(KEYRING, token) is not None


def test_a_nodes_keys_open_no_other_nodes_tokens() -> None:
    """The header names the node; whoever writes another one there gets another key."""
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4)))
    raw[5:9] = (8).to_bytes(4, "big")
    assert unseal(KEYRING, base64.urlsafe_b64encode(raw).decode().rstrip("=")) is None
    # Nor does a node's own key, which may be known to that node's server one day.
    key = KEYRING.current("s3 token 8")
    nonce, header = secrets.token_bytes(12), b"\x01" + key.key_id + (7).to_bytes(4, "big")
    payload = json.dumps({"c": 1, "u": 1, "n": 7, "a": "WIO", "e": 1, "w": None, "r": False}).encode()
    forged = header + nonce + AESGCM(key.key).encrypt(nonce, payload, header)
    assert unseal(KEYRING, base64.urlsafe_b64encode(forged).decode().rstrip("=")) is None


def test_a_rotated_secret_is_accepted_as_long_as_it_is_held() -> None:
    rotated = Keyring(f"{NEW},{OLD}")
    opened = unseal(rotated, TOKEN)
    assert opened is not None
    sealed, key_id = opened
    assert sealed == CONTENTS
    arguments = (CONTENTS.node_id, CONTENTS.access_key_id)
    assert secret_access_key(rotated, *arguments, key_id) == secret_access_key(KEYRING, *arguments)
    assert secret_access_key(rotated, *arguments) != secret_access_key(KEYRING, *arguments)
    assert unseal(Keyring(NEW), TOKEN) is None
    with pytest.raises(KeyError):
        secret_access_key(Keyring(NEW), *arguments, key_id)


def test_secrets_are_what_they_were() -> None:
    """Pinned: credentials in use would end with another value."""
    assert secret_access_key(KEYRING, 7, "WIO23456723456723456") == "DQQ657wVFbDMdNma0Zez2uXk9BZajidFgiYuhQWs"


def test_secrets_are_one_for_each_key_and_node() -> None:
    made = {secret_access_key(KEYRING, node, key) for node in (1, 11, 111) for key in ("WIOA", "WIOB", "1WIOA")}
    assert len(made) == 9
    assert {len(secret) for secret in made} == {40}


def test_access_keys_are_unique_and_look_like_access_keys() -> None:
    made = {new_access_key_id() for _ in range(20_000)}
    assert len(made) == 20_000
    assert {len(key) for key in made} == {20}
    assert all(key.startswith("WIO") and key.isalnum() and key.isupper() for key in made)
