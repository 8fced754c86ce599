"""`wio://` by itself: names, listings and their lifetime, writing whole or not at all, and what ends it."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import pickle
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import fsspec
import pytest

import workspacesio
from filesystem.conftest import Shelf, sign_in_as
from servers.service import PASSWORD
from workspacesio import errors
from workspacesio.client import reach
from workspacesio.client.filesystem import FileSystem
from workspacesio.client.signature import Request

MIB = 1 << 20
BIG = bytes(range(256)) * (9 * MIB // 256)


@pytest.fixture
def top(shelf: Shelf, request: pytest.FixtureRequest) -> str:
    """A folder of the test's own, in the shared one."""
    return f"{shelf.folder}/{request.node.originalname}-{zlib.crc32(request.node.name.encode()):x}"


def seen_by_owner(shelf: Shelf, path: str) -> list[str]:
    """What lies in the workspace, without anything that was kept."""
    found = shelf.owner.json("ls", "-r", f"{shelf.name}/{path}")
    return [one["path"] for one in found]


def test_the_way_to_a_shared_folder(fs: FileSystem, shelf: Shelf) -> None:
    assert f"ada/{shelf.name}" in fs.ls("wio://", detail=False)
    assert f"ada/{shelf.name}" in fs.ls("wio://ada/", detail=False)
    assert [one["name"] for one in fs.ls(f"wio://ada/{shelf.name}")] == [shelf.folder]
    assert all(map(fs.isdir, ("", "ada", f"ada/{shelf.name}", shelf.folder)))
    assert fs.ls(f"wio://{shelf.folder}/note.txt")[0]["size"] == 5
    assert f"{shelf.folder}/note.txt" in fs.find(f"ada/{shelf.name}")
    assert f"{shelf.folder}/note.txt" in fs.find("")
    assert f"{shelf.folder}/note.txt" in fs.glob("wio://*/*/open/*.txt")
    assert {f"ada/{shelf.name}", shelf.folder} <= {path for path, _, _ in fs.walk("")}
    assert f"ada/{shelf.name}/closed" not in str(fs.find("", withdirs=True))
    with pytest.raises(FileNotFoundError):
        fs.ls("nobody")


def test_a_shared_folder_that_holds_nothing(shelf: Shelf, signed_in_as_ben: None) -> None:
    shelf.owner.wio("share", f"{shelf.name}/empty", "ben")
    fs = FileSystem(listings_expiry_time=0, skip_instance_cache=True)
    for path in (shelf.folder, f"ada/{shelf.name}/empty", f"ada/{shelf.name}"):
        assert fs.info(path)["type"] == "directory"
    assert fs.ls(f"ada/{shelf.name}/empty") == []
    shelf.owner.wio("unshare", f"{shelf.name}/empty", "ben")
    assert not fs.exists(f"ada/{shelf.name}/empty")
    fs.close()


def test_workspaces_are_named_as_in_commands(fs: FileSystem, shelf: Shelf) -> None:
    for written in (shelf.name, f"ada/{shelf.name}", f"ada:{shelf.name}"):
        assert fs.cat(f"wio://{written}/open/note.txt") == b"yours"
        assert f"{written}/open/note.txt" in fs.ls(f"wio://{written}/open", detail=False)
    with pytest.raises(FileNotFoundError) as missing:  # to write, `name/` is one's own
        fs.pipe(f"wio://{shelf.name}/open/x", b"x")
    assert f"ada/{shelf.name}" in str(missing.value)
    if not shelf.guest.run("ls", "both").returncode:
        return
    shelf.owner.wio("create", "both")
    shelf.owner.wio("share", "both", "ben")
    shelf.guest.wio("create", "ada")  # `ada/both` can be a folder of it, too
    with pytest.raises(errors.Ambiguous) as ambiguous:
        fs.ls("wio://ada/both")
    assert isinstance(ambiguous.value, OSError)
    assert fs.ls("wio://ada:both") == []
    shelf.guest.wio("workspace", "delete", "ada", "--yes")


