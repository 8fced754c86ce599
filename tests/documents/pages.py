"""Pages of the documents as what they are: somebody types something, and sees something.

A fence of `bash` is typed, and the fence of `text` that follows it is what is seen. A fence of another language
with a title is a file that is written under that name. The title of a `bash` fence says whose shell it is (`bob`),
and whether it goes on while the next commands are typed (`nas: leave it running`).

In what is seen `…` stands for anything, on a line by itself for any lines; times and ages are any, what is shown
before ^C is any, and how many blanks stand between two words doesn't matter.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_FENCE = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_ANY_LINES = r"(?:.*\n)*"
_VARYING = (  # as `re.escape` spells them, and what they stand for
    (r"\d{4}\\-\d\d\\-\d\d\\ \d\d:\d\d(?::\d\d)?", r"\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d(?::\\d\\d)?"),
    (r"\d+\\ (?:s|min|h|d)\\ ago", r"\\d+ (?:s|min|h|d) ago"),
    ("…", ".*"),
)


@dataclass(frozen=True)
class Step:
    """One fence: what is typed (`bash`), or a file. `shown` is None where the page doesn't say what is seen."""

    language: str
    title: str
    text: str
    shown: str | None


def page(name: str) -> str:
    """The text of docs/NAME."""
    with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as file:
        return file.read()


def steps(text: str) -> list[Step]:
    """What is typed and written, in its order."""
    fences: list[tuple[str, str, str]] = [(one[1], one[2] or "", one[3]) for one in _FENCE.finditer(text)]
    found = []
    for index, (language, title, body) in enumerate(fences):
        following = fences[index + 1] if index + 1 < len(fences) else ("", "", "")
        if language == "bash" or (title and language != "text"):
            found.append(Step(language, title, body, following[2] if following[0] == "text" else None))
    return found


def differs(shown: str, seen: str) -> str | None:
    """None where what was seen is what a page shows; else both, to be read."""
    pattern = "".join(_pattern(_words(line)) for line in shown.strip().splitlines())
    lines = "".join(f"{_words(line)}\n" for line in seen.strip().splitlines())
    return None if re.fullmatch(pattern, lines) else f"the page shows\n\n{shown}\nseen was\n\n{lines}"


def _words(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> str:
    if line == "…":
        return _ANY_LINES
    if line.endswith("^C"):
        return ".*\\^C\n"
    found = re.escape(line)
    for varying, anything in _VARYING:
        found = re.sub(varying, anything, found)
    return found + r"\n"
