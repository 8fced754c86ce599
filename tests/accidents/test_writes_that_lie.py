"""Accident: writes that lie. What was not sent whole and true leaves no object, and what was there stays as
it was."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from accidents.lab import BUCKET, Lab
from accidents.wire import Answer, Keys, from_every_worker, read_answer
from servers.installed import installed

OLD = b"what was there before"


@dataclass
class Scene:
    """ada's workspace `w` with one file; `target` is its address."""

    lab: Lab
    keys: Keys

    @property
    def target(self) -> str:
        return f"/{BUCKET}/w/file"

    def untouched(self) -> None:
        """The file is what it was, and nothing but it is in the workspace."""
        assert os.listdir(self.lab.path("w")) == ["file"]
        with open(self.lab.path("w/file"), "rb") as file:
            assert file.read() == OLD
        assert self.keys.get(self.target).body == OLD

    def nothing_staged(self) -> None:
        """No temporary file is left in the staging folder."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            left = [
                os.path.join(folder, name)
                for folder, _, files in os.walk(self.lab.path(".workspacesio"))
                for name in files
                if "/new" in folder or name.startswith("tmp-")
            ]
            if not left:
                return
            time.sleep(0.05)
        raise AssertionError(left)


@pytest.fixture(scope="module")
def keys(lab: Lab) -> Keys:
    lab.write("w/file", OLD)
    lab.imported("w")
    return lab.ada.keys("w")


@pytest.fixture
def scene(lab: Lab, keys: Keys) -> Iterator[Scene]:
    lab.write("w/file", OLD)
    yield Scene(lab, keys)
    for name in os.listdir(lab.path("w")):
        if name != "file":
            subprocess.run(["rm", "-rf", lab.path("w", name)], check=True)


# --- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 50_000, 200_000, 5_000_000])
@pytest.mark.parametrize("sent", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("how", ["reset", "close", "half-close"])
def test_a_connection_dropped_in_mid_upload_leaves_the_object_as_it_was(
    scene: Scene, size: int, sent: float, how: str
) -> None:
    headers = scene.keys.sign("PUT", scene.target) | {"content-length": str(size)}
    with scene.keys.connect() as connection:
        connection.sendall(scene.keys.head_of("PUT", scene.target, headers) + b"n" * int(size * sent))
        time.sleep(0.02)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "half-close":
            connection.shutdown(socket.SHUT_WR)
            answer = read_answer(connection)
            assert answer is None or answer.status == 400, answer
    scene.untouched()
    scene.nothing_staged()


def test_a_dropped_part_and_a_dropped_copy_of_one_leave_no_part(scene: Scene) -> None:
    begun = scene.keys.request("POST", f"{scene.target}2?uploads")
    upload = begun.texts("UploadId")[0]
    target = f"{scene.target}2?partNumber=1&uploadId={upload}"
    headers = scene.keys.sign("PUT", target) | {"content-length": "1000000"}
    with scene.keys.connect() as connection:
        connection.sendall(scene.keys.head_of("PUT", target, headers) + b"n" * 600_000)
        time.sleep(0.1)
    time.sleep(0.2)
    assert scene.keys.get(f"{scene.target}2?uploadId={upload}").texts("PartNumber") == []
    part = (
        b"<Part><PartNumber>1</PartNumber><ETag>%b</ETag></Part>"
        % hashlib.md5(b"n" * 600_000).hexdigest().encode()
    )
    completion = b"<CompleteMultipartUpload>%b</CompleteMultipartUpload>" % part
    answer = scene.keys.request("POST", f"{scene.target}2?uploadId={upload}", completion)
    assert (answer.status, answer.code) == (400, "InvalidPart")
    assert scene.keys.request("DELETE", f"{scene.target}2?uploadId={upload}").status == 204
    scene.untouched()


def test_bytes_beyond_the_declared_length_belong_to_no_object_and_no_request(scene: Scene) -> None:
    smuggled = f"{scene.target}-smuggled"
    headers = scene.keys.sign("PUT", f"{scene.target}-short") | {"content-length": "5"}
    tail = b"DELETE " + scene.target.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    with scene.keys.connect() as connection:
        connection.sendall(scene.keys.head_of("PUT", f"{scene.target}-short", headers) + b"12345" + tail)
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status == 200
    assert scene.keys.get(f"{scene.target}-short").body == b"12345"
    assert scene.keys.get(smuggled).status == 404
    assert scene.keys.get(scene.target).body == OLD


def put_declaring(scene: Scene, body: bytes, **headers: str) -> Answer:
    return scene.keys.request(
        "PUT",
        scene.target,
        body,
        {name.replace("_", "-"): value for name, value in headers.items()},
        payload="UNSIGNED-PAYLOAD",
    )


def crc32(data: bytes) -> str:
    return base64.b64encode(struct.pack(">I", zlib.crc32(data))).decode()


@pytest.mark.parametrize(
    ("headers", "codes"),
    [
        ({"content-md5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, {"BadDigest"}),
        ({"content-md5": "nonsense"}, {"InvalidDigest"}),
        ({"content-md5": ""}, {"InvalidDigest"}),
        ({"x-amz-checksum-crc32": crc32(b"other")}, {"BadDigest"}),
        ({"x-amz-checksum-crc32": "AAAA"}, {"InvalidRequest"}),
        ({"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"other").digest()).decode()}, {"BadDigest"}),
        ({"x-amz-checksum-sha1": base64.b64encode(hashlib.sha1(b"other").digest()).decode()}, {"BadDigest"}),
        ({"x-amz-checksum-crc32c": "AAAAAA=="}, {"BadDigest"}),
        ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, {"BadDigest"}),
        ({"x-amz-checksum-crc32": crc32(b"new"), "x-amz-checksum-sha1": "AAAA"}, {"InvalidRequest"}),
        ({"x-amz-trailer": "x-amz-checksum-crc32"}, {"MalformedTrailerError", "InvalidRequest", "IncompleteBody"}),
    ],
)
def test_a_digest_that_is_not_the_body_s_leaves_the_object_as_it_was(
    scene: Scene, headers: dict[str, str], codes: set[str]
) -> None:
    answer = put_declaring(scene, b"new", **headers)
    if headers == {"x-amz-trailer": "x-amz-checksum-crc32"} and answer.status == 200:
        pytest.fail("a trailer that was announced and never came was not missed")
    assert answer.status == 400, answer
    assert answer.code in codes, answer
    scene.untouched()
    scene.nothing_staged()


def test_a_body_other_than_the_signed_hash_leaves_the_object_as_it_was(scene: Scene) -> None:
    for size in (3, 100_000):
        headers = scene.keys.sign("PUT", scene.target, payload=hashlib.sha256(b"signed" * size).hexdigest())
        answer = scene.keys.send("PUT", scene.target, headers, b"forged" * size)
        assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    scene.untouched()


CHUNKED = {"content-encoding": "aws-chunked"}


def put_chunks(scene: Scene, body: bytes, length: int, *, payload: str, **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given |= CHUNKED | {"x-amz-decoded-content-length": str(length)}
    signed = scene.keys.sign("PUT", scene.target, given, payload=payload)
    return scene.keys.send("PUT", scene.target, signed, body)


TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


@pytest.mark.parametrize(
    ("body", "length", "announced"),
    [
        (
            b"3\r\nnew\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % crc32(b"other").encode(),
            3,
            "x-amz-checksum-crc32",
        ),
        (b"3\r\nnew\r\n0\r\n\r\n", 3, "x-amz-checksum-crc32"),
        (b"3\r\nnew\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % crc32(b"new").encode(), 4, "x-amz-checksum-crc32"),
        (b"3\r\nnew\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % crc32(b"new").encode(), 2, "x-amz-checksum-crc32"),
        (b"3\r\nnew\r\n0\r\nx-amz-checksum-crc32:%b" % crc32(b"new").encode(), 3, "x-amz-checksum-crc32"),
        (b"3\r\nnew\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n", 3, "x-amz-checksum-crc32"),
        (b"3\r\nnew\r\n0\r\nx-amz-meta-a:b\r\n\r\n", 3, "x-amz-meta-a"),
        (b"3\r\nnewer\r\n0\r\n\r\n", 3, ""),
        (b"5\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"3\r\nnew\r\n", 3, ""),
        (b"3\r\nnew", 3, ""),
        (b"new", 3, ""),
        (b"-3\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"0x3\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"3;a=b\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"3\nnew\n0\n\n", 3, ""),
        (b"FFFFFFFFFFFFFFFF\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"3\r\nnew\r\n0\r\n\r\n3\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"3\r\nnew\r\n0\r\n\r\n", 6, ""),
        (b"0\r\n\r\n3\r\nnew\r\n0\r\n\r\n", 3, ""),
        (b"A" * 70_000, 3, ""),
    ],
)
def test_a_broken_stream_of_chunks_leaves_the_object_as_it_was(
    scene: Scene, body: bytes, length: int, announced: str
) -> None:
    more = {"x-amz-trailer": announced} if announced else {}
    answer = put_chunks(scene, body, length, payload=TRAILER, **more)
    assert answer.status == 400, answer
    scene.untouched()
    scene.nothing_staged()


@pytest.mark.parametrize("broken", ["signature", "data", "order", "last", "swapped"])
def test_a_chunk_signature_that_breaks_in_the_middle_leaves_the_object_as_it_was(
    scene: Scene, broken: str
) -> None:
    chunks = [bytes([65 + number]) * 70_000 for number in range(4)]
    headers = scene.keys.sign(
        "PUT", scene.target, CHUNKED | {"x-amz-decoded-content-length": str(4 * 70_000)}, payload=SIGNED
    )
    body = scene.keys.signed_chunks(headers, chunks)
    pieces = re.split(rb"(?=[0-9a-f]+;chunk-signature=)", body)[1:]
    pieces = [piece for piece in pieces if piece]
    if broken == "signature":
        body = body.replace(pieces[2][:30], pieces[2][:22] + b"0" * 8)
    elif broken == "data":
        body = body.replace(b"CCCC", b"CXCC", 1)
    elif broken == "order":
        body = body.replace(b"B" * 70_000, b"?" * 70_000).replace(b"C" * 70_000, b"B" * 70_000)
        body = body.replace(b"?" * 70_000, b"C" * 70_000)
    elif broken == "last":
        body = body[:-80] + b"0" * 64 + body[-16:]
    else:
        other = scene.keys.sign("PUT", scene.target + "-other", CHUNKED, payload=SIGNED)
        body = scene.keys.signed_chunks(other, chunks)
    answer = scene.keys.send("PUT", scene.target, headers, body)
    assert answer.status in (400, 403), answer
    assert answer.code in ("SignatureDoesNotMatch", "IncompleteBody"), answer
    scene.untouched()
    scene.nothing_staged()
    good = scene.keys.send("PUT", scene.target, headers, scene.keys.signed_chunks(headers, chunks))
    assert good.status == 200
    assert scene.keys.get(scene.target).body == b"".join(chunks)


def test_the_same_signed_chunks_make_no_second_object(scene: Scene) -> None:
    headers = scene.keys.sign("PUT", scene.target, CHUNKED | {"x-amz-decoded-content-length": "3"}, payload=SIGNED)
    body = scene.keys.signed_chunks(headers, [b"new"])
    assert scene.keys.send("PUT", scene.target + "2", headers, body).status == 403
    scene.untouched()


# --- part lists --------------------------------------------------------------------------------------------


def test_a_part_list_that_skips_repeats_or_forges_makes_no_object(scene: Scene) -> None:
    target = f"{scene.target}-parts"
    upload = scene.keys.request("POST", f"{target}?uploads").texts("UploadId")[0]
    etags = {}
    for number in (1, 2, 4):
        part = scene.keys.put(f"{target}?partNumber={number}&uploadId={upload}", bytes([number]) * (5 << 20))
        etags[number] = part.headers["etag"]

    def complete(*parts: tuple[object, str]) -> Answer:
        body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts)
        document = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>"
        return scene.keys.request("POST", f"{target}?uploadId={upload}", document.encode())

    one, two, four = ((number, etags[number]) for number in (1, 2, 4))
    wrong = {
        (): {"MalformedXML"},
        (two, one): {"InvalidPartOrder"},
        (one, one): {"InvalidPartOrder"},
        (one, (2, etags[1])): {"InvalidPart"},
        (one, (3, etags[1])): {"InvalidPart"},
        (one, (2, '"' + "0" * 32 + '"')): {"InvalidPart"},
        ((0, etags[1]),): {"InvalidArgument", "MalformedXML", "InvalidPart"},
        ((-1, etags[1]),): {"InvalidArgument", "MalformedXML", "InvalidPart"},
        ((10_001, etags[1]),): {"InvalidArgument", "MalformedXML", "InvalidPart"},
        (("1e0", etags[1]),): {"InvalidArgument", "MalformedXML", "InvalidPart"},
        (("\u0661", etags[1]),): {"InvalidArgument", "MalformedXML", "InvalidPart"},
    }
    for parts, codes in wrong.items():
        answer = complete(*parts)
        assert answer.status == 400, (parts, answer)
        assert answer.code in codes, (parts, answer)
        assert not os.path.exists(scene.lab.path("w/file-parts"))
    assert complete(one, four).status == 200
    with open(scene.lab.path("w/file-parts"), "rb") as file:
        assert file.read() == b"\1" * (5 << 20) + b"\4" * (5 << 20)


def test_an_overwrite_is_never_seen_half_done(scene: Scene) -> None:
    """While it is written over again and again, every reader on every worker sees one whole version."""
    versions = [bytes([65 + number]) * 300_000 for number in range(3)]
    assert scene.keys.put(scene.target, versions[0]).status == 200
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for version in versions:
                assert scene.keys.put(scene.target, version).status == 200

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            for answer in from_every_worker(lambda: scene.keys.get(scene.target)):
                assert answer.body in versions
                assert answer.headers["etag"].strip('"') == hashlib.md5(answer.body).hexdigest()
    finally:
        stop.set()
        writer.join()


# --- folders and files in each other's way -----------------------------------------------------------------


def test_a_folder_where_a_file_must_go_and_the_reverse_are_clear_errors(scene: Scene) -> None:
    keys, lab = scene.keys, scene.lab
    lab.write("w/folder/inside", b"inside")
    for target, body in (
        (f"/{BUCKET}/w/folder", b"no"),
        (f"/{BUCKET}/w/file/under", b"no"),
        (f"/{BUCKET}/w/file/", b""),
    ):
        answer = keys.put(target, body)
        assert answer.status in (400, 409), answer
        copied = keys.request("PUT", target, headers={"x-amz-copy-source": scene.target})
        assert copied.status in (400, 409), copied
        begun = keys.request("POST", f"{target}?uploads")
        assert begun.status in (400, 409), begun
        assert lab.folder.encode() not in answer.body + copied.body + begun.body
    assert keys.put(f"/{BUCKET}/w/folder/", b"not empty").status == 400
    assert keys.request("DELETE", f"/{BUCKET}/w/folder").status == 204
    assert keys.request("DELETE", f"/{BUCKET}/w/folder/").status == 204
    with open(lab.path("w/folder/inside"), "rb") as file:
        assert file.read() == b"inside"
    subprocess.run(["rm", "-rf", lab.path("w/folder")], check=True)
    scene.untouched()


def test_a_folder_that_appears_during_the_upload_is_not_replaced(scene: Scene) -> None:
    body = b"n" * 1_000_000
    target = f"/{BUCKET}/w/late"
    headers = scene.keys.sign("PUT", target) | {"content-length": str(len(body))}
    with scene.keys.connect() as connection:
        connection.sendall(scene.keys.head_of("PUT", target, headers) + body[:500_000])
        time.sleep(0.2)
        scene.lab.write("w/late/inside", b"inside")
        connection.sendall(body[500_000:])
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status in (400, 409), answer
    assert os.listdir(scene.lab.path("w/late")) == ["inside"]


def test_a_folder_swapped_for_a_link_during_the_upload_leads_nowhere(scene: Scene) -> None:
    body = b"n" * 1_000_000
    scene.lab.write("w/sub/there", b"x")
    scene.lab.write("outside/kept", b"kept")
    target = f"/{BUCKET}/w/sub/new"
    headers = scene.keys.sign("PUT", target) | {"content-length": str(len(body))}
    with scene.keys.connect() as connection:
        connection.sendall(scene.keys.head_of("PUT", target, headers) + body[:500_000])
        time.sleep(0.2)
        os.rename(scene.lab.path("w/sub"), scene.lab.path("w/sub-before"))
        os.symlink(scene.lab.path("outside"), scene.lab.path("w/sub"))
        connection.sendall(body[500_000:])
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status in (400, 403, 409, 503), answer
    assert os.listdir(scene.lab.path("outside")) == ["kept"]
    assert os.listdir(scene.lab.path("w/sub-before")) == ["there"]


# --- ETags -------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(scene: Scene) -> str:
    """Files that were there before the service, of sizes around what clients do differently."""
    for size in (0, 1, 100, 70_000, 6_000_000):
        scene.lab.write(f"w/tree/size-{size}", os.urandom(size))
    scene.lab.write("w/tree/sub/a", b"a")
    return scene.lab.path("w/tree")


def test_no_etag_of_an_existing_file_looks_like_an_md5(scene: Scene, tree: str) -> None:
    for page in (scene.keys.list(BUCKET, "w/tree/"), scene.keys.get(f"/{BUCKET}?prefix=w/tree/")):
        etags = [etag.replace("&quot;", "") for etag in page.texts("ETag")]
        assert len(etags) == 6
        for etag in etags:
            assert not re.fullmatch(r"[0-9a-f]{32}", etag), etag
    headers = scene.keys.request("HEAD", f"/{BUCKET}/w/tree/sub/a").headers
    assert not re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    stored = scene.keys.put(f"/{BUCKET}/w/tree/sub/a", b"now known")
    assert stored.headers["etag"].strip('"') == hashlib.md5(b"now known").hexdigest()


def test_rclone_does_not_call_existing_files_corrupt(scene: Scene, tree: str, tmp_path: object) -> None:
    keys = scene.keys
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "RCLONE_CONFIG": os.path.join(str(tmp_path), "rclone.conf"),
        "RCLONE_CONFIG_WIO_TYPE": "s3",
        "RCLONE_CONFIG_WIO_PROVIDER": "Other",
        "RCLONE_CONFIG_WIO_ENV_AUTH": "true",
        "RCLONE_CONFIG_WIO_ENDPOINT": f"http://{keys.host}:{keys.port}",
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_SESSION_TOKEN": str(keys.token),
    }

    def rclone(*arguments: str) -> str:
        done = subprocess.run(
            [installed("rclone"), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    rclone("copy", f"wio:{BUCKET}/w/tree", os.path.join(str(tmp_path), "copy"))
    for arguments in (["check"], ["check", "--download"], ["copy", "--checksum"], ["sync", "--dry-run"]):
        said = rclone(*arguments, "-v", tree, f"wio:{BUCKET}/w/tree")
        assert "differ" not in said.replace("0 differences", ""), said
        assert "corrupt" not in said
    rclone("copy", "--checksum", os.path.join(str(tmp_path), "copy"), f"wio:{BUCKET}/w/copied")
    rclone("check", tree, f"wio:{BUCKET}/w/copied")


def test_mc_diff_and_mirror_find_existing_files_equal(scene: Scene, tree: str, tmp_path: object) -> None:
    keys = scene.keys
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MC_HOST_wio": f"http://{keys.access_key}:{keys.secret}:{keys.token}@{keys.host}:{keys.port}",
    }
    folder = os.path.join(str(tmp_path), "mirrored")

    def mc(*arguments: str) -> str:
        done = subprocess.run(
            [installed("mc"), "--json", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mc("mirror", f"wio/{BUCKET}/w/tree", folder)
    assert sorted(os.listdir(folder)) == sorted(os.listdir(tree))
    assert mc("diff", f"wio/{BUCKET}/w/tree", tree) == ""
    # 7: the time alone differs, as S3 shows whole seconds; 1 to 6 would be ETag, size, metadata, type or absence.
    assert {json.loads(line)["diff"] for line in mc("diff", tree, f"wio/{BUCKET}/w/tree").splitlines()} <= {7}
    copied = [json.loads(line) for line in mc("mirror", tree, f"wio/{BUCKET}/w/tree").splitlines()]
    assert [one for one in copied if one.get("source")] == []
    with (
        open(os.path.join(tree, "size-6000000"), "rb") as first,
        open(os.path.join(folder, "size-6000000"), "rb") as second,
    ):
        assert first.read() == second.read()