def test_what_is_outside_of_the_share(fs: FileSystem, shelf: Shelf) -> None:
    outside = f"ada/{shelf.name}/closed/secret.txt"
    assert not fs.exists(outside)
    assert not fs.isfile(outside)
    for call in (fs.cat, fs.info, fs.open, fs.rm_file, lambda path: fs.pipe(path, b"x"), fs.ls):
        with pytest.raises(PermissionError) as refused:
            call(outside)
        assert isinstance(refused.value, errors.Refused)
        assert "secret.txt" in str(refused.value)
    with pytest.raises(PermissionError):
        fs.cp(outside, f"{shelf.folder}/stolen")
    assert shelf.owner.wio("cat", f"{shelf.name}/closed/secret.txt") == "not yours"


def test_missing_things(fs: FileSystem, top: str) -> None:
    for call in (fs.cat_file, fs.info, fs.open, fs.ls, fs.size, fs.modified, fs.rm, fs.sign):
        if call == fs.sign:
            continue
        with pytest.raises(FileNotFoundError) as missing:
            call(f"{top}/none")
        assert isinstance(missing.value, errors.NotFound)
        assert missing.value.errno == 2
    assert not fs.exists(f"{top}/none")
    assert fs.find(f"{top}/none") == []
    assert fs.glob(f"{top}/none/*") == []
    with pytest.raises(FileNotFoundError):
        fs.cat("nobody/nothing/at/all")
    with pytest.raises(IsADirectoryError):
        fs.pipe(top.rsplit("/", 2)[0], b"x")


def test_ranges(fs: FileSystem, top: str) -> None:
    content = bytes(range(100))
    fs.pipe(f"{top}/r", content)
    for start, end in ((None, None), (0, 10), (10, 20), (90, 200), (200, 300), (5, 5), (9, 3), (-10, None)):
        assert fs.cat_file(f"{top}/r", start=start, end=end) == content[start:end]
    for start, end in ((-20, -10), (0, -10), (50, None), (None, 7)):
        assert fs.cat_file(f"{top}/r", start=start, end=end) == content[start:end]
    assert fs.cat_ranges([f"{top}/r"] * 3, [0, 50, 99], [1, 60, 200]) == [
        content[:1],
        content[50:60],
        content[99:],
    ]
    assert fs.head(f"{top}/r", 3) == content[:3]
    assert fs.tail(f"{top}/r", 3) == content[-3:]
    fs.touch(f"{top}/empty")
    assert fs.cat(f"{top}/empty") == fs.cat_file(f"{top}/empty", start=0, end=5) == b""
    with fs.open(f"{top}/empty") as file:
        assert file.read() == b""


def test_open_files_read_anywhere(fs: FileSystem, top: str) -> None:
    fs.pipe(f"{top}/big.bin", BIG)
    fs.pipe(f"{top}/end.parquet", BIG)
    for name in ("big.bin", "end.parquet"):
        with fs.open(f"{top}/{name}") as file:
            assert file.read(10) == BIG[:10]
            assert file.seek(-7, io.SEEK_END) == len(BIG) - 7
            assert file.read() == BIG[-7:]
            file.seek(5 * MIB + 1)
            assert file.read(100) == BIG[5 * MIB + 1 : 5 * MIB + 101]
            file.seek(0)
            assert b"".join(iter(lambda: file.read(300_001), b"")) == BIG
        with fs.open(f"{top}/{name}", cache_type="bytes", block_size=MIB) as file:
            assert file.read() == BIG
    with fs.open(f"{top}/text", "w", encoding="utf-8") as text:
        text.write("ä\nö\n")
    with fs.open(f"{top}/text", "r", encoding="utf-8") as text:
        assert text.readlines() == ["ä\n", "ö\n"]
    with fs.open(f"{top}/text.gz", "wt", compression="infer") as text:
        text.write("packed")
    with fs.open(f"{top}/text.gz", "rt", compression="gzip") as text:
        assert text.read() == "packed"
    assert fs.cat(f"{top}/text.gz")[:2] == b"\x1f\x8b"


