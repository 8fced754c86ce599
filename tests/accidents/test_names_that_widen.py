"""Accident: names that widen a right. A name is data: it never is a pattern, a variable, or a way out of a
folder."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass

import pytest

from accidents.api import Api
from accidents.lab import BUCKET, Lab
from accidents.wire import Answer, Keys, key_path

SECRET = b"not shared with bob"

PATTERNS = [
    "*",
    "a*b",
    "f*.t1",
    "?",
    "[a-z]",
    "${aws:username}",
    "${*}",
    "$ada",
    "%",
    "%2A",
    "_",
    "a%b_c",
    "a'b",
    'a"b',
    "a;drop table shares",
    "a&b=c",
    "a+b",
    "a\\b",
    "~",
    "-r",
    "#a",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x1bb",
    "\u202eab",
    "e\u0301",
    "\u00e9",
    "K",
    "...",
    "a.",
    "a ",
    " a",
    "x" * 255,
    "\U0001f600" * 60,
]


@dataclass
class Scene:
    """`shared` is a workspace of ada's with one folder for each hostile name; others hold SECRET."""

    lab: Lab
    workspace: int
    bob: Api


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    for name in PATTERNS:
        lab.write(f"shared/{name}/own.txt", name.encode())
    for neighbour in ("aXb", "fZ.t1", "Q", "ada", "bob", "carol", "zzz", "k", "E", "..a", "anything"):
        lab.write(f"shared/{neighbour}/secret.txt", SECRET)
    return Scene(lab, lab.imported("shared"), lab.bob)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_shared_folder_opens_itself_and_nothing_else(scene: Scene, name: str) -> None:
    lab = scene.lab
    lab.ada.share(scene.workspace, "bob", "readwrite", f"{name}/")
    try:
        keys = lab.bob.keys("ada/shared")
        own = keys.get(key_path(BUCKET, f"shared/{name}/own.txt"))
        assert (own.status, own.body) == (200, name.encode())
        assert keys.list(BUCKET, f"shared/{name}/").status == 200
        for other in sorted(os.listdir(lab.path("shared"))):
            if other == name:
                continue
            for file in ("own.txt", "secret.txt", "absent.txt"):
                answer = keys.get(key_path(BUCKET, f"shared/{other}/{file}"))
                assert (answer.status, answer.code) == (403, "AccessDenied"), other
            assert keys.list(BUCKET, f"shared/{other}/").status == 403, other
        assert keys.put(key_path(BUCKET, f"shared/{name}/new.txt"), b"new").status == 200
        assert lab_file(lab, f"shared/{name}/new.txt") == b"new"
        os.unlink(lab.path(f"shared/{name}/new.txt"))
    finally:
        lab.ada.unshare(scene.workspace, "bob", f"{name}/")


def lab_file(lab: Lab, path: str) -> bytes:
    with open(lab.path(path), "rb") as file:
        return file.read()


def test_a_prefix_without_its_slash_opens_no_longer_name(lab: Lab) -> None:
    lab.write("a/mine.txt", b"mine")
    lab.write("ab/secret.txt", SECRET)
    lab.write("a-/secret.txt", SECRET)
    a = lab.imported("a")
    lab.imported("ab")
    lab.ada.share(a, "bob", "readwrite")
    keys = lab.bob.keys("ada/a")
    assert keys.list(BUCKET, "a/").texts("Key") == ["a/mine.txt"]
    for prefix in ("a", "ab", "ab/", "a-", "", "/", "a//", "b"):
        answer = keys.list(BUCKET, prefix)
        assert answer.status == 403 or (answer.status, answer.texts("Key")) == (200, []), prefix
        assert b"secret" not in answer.body, prefix
    assert keys.get("/data/ab/secret.txt").status == 403
    assert keys.put("/data/ab/new.txt", b"no").status == 403
    assert keys.put("/data/a", b"no").status == 403
    assert keys.put("/data/ax", b"no").status == 403
    assert sorted(os.listdir(lab.path("ab"))) == ["secret.txt"]


CLIMBS = [
    "mine/../theirs/secret.txt",
    "mine/./../theirs/secret.txt",
    "mine/x/../../theirs/secret.txt",
    "mine//../theirs/secret.txt",
    "mine/..",
    "mine/../",
    "mine/%2e%2e/theirs/secret.txt",
    "mine/%2e%2e%2ftheirs%2fsecret.txt",
    "mine/..%2ftheirs/secret.txt",
    "mine/%c0%ae%c0%ae/theirs/secret.txt",
    "mine/..%00/theirs/secret.txt",
    "mine/x%00/../theirs/secret.txt",
    "../../../../etc/passwd",
    "mine/../../../../../../etc/passwd",
    "/etc/passwd",
    "mine//etc/passwd",
    "mine/.workspacesio/../../theirs/secret.txt",
    "mine/%2e%2e/.workspacesio/x",
]


