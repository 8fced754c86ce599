"""Every verb of `wio mc` with the real MinIO client: within and across workspaces, by `name/` and `owner/name/`,
with the owner's rights and with a share's. Names come out where names went in."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cli.terminal import on_terminal
from servers.service import Person, Service

FILES = {"a.txt": "first\nsecond\n", "sub/b.txt": "in a folder\n", "sub/é + 1.txt": "signs\n"}


def local(person: Person, *parts: str) -> str:
    return os.path.join(person.home, *parts)


def put(person: Person, path: str, content: str) -> None:
    done = person.run("mc", "pipe", path, stdin=content)
    assert done.returncode == 0, done


def listed(person: Person, path: str) -> set[str]:
    """Every key under a path, from mc's JSON."""
    lines = person.wio("mc", "ls", "-r", "--json", path).splitlines()
    return {json.loads(line)["key"] for line in lines}


def mc(person: Person, *arguments: str, stdin: str = "") -> str:
    """A verb that must succeed, with nothing of the bucket path in what it prints."""
    done = person.run("mc", *arguments, stdin=stdin)
    assert done.returncode == 0, done
    assert person.service.s3_url not in done.stdout + done.stderr
    assert "private/ada" not in done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def people(running: Service, mc_path: str) -> dict[str, Person]:
    """ada, who owns `data` and `copies`, and ben, with `readwrite` on both and `mine` of his own."""
    ada = running.administrator()
    ben, eve = running.colleague("ben"), running.colleague("eve")
    for person in (ada, ben, eve):
        person.environment["WIO_MC"] = mc_path
    for name in ("data", "copies"):
        ada.wio("create", name)
        ada.wio("share", name, "ben", "--permission", "readwrite")
    ben.wio("create", "mine")
    return {"ada": ada, "ben": ben, "eve": eve}


@pytest.fixture(
    params=[("ada", "data", "copies"), ("ada", "ada/data", "ada/copies"), ("ben", "ada/data", "ada/copies")]
)
def place(request: pytest.FixtureRequest, people: dict[str, Person]) -> Iterator[tuple[Person, str, str]]:
    """Who types, and how they write a workspace with files in it and an empty one."""
    username, source, target = request.param
    ada = people["ada"]
    for path, content in FILES.items():
        put(ada, f"data/{path}", content)
    yield people[username], source, target
    for name in ("data", "copies"):
        ada.run("mc", "rm", "-r", "--force", f"{name}/")
        assert listed(ada, f"{name}/") == set()


Place = tuple[Person, str, str]


def test_ls(place: Place) -> None:
    person, source, target = place
    printed = mc(person, "ls", f"{source}/")
    assert [line.split(" ")[-1] for line in printed.splitlines()] == ["a.txt", "sub/"]
    # A workspace alone is its whole prefix.
    assert [line.split(" ")[-1] for line in mc(person, "ls", source).splitlines()] == ["a.txt", "sub/"]
    assert listed(person, f"{source}/") == set(FILES)
    assert listed(person, f"{source}/sub/") == {"b.txt", "é + 1.txt"}
    assert listed(person, f"{source}/sub") == {"b.txt", "é + 1.txt"}
    assert mc(person, "ls", f"{target}/") == ""
    described = json.loads(mc(person, "ls", "--json", f"{source}/a.txt").splitlines()[0])
    assert described["url"].startswith(source)


def test_cp(place: Place) -> None:
    person, source, target = place
    printed = mc(person, "cp", f"{source}/a.txt", f"{target}/")
    assert f"`{source}/a.txt` -> `{target}/a.txt`" in printed
    mc(person, "cp", "--recursive", f"{source}/sub/", f"{target}/deep/er/")
    mc(person, "cp", "-r", f"{source}/", f"{source}/", f"{target}/again/")
    assert listed(person, f"{target}/") == {
        *("a.txt", "deep/er/b.txt", "deep/er/é + 1.txt"),
        *("again/a.txt", "again/sub/b.txt", "again/sub/é + 1.txt"),
    }
    mc(person, "cp", f"{source}/a.txt", f"{source}/sub/b.txt", f"{source}/within/")
    assert listed(person, f"{source}/within/") == {"a.txt", "b.txt"}


