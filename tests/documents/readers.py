"""People who have a page of the documents open and type what it says, on terminals and in homes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from cli.terminal import at_terminal
from documents.pages import Step, differs, page, steps
from servers.process import Process
from servers.service import PASSWORD

_ESCAPE = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")
# What is asked on a terminal, as a page shows it, with the answer behind it; a password is asked for without echo.
_QUESTION = re.compile(r"^(.*(?:[Pp]assword(?: again)?:|\[y/N\]))(.*)$")
RUNNING = "leave it running"
FOUND_SECONDS = 20
STEP_SECONDS = 200
FAILING = re.compile(r"^wio: |\^C$", re.MULTILINE)
# A shell lives for one step: its environment and folder go on in the next one. ^C is for the command, not for it.
GO_ON = "trap : INT; [ ! -e ~/.shell ] || . ~/.shell; set -a; failed=0; trap 'failed=$?' ERR"
KEEP = "{ declare -px; printf 'cd %q\\n' \"$PWD\"; } > ~/.shell; exit $failed"


@dataclass
class Reader:
    """One person at one machine. `env` is the environment of their shell, which goes on from step to step."""

    home: str
    env: dict[str, str]

    def types(self, text: str, shown: str | None) -> tuple[int, str]:
        """The exit status of what failed, and what the terminal shows at last. `shown` answers questions."""
        line = f"{GO_ON}\n{text}\n{KEEP}"
        answers = _answers(shown or "")
        status, seen = at_terminal(
            ["bash", "-c", line], folder=self.home, env=self.env, typed=answers, seconds=STEP_SECONDS
        )
        return status, screen(seen.decode(errors="replace"))

    def writes(self, name: str, text: str) -> None:
        """A file in the folder where the person is."""
        subprocess.run(
            ["bash", "-c", f'{GO_ON}; cat > "$1"', "-", name],
            cwd=self.home,
            env=self.env,
            input=text.encode(),
            check=True,
        )


@dataclass
class Hour:
    """A page and the people in it. `places`: what the page calls things, and what they are in this run."""

    people: Mapping[str, Reader]
    places: dict[str, str] = field(default_factory=dict)
    left_running: ExitStack = field(default_factory=ExitStack)
    logs: dict[str, str] = field(default_factory=dict)
    """What the commands print that go on, by title."""

    def read(self, name: str) -> None:
        """Type all of docs/NAME; raises AssertionError where something else is seen than the page shows."""
        first = next(iter(self.people))
        for step in steps(page(name)):
            who, _, how = step.title.partition(":")
            if step.language != "bash":
                self.people[first].writes(step.title, self._here(step.text))
            elif how.strip() == RUNNING:
                self._start(step, self.people[who])
            else:
                self.types(who or first, step.text, step.shown)

    def types(self, who: str, text: str, shown: str | None = None) -> None:
        """What somebody types, with what the page shows. What was stored a moment ago is looked for again."""
        deadline = time.monotonic() + (FOUND_SECONDS if "wio search" in text else 0)
        while True:
            status, seen = self.people[who].types(self._here(text), shown)
            wrong = None if shown is None else differs(shown, self._there(seen))
            if wrong is None or time.monotonic() > deadline:
                break
        assert wrong is None, f"{text}{wrong}"
        self._take_token(seen)
        assert status == 0 or FAILING.search(shown or ""), f"{text} ended with {status}:\n{seen}"

    def _start(self, step: Step, reader: Reader) -> None:
        """A server: what the page shows of it is what it has printed before the next command is typed."""
        self.left_running.close()
        log_path = os.path.join(reader.home, f"running-{len(self.logs)}.log")
        command = ["bash", "-c", f"{GO_ON}\n{self._here(step.text)}"]
        running = self.left_running.enter_context(
            Process(command, cwd=reader.home, env=reader.env, log_path=log_path)
        )

        def printed() -> bool:
            with open(log_path, encoding="utf-8", errors="replace") as file:
                self.logs[step.title] = file.read()
            return differs(step.shown or "…", self._there(screen(self.logs[step.title]))) is None

        running.wait_until(printed, timeout=400)
        self._take_token(self.logs[step.title])

    def _take_token(self, seen: str) -> None:
        """A token that is sent on is `wiot_…` on the page."""
        for token in re.findall(r"--(?:setup-token|invitation) (wiot_\S+)", seen):
            self.places["wiot_…"] = token

    def _here(self, text: str) -> str:
        for theirs, ours in self.places.items():
            text = text.replace(theirs, ours)
        return text

    def _there(self, text: str) -> str:
        for theirs, ours in self.places.items():
            text = text.replace(ours, theirs)
        return text


def screen(seen: str) -> str:
    """What a terminal shows at last: of a line that was written anew, what stands there in the end."""
    lines = _ESCAPE.sub("", seen.replace("\x1b[K", "\r")).replace("\r\n", "\n").split("\n")
    return "\n".join(next((part for part in reversed(line.split("\r")) if part.strip()), "") for line in lines)


def _answers(shown: str) -> list[tuple[bytes, bytes]]:
    """What is waited for, and what is typed then."""
    found = []
    for line in shown.splitlines():
        asked = _QUESTION.match(line)
        if line.endswith("^C"):
            found.append((b"B/s", b"\x03"))  # as soon as it shows how far it is
        elif asked is not None:
            answer = PASSWORD if "assword" in asked[1] else asked[2].strip()
            found.append((asked[1].replace("…", "").encode(), answer.encode() + b"\n"))
    return found