@pytest.fixture(scope="module")
def climber(lab: Lab) -> Keys:
    """Keys of bob, who holds `mine/` in ada's workspace `climb` at `own`."""
    lab.write("climb/mine/here.txt", b"here")
    lab.write("climb/theirs/secret.txt", SECRET)
    workspace = lab.imported("climb")
    lab.ada.share(workspace, "bob", "own", "mine/")
    return lab.bob.keys("ada/climb")


@pytest.mark.parametrize("path", CLIMBS)
def test_no_key_climbs_out_of_a_shared_folder(lab: Lab, climber: Keys, path: str) -> None:
    before = sorted((folder, tuple(sorted(files))) for folder, _, files in os.walk(lab.folder))
    target = f"/{BUCKET}/climb/{path}"
    for answer in (
        climber.get(target),
        climber.request("HEAD", target),
        climber.put(target, b"no"),
        climber.request("POST", f"{target}?uploads"),
        climber.request("PUT", f"/{BUCKET}/climb/mine/copy", headers={"x-amz-copy-source": target}),
        climber.get(f"{target}?tagging"),
    ):
        assert answer.status in (400, 403, 404), (path, answer)
        assert SECRET not in answer.body
        assert b"root:" not in answer.body
    deleted = climber.request("DELETE", target)
    assert deleted.status in (204, 400, 403, 404), (path, deleted)
    after = sorted((folder, tuple(sorted(files))) for folder, _, files in os.walk(lab.folder))
    assert [one for one in after if ".workspacesio" not in one[0]] == [
        one for one in before if ".workspacesio" not in one[0]
    ]
    for prefix in (path, path.rpartition("/")[0] + "/"):
        listed = climber.get(f"/{BUCKET}?list-type=2&prefix=climb/{prefix}")
        assert b"secret" not in listed.body, (prefix, listed)


def test_what_only_looks_like_a_way_out_is_a_plain_name(lab: Lab, climber: Keys) -> None:
    for key in (
        "..\\theirs\\secret.txt",
        "..;/theirs/secret.txt",
        "%2e%2e/secret.txt",
        "\u2025/secret.txt",
        "...",
        "..a",
    ):
        assert climber.put(key_path(BUCKET, f"climb/mine/{key}"), b"plain").status == 200, key
        assert lab_file(lab, f"climb/mine/{key}") == b"plain"
    assert lab_file(lab, "climb/theirs/secret.txt") == SECRET
    assert os.listdir(lab.path("climb/theirs")) == ["secret.txt"]


def test_a_nul_in_a_key_is_refused_and_names_nothing(climber: Keys) -> None:
    for name in ("x%00", "%00", "here.txt%00.png", "x%00/../../theirs/secret.txt"):
        for answer in (climber.get(f"/data/climb/mine/{name}"), climber.put(f"/data/climb/mine/{name}", b"no")):
            assert answer.status in (400, 403, 404), (name, answer)


def test_names_of_256_bytes_and_keys_of_1025_are_refused_with_a_clear_error(lab: Lab, climber: Keys) -> None:
    longest = "n" * 255
    assert climber.put(f"/data/climb/mine/{longest}", b"kept").status == 200
    assert climber.get(f"/data/climb/mine/{longest}").body == b"kept"
    os.unlink(lab.path("climb/mine", longest))
    refused = climber.put(f"/data/climb/mine/{'n' * 256}", b"no")
    assert (refused.status, refused.code) == (400, "KeyTooLongError")
    deep = "/".join(["d" * 100] * 12)
    assert climber.put(f"/data/climb/mine/{deep}", b"no").status in (400, 403)
    assert climber.get(f"/data/climb/mine/{deep}").status in (403, 404)


def test_another_unicode_normal_form_is_another_name(lab: Lab) -> None:
    composed = unicodedata.normalize("NFC", "re\u0301sume\u0301")
    decomposed = unicodedata.normalize("NFD", composed)
    lab.write(f"forms/{decomposed}/secret.txt", SECRET)
    lab.write(f"forms/{composed}/open.txt", b"open")
    workspace = lab.imported("forms")
    lab.ada.share(workspace, "bob", "read", f"{composed}/")
    keys = lab.bob.keys("ada/forms")
    assert keys.get(key_path(BUCKET, f"forms/{composed}/open.txt")).body == b"open"
    assert keys.get(key_path(BUCKET, f"forms/{decomposed}/secret.txt")).status == 403
    assert keys.list(BUCKET, f"forms/{decomposed}/").status == 403