def test_cp_from_here_to_there_and_back(place: Place) -> None:
    person, _, target = place
    os.makedirs(local(person, "out"), exist_ok=True)
    with open(local(person, "out", "x.bin"), "wb") as file:
        file.write(bytes(range(256)) * 40_000)
    assert f"-> `{target}/x.bin`" in mc(person, "cp", "./out/x.bin", f"{target}/")
    mc(person, "cp", "out/x.bin", f"{target}/y.bin")  # a local path without ./, where no workspace has the name
    mc(person, "cp", f"{target}/y.bin", "back.bin")
    mc(person, "cp", f"{target}/x.bin", local(person, "out", "back.bin"))
    with open(local(person, "out", "x.bin"), "rb") as sent, open(local(person, "back.bin"), "rb") as received:
        assert sent.read() == received.read()
    for name in ("back.bin", "out/back.bin", "out/x.bin"):
        os.unlink(local(person, name))


def test_mv(place: Place) -> None:
    person, source, target = place
    assert f"`{source}/a.txt` -> `{target}/moved.txt`" in mc(
        person, "mv", f"{source}/a.txt", f"{target}/moved.txt"
    )
    mc(person, "mv", "-r", f"{source}/sub/", f"{target}/sub/")
    assert listed(person, f"{source}/") == set()
    assert listed(person, f"{target}/") == {"moved.txt", "sub/b.txt", "sub/é + 1.txt"}


def test_rm(place: Place) -> None:
    person, source, _ = place
    assert f"Removed `{source}/a.txt`" in mc(person, "rm", f"{source}/a.txt")
    assert listed(person, f"{source}/") == {"sub/b.txt", "sub/é + 1.txt"}
    mc(person, "rm", "--recursive", "--force", f"{source}/sub/")
    assert listed(person, f"{source}/") == set()
    put(person, f"{source}/whole", "x")
    mc(person, "rm", "-r", "--force", f"{source}/")
    assert listed(person, f"{source}/") == set()


def test_diff(place: Place) -> None:
    person, source, target = place
    put(person, f"{target}/only.txt", "x")
    put(person, f"{target}/a.txt", FILES["a.txt"])
    assert sorted(mc(person, "diff", f"{source}/", f"{target}/").splitlines()) == [
        f"< {source}/sub/b.txt",
        f"< {source}/sub/é + 1.txt",
        f"> {target}/only.txt",
    ]


def test_cat(place: Place) -> None:
    person, source, target = place
    assert mc(person, "cat", f"{source}/a.txt", f"{source}/sub/b.txt") == FILES["a.txt"] + FILES["sub/b.txt"]
    odd = bytes(range(256)).decode("latin-1")
    alike = f"wabc/lab/{source}/x {person.service.s3_url} {odd}"
    put(person, f"{target}/odd", alike)
    assert person.wio("mc", "cat", f"{target}/odd") == alike


def test_head(place: Place) -> None:
    person, source, _ = place
    assert mc(person, "head", "-n", "1", f"{source}/a.txt") == "first\n"
    assert mc(person, "head", "--lines=1", f"{source}/a.txt") == "first\n"


def test_tree(place: Place) -> None:
    person, source, target = place
    put(person, f"{target}/c.txt", "x")
    printed = mc(person, "tree", "--files", f"{source}/", f"{target}/").splitlines()
    assert printed[0].rstrip("/") == source
    assert [line.lstrip("│├└─ ") for line in printed[1:4]] == ["a.txt", "sub", "b.txt"]
    assert printed[-2].rstrip("/") == target


def test_mirror(place: Place) -> None:
    person, source, target = place
    assert f"`{source}/a.txt` -> `{target}/m/a.txt`" in mc(person, "mirror", f"{source}/", f"{target}/m/")
    assert listed(person, f"{target}/m/") == set(FILES)
    mc(person, "rm", f"{source}/a.txt")
    mc(person, "mirror", "--remove", "--exclude", "sub/*", source, f"{target}/m")
    assert "a.txt" not in listed(person, f"{target}/m/")
    mc(person, "mirror", f"{target}/m/", "./mirrored")
    with open(local(person, "mirrored", "sub", "b.txt"), encoding="utf-8") as file:
        assert file.read() == FILES["sub/b.txt"]
    mc(person, "mirror", "./mirrored", f"{target}/back/")
    assert listed(person, f"{target}/back/") == {"sub/b.txt", "sub/é + 1.txt"}


