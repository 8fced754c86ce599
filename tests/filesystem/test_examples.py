"""What docs/python.md shows of `wio://` is run, by somebody who holds the one folder that it names."""

from __future__ import annotations

import os
import re

import pandas
import pytest

from filesystem.conftest import Shelf
from workspacesio.client.filesystem import FileSystem

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs/python.md")


def test_the_examples(
    shelves: dict[str, Shelf], signed_in_as_ben: None, capsys: pytest.CaptureFixture[str], fs: FileSystem
) -> None:
    ada = shelves["folder"].owner
    ada.wio("create", "plates")
    ada.wio("share", "plates/raw", "ben", "--permission", "readwrite")
    table = pandas.DataFrame({"well": ["A1", "A2", "A1"], "value": [1.0, 2.0, 3.0]})
    table.to_parquet("wio://ada/plates/raw/plate-1.parquet")
    table.to_csv("wio://ada/plates/raw/plate-1.csv", index=False)
    with open(PAGE, encoding="utf-8") as file:
        section = file.read().partition("## Paths for every library")[2].partition("\n## ")[0]
    examples = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        exec(compile(example, PAGE, "exec"), {})
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "2.0"
    assert "ada/plates" in shown[1]
    assert "ada/plates/raw/plate-1.parquet" in shown[2]
    assert shown[3] == "2"
    assert shown[4].startswith("http")
    assert fs.cat("ada/plates/raw/notes.txt") == b"checked\n"
    assert fs.exists("ada/plates/raw/image.zarr")


def test_the_table_of_errors() -> None:
    """Each row is what some class is, and each class has a row."""
    from workspacesio import errors
    from workspacesio.client import failures

    with open(PAGE, encoding="utf-8") as file:
        rows = re.findall(r"\| `(\w+)` \| `(\w+)` \|", file.read())
    kinds = [one for one in vars(failures).values() if isinstance(one, type) and one.__name__.startswith("File")]
    for name, also in rows:
        both = [one for one in kinds if issubclass(one, getattr(errors, name)) and issubclass(one, eval(also))]
        assert both, (name, also)
    told = {also for _, also in rows}
    special = {FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError}
    assert told == {kind.__name__ for kind in special}
    assert all(issubclass(one, OSError) and issubclass(one, errors.WorkspacesIOError) for one in kinds)