BAD_WORKSPACE_NAMES = [
    "",
    "x/carol",
    "../carol",
    "..",
    ".",
    "/x",
    "x/",
    "a\0b",
    "a\nb",
    "a*b",
    "a?b",
    "${aws:username}",
    "a\\b",
    "a:b",
    "a|b",
    "a<b>",
    'a"b',
    "a%b",
    "a#b",
    "trailing.",
    "trailing...",
    "trailing ",
    " leading",
    ".hidden",
    "-rf",
    "~root",
    "@group",
    "n" * 129,
    "\u00e9" * 65,
    "e\u0301",
    "lost+found",
    "@eaDir",
    ".workspacesio",
    "a\u202eb",
    "a\u200bb",
    "\ud800",
]


@pytest.mark.parametrize("name", BAD_WORKSPACE_NAMES)
def test_a_workspace_is_never_called_so(lab: Lab, name: str) -> None:
    before = lab.bob.done("GET", "/workspaces", scope="mine")
    made = lab.bob.call("POST", "/workspaces", {"name": name})
    assert made.status == 422, (name, made)
    assert made.error in ("invalid_workspace_name", "invalid_request")
    assert lab.bob.done("GET", "/workspaces", scope="mine") == before
    own = lab.bob.create("renamed-" + str(abs(hash(name)))[:12])
    renamed = lab.bob.call("PATCH", f"/workspaces/{own['id']}", {"name": name})
    assert renamed.status == 422, (name, renamed)
    lab.bob.done("DELETE", f"/workspaces/{own['id']}")


@pytest.mark.parametrize(
    "username",
    ["", ".", "..", "a..b", "a/b", "a.", ".a", "-a", "a-", "A", "\u00e9", "a b", "a\0", "a\n", "*", "everyone",
     "public", "private", "shared", "me", "@a", "${aws:username}", "a" * 64, "admin-setup"],
)  # fmt: skip
def test_a_user_is_never_called_so(lab: Lab, username: str) -> None:
    wanted = {"email": "mallory@example.org", "username": username, "password": "a password for tests"}
    answer = lab.nobody.call("POST", "/register", wanted)
    assert answer.status == 422, (username, answer)


@pytest.mark.parametrize(
    "folder", ["..", "../b", "a/../../b", "a//b", "/../b", "a\0b", "\ud800", ".", "a/.", "n" * 256]
)
def test_a_share_or_an_import_never_names_such_a_folder(lab: Lab, scene: Scene, folder: str) -> None:
    shared = lab.ada.call(
        "POST", f"/workspaces/{scene.workspace}/shares", {"subject": "bob", "level": "own", "folder": folder}
    )
    assert shared.status == 422, shared
    imported = lab.ada.call("POST", "/roots/existing/import", {"folders": [folder]})
    assert imported.status == 422, imported
    assert lab.bob.call("GET", f"/workspaces/{scene.workspace}").status == 404


def test_a_subject_is_a_name_and_no_pattern(lab: Lab, scene: Scene) -> None:
    for subject in (
        "*",
        "%",
        "bo_",
        "b%",
        "@*",
        "Everyone",
        "EVERYONE",
        "everyone ",
        " bob",
        "bob\n",
        "@",
        "bob,carol",
    ):
        wanted = {"subject": subject, "level": "own"}
        answer = lab.ada.call("POST", f"/workspaces/{scene.workspace}/shares", wanted)
        assert answer.status in (404, 422), (subject, answer)
    assert lab.ada.done("GET", f"/workspaces/{scene.workspace}/shares") == []
    for pattern in ("%", "s%", "share_", "*", "ada/%", "%/shared", "a_a/shared"):
        assert lab.ada.call("GET", "/workspaces/resolve", reference=pattern).status in (404, 422), pattern


def test_a_credential_for_one_name_is_not_for_a_longer_one(lab: Lab) -> None:
    lab.bob.create("one")
    lab.bob.create("one-and-more")
    all_keys = lab.bob.keys()
    assert all_keys.put("/data/private/bob/one-and-more/secret.txt", SECRET).status == 200
    keys = lab.bob.keys("one")
    refused: list[Answer] = [
        keys.get("/data/private/bob/one-and-more/secret.txt"),
        keys.put("/data/private/bob/one-and-more/new.txt", b"no"),
        keys.list(BUCKET, "private/bob/one"),
        keys.list(BUCKET, "private/bob/one-and-more/"),
        keys.list(BUCKET, "private/bob/"),
    ]
    assert {answer.status for answer in refused} == {403}
    assert keys.put("/data/private/bob/one/x", b"x").status == 200
