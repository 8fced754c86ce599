"""Finding things: a folder is imported and crawls itself, a colleague finds what is shared, and no more at once.

On both databases, by what people type, with real files, `find` and `du` beside it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from servers.service import Person, Service


def found(person: Person, *query: str) -> set[str]:
    """References, as a script gets them."""
    printed = person.wio("search", *query, "--all", "--paths", "--null")
    return {path for path in printed.split("\0") if path}


def soon(holds: Callable[[], bool], seconds: float = 20) -> float:
    """How long it took until it was so."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it still isn't so"
        time.sleep(0.05)
    return time.monotonic() - began


def files_below(folder: str, shown_as: str) -> set[str]:
    listed = subprocess.run(
        ["find", folder, "-type", "f", "-printf", "%P\\0"], capture_output=True, check=True
    ).stdout.decode()
    return {f"{shown_as}/{path}" for path in listed.split("\0") if path}


def bytes_below(folder: str) -> int:
    listed = subprocess.run(["find", folder, "-type", "f", "-printf", "%s\\n"], capture_output=True, check=True)
    return sum(map(int, listed.stdout.split()))


def test_a_colleague_finds_exactly_what_is_shared(each_database: Service) -> None:
    tree = each_database.folder
    plates = os.path.join(tree, "plates")
    ada = each_database.administrator()
    bob, carol = each_database.colleague("bob"), each_database.colleague("carol")

    ada.wio("root", "import", "existing", "plates", "plates-2")
    everything = files_below(plates, "ada/plates") | files_below(f"{plates}-2", "ada/plates-2")
    soon(lambda: found(ada) == everything)
    soon(lambda: ada.run("search", "name:plate", "--count").stderr == "")

    assert found(bob) == set()
    ada.wio("share", "plates", "bob")
    ada.wio("share", "plates/raw", "carol")
    raw = files_below(os.path.join(plates, "raw"), "ada/plates/raw")
    assert found(bob) == files_below(plates, "ada/plates")
    assert found(carol) == raw
    assert carol.wio("search", "--count") == f"{len(raw)}\n"
    # The neighbour with the same beginning is nobody's but ada's.
    for person in (bob, carol):
        assert found(person, "secret") == set()
        assert person.json("search", "--facets", "workspace")["facets"]["workspace"][0]["key"] == "ada/plates"
        assert "secret" not in person.wio("search", "--facets")
    assert bob.json("du", "ada/plates")["bytes"] == bytes_below(plates)
    assert carol.json("du", "ada/plates")["bytes"] == bytes_below(os.path.join(plates, "raw"))
    carol.refused("du", "ada/plates/2026-01")

    # What is written through the endpoint, and what is copied into the folder.
    ada.shell("sh", "-c", 'wio exec plates -- aws s3 cp /etc/hostname "$(wio path plates/raw/through-s3.txt)"')
    with open(os.path.join(plates, "by-hand.txt"), "w", encoding="utf-8") as file:
        file.write("copied")
    soon(
        lambda: found(bob, "through-s3 or by-hand") == {"ada/plates/raw/through-s3.txt", "ada/plates/by-hand.txt"}
    )
    assert found(carol, "through-s3 or by-hand") == {"ada/plates/raw/through-s3.txt"}

    ada.wio("workspace", "rename", "plates", "renamed")
    assert found(carol) == {
        path.replace("ada/plates", "ada/renamed") for path in raw | {"ada/plates/raw/through-s3.txt"}
    }
    assert ada.wio("unshare", "renamed", "bob").endswith("Enforced.\n")
    assert (found(bob), bob.wio("search", "--count")) == (set(), "0\n")
    assert bob.json("search", "--facets")["total"] == 0
    assert bob.run("du", "ada/renamed").returncode == 1
    assert ada.wio("unshare", "renamed/raw", "carol").endswith("Enforced.\n")
    assert found(carol) == set()

    ada.wio("share", "renamed", "bob", "--expires", "2s")
    assert found(bob, "by-hand") == {"ada/renamed/by-hand.txt"}
    assert soon(lambda: not found(bob)) < 4


def test_the_index_survives_a_restart_and_says_what_it_lacks(running: Service) -> None:
    ada = running.administrator()
    ada.wio("root", "import", "existing", "plates")
    everything = files_below(os.path.join(running.folder, "plates"), "ada/plates")
    soon(lambda: found(ada) == everything)
    running.kill()
    with open(os.path.join(running.folder, "plates", "meanwhile.txt"), "w", encoding="utf-8") as file:
        file.write("nobody watched")
    os.unlink(running.log_path)
    running.start()
    assert found(ada) >= everything
    soon(lambda: found(ada) == everything | {"ada/plates/meanwhile.txt"})
    os.unlink(file.name)
    soon(lambda: found(ada) == everything)
