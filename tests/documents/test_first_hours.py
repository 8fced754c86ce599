"""docs/first-hour-scientist.md and docs/first-hour-publishing.md, command by command, on laptops that had nothing.

That of an administrator begins with `make run`, so it is in `tests/journeys/test_make_run.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator

import pytest

from documents.pages import page, steps
from documents.readers import Hour, Reader
from journeys.fresh_copy import fresh_copy, own_environment
from servers.installed import installed
from servers.service import Service, service

CHANGED = time.time() - 3 * 86400 - 60
PLATES = {
    **{
        f"{month}/plate-{plate}.csv": f"well,value\nA1,0.{plate}0\nA2,0.{plate + 1}0\n".encode()
        for month in ("2026-01", "2026-02")
        for plate in range(1, 6)
    },
    "2026-01/notes.txt": b"A slow week.\n" * 68,
    "2026-02/scan.tif": bytes(2_000_000),
    "README.txt": b"One table for each plate, as the reader wrote it. Ask Ada.\n",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `pip install workspacesio` gets."""
    copy, built = (str(tmp_path_factory.mktemp(name)) for name in ("source", "built"))
    fresh_copy(copy)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", built]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    return os.path.join(built, *os.listdir(built))


@pytest.fixture
def nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Ada's service, where bob and carla have accounts."""
    folder = str(tmp_path_factory.mktemp("srv") / "lab")
    for path, data in PLATES.items():
        whole = os.path.join(folder, "plates", path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(data)
        os.utime(whole, (CHANGED, CHANGED))
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as running:
        running.administrator().wio("root", "import", "existing", "plates")
        for name in ("bob", "carla"):
            running.colleague(name)
        yield running


def laptop(home: str) -> Reader:
    """A machine with the system's own commands and rclone, and nothing of this project."""
    tools = os.path.join(home, ".tools")
    os.makedirs(tools)
    os.symlink(installed("rclone"), os.path.join(tools, "rclone"))
    return Reader(home, {**own_environment(), "HOME": home, "PATH": os.pathsep.join([tools, os.defpath])})


def places(nas: Service, wheel: str) -> dict[str, str]:
    """What the pages call things. pandas is taken from where it is installed already: it is large."""
    packages = "$(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')"
    return {
        "https://nas.example.org": nas.api_url,
        "python3 -m venv": f"{os.path.join(sys.base_prefix, 'bin', 'python3')} -m venv",
        "pip install --quiet workspacesio": f"pip install --quiet {wheel}",
        "pip install --quiet pandas": f"echo {sysconfig.get_path('purelib')} > {packages}/pandas.pth",
    }


@pytest.mark.slow
def test_the_scientist_who_was_given_a_share(nas: Service, wheel: str, tmp_path: os.PathLike[str]) -> None:
    nas.person("ada").wio("share", "plates", "bob")
    bob = laptop(str(tmp_path))
    assert bob.types("wio --version || python -c 'import workspacesio'", None)[0] != 0
    Hour({"bob": bob}, places(nas, wheel)).read("first-hour-scientist.md")
    # Where man-db looks for what belongs to a bin/ on the PATH (manpath(5)).
    assert {"wio.1", "wio-sync.1"} <= set(os.listdir(os.path.join(bob.home, "wio", "share", "man", "man1")))


@pytest.mark.slow
def test_two_terabytes_for_the_laboratory(nas: Service, wheel: str, tmp_path: os.PathLike[str]) -> None:
    people = {}
    here = places(nas, wheel)
    for name in ("carla", "bob"):
        os.mkdir(os.path.join(str(tmp_path), name))
        people[name] = laptop(os.path.join(str(tmp_path), name))
    hour = Hour(people, here)
    install = steps(page("first-hour-scientist.md"))[0].text
    hour.types("carla", install)
    hour.types("bob", f". {people['carla'].home}/wio/bin/activate")
    for name in people:
        hour.types(name, f"wio login https://nas.example.org {name}", "Password:\n…")
    hour.read("first-hour-publishing.md")
