"""Accident: folders that are not a bucket. Links, devices, strange names and times, and things that change
while they are looked at: what can't be served is absent, and nothing else fails for it."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from accidents.lab import BUCKET, Lab, running_lab
from accidents.wire import Answer, Keys, key_path

SECRET = b"outside of the workspace"


@dataclass
class Scene:
    lab: Lab
    keys: Keys

    def path(self, *parts: str) -> str:
        return self.lab.path("ws", *parts)

    def get(self, key: str) -> Answer:
        return self.keys.get(key_path(BUCKET, f"ws/{key}"))

    def put(self, key: str, body: bytes = b"new") -> Answer:
        return self.keys.put(key_path(BUCKET, f"ws/{key}"), body)

    def listed(self, prefix: str = "") -> list[str]:
        answer = self.keys.list(BUCKET, f"ws/{prefix}")
        assert answer.status == 200, answer
        return [key.removeprefix("ws/") for key in answer.texts("Key")]


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    lab.write("ws/plain", b"plain")
    lab.write("other/secret", SECRET)
    lab.imported("ws")
    lab.imported("other", owner="carol")
    return Scene(lab, lab.ada.keys("ws"))


def test_links_out_of_the_workspace_are_absent_however_they_lead_there(scene: Scene) -> None:
    folder = scene.path("links")
    os.makedirs(folder)
    leading = {
        "absolute": "/etc/passwd",
        "etc": "/etc",
        "to-other": "../../other/secret",
        "to-other-folder": "../../other",
        "up": "..",
        "root": "/",
        "proc": os.path.join("/proc/self/root", "etc/passwd"),
        "environ": "/proc/self/environ",
        "fd": "/proc/self/fd/0",
        "state": scene.lab.service.state_dir,
        "secret": os.path.join(scene.lab.service.state_dir, "secret"),
        "staging": "../../.workspacesio",
        "self": "self",
        "one": "two",
        "two": "one",
        "nowhere": "does/not/exist",
        "through": "to-other-folder/secret",
        "long": "x" * 4000,
    }
    for name, target in leading.items():
        os.symlink(target, os.path.join(folder, name))
    inside = {"inside": "../plain", "inside-absolute": scene.path("plain")}
    for name, target in inside.items():
        os.symlink(target, os.path.join(folder, name))
    assert scene.listed("links/") == sorted(f"links/{name}" for name in inside)
    for name in leading:
        for key in (
            f"links/{name}",
            f"links/{name}/",
            f"links/{name}/passwd",
            f"links/{name}/secret",
            f"links/{name}/other/secret",
        ):
            answer = scene.get(key)
            assert (answer.status, answer.code) == (404, "NoSuchKey"), (key, answer)
            assert scene.put(key).status in (400, 403, 409), key
            copied = scene.keys.request(
                "PUT", f"/{BUCKET}/ws/copied", headers={"x-amz-copy-source": f"/{BUCKET}/ws/{key}"}
            )
            assert copied.status == 404, copied
            assert scene.keys.list(BUCKET, f"ws/{key}").texts("Key") == []
    assert scene.get("links/inside").body == b"plain"
    with open("/etc/passwd", "rb") as file:
        assert b"root:" in file.read(100)
    assert os.listdir(scene.lab.path("other")) == ["secret"]
    # Deleting a link's key removes at most the link.
    for name in leading:
        assert scene.keys.request("DELETE", f"/{BUCKET}/ws/links/{name}").status in (204, 400, 403, 409)
    with open(scene.lab.path("other/secret"), "rb") as file:
        assert file.read() == SECRET
    subprocess.run(["rm", "-rf", folder], check=True)


def test_a_link_in_a_shared_folder_opens_no_other_folder_of_the_workspace(scene: Scene) -> None:
    lab = scene.lab
    lab.write("ws/given/here", b"here")
    lab.write("ws/kept/secret", SECRET)
    os.symlink("../kept/secret", scene.path("given/file"))
    os.symlink("../kept", scene.path("given/folder"))
    workspace = lab.ada.workspace("ws")["id"]
    lab.ada.share(workspace, "bob", "readwrite", "given/")
    keys = lab.bob.keys("ada/ws")
    listed = keys.list(BUCKET, "ws/given/")
    assert listed.texts("Key") == ["ws/given/here"]
    for key in ("file", "folder/secret"):
        answer = keys.get(f"/{BUCKET}/ws/given/{key}")
        assert SECRET not in answer.body
        assert answer.status in (403, 404)
        assert keys.put(f"/{BUCKET}/ws/given/{key}", b"overwritten").status in (400, 403, 409)
        source = {"x-amz-copy-source": f"/{BUCKET}/ws/given/{key}"}
        assert keys.request("PUT", f"/{BUCKET}/ws/given/copy", headers=source).status in (403, 404)
    assert keys.put(f"/{BUCKET}/ws/given/folder/new", b"no").status in (400, 403, 409)
    with open(scene.path("kept/secret"), "rb") as file:
        assert file.read() == SECRET
    assert os.listdir(scene.path("kept")) == ["secret"]
    lab.ada.unshare(workspace, "bob", "given/")
    subprocess.run(["rm", "-rf", scene.path("given"), scene.path("kept")], check=True)


def exchange(first: str, second: str) -> None:
    """Swap two names at once: renameat2(2) with RENAME_EXCHANGE, relative to nothing (AT_FDCWD)."""
    if ctypes.CDLL(None, use_errno=True).renameat2(-100, first.encode(), -100, second.encode(), 2):
        raise OSError(ctypes.get_errno(), "renameat2")


def test_what_is_swapped_for_a_link_while_it_is_used_never_leads_outside(scene: Scene) -> None:
    other = scene.lab.path("other")
    scene.lab.write("ws/swap/file", b"inside")
    scene.lab.write("ws/swap/folder/file", b"inside")
    os.symlink(os.path.join(other, "secret"), scene.path("swap/link"))
    os.symlink(other, scene.path("swap/linked"))
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            exchange(scene.path("swap/file"), scene.path("swap/link"))
            exchange(scene.path("swap/folder"), scene.path("swap/linked"))

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            for key in ("swap/file", "swap/link", "swap/folder/file", "swap/folder/secret", "swap/linked/secret"):
                answer = scene.get(key)
                assert SECRET not in answer.body
                assert answer.status in (200, 404, 503), answer
                seen.add(answer.status)
            assert scene.put("swap/folder/new").status in (200, 400, 403, 409, 503)
            assert scene.keys.request("DELETE", f"/{BUCKET}/ws/swap/folder/secret").status in (
                204,
                400,
                403,
                409,
                503,
            )
            listed = scene.keys.list(BUCKET, "ws/swap/")
            assert listed.status == 200
            assert b"secret" not in listed.body
    finally:
        stop.set()
        swapper.join()
    assert seen >= {200, 404}
    assert os.listdir(other) == ["secret"]
    subprocess.run(["rm", "-rf", scene.path("swap")], check=True)


def test_sockets_devices_and_fifos_are_absent_and_hold_nobody_up(scene: Scene) -> None:
    folder = scene.path("odd")
    os.makedirs(folder)
    os.mkfifo(os.path.join(folder, "fifo"))
    os.mknod(os.path.join(folder, "zero"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(os.path.join(folder, "block"), stat.S_IFBLK | 0o666, os.makedev(7, 0))
    listening = socket.socket(socket.AF_UNIX)
    here = os.open(folder, os.O_RDONLY)
    try:
        listening.bind(f"/proc/self/fd/{here}/socket")
    finally:
        os.close(here)
    for name in ("fifo", "zero", "socket"):
        os.symlink(name, os.path.join(folder, f"link-to-{name}"))
    scene.lab.write("ws/odd/file", b"file")
    began = time.monotonic()
    assert scene.listed("odd/") == ["odd/file"]
    for name in ("fifo", "zero", "block", "socket", "link-to-fifo", "link-to-zero", "link-to-socket"):
        assert scene.get(f"odd/{name}").status == 404, name
        assert scene.put(f"odd/{name}").status in (400, 403, 409), name
        assert scene.keys.request("DELETE", f"/{BUCKET}/ws/odd/{name}").status in (204, 400, 403, 409), name
    assert time.monotonic() - began < 5
    assert stat.S_ISFIFO(os.lstat(os.path.join(folder, "fifo")).st_mode)
    listening.close()
    subprocess.run(["rm", "-rf", folder], check=True)


def test_what_group_and_others_may_not_read_is_absent(scene: Scene) -> None:
    scene.lab.write("ws/closed/file", SECRET)
    scene.lab.write("ws/open/closed-file", SECRET)
    scene.lab.write("ws/open/file", b"open")
    os.chmod(scene.path("closed"), 0o700)
    os.chmod(scene.path("open/closed-file"), 0o600)
    try:
        assert [key for key in scene.listed() if "closed" in key] == []
        for key in ("closed/file", "open/closed-file"):
            answer = scene.get(key)
            assert (answer.status, answer.code) == (404, "NoSuchKey")
            assert scene.put(key).status in (400, 403, 409), key
            assert scene.keys.request("DELETE", f"/{BUCKET}/ws/{key}").status in (204, 400, 403, 409)
        with open(scene.path("open/closed-file"), "rb") as file:
            assert file.read() == SECRET
        assert scene.keys.list(BUCKET, "ws/", delimiter="/").body.count(b"closed") == 0
    finally:
        subprocess.run(["rm", "-rf", scene.path("closed"), scene.path("open")], check=True)


def test_names_that_are_not_utf_8_are_left_out_counted_and_never_mistaken(scene: Scene) -> None:
    folder = scene.lab.path("bytes").encode()
    os.makedirs(folder)
    names = [b"caf\xe9", b"\xff\xfe", b"ok", b"\xed\xa0\x80", b"a\xc0\xafb", "\ufffd".encode()]
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(name)
    report = scene.lab.ada.import_folder("bytes")
    assert report["workspaces"][0]["objects"] == 2
    assert sum(one["count"] for one in report["not_served"]) == 4
    keys = scene.lab.ada.keys("bytes")
    assert keys.list(BUCKET, "bytes/").texts("Key") == ["bytes/ok", "bytes/\ufffd"]
    # The replacement character is its own name and stands for no other.
    assert keys.get(key_path(BUCKET, "bytes/\ufffd")).body == "\ufffd".encode()
    for raw in ("caf%E9", "%FF%FE", "%ED%A0%80", "a%C0%AFb"):
        assert keys.get(f"/{BUCKET}/bytes/{raw}").status in (400, 403, 404), raw
        assert keys.put(f"/{BUCKET}/bytes/{raw}", b"no").status in (400, 403), raw
        assert keys.get(f"/{BUCKET}?list-type=2&prefix=bytes/{raw}").status in (400, 403), raw
    assert sorted(os.listdir(folder)) == sorted(names)


HOSTILE = [
    "<script>",
    "a&b",
    "]]>",
    "\x01\x02",
    "\x1b[31m",
    "a\nb",
    "a\rb",
    '"',
    "'",
    "\u2028",
    "\ufeffa",
    "%00",
    "+",
    " ",
    "a  b",
    "\x7f",
]


def test_hostile_names_are_listed_read_and_written_as_they_are(scene: Scene) -> None:
    for name in HOSTILE:
        scene.lab.write(f"ws/hostile/{name}", name.encode())
    answer = scene.keys.list(BUCKET, "ws/hostile/", encoding_type="url")
    assert sorted(unquote(key) for key in answer.texts("Key")) == sorted(f"ws/hostile/{name}" for name in HOSTILE)
    plain = scene.keys.list(BUCKET, "ws/hostile/")
    assert b"<script>" not in plain.body
    assert b"\x1b" not in plain.body
    for name in HOSTILE:
        assert scene.get(f"hostile/{name}").body == name.encode(), name
        assert scene.put(f"hostile/{name}", b"again").status == 200, name
        assert scene.get(f"hostile/{name}?").status in (404, 200)
    refused = scene.get("hostile/<script>alert(1)</script>")
    assert b"<script>" not in refused.body
    assert refused.headers["content-type"] == "application/xml"
    subprocess.run(["rm", "-rf", scene.path("hostile")], check=True)


def test_keys_come_in_the_order_of_whole_keys(scene: Scene) -> None:
    names = [
        "a-b",
        "a/b",
        "a0",
        "a/b-c",
        "a/b/c",
        "a/b0",
        "a.b",
        "A",
        "Z/z",
        "\u00e9",
        "z",
        "a b",
        "a/",
        "~",
        "\U0001f600",
    ]
    for name in names:
        if not name.endswith("/"):
            try:
                scene.lab.write(f"ws/order/{name}", b"x")
            except (IsADirectoryError, NotADirectoryError, FileExistsError):
                continue
    keys = scene.listed("order/")
    assert keys == sorted(keys, key=str.encode)
    assert len(keys) >= 10
    paged: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = scene.keys.list(BUCKET, "ws/order/", max_keys="2", **token)
        paged += page.texts("Key")
        if not page.texts("NextContinuationToken"):
            break
        token = {"continuation_token": page.texts("NextContinuationToken")[0]}
    assert [key.removeprefix("ws/") for key in paged] == keys
    subprocess.run(["rm", "-rf", scene.path("order")], check=True)


@pytest.fixture(scope="module")
def timeless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A service on a filesystem that holds any time whatever."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as base, running_lab(base) as lab:
        lab.write("ws/plain", b"plain")
        lab.imported("ws")
        yield Scene(lab, lab.ada.keys("ws"))


@pytest.mark.parametrize(
    "moment", [-(2**40), -86_400 * 365 * 60, -1, 0, 1, 2**31, 2**33, 2**37, 253_402_300_800, 2**40]
)
def test_clocks_that_are_wrong_spoil_no_answer(timeless: Scene, moment: int) -> None:
    scene = timeless
    subprocess.run(["rm", "-rf", scene.path("times")], check=True)
    path = scene.lab.write("ws/times/file", b"file")
    os.utime(path, (moment, moment))
    assert os.stat(path).st_mtime == moment
    assert scene.get("times/file").body == b"file"
    assert scene.keys.request("HEAD", f"/{BUCKET}/ws/times/file").status == 200
    (shown,) = scene.keys.list(BUCKET, "ws/times/").texts("LastModified")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown), shown
    since = {"if-modified-since": "Sun, 22 Nov 2026 00:00:00 GMT"}
    assert scene.keys.get(f"/{BUCKET}/ws/times/file", since).status in (200, 304)
    copied = scene.keys.request(
        "PUT", f"/{BUCKET}/ws/times/copy", headers={"x-amz-copy-source": f"/{BUCKET}/ws/times/file"}
    )
    assert copied.status == 200
    assert scene.put("times/file", b"newer").status == 200
    assert scene.get("times/file").body == b"newer"
    assert abs(os.stat(path).st_mtime - time.time()) < 60


def test_stored_metadata_is_not_believed_of_a_file_that_a_shell_wrote_since(scene: Scene) -> None:
    """Also when the clock was set back, so that the file seems to be no newer than what is known of it."""
    assert scene.keys.put(f"/{BUCKET}/ws/edited", b"first", {"x-amz-meta-who": "s3"}).status == 200
    before = os.stat(scene.path("edited"))
    first = scene.keys.request("HEAD", f"/{BUCKET}/ws/edited").headers
    with open(scene.path("edited"), "r+b") as file:
        file.write(b"other")
    assert os.stat(scene.path("edited")).st_size == before.st_size
    for mtime_ns in (None, before.st_mtime_ns - 3_600_000_000_000, before.st_mtime_ns + 1):
        if mtime_ns is not None:
            os.utime(scene.path("edited"), ns=(mtime_ns, mtime_ns))
        head = scene.keys.request("HEAD", f"/{BUCKET}/ws/edited").headers
        assert head["etag"] != first["etag"]
        assert "x-amz-meta-who" not in head


def test_files_that_vanish_or_change_while_they_are_listed_spoil_no_page(scene: Scene) -> None:
    for number in range(300):
        scene.lab.write(f"ws/moving/{number:03}/file", b"x")
    stop = threading.Event()

    def stir() -> None:
        round_ = 0
        while not stop.is_set():
            round_ += 1
            for number in range(0, 300, 7):
                folder = scene.path(f"moving/{number:03}")
                os.rename(folder, f"{folder}-gone-{round_}")
                os.rename(f"{folder}-gone-{round_}", folder)
                with open(os.path.join(folder, "file"), "ab") as file:
                    file.write(b"y")

    stirrer = threading.Thread(target=stir)
    stirrer.start()
    still = {f"moving/{number:03}/file" for number in range(300) if number % 7}
    try:
        for _ in range(30):
            seen: list[str] = []
            token: dict[str, str] = {}
            while True:
                page = scene.keys.list(BUCKET, "ws/moving/", max_keys="50", **token)
                assert page.status == 200, page
                seen += [key.removeprefix("ws/") for key in page.texts("Key")]
                if not page.texts("NextContinuationToken"):
                    break
                token = {"continuation_token": page.texts("NextContinuationToken")[0]}
            assert still <= set(seen)
            assert seen == sorted(seen)
    finally:
        stop.set()
        stirrer.join()
    subprocess.run(["rm", "-rf", scene.path("moving")], check=True)


def test_system_and_staging_folders_are_neither_read_nor_written(scene: Scene) -> None:
    for name in (".workspacesio", ".zfs", ".snapshot", "@eaDir", "#recycle", ".minio.sys", "lost+found"):
        scene.lab.write(f"ws/{name}/file", SECRET)
        for key in (f"{name}/file", f"sub/{name}/file", f"{name}", f"{name}/"):
            assert scene.get(key).status == 404, key
            assert scene.put(key).status in (400, 403), key
            assert scene.keys.request("POST", key_path(BUCKET, f"ws/{key}") + "?uploads").status in (400, 403), key
        assert scene.listed(f"{name}/") == []
        assert scene.keys.request("DELETE", key_path(BUCKET, f"ws/{name}/file")).status in (204, 400, 403)
        with open(scene.path(name, "file"), "rb") as file:
            assert file.read() == SECRET
    assert [key for key in scene.listed() if "file" in key and ("." in key or "@" in key)] == []
    for prefix in (".workspacesio/", ".workspacesio/uploads/", ""):
        assert scene.lab.ada.keys().list(BUCKET, prefix).status == 403, prefix


def test_a_folder_of_hard_links_and_holes_is_read_as_it_is(scene: Scene) -> None:
    os.makedirs(scene.path("hard"))
    with open(scene.path("hard/sparse"), "wb") as file:
        file.truncate(3_000_000)
    os.link(scene.path("plain"), scene.path("hard/link"))
    assert scene.get("hard/sparse").body == b"\0" * 3_000_000
    assert scene.get("hard/link").body == b"plain"
    # Writing to one name leaves the other as it was.
    assert scene.put("hard/link", b"other").status == 200
    assert scene.get("plain").body == b"plain"