def test_find(place: Place) -> None:
    person, source, _ = place
    assert sorted(mc(person, "find", f"{source}/").splitlines()) == sorted(f"{source}/{path}" for path in FILES)
    assert mc(person, "find", f"{source}/", "--name", "b*") == f"{source}/sub/b.txt\n"
    assert mc(person, "find", "--name", f"{source}/", f"{source}/") == ""  # a value is never a workspace
    assert mc(person, "find", source, "--name", "b*", "--print", "{base} {size}") == "b.txt 12 B\n"
    told = mc(person, "find", f"{source}/", "--name", "b*", "--exec", "echo found {}")
    assert told == f"found {source}/sub/b.txt\n"


def test_stat(place: Place) -> None:
    person, source, _ = place
    described = json.loads(mc(person, "stat", "--json", f"{source}/a.txt"))
    assert (described["name"], described["size"]) == ("a.txt", len(FILES["a.txt"]))
    assert "Size      : 13 B" in mc(person, "stat", f"{source}/a.txt")
    assert "a.txt" in mc(person, "stat", f"{source}/")


def test_du(place: Place) -> None:
    person, source, _ = place
    total = sum(len(content) for content in FILES.values())
    assert mc(person, "du", f"{source}/") == f"{total}B\t3 objects\t{source}\n"
    assert f"\t{source}/sub\n" in mc(person, "du", "--depth", "2", source)
    assert json.loads(mc(person, "du", "--json", f"{source}/"))["prefix"] == source


def test_pipe(place: Place) -> None:
    person, _, target = place
    assert f"-> `{target}/piped`" in mc(person, "pipe", f"{target}/piped", stdin="from standard input")
    assert mc(person, "cat", f"{target}/piped") == "from standard input"