def test_an_object_that_is_replaced_is_not_mixed(fs: FileSystem, top: str) -> None:
    fs.pipe(f"{top}/one", b"a" * 3 * MIB)
    with fs.open(f"{top}/one") as file:
        assert file.read(10) == b"a" * 10
        fs.pipe(f"{top}/one", b"b" * 3 * MIB)
        with pytest.raises(OSError, match="replaced while it was read") as replaced:
            file.read()
    assert isinstance(replaced.value, errors.WorkspacesIOError)
    assert fs.cat(f"{top}/one") == b"b" * 3 * MIB


def test_listings_and_their_lifetime(shelf: Shelf, top: str, signed_in_as_ben: None) -> None:
    fs = FileSystem(listings_expiry_time=1.5, skip_instance_cache=True)
    fs.pipe(f"{top}/a", b"1")
    assert fs.ls(top, detail=False) == [f"{top}/a"]
    shelf.owner.wio("pipe", f"{top.removeprefix('ada/')}/b", stdin="2")
    assert fs.ls(top, detail=False) == [f"{top}/a"]
    assert fs.ls(top, detail=False, refresh=True) == [f"{top}/a", f"{top}/b"]
    shelf.owner.wio("rm", f"{top.removeprefix('ada/')}/b")
    fs.invalidate_cache(top)
    assert fs.ls(top, detail=False) == [f"{top}/a"]
    fs.pipe(f"ada:{top.removeprefix('ada/')}/c/d", b"4")  # one listing, however the workspace is written
    assert fs.ls(top, detail=False) == [f"{top}/a", f"{top}/c"]
    fs.rm(f"{top}/c", recursive=True)
    assert fs.ls(top, detail=False) == [f"{top}/a"]
    begin = time.monotonic()
    shelf.unshare()
    try:
        while True:
            try:
                fs.ls(top)
            except (PermissionError, FileNotFoundError):
                break
            assert time.monotonic() - begin < 10
            time.sleep(0.05)
        for call in (fs.info, fs.find, fs.cat_file, fs.open):
            with pytest.raises((PermissionError, FileNotFoundError)):
                call(f"{top}/a")
        assert not fs.exists(top)
    finally:
        shelf.share()
    assert FileSystem(use_listings_cache=False).cat(f"{top}/a") == b"1"
    fs.close()


def test_what_was_shared_ends_at_once(fs: FileSystem, shelf: Shelf, top: str) -> None:
    fs.pipe(f"{top}/long", b"x" * 4 * MIB)
    fs.pipe(f"{top}/other", b"x")
    reader = fs.open(f"{top}/long")
    reader.read(10)
    writer = fs.open(f"{top}/written", "wb")
    writer.write(BIG)
    shelf.unshare()
    try:
        for call in (
            reader.read,
            writer.close,
            lambda: fs.cat_file(f"{top}/other"),
            lambda: fs.pipe(f"{top}/n", b""),
        ):
            with pytest.raises((PermissionError, FileNotFoundError)) as ended:
                call()
            assert isinstance(ended.value, errors.WorkspacesIOError)
            assert top in str(ended.value) or shelf.name in str(ended.value)
    finally:
        shelf.share()
    assert seen_by_owner(shelf, f"open/{top.rpartition('/')[2]}/") == [
        f"open/{top.rpartition('/')[2]}/{name}" for name in ("long", "other")
    ]


def test_who_may_only_read(fs: FileSystem, shelf: Shelf, top: str) -> None:
    fs.pipe(f"{top}/a", b"1")
    shelf.share("read")
    shelf.unshare()
    shelf.share("read")
    try:
        fs.invalidate_cache()
        assert fs.cat(f"{top}/a") == b"1"
        with pytest.raises(PermissionError, match="may read"):
            fs.pipe(f"{top}/a", b"2")
        with pytest.raises(PermissionError), fs.open(f"{top}/b", "wb") as file:
            file.write(b"2")
        with pytest.raises(OSError, match=r"may read|could not"):
            fs.rm(f"{top}/a", recursive=True)
    finally:
        shelf.unshare()
        shelf.share()
    with pytest.raises(PermissionError):
        FileSystem(read_only=True).pipe(f"{top}/a", b"3")
    assert fs.cat(f"{top}/a") == b"1"


