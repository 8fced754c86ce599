"""Stored words stay, and levels are read from their exact words only."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workspacesio.domain.authority import Identified, Principal
from workspacesio.domain.errors import Conflict, Invalid, TooManyAttempts, WorkspacesIOError
from workspacesio.domain.facts import UNNARROWED
from workspacesio.domain.permissions import Allowed, Denied
from workspacesio.domain.vocabulary import Level, NodeKind, RootType


def test_levels_are_ordered_and_have_words() -> None:
    assert Level.READ < Level.READWRITE < Level.OWN
    assert [level.word for level in Level] == ["read", "readwrite", "own"]
    assert [Level.from_word(level.word) for level in Level] == list(Level)


def test_no_kind_of_server_both_keeps_policies_and_issues_sessions() -> None:
    """A right is taken back either by what the server keeps or by its keys' end."""
    assert [kind for kind in NodeKind if kind.keeps_policies] == [NodeKind.MINIO]
    assert [kind for kind in NodeKind if kind.issues_sessions] == [NodeKind.MINIO_PLAIN, NodeKind.AWS]


@given(st.text())
@example("READ")
@example("Own")
@example("readwrıte")
@example("own ")
@example("")
def test_other_words_are_no_levels(word: str) -> None:
    if word in ("read", "readwrite", "own"):
        return
    with pytest.raises(KeyError):
        Level.from_word(word)


def test_root_types() -> None:
    assert {kind.value for kind in RootType if kind.is_public} == {"public", "unmanaged-public"}
    assert {kind.value for kind in RootType if kind.is_managed} == {"public", "private"}


def test_errors_carry_a_code_a_sentence_and_details() -> None:
    error = Conflict("It is taken.", details={"name": "x"})
    assert (str(error), error.code, error.details) == ("It is taken.", "conflict", {"name": "x"})
    assert Invalid("No.", code="bad").code == "bad"
    assert dict(TooManyAttempts("Wait.").details) == {}
    codes = [kind.default_code for kind in _all_errors()]
    assert len(set(codes)) == len(codes)


def test_an_identified_caller_shows_no_secret() -> None:
    from datetime import UTC, datetime

    principal = Principal(1, "ada", 1, 1, "WIOKEY", datetime(2030, 1, 1, tzinfo=UTC), UNNARROWED)
    identified = Identified(principal, "the secret")
    assert "the secret" not in f"{identified!r} {identified}"
    assert "WIOKEY" in repr(identified)


def test_verdicts_are_true_and_false() -> None:
    assert Allowed("owner")
    assert not Denied("not_shared")


def _all_errors(kind: type[WorkspacesIOError] = WorkspacesIOError) -> list[type[WorkspacesIOError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in _all_errors(below))]
