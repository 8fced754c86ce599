"""ListObjects, ListObjectsV2 and ListObjectVersions: pages, delimiters, markers, encodings, and staying inside."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3.answers import refusal
from s3.world import BUCKET, World
from workspacesio.domain.vocabulary import Level

KEYS = [
    "ada/a",
    "ada/a-b",
    "ada/a/b",
    "ada/a/c/d",
    "ada/a0",
    "ada/b/x",
    "ada/b/y",
    "ada/c",
    "ada/é è",
    "ada/plus+and space",
    "ada/percent%41",
    "ada/<&>\"'",
]


def fill(world: World, keys: list[str] = KEYS) -> None:
    """Files as a shell makes them. A file can't be where a folder has to be, and is left out."""
    for key in keys:
        if any(other.startswith(key + "/") for other in keys):
            continue
        os.makedirs(os.path.dirname(world.path(key)), exist_ok=True)
        with open(world.path(key), "w") as file:
            file.write(key)


def there(keys: list[str] = KEYS) -> list[str]:
    found = [key for key in keys if not any(other.startswith(key + "/") for other in keys)]
    return sorted(found, key=str.encode)


def v2(world: World, **arguments: Any) -> tuple[list[str], list[str]]:
    """All pages of a ListObjectsV2, by hand: keys and common prefixes as they came."""
    keys: list[str] = []
    prefixes: list[str] = []
    client = world.client()
    while True:
        page = client.list_objects_v2(Bucket=BUCKET, **arguments)
        got = [entry["Key"] for entry in page.get("Contents", [])]
        common = [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert page["KeyCount"] == len(got) + len(common) <= arguments.get("MaxKeys", 1000)
        keys += got
        prefixes += common
        if not page["IsTruncated"]:
            assert "NextContinuationToken" not in page
            return keys, prefixes
        arguments["ContinuationToken"] = page["NextContinuationToken"]


def v1(world: World, **arguments: Any) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    prefixes: list[str] = []
    client = world.client()
    while True:
        page = client.list_objects(Bucket=BUCKET, **arguments)
        keys += [entry["Key"] for entry in page.get("Contents", [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            return keys, prefixes
        arguments["Marker"] = page["NextMarker"]


def versions(world: World, **arguments: Any) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    prefixes: list[str] = []
    client = world.client()
    while True:
        page = client.list_object_versions(Bucket=BUCKET, **arguments)
        keys += [entry["Key"] for entry in page.get("Versions", [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            return keys, prefixes
        arguments["KeyMarker"] = page["NextKeyMarker"]


@pytest.mark.parametrize("listing", [v1, v2, versions])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pages_glued_together_are_the_whole(world: World, listing: Any, size: int) -> None:
    fill(world)
    assert listing(world, Prefix="ada/", MaxKeys=size) == (there(), [])
    keys, prefixes = listing(world, Prefix="ada/", Delimiter="/", MaxKeys=size)
    assert keys == [key for key in there() if "/" not in key[4:]]
    assert prefixes == ["ada/a/", "ada/b/"]
    assert listing(world, Prefix="ada/a", MaxKeys=size)[0] == [key for key in there() if key.startswith("ada/a")]


_NAME = st.text(st.sampled_from("ab-/0é. "), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.sets(_NAME, max_size=12),
    prefix=st.sampled_from(["", "a", "a/", "b-", "é"]),
    delimiter=st.sampled_from(["", "/", "-", "ab"]),
    size=st.integers(1, 5),
    start=_NAME | st.just(""),
)
def test_any_pages_of_any_tree_glued_together_are_the_whole(
    world: World, names: set[str], prefix: str, delimiter: str, size: int, start: str
) -> None:
    names = {name for name in names if _possible(name)}
    keys = ["ada/" + name for name in names]
    for name in os.listdir(os.path.join(world.folder, BUCKET)):
        os.system(f"rm -rf '{world.path(name)}'")
    fill(world, keys)
    arguments = {"Prefix": "ada/" + prefix, "Delimiter": delimiter}
    whole = v2(world, **arguments)
    expected_keys, expected_prefixes = rolled_up(there(keys), "ada/" + prefix, delimiter)
    assert whole == (expected_keys, expected_prefixes)
    for listing in (v1, v2, versions):
        assert listing(world, **arguments, MaxKeys=size) == whole
    after = v2(world, Prefix="ada/" + prefix, StartAfter="ada/" + start, MaxKeys=size)[0]
    assert after == [key for key in there(keys) if key.startswith("ada/" + prefix) and key > "ada/" + start]


def _possible(name: str) -> bool:
    return all(part not in ("", ".", "..") for part in name.split("/"))


def rolled_up(keys: list[str], prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    """What S3 says a listing holds, computed the slow way."""
    plain, common = [], []
    for key in keys:
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            plain.append(key)
        elif key[: end + len(delimiter)] not in common:
            common.append(key[: end + len(delimiter)])
    return plain, common


def test_entries_say_what_the_objects_are(world: World) -> None:
    client = world.client()
    put = client.put_object(Bucket=BUCKET, Key="ada/x", Body=b"12345", ChecksumAlgorithm="SHA256")
    (entry,) = client.list_objects_v2(Bucket=BUCKET, Prefix="ada/", FetchOwner=True)["Contents"]
    head = client.head_object(Bucket=BUCKET, Key="ada/x")
    assert entry["ETag"] == put["ETag"] == head["ETag"]
    assert entry["LastModified"] == head["LastModified"]
    assert (entry["Size"], entry["StorageClass"]) == (5, "STANDARD")
    assert entry["ChecksumAlgorithm"] == ["SHA256"]
    assert entry["Owner"]["ID"] == "workspacesio"
    assert "Owner" not in client.list_objects_v2(Bucket=BUCKET, Prefix="ada/")["Contents"][0]
    (version,) = client.list_object_versions(Bucket=BUCKET, Prefix="ada/")["Versions"]
    assert (version["VersionId"], version["IsLatest"], version["ETag"]) == ("null", True, put["ETag"])
    assert "Owner" in client.list_objects(Bucket=BUCKET, Prefix="ada/")["Contents"][0]


def test_keys_can_be_had_encoded(world: World) -> None:
    fill(world, ["ada/a b+c&é"])
    plain = world.raw("GET", f"/{BUCKET}?list-type=2&prefix=ada%2F")
    assert "<Key>ada/a b+c&amp;é</Key>".encode() in plain.body
    encoded = world.raw("GET", f"/{BUCKET}?list-type=2&prefix=ada%2F&encoding-type=url")
    assert b"<Key>ada/a%20b%2Bc%26%C3%A9</Key>" in encoded.body
    assert world.raw("GET", f"/{BUCKET}?prefix=ada%2F&encoding-type=base64").code == "InvalidArgument"


def test_control_characters_do_not_break_clients_that_ask_for_encoding(world: World) -> None:
    fill(world, ["ada/bell\x07\nline\rtab\t"])
    assert v2(world, Prefix="ada/")[0] == ["ada/bell\x07\nline\rtab\t"]


@pytest.mark.parametrize("size", ["0", "5000", "1", ""])
def test_max_keys(world: World, size: str) -> None:
    fill(world)
    answer = world.raw("GET", f"/{BUCKET}?list-type=2&prefix=ada%2F&max-keys={size}")
    assert answer.status == 200
    shown = {"0": 0, "5000": 1000, "1": 1, "": 1000}[size]
    assert f"<MaxKeys>{shown}</MaxKeys>".encode() in answer.body
    assert answer.body.count(b"<Key>") == min(shown, len(there()))
    assert (b"<IsTruncated>true</IsTruncated>" in answer.body) == (size == "1")


@pytest.mark.parametrize("size", ["-1", "x", "1.5", "%C2%B2", "9" * 30])
def test_max_keys_that_are_no_number(world: World, size: str) -> None:
    answer = world.raw("GET", f"/{BUCKET}?list-type=2&prefix=ada%2F&max-keys={size}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


# --- staying inside ----------------------------------------------------------------------------------------


def neighbours(world: World) -> None:
    """bob may read `a/`; `ab/`, `aa` and `b/` are others'."""
    for key in ("a/1", "a/2", "ab/secret", "aa", "b/secret", "a-b/secret", "a0"):
        os.makedirs(os.path.dirname(world.path(key)), exist_ok=True)
        with open(world.path(key), "w") as file:
            file.write(key)
    world.rights.share("bob", BUCKET, "a/", Level.READ)


@pytest.mark.parametrize("prefix", ["", "a", "ab", "ab/", "a-", "b/", "nothing/", "../", "A/"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_prefixes_outside_one_s_sight_are_denied(world: World, prefix: str, delimiter: str) -> None:
    neighbours(world)
    client = world.client(world.bob)
    for call in (
        client.list_objects,
        client.list_objects_v2,
        client.list_object_versions,
        client.list_multipart_uploads,
    ):
        assert refusal(call, Bucket=BUCKET, Prefix=prefix, Delimiter=delimiter) == (403, "AccessDenied")


@pytest.mark.parametrize("after", ["", "0", "a", "a/", "a/1", "a/zzz", "a0", "ab/", "b/secret", "\U0010ffff"])
def test_nothing_leads_outside_the_prefix(world: World, after: str) -> None:
    neighbours(world)
    client = world.client(world.bob)
    expected = [key for key in ("a/1", "a/2") if key > after]
    for answer, entries in (
        (client.list_objects_v2(Bucket=BUCKET, Prefix="a/", StartAfter=after), "Contents"),
        (client.list_objects(Bucket=BUCKET, Prefix="a/", Marker=after), "Contents"),
        (client.list_object_versions(Bucket=BUCKET, Prefix="a/", KeyMarker=after), "Versions"),
    ):
        assert [entry["Key"] for entry in answer.get(entries, [])] == expected
        assert not answer.get("CommonPrefixes")


@pytest.mark.parametrize("delimiter", ["a", "1", "a/", "secret"])
def test_no_delimiter_names_a_neighbour(world: World, delimiter: str) -> None:
    neighbours(world)
    answer = world.client(world.bob).list_objects_v2(Bucket=BUCKET, Prefix="a/", Delimiter=delimiter)
    shown = [entry["Key"] for entry in answer.get("Contents", [])]
    shown += [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]
    assert shown
    assert all(name.startswith("a/") for name in shown)


def _token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "token", [_token("ab/"), _token(""), _token("a"), "", "!", "YS8", _token("a/1") + "==", "é", "YS8x\n"]
)
def test_tokens_of_other_listings_are_refused(world: World, token: str) -> None:
    neighbours(world)
    client = world.client(world.bob)
    assert refusal(client.list_objects_v2, Bucket=BUCKET, Prefix="a/", ContinuationToken=token) == (
        400,
        "InvalidArgument",
    )


def test_prefixes_that_climb_find_nothing(world: World) -> None:
    neighbours(world)
    client = world.client(world.bob)
    for prefix in ("a/../", "a/../b/", "a//", "a/./", "a/%2e%2e/", "a/*"):
        assert client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"] == 0


def test_an_unshared_listing_ends_between_two_pages(world: World) -> None:
    fill(world)
    client = world.client()
    page = client.list_objects_v2(Bucket=BUCKET, Prefix="ada/", MaxKeys=1)
    world.rights.unshare("ada", BUCKET, "ada/")
    assert refusal(
        client.list_objects_v2,
        Bucket=BUCKET,
        Prefix="ada/",
        ContinuationToken=page["NextContinuationToken"],
    ) == (403, "AccessDenied")