HOSTILE = [
    "space and  two",
    "%41%2F",
    "a?b",
    "a#b",
    "a*b",
    "[x]",
    "{y}",
    "a+b&c=d",
    "ümläut",
    "u\u0308",
    "🦜",
    "'\"`$HOME",
    "back\\slash",
    "a:b",
    "-rf",
    ".hidden",
    "..x",
    "tab\tin",
    "line\nbreak",
    "\x01",
    "\x7f",
    "ß" * 120,
    "wio:",
    "~",
]


def test_hostile_names(fs: FileSystem, top: str) -> None:
    for name in HOSTILE:
        path = f"{top}/{name}"
        fs.pipe_file(path, name.encode())
        assert fs.info(path)["name"] == path
        assert fs.cat_file(path) == name.encode()
        with fs.open(path) as file:
            assert file.read() == name.encode()
        fs.cp_file(path, f"{top}/copies/{name}")
    assert sorted(fs.find(top)) == sorted(f"{top}/{way}{name}" for name in HOSTILE for way in ("", "copies/"))
    assert {one["name"] for one in fs.ls(top)} == {f"{top}/{name}" for name in HOSTILE} | {f"{top}/copies"}
    fs.rm(top, recursive=True)
    assert fs.find(top) == []


@pytest.mark.parametrize(
    "name", ["a//b", "a/../../../closed/x", "../x", "a/./b", "\udcff", "x" * 256, "y/" * 600 + "z", "nul\0"]
)
def test_names_that_cannot_be(fs: FileSystem, shelf: Shelf, top: str, name: str) -> None:
    with pytest.raises(OSError) as refused:  # noqa: PT011 - which kind depends on the server
        fs.pipe_file(f"{top}/{name}", b"x")
    assert isinstance(refused.value, errors.WorkspacesIOError)
    assert fs.find(top) == []
    assert seen_by_owner(shelf, "closed/") == ["closed/secret.txt"]


