"""`wio search`, `wio du`, `wio crawl` and `wio index` on a running service that crawls and watches real files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cli.terminal import on_terminal
from servers.service import Person, Service, service

FILES = {
    "raw/plate-1.csv": 10,
    "raw/deep/plate-2.csv": 2000,
    "raw/deep/image plate.tif": 3 << 20,
    "notes.txt": 5,
    "old draft.txt": 7,
}
HOSTILE = "raw/two\nlines\x1b[31m.dat"
OLD = 1_500_000_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("lab") / "data")
    for path, size in FILES.items():
        whole = os.path.join(folder, "plates", path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.truncate(size)
    with open(os.path.join(folder, "plates", HOSTILE), "wb"):
        pass
    os.utime(os.path.join(folder, "plates", "old draft.txt"), (OLD, OLD))
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def ada(running: Service) -> Person:
    """The administrator, whose folder `plates` is indexed without her doing anything for it."""
    person = running.administrator()
    person.wio("root", "import", "existing", "plates")
    deadline = time.monotonic() + 60
    # All is there, and nothing is said to be missing.
    while (done := person.run("search", "--count")).stdout != f"{len(FILES) + 1}\n" or done.stderr:
        assert time.monotonic() < deadline, person.run("index", "status")
        time.sleep(0.1)
    return person


@pytest.fixture(scope="module")
def ben(running: Service, ada: Person) -> Person:
    del ada
    return running.colleague("ben")


def test_rows(ada: Person) -> None:
    done = ada.run("search", "plate", "ext:csv", "--sort", "path")
    assert done.returncode == 0
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["SIZE", "MODIFIED", "PATH"]
    assert [row.split()[-1] for row in rows] == ["plates/raw/deep/plate-2.csv", "plates/raw/plate-1.csv"]
    assert rows[0].split()[:2] == ["2.0", "KiB"]
    assert done.stderr == "2 objects, 2.0 KiB.\n"
    unread = "wio: Not indexed, as operators chose: words in contents of root existing.\n"
    assert ada.run("search", "nonesuch").stderr.startswith(f"{unread}Nothing fits")
    assert ada.run("search", "name:nonesuch").stderr.startswith("Nothing that you can reach fits")
    assert r"plates/raw/two\nlines\x1b[31m.dat" in ada.wio("search", "lines")


def test_order_and_length(ada: Person) -> None:
    def paths(*arguments: str) -> list[str]:
        return [one["path"] for one in ada.json("search", *arguments)["results"]]

    assert paths("--largest")[:2] == ["raw/deep/image plate.tif", "raw/deep/plate-2.csv"]
    assert paths("--oldest", "--limit", "1") == ["old draft.txt"]
    assert paths("--all", "--sort", "path", "--reverse") == sorted([*FILES, HOSTILE], reverse=True)
    assert paths("plate", "-image", "--sort", "size") == ["raw/deep/plate-2.csv", "raw/plate-1.csv"]
    shown = ada.run("search", "--all", "--sort", "size").stdout
    assert len(shown.splitlines()) == len(FILES) + 2
    few = ada.run("search", "plate", "--limit", "1")
    assert len(few.stdout.splitlines()) == 2
    assert "1 of 3 objects, 3.0 MiB in all; --limit N or --all shows more." in few.stderr


def test_json(ada: Person) -> None:
    answer = ada.json("search", "name:plate-1")
    assert (answer["total"], answer["bytes"], answer["incomplete"], answer["notes"]) == (1, 10, [], [])
    (found,) = answer["results"]
    assert (found["workspace"], found["owner"], found["path"], found["size"]) == (
        "plates",
        "ada",
        "raw/plate-1.csv",
        10,
    )
    assert {"modified", "reference", "node", "bucket", "key", "etag"} <= set(found)
    assert ada.json("search", "nonesuch")["results"] == []
    assert ada.json("search", "--count", "name:plate") == {
        "total": 3,
        "bytes": 3 * 2**20 + 2010,
        "notes": [],
        "incomplete": [],
    }


def test_count_and_facets(ada: Person) -> None:
    assert ada.wio("search", "plate", "--count") == "3\n"
    assert ada.wio("search", "size:>1MiB", "--count") == "1\n"
    facets = ada.json("search", "--facets", "plate")["facets"]
    assert set(facets) == {"ext", "type", "owner", "workspace", "folder", "year"}
    assert facets["ext"] == [
        {"key": "csv", "count": 2, "bytes": 2010},
        {"key": "tif", "count": 1, "bytes": 3 << 20},
    ]
    assert set(ada.json("search", "--facets", "ext,year", "plate")["facets"]) == {"ext", "year"}
    shown = ada.wio("search", "--facets", "ext")
    assert "EXTENSION" in shown
    assert "YEAR" not in shown
    assert "csv" in shown
    assert ada.run("search", "x", "--facets=ext,colour").returncode == 2


def test_paths_feed_other_commands(ada: Person, mc_path: str) -> None:
    listed = ada.wio("search", "ext:csv", "--paths", "--sort", "path")
    assert listed == "ada/plates/raw/deep/plate-2.csv\nada/plates/raw/plate-1.csv\n"
    done = ada.shell(
        "sh",
        "-c",
        "wio search ext:csv --paths -0 | xargs -0 -n1 wio mc stat --json"
        " && wio search ext:csv --paths -0 | xargs -0 wio stat | grep -c object >&2",
        env={"WIO_MC": mc_path},
    )
    assert done.returncode == 0, done
    assert sorted(json.loads(line)["size"] for line in done.stdout.splitlines()) == [10, 2000]
    assert done.stderr == "2\n"
    odd = ada.run("search", "lines", "--paths")
    assert (odd.returncode, odd.stdout) == (1, "")
    assert r"two\nlines\x1b[31m.dat" in odd.stderr
    assert ada.wio("search", "lines", "--paths", "--null") == f"ada/plates/{HOSTILE}\0"


def test_a_wrong_query_points_at_the_place(ada: Person) -> None:
    done = ada.run("search", "plate", "siz:>1GB")
    assert (done.returncode, done.stdout) == (2, "")
    sentence, text, carets = done.stderr.splitlines()
    assert sentence.startswith("wio: There is no field `siz:`; did you mean `size:`")
    assert (text, carets) == ("  plate siz:>1GB", "        ^^^^")
    assert ada.run("search", "--count", "(").returncode == 2
    assert "2,000 characters" in ada.run("search", "x" * 90_000).stderr
    assert len(ada.wio("search").splitlines()) == len(FILES) + 2
    assert ada.run("search", "x", "-0").returncode == 2


def test_a_terminal_has_colours_and_scripts_have_none(ada: Person) -> None:
    status, shown = on_terminal(ada, "wio", "search", "notes", "--highlight")
    assert status == 0
    assert b"\x1b[1;31mnotes\x1b[0m.txt" in shown
    assert "\x1b" not in ada.wio("search", "notes", "--highlight")
    status, shown = on_terminal(ada, "env", "NO_COLOR=1", "wio", "search", "notes", "--highlight")
    assert b"\x1b" not in shown


def test_what_is_printed_is_found_again(ada: Person) -> None:
    printed = ada.wio("search", "--paths", "-0").split("\0")[:-1]
    assert len(printed) == len(FILES) + 1
    for reference in printed:
        for path in (reference, reference.removeprefix("ada/")):
            written = path.replace('"', '\\"')
            assert ada.wio("search", f'path:"{written}"', "--paths", "-0") == f"{reference}\0"
    assert ada.wio("search", "plates/notes.txt", "--count") == "1\n"


def test_facets_as_many_and_as_deep_as_wanted(ada: Person) -> None:
    done = ada.run("search", "--facets", "ext", "--limit", "1")
    assert [row.split()[0] for row in done.stdout.splitlines()[2:]] == ["EXTENSION", "csv", "…"]
    assert "… and 3 more" in done.stdout
    assert done.stderr == "The first 1 of each; --limit N or --all shows more.\n"
    assert len(ada.json("search", "--facets", "ext", "--limit", "2")["facets"]["ext"]) == 2
    below = ada.json("search", "in:plates/raw", "--facets", "folder")["facets"]["folder"]
    assert [one["key"] for one in below] == ["", "ada/plates/raw/deep/"]
    deeper = ada.json("search", "--facets", "folder", "--depth", "2")["facets"]["folder"]
    assert [one["key"] for one in deeper] == ["", "ada/plates/raw/deep/"]
    assert ada.run("search", "--depth", "2").returncode == 2


def test_du_agrees_with_du(ada: Person, running: Service) -> None:
    folder = os.path.join(running.folder, "plates")
    for below in ("", "raw", "raw/deep"):
        counted = subprocess.run(
            ["find", os.path.join(folder, below), "-type", "f", "-printf", "%s\\n"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        answer = ada.json("du", f"plates/{below}")
        assert (answer["objects"], answer["bytes"]) == (len(counted), sum(map(int, counted)))
    rows = [row.split() for row in ada.wio("du", "plates", "--depth", "2").splitlines()]
    assert [row[-1] for row in rows] == ["PATH", "plates/", "plates/raw/", "plates/raw/deep/"]
    assert rows[-1][2] == "2"
    assert ada.json("du", "plates", "--depth", "1")["children"][0]["path"] == "raw/"
    below = ada.wio("du", "ada/plates/raw", "--depth", "1").splitlines()
    assert [row.split()[-1] for row in below] == ["PATH", "ada/plates/raw/", "ada/plates/raw/deep/"]
    assert ada.json("du", "plates/notes.txt")["bytes"] == 5
    assert ada.wio("du", "plates/notes.txt").splitlines()[1].endswith("plates/notes.txt")
    assert "wio search" in ada.refused("du", "plates/nothing")
    assert ada.run("du", "plates", "--depth", "x").returncode == 2


def test_a_colleague_finds_what_is_shared(ada: Person, ben: Person) -> None:
    assert ben.wio("search", "--count", "plate") == "0\n"
    ada.wio("share", "plates/raw/deep", "ben")
    assert ben.wio("search", "--count", "plate") == "2\n"
    assert "ada/plates/raw/deep/plate-2.csv" in ben.wio("search", "plate")
    du = ben.run("du", "ada/plates")
    assert (du.returncode, "may be more" in du.stderr) == (0, True)
    assert "no" in ben.refused("du", "ada/plates/raw/plate-1.csv")
    ada.wio("root", "set", "existing", "--index", "metadata")
    for command in ("search plate", "search type:table", "du ada/plates", "ls", "workspace show ada/plates"):
        said = ben.run(*command.split())
        assert "existing" not in said.stdout + said.stderr
        assert said.returncode == 0
    assert "root existing" in ada.run("search", "nothing").stderr
    assert "something shared with you" in ben.run("search", "nothing").stderr
    ada.wio("root", "set", "existing", "--index", "names")
    assert "ada/plates" not in ben.wio("crawl", "status")
    assert ben.run("crawl", "start", "ada/plates").returncode == 1
    ada.wio("unshare", "plates/raw/deep", "ben")
    assert ben.wio("search", "--count", "plate") == "0\n"
    assert ben.run("du", "ada/plates").returncode == 1


def test_crawls(ada: Person, running: Service) -> None:
    done = ada.run("crawl", "start", "plates", "--wait")
    assert done.returncode == 0
    assert done.stdout.startswith(f"The crawl of ada/plates is done: {len(FILES) + 1} entries, 3.0 MiB")
    crawl = ada.json("crawl", "start", "--root", "existing", "--wait", "--rate", "100000")
    assert (crawl["state"], crawl["workspace"], crawl["rate"]) == ("done", None, 100000)
    listed = ada.json("crawl", "status", "--root", "existing")
    assert listed[0]["id"] == crawl["id"]
    assert {one["workspace"] for one in ada.json("crawl", "status", "plates")} == {"ada/plates"}
    assert "the root existing" in ada.wio("crawl", "status")
    assert "nothing is crawling there" in ada.refused("crawl", "pause", "plates")
    assert "no crawl is paused there" in ada.refused("crawl", "resume", "--root", "existing")
    for wrong in (["start"], ["start", "plates", "--root", "existing"], ["start", "plates", "--rate", "fast"]):
        assert ada.run("crawl", *wrong).returncode == 2
    assert "wio root ls" in ada.refused("crawl", "start", "--root", "nonesuch")


def _own_crawl(ada: Person) -> dict[str, Any]:
    """The newest of the whole root: one of a workspace in it may be wanted by the watcher meanwhile."""
    return next(one for one in ada.json("crawl", "status", "--root", "existing") if one["workspace"] is None)


def test_a_crawl_that_is_watched_paused_and_let_go(ada: Person, running: Service) -> None:
    """At one entry a second it lasts long enough; ^C leaves it running, and says so."""
    many = os.path.join(running.folder, "plates", "many")
    os.mkdir(many)
    for number in range(200):
        with open(os.path.join(many, f"{number}.many"), "wb"):
            pass
    waiting = subprocess.Popen(
        # What runs in the background of a shell ignores ^C.
        ["env", "--default-signal=INT", "wio", "crawl", "start", "--root", "existing", "--rate", "1", "--wait"],
        env=ada.env(),
        cwd=ada.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while (crawl := _own_crawl(ada))["state"] != "running":
        assert time.monotonic() < deadline, crawl
        time.sleep(0.1)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert "the crawl goes on; `wio crawl status --root existing` shows how far it is." in err
    said = ada.wio("crawl", "pause", "--root", "existing")
    assert f"Crawl {crawl['id']} of the root existing is paused; `wio crawl resume --root existing`" in said
    assert _own_crawl(ada)["state"] == "paused"
    assert f"Crawl {crawl['id']} of the root existing is paused already" in ada.wio(
        "crawl", "pause", "--root", "existing"
    )
    assert "goes on" in ada.wio("crawl", "resume", "--root", "existing")
    ada.wio("crawl", "pause", "--root", "existing")
    ended = ada.run("crawl", "status", "--root", "existing", "--wait")
    assert (ended.returncode, "is paused" in ended.stdout) == (1, True)
    shutil.rmtree(many)


def test_what_of_a_root_is_indexed(ada: Person, running: Service) -> None:
    said = ada.wio("root", "set", "existing", "--exclude", "*.tif", "--crawl-every", "12h", "--rate", "100000")
    assert "existing is indexed as follows" in said
    shown = ada.wio("root", "show", "existing")
    for part in ("indexed", "names", "every 12 h", "100,000 entries a second", "*.tif"):
        assert part in shown
    ada.wio("root", "set", "existing", "--exclude", "tmp/")
    assert ada.json("root", "show", "existing")["indexing"]["exclusions"] == ["*.tif", "tmp/"]
    done = ada.json("root", "set", "existing", "--include", "tmp/", "--crawl-every", "never", "--rate", "none")
    assert done["indexing"]["exclusions"] == ["*.tif"]
    assert (done["indexing"]["crawl_every_seconds"], done["indexing"]["rate"]) == (None, None)
    ada.wio("crawl", "start", "--root", "existing", "--wait")
    assert ada.wio("search", "--count", "ext:tif") == "0\n"
    ada.wio("root", "set", "existing", "--include", "*.tif")
    ada.wio("crawl", "start", "--root", "existing", "--wait")
    assert ada.wio("search", "--count", "ext:tif") == "1\n"
    for wrong in (["--index", "all"], ["--crawl-every", "soon"], ["--rate", "0"], ["--allow-bytes", "much"], []):
        assert ada.run("root", "set", "existing", *wrong).returncode == 2


def test_the_index_itself(ada: Person, ben: Person) -> None:
    shown = ada.wio("index", "status")
    for part in ("ready", "tantivy", "existing", "watching"):
        assert part in shown
    status = ada.json("index", "status")
    assert status["whole"]["entries"] == len(FILES) + 1
    assert ben.json("index", "status") == {
        "state": "ready",
        "incomplete": [],
        "notes": [],
        "whole": None,
        "roots": [],
    }
    assert ben.wio("index", "status") == "The index is ready.\n"
    assert ben.run("index", "rebuild").returncode == 1
    assert "serves" in ada.wio("index", "rebuild", "--wait")
    verified = ada.run("index", "verify", "--root", "existing", "--wait")
    assert verified.returncode == 0, verified
    assert f"{len(FILES) + 1} entries were compared" in verified.stdout


def test_what_is_put_there_is_found_at_once(ada: Person, running: Service) -> None:
    with open(os.path.join(running.folder, "plates", "raw", "brandnew.csv"), "w", encoding="utf-8") as file:
        file.write("x")
    began = time.monotonic()
    while ada.wio("search", "--count", "brandnew") != "1\n":
        assert time.monotonic() - began < 10
    os.unlink(file.name)
    while ada.wio("search", "--count", "brandnew") != "0\n":
        assert time.monotonic() - began < 20


def test_du_tells_what_is_not_known(ada: Person, running: Service) -> None:
    def until(wanted: bool) -> str:
        began = time.monotonic()
        while (ada.run("du", "plates").returncode == 0) is not wanted:
            assert time.monotonic() - began < 30, ada.run("du", "plates")
            time.sleep(0.1)
        return "" if wanted else ada.refused("du", "plates", "--json")

    ada.wio("root", "set", "existing", "--index", "none")
    said = until(False)
    assert "existing is not indexed" in said
    assert "`wio mc du plates` counts what is stored now" in said
    assert "existing is not indexed" in ada.refused("du", "plates/raw")
    ada.wio("root", "set", "existing", "--index", "names")
    until(True)
    folder = os.path.join(running.folder, "plates")
    os.rename(folder, f"{folder}.away")
    ada.wio("crawl", "start", "plates", "--wait")
    assert "s3://data/plates/ when it was last looked at: the folder is empty or not there" in until(False)
    os.rename(f"{folder}.away", folder)
    ada.wio("crawl", "start", "plates", "--wait")
    until(True)
