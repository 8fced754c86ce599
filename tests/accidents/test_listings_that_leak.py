"""Accident: listings that leak. Nothing that is listed, counted or answered depends on what lies outside
one's sight; what is hidden is answered as what isn't there, to the byte."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from accidents.api import Api
from accidents.lab import BUCKET, Lab, running_lab
from accidents.wire import Answer, Keys, encoded

HIDDEN = ("secret", "neighbour", "hidden", "later", "earlier")
SHOWN = ["mine/a-b", "mine/a/b", "mine/a0", "mine/deep/er/file", "mine/z"]


@dataclass
class Scene:
    """bob reads `mine/` of ada's workspace `ws`; around it lie things that he doesn't see."""

    lab: Lab
    keys: Keys
    owner: Keys
    workspace: int


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    for path in SHOWN:
        lab.write(f"ws/{path}", path.encode())
    for path in (
        "ws/earlier/secret",
        "ws/later",
        "ws/mine-neighbour/secret",
        "ws/mine0/secret",
        "ws/minehidden",
        "ws/neighbour/secret",
        "ws-neighbour/secret",
        "aaa-hidden/secret",
        "zzz-hidden/secret",
    ):
        lab.write(path, b"not for bob")
    workspace = lab.imported("ws")
    lab.imported("zzz-hidden")
    lab.ada.share(workspace, "bob", "readwrite", "mine/")
    return Scene(lab, lab.bob.keys("ada/ws"), lab.ada.keys(), workspace)


def shown_only(answer: Answer) -> None:
    """Every key, prefix and marker in the answer lies in `ws/mine/`."""
    for element in ("Key", "NextMarker", "NextKeyMarker"):
        for text in answer.texts(element):
            assert text.startswith("ws/mine/"), (element, text)
    for common in re.findall(rb"<CommonPrefixes><Prefix>([^<]*)<", answer.body):
        assert common.startswith(b"ws/mine/"), common
    for token in answer.texts("NextContinuationToken"):
        assert base64.urlsafe_b64decode(token).startswith(b"ws/mine/"), token


PREFIXES = [
    "", "w", "ws", "ws/", "ws/m", "ws/mine", "ws/mine-", "ws/mine-neighbour/", "ws/mine0/", "ws/minehidden",
    "ws/neighbour/", "ws/mine/..", "ws/mine/../", "ws/mine/../neighbour/", "ws/mine/./../neighbour/",
    "ws//mine/", "/ws/mine/",
    "ws/mine\\", "zzz-hidden/", "ws-", "ws-neighbour/", ".", "..", "/", "*", "ws/mine*", "ws/*", "private/",
    "private/ada/",
    ".workspacesio/", "ws/.workspacesio/", "\udcff", "ws/MINE/", "WS/mine/",
]  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("kind", ["list-type=2", "", "versions", "uploads"])
def test_a_prefix_outside_the_share_is_denied_whether_it_is_there_or_not(
    scene: Scene, prefix: str, kind: str
) -> None:
    raw = encoded(prefix.encode("utf-8", "surrogateescape"))
    for rest in ("", "&delimiter=/", "&delimiter=/&max-keys=1", "&max-keys=0", "&encoding-type=url"):
        answer = scene.keys.get(f"/{BUCKET}?{kind}&prefix={raw}{rest}".replace("?&", "?"))
        assert answer.status in (400, 403) or answer.texts("Key") == [], (prefix, answer)
        assert answer.status != 200 or prefix.startswith("ws/mine/"), (prefix, answer)
        assert not any(
            name.encode() in answer.body.replace(prefix.encode("utf-8", "replace"), b"") for name in HIDDEN
        )


STARTS = [
    "", "a", "ws", "ws/", "ws/earlier/", "ws/mine", "ws/mine/", "ws/mine/a", "ws/mine/a/", "ws/mine/deep/",
    "ws/mine/z",
    "ws/mine/\U0010ffff", "ws/mine0", "ws/neighbour", "zzz", "\U0010ffff", "ws/mine/../neighbour/", "/", "..",
    "ws/mine/..",
]  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
def test_where_a_listing_starts_never_leads_outside(scene: Scene, start: str) -> None:
    expected = [f"ws/{path}" for path in SHOWN if f"ws/{path}" > start]
    for parameter in ("start-after", "marker", "key-marker"):
        kind = {"start-after": "list-type=2&", "marker": "", "key-marker": "versions&"}[parameter]
        answer = scene.keys.get(f"/{BUCKET}?{kind}prefix=ws/mine/&{parameter}={encoded(start)}")
        assert answer.status == 200, answer
        assert answer.texts("Key") == expected, (parameter, start)
        shown_only(answer)
        paged = []
        after = start
        for _ in range(20):
            page = scene.keys.get(f"/{BUCKET}?prefix=ws/mine/&delimiter=/&max-keys=1&marker={encoded(after)}")
            shown_only(page)
            paged += page.texts("Key") + re.findall(r"<CommonPrefixes><Prefix>([^<]*)<", page.body.decode())
            if page.texts("IsTruncated") == ["false"]:
                break
            after = page.texts("NextMarker")[0]
        assert set(paged) <= {"ws/mine/a-b", "ws/mine/a/", "ws/mine/a0", "ws/mine/deep/", "ws/mine/z"}


@pytest.mark.parametrize(
    "delimiter", ["/", "m", "mine", "ws", "ws/mine/", "e/", "a", "-", "0", "//", "..", "\0", "\n", "%", "x" * 2000]
)
def test_no_delimiter_names_a_neighbour(scene: Scene, delimiter: str) -> None:
    for prefix in ("ws/mine/", "ws/mine/a", "ws/mine/a/", "ws/mine/deep/"):
        for kind in ("list-type=2&", "", "versions&", "uploads&"):
            answer = scene.keys.get(f"/{BUCKET}?{kind}prefix={prefix}&delimiter={encoded(delimiter)}")
            assert answer.status in (200, 400), answer
            shown_only(answer)
            assert not any(name in answer.body.decode() for name in HIDDEN), answer


def test_tokens_of_another_listing_and_forged_ones_lead_nowhere(scene: Scene) -> None:
    page = scene.owner.list(BUCKET, "ws/", max_keys="1")
    (others,) = page.texts("NextContinuationToken")
    forged = [others, "", "x", "%", "=", "====", "*", others[:-1], others + "A", "A" * 5000]
    forged += [
        base64.urlsafe_b64encode(text.encode("utf-8", "surrogateescape")).decode()
        for text in ("ws/", "ws/mine", "ws/later", "ws/mine0/", "zzz", "", "ws/min/later", "\udcff")
    ]
    forged += [
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"ws/mine/\xc3\xbf>>>???").decode(),
    ]
    for token in forged:
        answer = scene.keys.list(BUCKET, "ws/mine/", continuation_token=token)
        assert answer.status == 400 or answer.texts("Key") == [], (token, answer)
        shown_only(answer)
    (own,) = scene.keys.list(BUCKET, "ws/mine/", max_keys="2").texts("NextContinuationToken")
    assert scene.keys.list(BUCKET, "ws/mine/", continuation_token=own).texts("Key") == [
        f"ws/{path}" for path in SHOWN[2:]
    ]
    # The token that was given for one's own folder opens no other one.
    assert scene.keys.list(BUCKET, "ws/", continuation_token=own).status == 403


def test_uploads_of_others_are_not_listed_and_not_reached(scene: Scene) -> None:
    def begin(keys: Keys, key: str) -> str:
        answer = keys.request("POST", f"/{BUCKET}/{key}?uploads")
        assert answer.status == 200, answer
        return answer.texts("UploadId")[0]

    inside, outside = begin(scene.owner, "ws/mine/upload"), begin(scene.owner, "ws/later-upload")
    elsewhere = begin(scene.owner, "zzz-hidden/upload")
    listed = scene.keys.get(f"/{BUCKET}?uploads&prefix=ws/mine/")
    assert listed.texts("UploadId") == [inside]
    reader = scene.lab.bob.keys("ada/ws", read_only=True)
    assert reader.get(f"/{BUCKET}?uploads&prefix=ws/mine/").texts("UploadId") == []
    unknown = "0" * 32
    for upload in (outside, elsewhere):
        for ask in (
            lambda key, upload: scene.keys.get(f"/{BUCKET}/{key}?uploadId={upload}"),
            lambda key, upload: scene.keys.put(f"/{BUCKET}/{key}?partNumber=1&uploadId={upload}", b"no"),
            lambda key, upload: scene.keys.request("DELETE", f"/{BUCKET}/{key}?uploadId={upload}"),
            lambda key, upload: scene.keys.request(
                "POST",
                f"/{BUCKET}/{key}?uploadId={upload}",
                b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>d41d8cd98f00b204e9800998ecf8427e</ETag></Part>"
                b"</CompleteMultipartUpload>",
            ),
        ):
            same(ask("ws/mine/upload", upload), ask("ws/mine/upload", unknown), 404)
            same(ask("ws/later-upload", upload), ask("ws/later-upload", unknown), 403)
    assert scene.owner.get(f"/{BUCKET}/ws/later-upload?uploadId={outside}").status == 200
    for key, upload in (
        ("ws/mine/upload", inside),
        ("ws/later-upload", outside),
        ("zzz-hidden/upload", elsewhere),
    ):
        assert scene.owner.request("DELETE", f"/{BUCKET}/{key}?uploadId={upload}").status == 204


def same(hidden: Answer, absent: Answer, status: int) -> None:
    """Nothing tells the two apart but the names that were asked for, and the request's own number."""
    assert (hidden.status, absent.status) == (status, status), (hidden, absent)
    assert without_names(hidden) == without_names(absent)
    varying = {"x-amz-request-id", "date", "content-length"}
    assert {name: value for name, value in hidden.headers.items() if name not in varying} == {
        name: value for name, value in absent.headers.items() if name not in varying
    }