def test_folders(fs: FileSystem, top: str) -> None:
    fs.mkdir(f"{top}/new")
    fs.makedirs(f"{top}/new/er", exist_ok=True)
    assert not fs.exists(f"{top}/new")  # there while something lies in it
    fs.pipe(f"{top}/new/a", b"1")
    fs.pipe(f"{top}/new/deep/b", b"22")
    with pytest.raises(FileExistsError):
        fs.mkdir(f"{top}/new")
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{top}/new/a", exist_ok=True)
    with pytest.raises(FileNotFoundError):
        fs.makedirs("nobody/none", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.rmdir(f"{top}/new")
    with pytest.raises(IsADirectoryError):
        fs.rm(f"{top}/new")
    assert fs.du(f"{top}/new") == 3
    assert fs.du(f"{top}/new", total=False) == {f"{top}/new/a": 1, f"{top}/new/deep/b": 2}
    assert fs.du(f"{top}/new", maxdepth=1) == 1
    fs.mv(f"{top}/new/", f"{top}/moved", recursive=True)
    assert fs.find(top) == [f"{top}/moved/a", f"{top}/moved/deep/b"]
    assert fs.find(top, maxdepth=2, withdirs=True) == [top, f"{top}/moved", f"{top}/moved/a", f"{top}/moved/deep"]
    fs.rm(f"{top}/moved", recursive=True)
    assert not fs.exists(f"{top}/moved")


def test_exclusive_writes(fs: FileSystem, top: str) -> None:
    first, second = fs.open(f"{top}/x", "xb"), fs.open(f"{top}/x", "xb")
    first.write(b"1")
    second.write(BIG)
    first.close()
    with pytest.raises(FileExistsError):
        second.close()
    assert fs.cat(f"{top}/x") == b"1"
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{top}/x", BIG * 2, mode="create")


def test_appending(fs: FileSystem, top: str) -> None:
    for first, second in ((b"a", b"b"), (b"a", BIG), (BIG, b"b"), (BIG, BIG), (b"", b"b"), (BIG, b"")):
        fs.pipe(f"{top}/log.csv", first)
        with fs.open(f"{top}/log.csv", "ab") as file:
            assert file.tell() == len(first)
            file.write(second)
        assert fs.cat(f"{top}/log.csv") == first + second
    assert fs._reach.place(f"{top}/log.csv").details().content_type == "text/csv"
    with fs.open(f"{top}/new", "ab") as file:
        file.write(b"n")
    assert fs.cat(f"{top}/new") == b"n"
    for size in (1, 6 * MIB):
        fs.pipe(f"{top}/log", b"l" * size)
        late = fs.open(f"{top}/log", "ab")
        late.write(b"late")
        fs.pipe(f"{top}/log", b"replaced")
        with pytest.raises(OSError, match="replaced"):
            late.close()
        assert fs.cat(f"{top}/log") == b"replaced"


class Broken(Exception):
    pass


@pytest.mark.parametrize("size", [10, 9 * MIB])
def test_what_fails_leaves_nothing(fs: FileSystem, shelf: Shelf, top: str, size: int) -> None:
    content = b"x" * size
    with pytest.raises(Broken), fs.open(f"{top}/b", "wb") as file:  # noqa: PT012
        file.write(content)
        raise Broken
    with pytest.raises(Broken), fs.open(f"{top}/t", "w") as text:  # noqa: PT012
        text.write(content.decode())
        raise Broken
    with pytest.raises(Broken), fs.open(f"{top}/z.gz", "wb", compression="gzip") as file:  # noqa: PT012
        file.write(os.urandom(size))
        raise Broken
    for mode, packed in (("wb", None), ("w", None), ("wb", "gzip")):
        with pytest.raises(Broken), fsspec.open(f"wio://{top}/o", mode, compression=packed) as file:  # noqa: PT012
            file.write(content if "b" in mode else content.decode())
            raise Broken
    with pytest.raises(Broken), fs.transaction:  # noqa: PT012
        with fs.open(f"{top}/in", "wb") as file:
            file.write(content)
        raise Broken
    unclosed = fs.open(f"{top}/u", "wb")
    unclosed.write(content)
    with pytest.warns(RuntimeWarning, match="never closed"):  # noqa: PT031
        del unclosed
        gc.collect()
    assert fs.find(top) == []
    try:
        raise Broken
    except Broken:
        with fs.open(f"{top}/report", "wb") as file:  # written while an error is handled, and because of it
            file.write(b"why")
    with fs.transaction:
        with fs.open(f"{top}/in", "wb") as file:
            file.write(content)
        assert not fs.exists(f"{top}/in")
    assert fs.cat(f"{top}/in") == content
    assert fs.cat(f"{top}/report") == b"why"
    assert shelf.owner.json("ls", f"{shelf.name}/open/")


def test_facts_of_an_object(fs: FileSystem, top: str) -> None:
    fs.pipe(f"{top}/a.csv", b"1,2\n")
    by_head, marks = fs.info(f"{top}/a.csv"), (fs.ukey(f"{top}/a.csv"), fs.checksum(f"{top}/a.csv"))
    assert fs.ls(top) == [by_head]
    assert marks == (fs.ukey(f"{top}/a.csv"), fs.checksum(f"{top}/a.csv"))
    assert abs((datetime.now(UTC) - fs.modified(f"{top}/a.csv")).total_seconds()) < 60
    assert fs.created(f"{top}/a.csv") == fs.modified(f"{top}/a.csv")
    fs.pipe(f"{top}/a.csv", b"3,4\n")
    assert fs.ukey(f"{top}/a.csv") != marks[0]
    assert fs.checksum(f"{top}/a.csv") != marks[1]
    with urllib.request.urlopen(fs.sign(f"{top}/a.csv", expiration=60)) as answer:
        assert answer.read() == b"3,4\n"


def test_up_and_down(fs: FileSystem, top: str, tmp_path: os.PathLike[str]) -> None:
    local = os.path.join(tmp_path, "local")
    with open(local, "wb") as file:
        file.write(BIG)
    sizes: list[int] = []

    class Counting(fsspec.Callback):
        def relative_update(self, inc: int = 1) -> None:
            sizes.append(inc)

    fs.put_file(local, f"{top}/up", callback=Counting())
    assert sum(sizes) == len(BIG)
    fs.get_file(f"{top}/up", f"{local}2")
    with open(f"{local}2", "rb") as file:
        assert file.read() == BIG
    buffer = io.BytesIO()
    fs.get_file(f"{top}/up", buffer)
    assert buffer.getvalue() == BIG
    with pytest.raises(FileExistsError):
        fs.put_file(local, f"{top}/up", mode="create")
    fs.cp_file(f"{top}/up", f"{top}/copy")
    assert fs.cat(f"{top}/copy") == BIG
    assert fs.info(f"{top}/copy")["size"] == len(BIG)


def test_other_processes(fs: FileSystem, shelf: Shelf, top: str) -> None:
    fs.pipe(f"{top}/a", b"1")
    fs.ls(top)
    packed = pickle.dumps(fs)
    for kept in ("wios_", fs._reach._who().token, fs._reach._who().cache_key):
        assert kept.encode() not in packed
        assert kept not in repr(fs) + fs.to_json() + fs._fs_token
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).cat(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, f"{top}/a"], input=packed, capture_output=True, check=True)
    assert done.stdout == b"b'1'\n"
    assert done.stderr == b""
    with fs.open(f"{top}/a") as file:
        assert pickle.loads(pickle.dumps(file)).read() == b"1"
        assert file.read() == b"1"
        assert pickle.loads(pickle.dumps(file)).read() == b""
        assert fs._reach._who().token.encode() not in pickle.dumps(file)