def test_watch(place: Place) -> None:
    person, source, _ = place
    stopped = threading.Event()

    def write() -> None:
        for number in range(60):
            put(person, f"{source}/seen-{number}", "x")
            if stopped.wait(0.5):
                return

    writer = threading.Thread(target=write)
    command = ["wio", "mc", "watch", "--json", f"{source}/"]
    with subprocess.Popen(
        command, env=person.env(), cwd=person.home, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        writer.start()
        try:
            # An event of a moment ago may still be on its way when the watching begins.
            event: dict[str, Any] = next(
                event for line in watching.stdout if "/seen-" in (event := json.loads(line))["events"]["path"]
            )
        finally:
            stopped.set()
            writer.join()
            with open(f"/proc/{watching.pid}/task/{watching.pid}/children", encoding="ascii") as file:
                client = file.read().strip()
            watching.terminate()
    assert client
    assert not os.path.exists(f"/proc/{client}")  # ended with what started it
    assert event["events"]["path"].startswith(f"{source}/seen-"), event
    assert "private/ada" not in json.dumps(event)


def test_across_owners(people: dict[str, Person]) -> None:
    """One credential covers a workspace of ben's own and one that ada shared."""
    ben = people["ben"]
    put(ben, "mine/x", "ben's")
    mc(ben, "cp", "mine/x", "ada/copies/x")
    assert mc(ben, "cat", "copies/x") == "ben's"  # for reading, a name that only one shared workspace has
    mc(ben, "mv", "ada/copies/x", "mine/y")
    assert listed(ben, "mine/") == {"x", "y"}
    assert listed(ben, "copies/") == set()


def test_a_shared_folder_needs_no_final_slash(people: dict[str, Person]) -> None:
    ada, ben = people["ada"], people["ben"]
    ada.wio("create", "partly")
    put(ada, "partly/in/x", "x")
    ada.wio("share", "partly/in", "ben")
    for path in ("partly/in", "partly/in/", "ada/partly/in"):
        assert listed(ben, path) == {"x"}
    assert ben.run("mc", "ls", "partly/").returncode == 1
    assert ben.run("mc", "ls", "partly/i").returncode == 1


@pytest.fixture
def reader(people: dict[str, Person]) -> Iterator[Person]:
    """eve, with `read` on ada's `data` with files in it, and `readwrite` on `copies`."""
    ada, eve = people["ada"], people["eve"]
    for path, content in FILES.items():
        put(ada, f"data/{path}", content)
    ada.wio("share", "data", "eve")
    ada.wio("share", "copies", "eve", "--permission", "readwrite")
    yield eve
    for name in ("data", "copies"):
        ada.wio("unshare", name, "eve")
        ada.run("mc", "rm", "-r", "--force", f"{name}/")


def test_every_reading_verb_with_a_read_share(reader: Person) -> None:
    assert listed(reader, "ada/data/") == listed(reader, "data/") == set(FILES)
    assert mc(reader, "cat", "ada/data/a.txt", "data/sub/b.txt") == FILES["a.txt"] + FILES["sub/b.txt"]
    assert mc(reader, "head", "-n", "1", "ada/data/a.txt") == "first\n"
    assert "b.txt" in mc(reader, "tree", "--files", "ada/data/")
    assert mc(reader, "find", "ada/data/", "--name", "b*") == "ada/data/sub/b.txt\n"
    assert json.loads(mc(reader, "stat", "--json", "ada/data/a.txt"))["size"] == len(FILES["a.txt"])
    assert "\t3 objects\tada/data\n" in mc(reader, "du", "ada/data/")
    mc(reader, "cp", "ada/data/a.txt", "fetched")
    with open(local(reader, "fetched"), encoding="utf-8") as file:
        assert file.read() == FILES["a.txt"]
    mc(reader, "cp", "-r", "ada/data/sub/", "ada/copies/sub/")
    assert mc(reader, "diff", "ada/data/", "ada/copies/") == "< ada/data/a.txt\n"
    mc(reader, "mirror", "ada/data/", "ada/copies/")
    assert listed(reader, "ada/copies/") == set(FILES)
    mc(reader, "mirror", "data/", "mirrored")
    assert os.path.exists(local(reader, "mirrored", "sub", "b.txt"))


WRITING_LINES = (
    ("pipe", "ada/data/new"),
    ("pipe", "ada/data/a.txt"),
    ("cp", "./own", "ada/data/"),
    ("cp", "ada/data/a.txt", "ada/data/again"),
    ("cp", "-r", "ada/copies/", "ada/data/more/"),
    ("mv", "ada/data/a.txt", "ada/copies/"),
    ("mv", "ada/data/a.txt", "./moved"),
    ("mv", "-r", "ada/data/sub/", "ada/data/elsewhere/"),
    ("rm", "ada/data/a.txt"),
    ("rm", "-r", "--force", "ada/data/"),
    ("mirror", "./folder", "ada/data/"),
    ("mirror", "--overwrite", "--remove", "ada/copies/", "ada/data/"),
)


def test_no_writing_verb_with_a_read_share(people: dict[str, Person], reader: Person) -> None:
    os.makedirs(local(reader, "folder"), exist_ok=True)
    for path in ("own", "folder/new.txt"):
        with open(local(reader, path), "w", encoding="utf-8") as file:
            file.write("eve's")
    put(reader, "ada/copies/a.txt", "another")
    for line in WRITING_LINES:
        done = reader.run("mc", *line, stdin="eve's")
        assert "<ERROR>" in done.stderr or line[0] == "mirror", done  # mc itself would say nothing
        assert done.returncode == 1 or line[0] == "mv"  # what was copied and stays: mc only says so
        assert "private/ada" not in done.stdout + done.stderr
    ada = people["ada"]
    assert listed(ada, "data/") == set(FILES)
    assert mc(ada, "cat", *(f"data/{path}" for path in FILES)) == "".join(FILES.values())


def test_mirror_follows_a_share_that_was_raised_or_lowered(people: dict[str, Person], reader: Person) -> None:
    """With keys cached before; mc itself would say that everything was copied."""
    ada = people["ada"]
    os.makedirs(local(reader, "raised"), exist_ok=True)
    with open(local(reader, "raised", "new.txt"), "w", encoding="utf-8") as file:
        file.write("x")
    line = ("mirror", "./raised", "ada/data/sub/")
    refusal = (
        "You may read here, but not write: nothing can be copied into ada/data/sub/; "
        "ask ada to share it with --permission readwrite."
    )
    assert refusal in reader.refused("mc", *line)
    ada.wio("share", "data/sub", "eve", "--permission", "readwrite")
    mc(reader, *line)
    assert "sub/new.txt" in listed(ada, "data/")
    ada.wio("unshare", "data/sub", "eve")
    assert refusal in reader.refused("mc", *line)


def test_refusals_are_mcs_own(people: dict[str, Person]) -> None:
    ada, ben, eve = people["ada"], people["ben"], people["eve"]
    put(ada, "data/secret", "s")
    for reference in ("ada/data/", "data/", "ada/data/secret"):
        done = eve.run("mc", "ls", reference)
        assert (done.returncode, done.stdout) == (1, "")
        assert "There is no workspace" in done.stderr
    ada.wio("share", "data", "eve")
    assert mc(eve, "cat", "ada/data/secret") == "s"
    done = eve.run("mc", "pipe", "ada/data/mine", stdin="x")
    assert done.returncode == 1
    assert "ada/data/mine" in done.stderr
    assert "private/ada" not in done.stderr
    ada.wio("unshare", "data", "eve")
    done = eve.run("mc", "cat", "ada/data/secret")  # with the credential cached before
    assert (done.returncode, done.stdout) == (1, "")
    done = ben.run("mc", "pipe", "data/x", stdin="x")  # a name alone is for reading what others own
    assert done.returncode == 1
    mc(ada, "rm", "data/secret")
    done = ada.run("mc", "cat", "data/secret")
    assert (done.returncode, done.stderr) == (
        1,
        "mc: <ERROR> Unable to read from `data/secret`. Object does not exist.\n",
    )


def test_local_paths_and_workspaces_are_not_mixed_up(people: dict[str, Person]) -> None:
    ada = people["ada"]
    os.makedirs(local(ada, "data"), exist_ok=True)
    with open(local(ada, "data", "a.txt"), "w", encoding="utf-8") as file:
        file.write("here\n")
    try:
        done = ada.run("mc", "cat", "data/a.txt")
        assert done.returncode == 2
        assert "write ./data/a.txt for the one, wio:data/a.txt for the other" in done.stderr
        put(ada, "wio:data/a.txt", "there\n")
        assert mc(ada, "cat", "./data/a.txt") == "here\n"
        assert mc(ada, "cat", "wio:data/a.txt") == "there\n"
        assert mc(ada, "rm", "wio:data/a.txt") == "Removed `wio:data/a.txt`.\n".replace("wio:", "")
    finally:
        os.unlink(local(ada, "data", "a.txt"))
        os.rmdir(local(ada, "data"))
    done = ada.run("mc", "cp", "./nothing", "dta/")
    assert done.returncode == 1
    assert "./dta/ would be a local path" in done.stderr
    done = ada.run("mc", "cat", "dta")
    assert done.returncode == 1
    assert "There is no workspace 'dta'" in done.stderr
    with open(local(ada, "kept"), "w", encoding="utf-8") as file:
        file.write("x")
    done = ada.run("mc", "rm", "kept")
    assert done.returncode == 1
    assert os.path.exists(local(ada, "kept"))
    assert "Removed" in ada.wio("mc", "rm", "./kept")
    assert ada.run("mc", "rm", "--stdin", "--force", stdin="kept\n").returncode == 2


def test_own_aliases_and_configuration_are_left_alone(people: dict[str, Person], running: Service) -> None:
    ada = people["ada"]
    put(ada, "data/a.txt", "x")
    assert not os.path.exists(local(ada, ".mc"))
    issued = ada.token("data", "--fresh")
    keys = f"{issued['access_key_id']}:{issued['secret_access_key']}:{issued['session_token']}"
    host = running.s3_url.replace("://", f"://{keys}@")
    own = f"lab/{issued['workspaces'][0]['bucket']}/{issued['workspaces'][0]['prefix']}a.txt"
    done = ada.shell("wio", "mc", "cat", own, env={"MC_HOST_lab": host})
    assert (done.returncode, done.stdout) == (0, "x")
    done = ada.shell("wio", "mc", "cat", "data/a.txt", env={"MC_HOST_data": host})
    assert done.returncode == 2
    assert "an alias of mc and a workspace" in done.stderr


def test_no_secret_is_on_a_command_line_or_left_in_a_file(people: dict[str, Person]) -> None:
    ada = people["ada"]
    put(ada, "data/a.txt", "x")
    done = ada.run("mc", "find", "data/", "--exec", "sh -c 'tr \\0 \\n < /proc/$PPID/cmdline'")
    assert done.returncode == 0, done
    assert "find" in done.stdout
    assert "data/" in done.stdout
    issued = ada.token("data", "--fresh")
    assert issued["secret_access_key"] not in done.stdout
    for folder, _, names in os.walk(ada.home):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, errors="replace", encoding="utf-8") as file:
                assert os.stat(path).st_mode & 0o077 == 0 or "wios_" not in file.read(), path


