"""What people type as other tools taught them: addresses of Python, wrong commands, `-n`, shut streams."""

from __future__ import annotations

import os
import subprocess

import pytest

from servers.service import Person, Service
from workspacesio.cli.transfer_progress import _fitting


@pytest.fixture(scope="module")
def ada(running: Service) -> Person:
    person = running.administrator()
    person.wio("root", "import", "existing", "images")
    return person


@pytest.fixture(scope="module")
def ben(running: Service, ada: Person) -> Person:
    person = running.colleague("ben")
    ada.wio("share", "images/raw", "ben")
    return person


@pytest.mark.parametrize("typed", ["wio:images", "wio://images", "wio://ada/images"])
def test_every_command_takes_the_workspace_that_is_said_to_be_one(ada: Person, typed: str) -> None:
    os.makedirs(os.path.join(ada.home, "images"), exist_ok=True)
    for command in ("ls", "tree", "stat", "path", "shares", "token"):
        ada.wio(command, typed)
    assert "no workspace" not in ada.run("du", typed).stderr  # the index may not be there yet
    assert ada.wio("cat", f"{typed}/a.tif") == "images/a.tif\n"
    assert ada.wio("presign", f"{typed}/a.tif").startswith("http")
    ada.wio("share", typed, "everyone")
    ada.wio("unshare", typed, "everyone")


def test_the_path_of_a_shared_folder_can_be_listed(ben: Person) -> None:
    assert ben.wio("path", "ada/images/raw") == "s3://data/images/raw/\n"
    assert ben.wio("path", "ada/images/raw/b.tif") == "s3://data/images/raw/b.tif\n"
    assert "b.tif" in ben.wio("exec", "ada/images/raw", "--", "aws", "s3", "ls", "s3://data/images/raw/")


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (("lss",), "did you mean `wio ls`?"),
        (("snyc", "a", "b"), "did you mean `wio sync`?"),
        (("delete", "images"), "did you mean `wio workspace delete`?"),
        (("qqqq",), "no command 'qqqq'; `wio --help`"),
        (("ls", "s3://data/images/"), "is an address for other tools; write NAME/PATH"),
        (("cp", "s3://data/images/a.tif", "."), "is an address for other tools; write NAME/PATH"),
        (("sync", "images", "images"), "write wio:images for a workspace of a name that is also here"),
        (("sync", "--bandwidth", "10", "./images", "wio:images"), "is 10 bytes a second; write it like 10MB"),
    ],
)
def test_what_is_typed_wrong_says_what_to_type(ada: Person, command: tuple[str, ...], part: str) -> None:
    os.makedirs(os.path.join(ada.home, "images"), exist_ok=True)
    done = ada.run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_patterns_are_told_how(ada: Person) -> None:
    done = ada.run("ls", "images/*.tif")
    assert done.returncode == 1
    assert "`wio find images/ --name '*.tif'`" in done.stderr


def test_a_dry_run_is_n(ada: Person) -> None:
    target = os.path.join(ada.home, "dry")
    for command in (("cp", "-rn", "wio:images", "./dry"), ("sync", "-n", "wio:images", "./dry")):
        assert "a.tif" in ada.wio(*command)
        assert not os.path.exists(target)
    ada.wio("rm", "-rn", "wio:images")
    assert ada.wio("cat", "ada/images/a.tif")


def test_streams_that_are_shut(ada: Person) -> None:
    def shut(how: str, *command: str) -> subprocess.CompletedProcess[str]:
        line = f'exec {how}; exec "$@"'
        return subprocess.run(
            ["bash", "-c", line, "bash", "wio", *command],
            env=ada.env(),
            cwd=ada.home,
            capture_output=True,
            text=True,
            check=False,
        )

    for command in (("ls", "wio:images"), ("cat", "ada/images/a.tif"), ("--version",), ("stat", "ada/images")):
        done = shut(">&-", *command)
        assert (done.returncode, done.stderr) == (1, "wio: Bad file descriptor: standard output.\n"), command
    done = shut("2>&-", "cat", "ada/images/a.tif")
    assert (done.returncode, done.stdout) == (0, "images/a.tif\n")
    assert shut("2>&-", "cat", "ada/images/none").returncode == 1
    assert shut("<&-", "cat", "ada/images/a.tif").stdout == "images/a.tif\n"


def test_commands_that_are_not_there_end_as_in_shells(ada: Person) -> None:
    assert ada.run("exec", "ada/images", "--", "no-such-command").returncode == 127
    plain = os.path.join(ada.home, "plain")
    with open(plain, "w", encoding="utf-8"):
        pass
    assert ada.run("exec", "--keys", "ada/images", "--", plain).returncode == 126


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (200, "66 of 92 objects, 72.6 MiB of 112.5 MiB, 14.9 MiB/s, 2 s left"),
        (60, "72.6 MiB of 112.5 MiB, 14.9 MiB/s, 2 s left"),
        (20, "2 s left"),
        (6, "2 s l"),
    ],
)
def test_progress_on_a_narrow_terminal_shows_whole_figures(
    monkeypatch: pytest.MonkeyPatch, columns: int, shown: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert _fitting("66 of 92 objects, 72.6 MiB of 112.5 MiB, 14.9 MiB/s, 2 s left") == shown


def test_names_that_begin_with_a_dash(ada: Person) -> None:
    with open(os.path.join(ada.home, "-f"), "w", encoding="utf-8") as file:
        file.write("dash\n")
    ada.wio("cp", "--", "-f", "ada/images/")
    assert ada.wio("cat", "ada/images/-f") == "dash\n"
    ada.wio("cp", "-r", "--exclude", "*.tif", "--", "ada/images/", "-to")
    assert os.listdir(os.path.join(ada.home, "-to")) == ["-f"]
    ada.wio("rm", "-y", "--", "ada/images/-f")
    assert ada.run("rm", "--", "-f").returncode == 1


def test_a_dry_run_as_json(ada: Person) -> None:
    surplus = os.path.join(ada.home, "planned", "more")
    os.makedirs(os.path.dirname(surplus))
    with open(surplus, "w", encoding="utf-8"):
        pass
    copied = {"from": "ada/images/raw/b.tif", "to": "./planned/b.tif", "bytes": 17}
    assert ada.json("cp", "-rn", "ada/images/raw/", "./planned") == {
        "would_copy": [copied],
        "bytes": 17,
        "left_out": [],
    }
    told = ada.json("sync", "-n", "--delete", "ada/images/raw", "./planned")
    assert (told["would_copy"], told["equal"], told["would_delete"]) == ([copied], 0, ["./planned/more"])
    assert os.listdir(os.path.dirname(surplus)) == ["more"]


def test_what_comes_next_can_be_typed_as_it_is(ada: Person) -> None:
    assert "`wio cp FILE 'mein Ordner/'`" in ada.wio("create", "mein Ordner")