def test_after_a_fork(shelf: Shelf, top: str, fs: FileSystem) -> None:
    code = """if True:
        import os, sys, fsspec
        fs, path = fsspec.url_to_fs(sys.argv[1])
        fs.pipe(path, b"1")
        child = os.fork()
        if not child:
            before = fs._reached
            assert fs.info(path)["size"] == 1
            assert fs._reached is not before
            assert fs.open(path).read() == fs.cat(path) == b"1"
            fs.pipe(path + "2", b"2")
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert fs.cat(path) == b"1"
        print(fs.cat(path + "2"))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, f"wio://{top}/f"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("b'2'\n", "")


def test_many_threads(fs: FileSystem, top: str) -> None:
    def one(number: int) -> bytes:
        fs.pipe(f"{top}/{number}", str(number).encode())
        with fs.open(f"{top}/{number}") as file:
            return bytes(file.read())

    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(one, range(48))) == [str(number).encode() for number in range(48)]
    assert len(fs.ls(top)) == 48
    assert sum("wio-" in thread.name for thread in threading.enumerate()) <= 24


def test_instances(shelf: Shelf, signed_in_as_ben: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ben = fsspec.filesystem("wio")
    assert ben is fsspec.filesystem("wio") is workspacesio.FileSystem()
    assert isinstance(ben, FileSystem)
    assert ben is not fsspec.filesystem("wio", listings_expiry_time=1)
    sign_in_as(shelf.owner, monkeypatch)
    ada = fsspec.filesystem("wio")
    assert ada is not ben
    assert ada.exists(f"{shelf.name}/closed/secret.txt")
    assert not ben.exists(f"ada/{shelf.name}/closed/secret.txt")
    with pytest.raises(TypeError):
        FileSystem(token="secret")  # it would be pickled
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(errors.WorkspacesIOError, match="wio login") as nobody:
        fsspec.filesystem("wio").ls("")
    assert isinstance(nobody.value, OSError)


def test_what_stands_for_a_folder(fs: FileSystem, top: str) -> None:
    """Others make such objects: consoles, and mkdir beside a folder node."""
    place = fs._reach.place(f"{top}/marked", writes=True)
    place.storage.read(Request("PUT", place.bucket, place.key(place.folder)))
    assert fs.isdir(f"{top}/marked")
    assert fs.ls(f"{top}/marked") == []
    assert [(one["name"], one["type"]) for one in fs.ls(top)] == [(f"{top}/marked", "directory")]
    assert fs.find(top) == []
    assert fs.find(top, withdirs=True) == [top, f"{top}/marked"]
    fs.rmdir(f"{top}/marked")
    assert not fs.exists(f"{top}/marked")
    place.storage.read(Request("PUT", place.bucket, place.key(place.folder)))
    fs.rm(top, recursive=True)
    assert not fs.exists(top)


def test_who_signs_in_anew_goes_on(shelf: Shelf, top: str, signed_in_as_ben: None) -> None:
    fs = FileSystem(listings_expiry_time=0, skip_instance_cache=True)
    fs.pipe(f"{top}/a", b"1")
    shelf.guest.wio("logout")
    with pytest.raises(errors.Unauthenticated, match="wio login") as ended:
        fs.ls(top)
    assert isinstance(ended.value, PermissionError)
    with pytest.raises(errors.Unauthenticated):
        fs.exists(f"{top}/a")
    shelf.guest.wio("login", shelf.guest.email, "--password-stdin", stdin=PASSWORD + "\n")
    assert fs.cat(f"{top}/a") == b"1"
    fs.close()
    assert fs.cat(f"{top}/a") == b"1"  # it opens anew what was closed
    fs.close()


def test_from_one_workspace_to_another(fs: FileSystem, shelves: dict[str, Shelf], top: str) -> None:
    guest, other = shelves["folder"].guest, shelves["minio" if "/files/" in top else "folder"]
    if guest.run("ls", "mine").returncode:
        guest.wio("create", "mine")
    fs.pipe(f"{top}/a", BIG)
    fs.cp(f"{top}/a", "mine/copied/a")
    fs.cp(f"{top}/a", f"{other.folder}/across/a")
    fs.mv(f"{top}/", "mine/moved", recursive=True)
    for path in ("mine/copied/a", f"{other.folder}/across/a", "ben/mine/moved/a"):
        assert fs.cat(path) == BIG
    assert fs.find(top) == []
    fs.rm(["mine/copied", "mine/moved", f"{other.folder}/across"], recursive=True)
    assert fs.find("mine") == []


def test_keys_that_end(fs: FileSystem, shelves: dict[str, Shelf]) -> None:
    shelf = shelves["folder"]
    top = f"{shelf.folder}/keys"
    fs.pipe(f"{top}/a", b"1")
    for one in shelf.guest.json("credential", "ls"):
        shelf.guest.wio("credential", "revoke", str(one["id"]))
    assert fs.cat(f"{top}/a") == b"1"
    assert fs.info(f"{top}/a", refresh=True)["size"] == 1
    with fs.open(f"{top}/b", "wb") as file:
        file.write(BIG)
        for one in shelf.guest.json("credential", "ls"):
            shelf.guest.wio("credential", "revoke", str(one["id"]))
    assert fs.cat(f"{top}/b") == BIG


def test_a_service_that_is_started_anew(
    shelves: dict[str, Shelf], signed_in_as_ben: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "PATIENCE_SECONDS", 120)  # as long as a busy machine may take to start it
    fs = FileSystem(listings_expiry_time=0, skip_instance_cache=True)
    note = f"{shelves['folder'].folder}/note.txt"
    assert fs.cat(note) == b"yours"
    with ThreadPoolExecutor(1) as threads:
        service = shelves["folder"].owner.service
        service.stop()
        reading = threads.submit(fs.cat, note)
        os.unlink(service.log_path)
        service.start()
        assert reading.result() == b"yours"
    fs.close()


def test_modes_that_cannot_be(fs: FileSystem, top: str) -> None:
    for mode in ("r+b", "w+b", "rt+"):
        with pytest.raises(OSError, match="possible") as refused:
            fs.open(f"{top}/a", mode)
        assert isinstance(refused.value, errors.NotSupported)


def test_asynchronous(shelf: Shelf, top: str, signed_in_as_ben: None) -> None:
    async def use() -> list[bytes]:
        fs = FileSystem(asynchronous=True, skip_instance_cache=True)
        await asyncio.gather(*(fs._pipe_file(f"{top}/{number}", bytes([number])) for number in range(20)))
        found = await asyncio.gather(*map(fs._cat_file, await fs._find(top)))
        await fs._rm(top, recursive=True)
        assert not await fs._exists(top)
        fs.close()
        return sorted(found)

    assert asyncio.run(use()) == [bytes([number]) for number in range(20)]