def test_a_second_command_asks_nobody(people: dict[str, Person]) -> None:
    """With credential and name cached, the API is not needed."""
    ada = people["ada"]
    put(ada, "data/a.txt", "x")
    mc(ada, "ls", "data/")
    before = ada.json("credential", "ls")
    mc(ada, "ls", "data/")
    mc(ada, "stat", "data/a.txt")
    mc(ada, "cat", "data/a.txt")
    assert ada.json("credential", "ls") == before


def test_on_a_terminal(people: dict[str, Person]) -> None:
    """Colours and the progress bar stay, and names are shown."""
    ada = people["ada"]
    put(ada, "data/a.txt", "x" * 100)
    status, printed = on_terminal(ada, "wio", "mc", "cp", "data/a.txt", "copies/")
    assert status == 0
    assert b"\x1b[" in printed
    assert b"data/a.txt" in printed
    assert b"100 B / 100 B" in printed
    assert b"private/ada" not in printed
    assert on_terminal(ada, "wio", "mc", "cat", "data/a.txt")[1].endswith(b"x" * 100)
    assert on_terminal(ada, "wio", "mc", "cat", "data/nothing")[0] == 1
    mc(ada, "rm", "copies/a.txt")


def test_output_that_nobody_reads_ends_mc(people: dict[str, Person]) -> None:
    ada = people["ada"]
    for number in range(3):
        put(ada, f"data/many/{number}", "x")
    done = ada.shell("bash", "-c", "wio mc find data/ --exec 'sh -c \"yes | head -c 1000000\"' | head -c 10")
    assert done.stdout == "y\ny\ny\ny\ny\n"
    assert "Traceback" not in done.stderr
    mc(ada, "rm", "-r", "--force", "data/many/")


