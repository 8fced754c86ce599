"""The clients that people have: mc, aws, rclone, obstore. What they do by default has to work without options."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3.rights import Keys
from s3.world import BUCKET, World
from workspacesio.domain.vocabulary import Level

Run = Callable[..., subprocess.CompletedProcess[str]]


def _run(program: str, environment: dict[str, str]) -> Run:
    def run(*arguments: str, status: int = 0, given: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *arguments],
            env={**os.environ, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return run


def mc_environment(world: World, folder: Path, keys: Keys | None = None) -> dict[str, str]:
    keys = keys or world.ada
    credential = f"{keys.access_key}:{keys.secret_key}:{keys.token}"
    return {"MC_HOST_w": f"http://{credential}@127.0.0.1:{world.port}", "MC_CONFIG_DIR": str(folder / "mc")}


def rclone_environment(world: World, keys: Keys | None = None) -> dict[str, str]:
    return {
        **world.environment(keys),
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_W_TYPE": "s3",
        "RCLONE_CONFIG_W_PROVIDER": "Other",
        "RCLONE_CONFIG_W_ENV_AUTH": "true",
        "RCLONE_CONFIG_W_ENDPOINT": world.url,
        "RCLONE_CONFIG_W_REGION": "us-east-1",
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }


@pytest.fixture
def mc(world: World, mc_path: str, tmp_path: Path) -> Run:
    return _run(mc_path, mc_environment(world, tmp_path))


@pytest.fixture
def aws(world: World, aws_path: str) -> Run:
    return _run(aws_path, world.environment())


@pytest.fixture
def rclone(world: World, rclone_path: str) -> Run:
    return _run(rclone_path, rclone_environment(world))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Small files with awkward names, and one that is uploaded in parts."""
    folder = tmp_path / "tree"
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("plain.txt", "with space", "plus+é", "a/b/c&<d>"):
        (folder / name).write_text(name)
    (folder / "big").write_bytes(os.urandom(40 * 1024 * 1024))
    for name in NAMES:
        # `mc diff` holds the file's time against S3's, which has no fractions: in the same second it is newer.
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    return folder


NAMES = ["a/b/c&<d>", "big", "plain.txt", "plus+é", "with space"]


def same(left: Path, right: Path) -> bool:
    return all((left / name).read_bytes() == (right / name).read_bytes() for name in NAMES)


def test_mc(world: World, mc: Run, tree: Path, tmp_path: Path) -> None:
    there = f"w/{BUCKET}/ada"
    served = Path(world.path("ada"))
    assert mc("ls", "w").stdout.split()[-1] == f"{BUCKET}/"
    mc("cp", "-r", f"{tree}/", f"{there}/copied/")
    assert same(tree, served / "copied")
    mc("mirror", str(tree), f"{there}/mirrored")
    assert same(tree, served / "mirrored")
    assert mc("diff", str(tree), f"{there}/mirrored").stdout == ""
    (tree / "plain.txt").unlink()
    mc("mirror", "--overwrite", "--remove", str(tree), f"{there}/mirrored")
    assert not (served / "mirrored" / "plain.txt").exists()
    (tree / "plain.txt").write_text("plain.txt")
    listed = mc("ls", "-r", "--json", f"{there}/copied/").stdout.splitlines()
    assert [json.loads(line)["key"] for line in listed] == NAMES
    mc("cp", "-r", f"{there}/copied/", f"{tmp_path}/back/")
    assert same(tree, tmp_path / "back")
    mc("mv", f"{there}/copied/big", f"{there}/moved")
    assert (served / "moved").read_bytes() == (tree / "big").read_bytes()
    assert not (served / "copied" / "big").exists()
    assert "40MiB" in mc("du", f"{there}/mirrored/").stdout
    assert mc("cat", f"{there}/copied/plain.txt").stdout == "plain.txt"
    assert "text/plain" in mc("stat", f"{there}/copied/plain.txt").stdout
    assert len(mc("find", f"{there}/copied/").stdout.splitlines()) == 4
    assert "copied" in mc("tree", f"{there}/").stdout
    mc("pipe", f"{there}/piped", given="a line\n" * 20)
    assert mc("head", f"{there}/piped").stdout == "a line\n" * 10
    mc("tag", "set", f"{there}/piped", "a=1")
    assert "a" in mc("tag", "list", f"{there}/piped").stdout
    mc("cp", "--attr", "Cache-Control=no-cache;note=x", f"{tree}/plain.txt", f"{there}/attributes")
    assert "no-cache" in mc("stat", f"{there}/attributes").stdout
    assert "null" in mc("ls", "--versions", f"{there}/").stdout
    mc("rm", "-r", "--force", f"{there}/copied/")
    assert not (served / "copied").exists()
    for arguments in (
        ("ls", f"w/{BUCKET}/bob/"),
        ("ls", "w/other/"),
        ("cp", f"{tree}/plain.txt", f"w/{BUCKET}/bob/x"),
        ("mb", "w/new-bucket"),
        ("rb", f"w/{BUCKET}"),
    ):
        assert "denied" in mc(*arguments, status=1).stderr.lower() or arguments[0] == "cp"


