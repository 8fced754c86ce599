"""Names are data: what is accepted is said exactly, what isn't is refused with a reason, and nothing climbs."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspacesio.domain.errors import Invalid
from workspacesio.domain.names import (
    MAX_KEY_BYTES,
    SYSTEM_FOLDERS,
    ancestors,
    check_bucket,
    check_email,
    check_prefix,
    check_service_name,
    check_username,
    check_workspace_name,
    key_problem,
    numbered_name,
    parse_reference,
    workspace_name_from_folder,
    workspace_name_problem,
)

NASTY = [
    "",
    "\0",
    "a\0b",
    "\n",
    "a\n",
    "\na",
    "a\r\nb",
    ".",
    "..",
    "a/..",
    "../a",
    "a/../b",
    "/",
    "//",
    "a//b",
    "/a",
    "*",
    "a*",
    "?",
    "a?b",
    "[a-z]",
    "${aws:username}",
    "${*}",
    "$",
    "%2e%2e",
    "a\\b",
    "a\tb",
    "\x7f",
    "\x1b[31m",
    "\u202etxt.exe",
    "\u200b",
    "\ud800",
    "a\udcffb",
    "cafe\u0301",
    "\uff0e\uff0e",
    "x" * 256,
    "é" * 129,
]

names = st.text(max_size=40) | st.sampled_from(NASTY) | st.text(st.characters(), max_size=20)
keys = st.lists(st.sampled_from(["a", "b", "ab", "..", ".", "", "é", "a b", "*"]), max_size=6).map("/".join)


def _is_refused(check: object, *arguments: str) -> bool:
    try:
        check(*arguments)  # type: ignore[operator]
    except Invalid:
        return True
    return False


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_are_refused_wherever_a_name_is_chosen(name: str) -> None:
    assert _is_refused(check_username, name)
    assert _is_refused(check_bucket, name)
    assert _is_refused(check_service_name, name, "node")
    assert _is_refused(check_workspace_name, name)
    assert _is_refused(check_email, name)


@pytest.mark.parametrize("name", ["a", "ada", "0", "a.b-c_d", "x" * 63])
def test_usernames(name: str) -> None:
    assert check_username(name) == name


@pytest.mark.parametrize(
    "name", ["Ada", "-a", "a-", ".a", "a.", "a..b", "x" * 64, "a b", "é", "everyone", "public", "ada@x", "ä"]
)
def test_no_usernames(name: str) -> None:
    assert _is_refused(check_username, name)


@pytest.mark.parametrize("name", ["abc", "a-b.c0", "x" * 63])
def test_buckets(name: str) -> None:
    assert check_bucket(name) == name


@pytest.mark.parametrize("name", ["ab", "Abc", "a..b", "-ab", "ab-", "a_b", "x" * 64, "abc\n"])
def test_no_buckets(name: str) -> None:
    assert _is_refused(check_bucket, name)


@pytest.mark.parametrize("name", ["N", "lab-2_x.y", "Z" * 63])
def test_service_names(name: str) -> None:
    assert check_service_name(name, "root") == name


@pytest.mark.parametrize("name", ["a..b", "x" * 64, "a b", "@lab", "a/"])
def test_no_service_names(name: str) -> None:
    assert _is_refused(check_service_name, name, "group")


@given(names)
@example("name\n")
def test_an_accepted_name_is_one_plain_path_component(name: str) -> None:
    for check in (
        check_username,
        check_bucket,
        check_workspace_name,
        lambda text: check_service_name(text, "node"),
    ):
        if not _is_refused(check, name):
            assert key_problem(f"root/{name}/key") is None
            assert not set(name) & set('/\\*?$%{}<>|"`\0\n\r')


@pytest.mark.parametrize(
    ("address", "folded"),
    [
        ("ada@example.org", "ada@example.org"),
        (" Ada@EXAMPLE.org ", "ada@example.org"),
        ("É@x", "é@x"),
        ("é@x", "é@x"),
    ],
)
def test_emails_are_folded(address: str, folded: str) -> None:
    assert check_email(address) == folded


@pytest.mark.parametrize(
    "address", ["ada", "@x", "a@", "a@b@c", "a b@c", "a@b\n.c", "x" * 65 + "@y", "\ud800@x", "a@\0"]
)
def test_no_emails(address: str) -> None:
    assert _is_refused(check_email, address)


@given(st.builds("{}@{}".format, st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10)))
def test_folding_an_email_again_changes_nothing(address: str) -> None:
    if not _is_refused(check_email, address):
        folded = check_email(address)
        assert check_email(folded) == folded
        folded.encode()


@pytest.mark.parametrize("name", ["a", "Daten 2024", "Σ-data", "(x) & y's = z", "a" * 128, "é" * 64, "日本語"])
def test_workspace_names(name: str) -> None:
    assert check_workspace_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("a" * 129, "longer than 128 bytes"),
        ("é" * 65, "longer than 128 bytes"),
        ("cafe\u0301", "NFC"),
        (" a", "begins or ends"),
        ("a ", "begins or ends"),
        (".a", "begins or ends"),
        ("a.", "begins or ends"),
        ("-a", "begins or ends"),
        ("~a", "begins or ends"),
        ("@a", "begins or ends"),
        ("a/b", "'/'"),
        ("a*", "'*'"),
        ("a:b", "':'"),
        ("a\ud800", "it holds"),
        ("lost+found", "system folder"),
    ],
)
def test_why_a_workspace_name_is_refused(name: str, reason: str) -> None:
    assert reason in (workspace_name_problem(name) or "")


@given(names | st.text(max_size=300))
@example("cafe\u0301/")
@example("=\u0338")
@example("\u0301")
@example("lost+found")
@example("é" * 200)
def test_an_imported_folder_always_gets_a_valid_name(folder: str) -> None:
    assert workspace_name_problem(workspace_name_from_folder(folder)) is None


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("a/b/Run 7/", "Run 7"),
        ("cafe\u0301", "café"),
        ("a*b", "a_b"),
        ("../", "folder"),
        ("", "folder"),
        (".hidden", "hidden"),
        ("lost+found", "folder"),
        ("x" * 200, "x" * 128),
    ],
)
def test_the_name_of_an_imported_folder_is_near_its_own(folder: str, name: str) -> None:
    assert workspace_name_from_folder(folder) == name


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "a/b",
        "a/",
        "cafe\u0301",
        "a\nb",
        "*",
        "?",
        "${aws:username}",
        "...",
        "..a",
        "a..",
        "-",
        " ",
        "é" * 127,
        "~",
    ],
)
def test_keys_that_exist_are_taken_as_they_are(key: str) -> None:
    assert key_problem(key) is None
    assert check_prefix(key) == key.strip("/") + "/"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("/", "empty folder name"),
        ("//", "empty folder name"),
        ("/a", "empty folder name"),
        ("a//b", "empty folder name"),
        ("a//", "empty folder name"),
        ("a/../b", "'..'"),
        ("..", "'..'"),
        ("../", "'..'"),
        ("./a", "'.'"),
        ("a\0b", "NUL"),
        ("\ud800", "UTF-8"),
        ("x" * 256, "longer than 255 bytes"),
        ("a/" + "é" * 128 + "/b", "longer than 255 bytes"),
        ("a/" * 513, "longer than 1024 bytes"),
        *[(f"a/{folder}/b", "system folder") for folder in sorted(SYSTEM_FOLDERS)],
    ],
)
def test_why_a_key_is_refused(key: str, reason: str) -> None:
    assert reason in (key_problem(key) or "")


def test_the_longest_names() -> None:
    assert key_problem("x" * 255) is None
    assert key_problem("é" * 127 + "x") is None
    longest = "/".join(["x" * 127] * 8)
    assert len(longest) == MAX_KEY_BYTES - 1
    assert key_problem(longest + "/") is None
    assert key_problem(longest + "/y") is not None
    assert check_prefix(longest) == longest + "/"
    assert _is_refused(check_prefix, longest + "y")


@given(keys)
def test_a_prefix_has_one_spelling(prefix: str) -> None:
    if _is_refused(check_prefix, prefix):
        return
    checked = check_prefix(prefix)
    assert checked == "" or (checked.endswith("/") and not checked.startswith("/") and "//" not in checked)
    assert check_prefix(checked) == checked
    assert {".", ".."}.isdisjoint(checked.split("/"))


@given(st.text(st.sampled_from("ab/"), max_size=12))
@example("")
@example("/")
@example("a//b")
def test_ancestors_are_all_prefixes_that_end_in_a_slash_longest_first(key: str) -> None:
    expected = [key[:end] for end in range(len(key), 0, -1) if key[end - 1] == "/"]
    assert ancestors(key) == [*expected, ""]


@settings(max_examples=300)
@given(keys, st.sampled_from(["a/", "ab/", "a/b/", ""]))
def test_a_prefix_is_an_ancestor_of_exactly_the_keys_that_begin_with_it(key: str, prefix: str) -> None:
    assert (prefix in ancestors(key)) is key.startswith(prefix)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("w", [(None, "w", "")]),
        ("w/", [(None, "w", "")]),
        ("w/f", [(None, "w", "f"), ("w", "f", "")]),
        ("w/f/", [(None, "w", "f/"), ("w", "f", "")]),
        ("o/w/f/k", [(None, "o", "w/f/k"), ("o", "w", "f/k")]),
        ("o/w/f/", [(None, "o", "w/f/"), ("o", "w", "f/")]),
        ("w/*", [(None, "w", "*"), ("w", "*", "")]),
        ("o:w", [("o", "w", "")]),
        ("o:w/f/k", [("o", "w", "f/k")]),
        ("o/w:x/k", [(None, "o", "w:x/k"), ("o", "w:x", "k")]),
    ],
)
def test_references(text: str, readings: list[tuple[str | None, str, str]]) -> None:
    assert parse_reference(text).readings() == readings
    assert parse_reference(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        ":",
        "o:",
        ":w",
        "o:/k",
        "o:w:x/k",
        "..:w",
        "o:..",
        "",
        "/",
        "/w",
        "//",
        "w//",
        "w//k",
        "o/w//k",
        "w/../k",
        "../w",
        "o/..",
        "w/./k",
        "w\0",
    ],
)
def test_no_references(text: str) -> None:
    assert _is_refused(parse_reference, text)


def test_no_name_holds_the_colon_of_an_exact_reference() -> None:
    assert workspace_name_problem("a:b") == "it holds ':'"
    assert workspace_name_from_folder("a:b") == "a_b"
    assert _is_refused(check_username, "a:b")
    assert _is_refused(check_username, "wio")


@given(st.text(max_size=20) | keys)
def test_the_readings_of_a_reference_say_what_was_typed(text: str) -> None:
    if _is_refused(parse_reference, text):
        return
    for owner, name, path in parse_reference(text).readings():
        first = f"{owner}:{name}" if ":" in text.partition("/")[0] else "/".join(filter(None, (owner, name)))
        spelled = f"{first}/{path}".removesuffix("/") if not path else f"{first}/{path}"
        assert spelled == text.removesuffix("/") or spelled == text
        assert not path.startswith("/")


def test_names_compare_as_bytes_do() -> None:
    """The same letters in another normal form are another key, and own nothing of the first."""
    nfc, nfd = unicodedata.normalize("NFC", "é/k"), unicodedata.normalize("NFD", "é/k")
    assert ancestors(nfc)[0] != ancestors(nfd)[0]


def test_numbered_names_are_free_and_short_enough() -> None:
    assert numbered_name("scans", {"other"}) == "scans"
    assert numbered_name("scans", {"scans", "scans-2"}) == "scans-3"
    long = "\u00e4" * 64
    numbered = numbered_name(long, {long})
    assert numbered == "\u00e4" * 63 + "-2"
    assert workspace_name_problem(numbered) is None
