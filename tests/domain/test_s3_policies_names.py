"""Names that a policy can't say exactly are refused, each with a sentence that says why and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.minio_policy import matches
from domain.policy_grants import NOW
from workspacesio.domain.grants import Grant, NotExpressible, check_expressible, divide_expressible
from workspacesio.domain.s3_policies import compile_documents, session_policy

REFUSED = {
    "a*b/": "'*'",
    "*/": "'*'",
    "a?/": "'?'",
    "${aws:username}/": r"'\$\{'",
    "a/${b/": r"'\$\{'",
    "a": "doesn't end",
    "a/b": "doesn't end",
    "/a/": "empty folder name",
    "a//b/": "empty folder name",
    "/": "empty folder name",
    "a/../b/": "as a folder name",
    "./": "as a folder name",
    "a\0/": "NUL",
    "a\ud800/": "not UTF-8",
    "n" * 256 + "/": "longer than 255",
    "ab/" * 400: "longer than 1024",
    ("<" * 200 + "/") * 5: "too long for the server's policies",
    ("\x01" * 200 + "/") * 5: "too long for the server's policies",
    "w/.minio.sys/": "system folder",
    "w/data.zip/": "ZIP",
    "w/data.zip/x/": "ZIP",
}


@pytest.mark.parametrize("prefix", REFUSED)
def test_what_cannot_be_said_is_refused_with_its_reason(prefix: str) -> None:
    with pytest.raises(NotExpressible, match=REFUSED[prefix]):
        check_expressible(prefix)
    for compiling in (compile_documents, session_policy):
        with pytest.raises(NotExpressible):
            compiling([Grant("alpha", prefix)])


@pytest.mark.parametrize("character", ["<", "\x01", "\u2028", "x", "ä", '"'])
def test_the_longest_name_that_can_be_said_fits_into_a_document(character: str) -> None:
    """Else one share would keep its subject's documents, and every later revocation, from being written."""
    longest = ""
    for length in range(1, 1025):
        prefix = "/".join([character * 80] * (length // 81) + [character * (length % 81 or 1)]) + "/"
        try:
            check_expressible(prefix)
        except NotExpressible:
            continue
        longest = max(longest, prefix, key=len)
    assert len(longest) > 200
    assert len(compile_documents([Grant("b" * 63, longest, writes=True, expires_at=NOW)])) == 1


@pytest.mark.parametrize("bucket", ["", "a*", "a?b", "a/b", "${x}", "*", "a b", "-a"])
def test_a_bucket_that_is_a_pattern_is_refused(bucket: str) -> None:
    with pytest.raises(NotExpressible, match="not the name of a bucket"):
        compile_documents([Grant(bucket, "a/")])


@pytest.mark.parametrize(
    "prefix", ["", "a/", "a b/ü/", "$x/{y}/", "a\\b/", "zip/", "a.zipped/", "%2a/", "[a]/", "'/"]
)
def test_other_names_are_data(prefix: str) -> None:
    check_expressible(prefix)
    assert compile_documents([Grant("alpha", prefix)])


@given(st.text(max_size=8), st.text(max_size=10))
def test_a_name_that_passes_matches_what_begins_with_it_and_nothing_else(name: str, text: str) -> None:
    try:
        check_expressible(name + "/")
    except NotExpressible:
        return
    assert matches(f"{name}/*", text) == text.startswith(name + "/")
    assert matches(f"{name}/*", name + "/" + text)


def test_what_cannot_be_said_is_told_apart_and_does_not_keep_the_rest_from_being_said() -> None:
    said, unsaid = divide_expressible([Grant("alpha", "a/"), Grant("alpha", "b*/", True), Grant("alpha", "c/d?/")])
    assert said == (Grant("alpha", "a/"),)
    assert [grant.prefix for grant, _ in unsaid] == ["c/d?/", "b*/"]
    assert all(sentence.endswith(".") for _, sentence in unsaid)


def test_a_name_under_a_folder_that_is_granted_needs_not_be_said() -> None:
    assert divide_expressible([Grant("alpha", "w/", True), Grant("alpha", "w/a*b/")]) == (
        (Grant("alpha", "w/", True),),
        (),
    )
    assert compile_documents([Grant("alpha", "w/"), Grant("alpha", "w/a*b/")])
