"""What shells complete: bash, zsh and fish themselves, PowerShell by what its script asks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cli.terminal import on_terminal
from servers.service import Person, service


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder = str(tmp_path_factory.mktemp("completion") / "lab")
    for name in ("plates/all.csv", "plates/raw data/one.tif", "positions/x"):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(f"in {name}\n")
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        person = started.administrator()
        person.wio("root", "import", "existing", "plates", "positions")
        yield person


def offered(person: Person, line: str) -> list[str]:
    """By fish, which tells what it would offer."""
    script = f"wio completion fish | source; complete -C '{line}'"
    done = person.shell("fish", "--no-config", "-c", script)
    return [word.partition("\t")[0] for word in done.stdout.splitlines()]


def test_fish(ada: Person) -> None:
    assert offered(ada, "wio workspace ren") == ["rename"]
    assert offered(ada, "wio ls p") == ["plates/", "positions/"]
    assert offered(ada, "wio cat plates/") == ["plates/", "plates/all.csv", "plates/raw data/"]
    assert offered(ada, "wio cat ada/plates/a") == ["ada/plates/all.csv"]
    assert "powershell" in offered(ada, "wio completion ")


@pytest.mark.parametrize("shell", ["bash --norc --noprofile -i", "zsh -f -i"])
def test_shells_that_are_typed_to(ada: Person, shell: str) -> None:
    name = shell.partition(" ")[0]
    begin = f'PS1="ready> "; eval "$(wio completion {name})"; echo set-$((1+1))\n'
    if name == "zsh":
        begin = f"autoload -Uz compinit && compinit -D; {begin}"
    typed = [
        (b"", begin.encode()),
        (b"set-2", b"wio cat plates/al\t\n"),
        (b"in plates/all.csv", b"wio cat plates/ra\tone\t\n"),
        (b"in plates/raw data/one.tif", b"exit\n"),
    ]
    status, shown = on_terminal(ada, *shell.split(), typed=typed)
    assert status == 0, shown


def powershell(person: Person, line: str, *, cursor: int | None = None) -> list[str]:
    """What its script does, without the shell: variables, a file for the answer, nothing on standard output."""
    script = person.wio("completion", "powershell")
    answer = os.path.join(person.home, "answer")
    variables = {
        "ARGCOMPLETE_USE_TEMPFILES": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": answer,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line) if cursor is None else cursor),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "0",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SHELL": "powershell",
    }
    assert all(f"$env:{name} = " in script for name in variables)
    person.shell("wio", env=variables)
    with open(answer, encoding="utf-8") as file:
        found = file.read().split("\n")
    os.unlink(answer)
    return sorted(found)


def test_powershell(ada: Person) -> None:
    assert powershell(ada, "wio workspace ren") == ["rename "]
    assert powershell(ada, "wio cat ada/plates/a") == ["ada/plates/all.csv "]
    # A backtick is its escape.
    assert powershell(ada, "wio cat plates/r") == ["plates/raw` data/"]
    # Its line has no blank at the end.
    assert powershell(ada, "wio workspace", cursor=len("wio workspace ")) != powershell(ada, "wio workspace")
    assert "rename" in powershell(ada, "wio workspace", cursor=len("wio workspace "))
