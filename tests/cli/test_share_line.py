"""What `wio share` prints for the other person is all that they type."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator

import pytest

from servers.service import PASSWORD, Person, Service


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """It is reached by another name than that by which the owner reaches it."""
    folder = str(tmp_path_factory.mktemp("lines") / "lab")
    os.makedirs(os.path.join(folder, "plates", "raw data"))
    with open(os.path.join(folder, "plates", "raw data", "a.csv"), "w", encoding="utf-8") as file:
        file.write("a,b\n")
    running = Service(folder, base=str(tmp_path_factory.mktemp("service")))
    running.environment["WIO_PUBLIC_NAME"] = f"http://localhost:{running.port}"
    running.start()
    try:
        running.administrator().wio("root", "import", "existing", "plates")
        yield running
    finally:
        running.stop()


def newcomer(served: Service, name: str, tmp_path: os.PathLike[str]) -> Person:
    """Registered, but at a machine where they never signed in and that knows no server."""
    served.colleague(name)
    person = Person(served, name, str(tmp_path))
    person.environment["WIO_API_URL"] = ""
    return person


def test_the_line_is_all_that_is_typed(served: Service, tmp_path: os.PathLike[str]) -> None:
    bob = newcomer(served, "bob", tmp_path)
    ada = served.person("ada")
    lines = ada.wio("share", "plates/raw data", "bob").splitlines()
    sign_in, listing = (line.strip() for line in lines[-2:])
    assert sign_in == f"wio login http://localhost:{served.port} bob"
    done = bob.shell(*shlex.split(sign_in), "--password-stdin", stdin=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    assert "a.csv" in bob.shell(*shlex.split(listing)).stdout
    assert ada.json("share", "plates/raw data", "bob")["sign_in_command"] == sign_in


def test_a_group_and_everyone_say_who_they_are(served: Service) -> None:
    ada = served.person("ada")
    ada.wio("group", "create", "lab")
    for subject in ("@lab", "everyone"):
        assert f"  wio login http://localhost:{served.port} EMAIL\n" in ada.wio("share", "plates", subject)
        ada.wio("unshare", "plates", subject)


def test_somebody_who_has_not_registered(served: Service, tmp_path: os.PathLike[str]) -> None:
    ada = served.person("ada")
    told = ada.refused("share", "plates", "eve")
    found = re.search(r"`(wio register \S+) EMAIL USERNAME`", told)
    assert found is not None, told
    assert found[1] == f"wio register http://localhost:{served.port}"
    eve = Person(served, "eve", str(tmp_path))
    eve.environment["WIO_API_URL"] = ""
    line = [*found[1].split(), eve.email, "eve", "--password-stdin"]
    assert eve.shell(*line, stdin=PASSWORD + "\n").returncode == 0
    ada.wio("share", "plates", "eve")
    assert "plates" in eve.wio("ls")
