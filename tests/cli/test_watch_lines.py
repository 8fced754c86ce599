"""`wio mc watch` prints our own events as mc prints its server's (cmd/watch-main.go of mc)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workspacesio.cli.mc_watch import Shape, binary_size
from workspacesio.client.errors import UsageError
from workspacesio.client.references import Located

WORKSPACE: dict[str, Any] = {"owner": "ada", "name": "data", "bucket": "lab", "prefix": "private/ada/data/"}


def shape(*arguments: str, path: str = "") -> Shape:
    typed = [*arguments, f"data/{path}"]
    return Shape(Located(WORKSPACE, "data", path), typed, typed)


def event(path: str, name: str = "s3:ObjectCreated:Put", size: int | None = 1536) -> dict[str, Any]:
    return {"name": name, "at": "2026-11-22T23:47:08.427Z", "path": path, "size": size}


# As github.com/dustin/go-humanize writes them (IBytes).
@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 B"), (9, "9 B"), (10, "10 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
        (10 * 1024, "10 KiB"), (1024**2 - 1, "1024 KiB"), (1024**2, "1.0 MiB"), (5 * 1024**3, "5.0 GiB"),
        (123 * 1024**4, "123 TiB"),
    ],
)  # fmt: skip
def test_sizes(count: int, written: str) -> None:
    assert binary_size(count) == written


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shown = shape()
    shown.show(event("a dir/x+1"))
    shown.show(event("y", "s3:ObjectRemoved:Delete", None))
    shown.show(event("\x1b[2Jz\n"))
    assert capsys.readouterr().out == (
        "[2026-11-22T23:47:08.427Z] 1.5 KiB s3:ObjectCreated:Put data/a dir/x+1\n"
        "[2026-11-22T23:47:08.427Z]        s3:ObjectRemoved:Delete data/y\n"
        "[2026-11-22T23:47:08.427Z] 1.5 KiB s3:ObjectCreated:Put data/\\x1b[2Jz\\n\n"
    )


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    shown = shape("--json")
    shown.show(event('<é&"path":""'))
    said = capsys.readouterr().out
    assert said == (
        '{"status":"success","events":{"time":"2026-11-22T23:47:08.427Z","size":1536,'
        '"path":"data/\\u003cé\\u0026\\"path\\":\\"\\"","type":"s3:ObjectCreated:Put"},"source":{}}\n'
    )
    assert json.loads(said)["events"]["path"] == 'data/<é&"path":""'


def test_what_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    shown = shape("--events", "delete", "--suffix=.csv")
    for name in ("s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete"):
        for path in ("a.csv", "a.txt"):
            shown.show(event(path, name))
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()] == ["data/a.csv"]
    shape("--events=get").show(event("a"))
    assert capsys.readouterr().out == ""
    assert shape("--prefix", "raw/").within == "ada:data/raw/"
    assert shape(path="raw/x").within == "ada:data/raw/x"
    with pytest.raises(UsageError):
        shape("--events", "put,nonsense")
    with pytest.raises(UsageError):
        shape("--prefix", "raw/", path="other/")
