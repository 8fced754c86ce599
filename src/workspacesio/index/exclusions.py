"""What of a root is not indexed, by patterns that the operator gave.

    *.tmp            a name, wherever it lies: files and folders
    cache/           a folder of that name, wherever it lies, with all in it
    /raw/old         begins with a slash, or has one inside: a path from the workspace on
    /scratch/**/*.o  `*` any characters but a slash, `?` one, `**` slashes too, `[ab]` one of these

Letters count as they are written. Paths are relative to the workspace; a folder ends in a slash. What is in an
excluded folder is excluded.
"""

import re
from collections.abc import Iterable
from functools import lru_cache


class Exclusions:
    """`excludes(path)`: of an object or folder, whatever it lies in. `excludes_last`: when all above it is in."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        expressions = [_expression(pattern) for pattern in self.patterns]
        self._matches = re.compile("|".join(expressions) or r"(?!)", re.DOTALL).fullmatch

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exclusions) and other.patterns == self.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def excludes(self, path: str) -> bool:
        if not self.patterns:
            return False
        end = path.find("/")
        while end >= 0:
            if self._matches(path[: end + 1]):
                return True
            end = path.find("/", end + 1)
        return bool(path) and path[-1] != "/" and self._matches(path) is not None

    def excludes_last(self, path: str) -> bool:
        """`excludes`, where no folder above is excluded: one look."""
        return self._matches(path) is not None


def _expression(pattern: str) -> str:
    """Fits whole paths of objects, and of folders with their final slash."""
    inner = pattern.strip("/")
    anchored = pattern.startswith("/") or "/" in inner
    return _translated(inner if anchored else "**/" + inner) + ("/" if pattern.endswith("/") else "/?")


@lru_cache(maxsize=1024)
def _translated(pattern: str) -> str:
    """In time that grows with the square of the path's length at most, whatever the pattern.

    What a stretch between two `**` fits first is taken, and no later place is tried (`(?>…)`), except of the
    last, which must end with the path. Nothing is missed: of two places that a stretch fits, all that may follow
    the later one may follow the earlier. So it is in a stretch with the texts between two `*`, since whatever `*`
    passes ends at the same slash.
    """
    *stretches, (begin, texts) = _stretches(pattern)
    expression = "".join(f"(?>{begin}{texts[0]}{_each_first(texts[1:])})" for begin, texts in stretches)
    last = f"[^/]*{texts[-1]}" if len(texts) > 1 else ""
    return f"{expression}{begin}{texts[0]}{_each_first(texts[1:-1])}{last}"


def _each_first(texts: list[str]) -> str:
    return "".join(f"(?>[^/]*?{text})" for text in texts)


def _stretches(pattern: str) -> list[tuple[str, list[str]]]:
    """What `**` stand between: what each begins with, and the expressions of the texts between its `*`."""
    stretches = [("", [""])]
    at = 0
    while at < len(pattern):
        texts = stretches[-1][1]
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            stretches.append(("(?:.*?/)??", [""]))
            at += 3
        elif pattern.startswith("**", at):
            stretches.append((".*?", [""]))
            at += 2
        elif pattern[at] == "*":
            texts.append("")
            at += 1
        elif pattern[at] == "?":
            texts[-1] += "[^/]"
            at += 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            texts[-1] += _one_of(pattern[at + 1 : end])
            at = end + 1
        else:
            texts[-1] += re.escape(pattern[at])
            at += 1
    return stretches


def _one_of(inside: str) -> str:
    """Ranges as in `a-z`; `!` or `^` in front: none of these. Never a slash."""
    negated = inside[:1] in ("!", "^") and len(inside) > 1
    inside = inside[1:] if negated else inside
    escaped = ""
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and inside[at] <= inside[at + 2 : at + 3]:
            escaped += f"{_literal(inside[at])}-{_literal(inside[at + 2])}"
            at += 3
        else:
            escaped += _literal(inside[at])
            at += 1
    return f"(?!/)[{'^' if negated else ''}{escaped}]"


def _literal(character: str) -> str:
    """In a set some characters mean something, or may one day."""
    return character if character.isalnum() else f"\\{character}"