def without_names(answer: Answer) -> bytes:
    return re.sub(rb"<(RequestId|Resource|Key)>[^<]*</\1>", b"", answer.body)


REQUESTS: dict[str, Callable[[Keys, str], Answer]] = {
    "get": lambda keys, at: keys.get(at),
    "head": lambda keys, at: keys.request("HEAD", at),
    "get a range": lambda keys, at: keys.get(at, {"range": "bytes=0-3"}),
    "get a bad range": lambda keys, at: keys.get(at, {"range": "bytes=900000-"}),
    "get if none match": lambda keys, at: keys.get(at, {"if-none-match": "*"}),
    "get if match": lambda keys, at: keys.get(at, {"if-match": '"x"'}),
    "get a part": lambda keys, at: keys.get(f"{at}?partNumber=1"),
    "get a version": lambda keys, at: keys.get(f"{at}?versionId=null"),
    "attributes": lambda keys, at: keys.get(f"{at}?attributes", {"x-amz-object-attributes": "ObjectSize,ETag"}),
    "tags": lambda keys, at: keys.get(f"{at}?tagging"),
    "set tags": lambda keys, at: keys.put(f"{at}?tagging", b"<Tagging><TagSet/></Tagging>"),
    "put": lambda keys, at: keys.put(at, b"no"),
    "put if absent": lambda keys, at: keys.put(at, b"no", {"if-none-match": "*"}),
    "put if there": lambda keys, at: keys.put(at, b"no", {"if-match": "*"}),
    "delete": lambda keys, at: keys.request("DELETE", at),
    "begin upload": lambda keys, at: keys.request("POST", f"{at}?uploads"),
    "copy from": lambda keys, at: keys.request("PUT", f"/{BUCKET}/ws/mine/c", headers={"x-amz-copy-source": at}),
    "copy from if": lambda keys, at: keys.request(
        "PUT", f"/{BUCKET}/ws/mine/c", headers={"x-amz-copy-source": at, "x-amz-copy-source-if-match": '"x"'}
    ),
    "copy to": lambda keys, at: keys.request("PUT", at, headers={"x-amz-copy-source": f"/{BUCKET}/ws/mine/z"}),
    "list": lambda keys, at: keys.list(BUCKET, at.partition("/")[2].partition("/")[2]),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_hidden_object_is_answered_as_an_absent_one(scene: Scene, name: str) -> None:
    ask = REQUESTS[name]
    for hidden in (
        "ws/later",
        "ws/neighbour/secret",
        "ws/mine-neighbour/secret",
        "zzz-hidden/secret",
        "ws-neighbour/secret",
    ):
        absent = hidden[:-1] + "?"
        same(
            ask(scene.keys, f"/{BUCKET}/{encoded(hidden, '/')}"),
            ask(scene.keys, f"/{BUCKET}/{encoded(absent, '/')}"),
            403,
        )
    assert sorted(os.listdir(scene.lab.path("ws/mine"))) == ["a", "a-b", "a0", "deep", "z"]


def test_a_part_copied_from_a_hidden_source_is_answered_as_from_an_absent_one(scene: Scene) -> None:
    begun = scene.keys.request("POST", f"/{BUCKET}/ws/mine/parts?uploads")
    upload = begun.texts("UploadId")[0]
    target = f"/{BUCKET}/ws/mine/parts?partNumber=1&uploadId={upload}"

    def copy(source: str, **more: str) -> Answer:
        return scene.keys.request("PUT", target, headers={"x-amz-copy-source": source, **more})

    for more in ({}, {"x-amz-copy-source-range": "bytes=0-1"}, {"x-amz-copy-source-range": "bytes=0-99999"}):
        same(copy(f"/{BUCKET}/ws/later", **more), copy(f"/{BUCKET}/ws/laxxx", **more), 403)
        same(copy("/other/ws/later", **more), copy("/otheq/ws/later", **more), 403)
    assert copy(f"/{BUCKET}/ws/mine/absent").status == 404
    assert scene.keys.request("DELETE", f"/{BUCKET}/ws/mine/parts?uploadId={upload}").status == 204


def test_deleting_many_says_of_hidden_keys_what_it_says_of_absent_ones(scene: Scene) -> None:
    keys = [
        "ws/later",
        "ws/absent",
        "zzz-hidden/secret",
        "zzz-hidden/absent",
        "..",
        "ws/mine/../later",
        "ws/mine/no",
    ]
    body = "<Delete>" + "".join(f"<Object><Key>{key}</Key></Object>" for key in keys) + "</Delete>"
    answer = scene.keys.request("POST", f"/{BUCKET}?delete", body.encode())
    assert answer.status == 200
    errors = re.findall(r"<Error><Key>([^<]*)</Key>(.*?)</Error>", answer.body.decode())
    assert [key for key, _ in errors] == keys[:-1]
    assert len({text for _, text in errors}) == 1
    assert answer.texts("Key")[-1] == "ws/mine/no"
    assert scene.owner.request("HEAD", f"/{BUCKET}/ws/later").status == 200


@pytest.mark.parametrize(
    "kind", ["", "?location", "?versioning", "?list-type=2", "?uploads", "?versions", "?policy"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_bucket_out_of_sight_is_answered_as_one_that_is_not_there(
    buckets: tuple[Lab, Keys], method: str, kind: str
) -> None:
    lab, keys = buckets
    assert keys.get("/").texts("Name") == ["bucket-of-bob"]
    for hidden in ("bucket-of-ada", "empty-bucket", "no-root", "bucket-of-bob-too"):
        assert os.path.isdir(lab.path(hidden))
        first = keys.request(method, f"/{hidden}{kind}")
        second = keys.request(method, f"/never-was{kind}")
        same(first, second, first.status)
        assert first.status in ((403, 501) if method == "GET" else (403, 405, 501)), first
        if kind != "?policy":
            assert first.status != 501 or method == "HEAD"


def test_a_bucket_is_made_and_removed_by_operators_alone_and_others_learn_nothing(
    buckets: tuple[Lab, Keys],
) -> None:
    lab, keys = buckets
    for method in ("PUT", "DELETE"):
        same(keys.request(method, "/bucket-of-ada"), keys.request(method, "/never-was"), 403)
    assert os.path.isdir(lab.path("bucket-of-ada"))
    assert not os.path.exists(lab.path("never-was"))
    operator = lab.ada.keys()
    assert operator.request("DELETE", "/bucket-of-ada").status == 409
    # The operator of a node sees names, not contents: listing what isn't hers is refused.
    assert operator.list("bucket-of-bob", "").status == 403
    narrowed = lab.ada.keys("ada/bucket-of-ada")
    assert narrowed.request("PUT", "/another-one").status == 403
    assert lab.ada.keys(read_only=True).request("PUT", "/another-one").status == 403


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Keys]]:
    """A node whose folders are buckets, of which bob reaches one."""
    base = tmp_path_factory.mktemp("buckets")
    for name in ("bucket-of-ada", "bucket-of-bob", "bucket-of-bob-too", "empty-bucket"):
        (base / "data" / name).mkdir(parents=True)
        if name != "empty-bucket":
            (base / "data" / name / "file").write_bytes(b"x")
    with running_lab(str(base), options=["--buckets"]) as lab:
        for owner, name in (("ada", "bucket-of-ada"), ("bob", "bucket-of-bob")):
            lab.ada.import_folder("", root=name, owner=owner)
        os.mkdir(lab.path("no-root"))
        yield lab, lab.bob.keys()


def test_sizes_and_counts_do_not_tell_of_what_is_hidden(scene: Scene) -> None:
    seen = scene.lab.bob.workspace("ada/ws")
    assert (seen["level"], seen["objects"], seen["bytes"]) == (None, None, None)
    assert seen["folders"] == [{"folder": "mine/", "level": "readwrite"}]
    listed = scene.lab.bob.done("GET", "/workspaces")
    assert [(one["reference"], one["objects"]) for one in listed] == [("ada/ws", None)]
    assert scene.lab.carol.done("GET", "/workspaces") == []
    credential = scene.lab.bob.issue()
    assert [(one["reference"], one["level"]) for one in credential["workspaces"]] == [("ada/ws", None)]


def test_events_of_what_is_hidden_are_not_sent(scene: Scene) -> None:
    target = f"/{BUCKET}?events={encoded('s3:*')}&ping=1"
    with scene.keys.connect() as connection:
        connection.settimeout(0.5)
        connection.sendall(scene.keys.head_of("GET", target, scene.keys.sign("GET", target)))
        data = b""
        for _ in range(30):
            with contextlib.suppress(TimeoutError):
                data += connection.recv(65536)
            if b"200 OK" in data:
                break
        time.sleep(0.5)
        for key in ("later2", "neighbour/secret2", "mine-neighbour/secret2", "mine/event"):
            assert scene.owner.put(f"/{BUCKET}/ws/{key}", b"x").status == 200
        deadline = time.monotonic() + 5
        while b"mine%2Fevent" not in data and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                data += connection.recv(65536)
        assert b"mine%2Fevent" in data
        assert b"later2" not in data
        assert b"secret2" not in data
    for key in ("later2", "neighbour/secret2", "mine-neighbour/secret2", "mine/event"):
        assert scene.owner.request("DELETE", f"/{BUCKET}/ws/{key}").status == 204


def test_two_people_with_shares_beside_each_other_see_only_their_own(scene: Scene) -> None:
    lab: Lab = scene.lab
    for name in ("p", "p-1", "p.1", "p1", "p/q"):
        lab.write(f"side/{name}/file", b"x")
    workspace = lab.imported("side")
    lab.ada.share(workspace, "bob", "read", "p/")
    lab.ada.share(workspace, "carol", "read", "p-1/")
    people: list[tuple[Api, str, set[str]]] = [
        (lab.bob, "p/", {"side/p/file", "side/p/q/file"}),
        (lab.carol, "p-1/", {"side/p-1/file"}),
    ]
    for person, folder, expected in people:
        keys = person.keys("ada/side")
        assert set(keys.list(BUCKET, f"side/{folder}").texts("Key")) == expected
        for other in ("p", "p/", "p-", "p-1", "p-1/", "p.", "p.1/", "p1/", ""):
            if other != folder:
                assert keys.list(BUCKET, f"side/{other}").status == 403 or other.startswith(folder), other