def test_a_missing_client_is_named(people: dict[str, Person], tmp_path: os.PathLike[str]) -> None:
    ada = people["ada"]
    folder = str(tmp_path)
    path = f"{os.path.dirname(ada.service.path.split(os.pathsep)[0])}/bin:{folder}"
    done = ada.shell("wio", "mc", "ls", "data/", env={"WIO_MC": "", "PATH": path})
    assert done.returncode == 1
    assert "it isn't installed; type `go install github.com/minio/mc@latest`" in done.stderr
    commander = os.path.join(folder, "mc")
    with open(commander, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho 'GNU Midnight Commander 4.8.29'\n")
    os.chmod(commander, 0o755)
    done = ada.shell("wio", "mc", "ls", "data/", env={"WIO_MC": "", "PATH": path})
    assert done.returncode == 1
    assert "Midnight Commander has the same name" in done.stderr
    os.symlink(ada.environment["WIO_MC"], os.path.join(folder, "mcli"))
    assert ada.shell("wio", "mc", "ls", "data/", env={"WIO_MC": "", "PATH": path}).returncode == 0


def test_an_exact_reference_reaches_what_another_reading_hides(people: dict[str, Person]) -> None:
    """`ben/files/` of ada's own workspace `ben`, and of ben's workspace `files`."""
    ada, ben = people["ada"], people["ben"]
    for person, name in ((ada, "ben"), (ben, "files")):
        person.wio("create", name)
    ben.wio("share", "files", "ada", "--permission", "readwrite")
    refused = ada.run("mc", "cp", "ben/files/x", "copy")
    assert refused.returncode == 1
    assert "'ben/files/x' can mean ada:ben/files/x or ben:files/x; write one of these." in refused.stderr
    put(ada, "ada:ben/files/x", "mine\n")
    put(ada, "ben:files/x", "theirs\n")
    assert ben.wio("mc", "cat", "files/x") == "theirs\n"
    assert mc(ada, "cat", "ada:ben/files/x") == "mine\n"
    assert mc(ada, "cat", "wio:ben:files/x") == "theirs\n"
    assert mc(ada, "cp", "ben:files/x", "ada:ben/copy").startswith("`ben:files/x` -> `ada:ben/copy`")
    with open(local(ada, "ben:files"), "w") as file:
        file.write("local")
    assert mc(ada, "cat", "./ben:files") == "local"
    os.unlink(local(ada, "ben:files"))