def test_mc_watch(world: World, mc_path: str, tmp_path: Path) -> None:
    watching = subprocess.Popen(
        [mc_path, "watch", "--json", f"w/{BUCKET}/ada/"],
        env={**os.environ, **mc_environment(world, tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    assert watching.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(iter(watching.stdout.readline, "")))  # type: ignore[union-attr]
    reader.start()
    client = world.client()
    try:
        deadline = time.monotonic() + 20
        while not lines and time.monotonic() < deadline:
            client.put_object(Bucket=BUCKET, Key="ada/first é", Body=b"12345")
            time.sleep(0.2)
        begun = time.monotonic()
        client.delete_object(Bucket=BUCKET, Key="ada/first é")
        while not any("ObjectRemoved" in line for line in lines) and time.monotonic() < begun + 10:
            time.sleep(0.01)
        assert time.monotonic() - begun < 5
    finally:
        watching.terminate()
        watching.wait(10)
        reader.join(10)
        watching.stdout.close()
    told = [json.loads(line) for line in lines]
    assert told[0]["events"]["path"].endswith(f"{BUCKET}/ada/first é")
    assert told[0]["events"]["size"] == 5


def test_mc_watch_ends_soon_after_the_right_was_taken_back(world: World, mc_path: str, tmp_path: Path) -> None:
    """Also where its holder reaches something else in the bucket."""
    world.rights.share("bob", BUCKET, "bob/", Level.OWN)
    world.rights.share("bob", BUCKET, "ada/", Level.READ)
    with subprocess.Popen(
        [mc_path, "watch", f"w/{BUCKET}/ada/"],
        env={**os.environ, **mc_environment(world, tmp_path, world.bob)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as watching:
        try:
            assert watching.stdout is not None
            deadline = time.monotonic() + 10
            told = threading.Thread(target=watching.stdout.readline)
            told.start()
            while told.is_alive():
                assert time.monotonic() < deadline, "nothing is told"
                world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
                told.join(0.2)
            world.rights.unshare("bob", BUCKET, "ada/")
            watching.wait(5)
            assert "Access Denied" in watching.stdout.read()
        finally:
            watching.kill()


@pytest.mark.slow
def test_aws(world: World, aws: Run, tree: Path, tmp_path: Path) -> None:
    there = f"s3://{BUCKET}/ada"
    served = Path(world.path("ada"))
    assert aws("s3", "ls").stdout.split()[-1] == BUCKET
    aws("s3", "sync", str(tree), f"{there}/synced")
    assert same(tree, served / "synced")
    assert aws("s3", "sync", str(tree), f"{there}/synced").stdout == ""
    aws("s3", "sync", f"{there}/synced", str(tmp_path / "back"))
    assert same(tree, tmp_path / "back")
    aws("s3", "mv", f"{there}/synced/big", f"{there}/moved")
    assert (served / "moved").read_bytes() == (tree / "big").read_bytes()
    assert "Total Objects: 5" in aws("s3", "ls", "--recursive", "--summarize", f"{there}/").stdout
    aws("s3", "cp", "-", f"{there}/streamed", given="streamed")
    assert aws("s3", "cp", f"{there}/streamed", "-").stdout == "streamed"
    assert (
        json.loads(aws("s3api", "head-object", "--bucket", BUCKET, "--key", "ada/streamed").stdout)[
            "ContentLength"
        ]
        == 8
    )
    aws("s3", "rm", "--recursive", f"{there}/synced")
    assert not (served / "synced").exists()
    aws("s3", "ls", f"s3://{BUCKET}/bob/", status=255)
    aws("s3", "cp", f"{tree}/plain.txt", f"s3://{BUCKET}/bob/x", status=1)


def test_rclone(world: World, rclone: Run, tree: Path, tmp_path: Path) -> None:
    there = f"w:{BUCKET}/ada"
    served = Path(world.path("ada"))
    assert rclone("lsd", "w:").stdout.split()[-1] == BUCKET
    rclone("copy", "--s3-upload-cutoff", "10M", str(tree), f"{there}/copied")
    assert same(tree, served / "copied")
    assert "0 differences" in rclone("check", str(tree), f"{there}/copied").stderr
    rclone("check", "--download", str(tree), f"{there}/copied")
    before = len(world.rights.events)
    rclone("sync", str(tree), f"{there}/copied")
    assert len(world.rights.events) == before, "nothing had changed, nothing is copied"
    assert len(rclone("md5sum", f"{there}/copied").stdout.splitlines()) == 5
    rclone("copy", f"{there}/copied", str(tmp_path / "back"))
    assert same(tree, tmp_path / "back")
    rclone("moveto", f"{there}/copied/big", f"{there}/moved")
    assert (served / "moved").read_bytes() == (tree / "big").read_bytes()
    rclone("rcat", f"{there}/piped", given="piped")
    assert rclone("cat", f"{there}/piped").stdout == "piped"
    assert "Total objects: 6" in rclone("size", there).stdout
    rclone("purge", f"{there}/copied")
    assert not (served / "copied").exists()
    assert "X-Amz-Signature" in rclone("link", "--expire", "1h", f"{there}/piped").stdout
    rclone("ls", f"w:{BUCKET}/bob", status=1)
    rclone("copyto", f"{tree}/plain.txt", f"w:{BUCKET}/bob/x", status=1)


def obstore(world: World, prefix: str, keys: Keys | None = None) -> Any:
    from obstore.store import S3Store

    keys = keys or world.ada
    return S3Store(
        BUCKET,
        prefix=prefix,
        endpoint=world.url,
        access_key_id=keys.access_key,
        secret_access_key=keys.secret_key,
        session_token=keys.token,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def test_obstore(world: World) -> None:
    store = obstore(world, "ada")
    body = os.urandom(20 * 1024 * 1024)
    store.put("small", b"small")
    store.put("big é", body)
    assert world.content("ada/big é") == body
    assert bytes(store.get("big é").bytes()) == body
    assert bytes(store.get_range("big é", start=10, end=20)) == body[10:20]
    store.put("new", b"1", mode="create")
    with pytest.raises(Exception, match=r"(?i)exist"):
        store.put("new", b"2", mode="create")
    store.copy("small", "copied")
    store.rename("copied", "renamed")
    listed = [entry["path"] for page in store.list() for entry in page]
    assert listed == ["big é", "new", "renamed", "small"]
    store.delete(["small", "renamed"])
    assert sorted(os.listdir(world.path("ada"))) == ["big é", "new"]
    with pytest.raises(Exception, match=r"(?i)denied|403"):
        obstore(world, "bob").put("x", b"1")


@pytest.mark.slow
@pytest.mark.parametrize("level", [None, Level.READ])
def test_every_client_is_refused_after_the_right_was_taken_back(
    world: World, level: Level | None, mc_path: str, aws_path: str, rclone_path: str, tmp_path: Path
) -> None:
    world.client().put_object(Bucket=BUCKET, Key="ada/x", Body=b"1")
    world.rights.share("bob", BUCKET, "ada/", Level.READWRITE)
    keys = world.bob
    mc = _run(mc_path, mc_environment(world, tmp_path, keys))
    aws = _run(aws_path, world.environment(keys))
    rclone = _run(rclone_path, rclone_environment(world, keys))
    local = tmp_path / "local"
    local.write_text("local")

    def read(status: int) -> None:
        mc("cat", f"w/{BUCKET}/ada/x", status=1 if status else 0)
        aws("s3", "cp", f"s3://{BUCKET}/ada/x", "-", status=1 if status else 0)
        rclone("copyto", f"w:{BUCKET}/ada/x", str(tmp_path / "back"), status=1 if status else 0)

    def write(status: int) -> None:
        mc("cp", str(local), f"w/{BUCKET}/ada/y", status=1 if status else 0)
        aws("s3", "cp", str(local), f"s3://{BUCKET}/ada/y", status=1 if status else 0)
        rclone("copyto", str(local), f"w:{BUCKET}/ada/z", status=1 if status else 0)

    read(0)
    write(0)
    (tmp_path / "back").unlink()
    os.remove(world.path("ada/y"))
    os.remove(world.path("ada/z"))
    if level is None:
        world.rights.unshare("bob", BUCKET, "ada/")
        read(1)
    else:
        world.rights.share("bob", BUCKET, "ada/", level)
        read(0)
    write(1)
    assert os.listdir(world.path("ada")) == ["x"]
