"""docs/tools.md: each tool reads what the page says, with the lines that the page has."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator

import duckdb
import pandas
import pytest

from documents.readers import Hour, Reader
from journeys.fresh_copy import own_environment
from servers.installed import installed
from servers.service import Service, service


@pytest.fixture(scope="module")
def nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that shares ada/plates with bob."""
    folder = str(tmp_path_factory.mktemp("srv") / "lab")
    plates = os.path.join(folder, "plates")
    os.makedirs(os.path.join(plates, "2026-01"))
    for plate in range(1, 4):
        _write(os.path.join(plates, f"2026-01/plate-{plate}.csv"), f"well,value\nA1,0.{plate}\nB1,0.{plate + 2}\n")
    table = pandas.DataFrame({"well": ["A1", "B1"], "value": [0.2, 0.4]})
    table.to_parquet(os.path.join(plates, "all.parquet"))
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as running:
        running.administrator().wio("root", "import", "existing", "plates")
        running.colleague("bob")
        running.person("ada").wio("share", "plates", "bob")
        yield running


def test_each_tool(nas: Service, mc_path: str) -> None:
    home = nas.person("bob").home
    tools = os.path.join(home, ".tools")
    os.makedirs(tools)
    for name in ("Rscript", "s3cmd"):
        os.symlink(installed(name), os.path.join(tools, name))
    env = {
        **own_environment(),
        "HOME": home,
        "PATH": os.pathsep.join([tools, os.path.dirname(sys.executable), os.path.dirname(mc_path), os.defpath]),
        # R lets what it starts look for libraries in the system's folders first, and would mix two Pythons.
        "R_LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR")),
    }
    bob = Reader(home, env)
    assert bob.types("mc alias list", None)[0] == 0  # the first time, mc tells of each file that it makes
    Hour({"bob": bob}).read("tools.md")


def test_what_duckdb_is_told_is_its_language(nas: Service) -> None:
    """Its extensions can't be had here: that it understands the secret isn't shown, that it can read it is."""
    statements = duckdb.extract_statements(nas.person("bob").wio("config", "duckdb", "plates"))
    assert len(statements) == 5


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
