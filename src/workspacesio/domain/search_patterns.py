"""Patterns of `name:` and `path:`: what `*`, `**` and `?` mean, as one translation for all engines.

    *    any characters, in a path none of them a slash       **   any characters (in a name the same as *)
    ?    one character, in a path no slash                    \\   the next character is meant as it is

Patterns are folded, and compared with folded names and paths; a character is a code point of the folded text. A
name's pattern without `*` and `?` is found anywhere in the name; every other pattern fits the whole. In a path, a
leading `**/` also stands for nothing: `**/a.txt` finds `a.txt`, too.
"""

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from workspacesio.domain.search_words import fold


class Wild(Enum):
    ONE = auto()
    ANY = auto()
    ANY_WITH_SLASHES = auto()


Steps = Sequence[str | Wild]
"""Texts and wildcards, in order."""


def pattern_parts(pattern: str) -> list[str | Wild]:
    """Literal text, as it is, and wildcards, in order. A backslash at the end means itself."""
    parts: list[str | Wild] = []
    literal = ""
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "\\":
            literal += pattern[position : position + 1] or "\\"
            position += 1
        elif character in "*?":
            if literal:
                parts.append(literal)
                literal = ""
            if character == "?":
                parts.append(Wild.ONE)
            else:
                stars = len(pattern[position - 1 :]) - len(pattern[position - 1 :].lstrip("*"))
                position += stars - 1
                parts.append(Wild.ANY if stars == 1 else Wild.ANY_WITH_SLASHES)
        else:
            literal += character
    if literal:
        parts.append(literal)
    return parts


def joined(steps: Steps) -> list[str | Wild]:
    """Characters put together again, and wildcards that follow one another in a name made one."""
    parts: list[str | Wild] = []
    for each in steps:
        step = Wild.ANY if each is Wild.ANY_WITH_SLASHES else each
        if isinstance(step, str) and parts and isinstance(parts[-1], str):
            parts[-1] += step
        elif step is not Wild.ANY or not parts or parts[-1] is not Wild.ANY:
            parts.append(step)
    return parts


def folders_and_names(pattern: str) -> list[tuple[list[str | Wild], list[str | Wild]]]:
    """A pattern of a path, divided wherever the name may begin: after its last slash, or within a `**` behind it.

    First the single steps of the folder, which end with a slash or `**` or are none, then the parts of the name.
    `**` alone is every folder.
    """
    steps: list[str | Wild] = []
    for part in pattern_parts(pattern):
        steps += [part] if isinstance(part, Wild) else part
    slash = max((at for at, step in enumerate(steps) if step == "/"), default=-1) + 1
    places = [(at + 1, at) for at in range(slash, len(steps)) if steps[at] is Wild.ANY_WITH_SLASHES]
    if not places or places[0] != (slash + 1, slash):  # `raw/**` finds what `raw/` does, of the same names
        places.insert(0, (slash, slash))
    return [(_every_folder(steps[:end]), joined(steps[start:])) for end, start in places]


def _every_folder(steps: list[str | Wild]) -> list[str | Wild]:
    """`**/` is said as `**`."""
    return steps[:1] if steps == [Wild.ANY_WITH_SLASHES, "/"] else steps


def folder_comparisons(pattern: str) -> int:
    """For how many of its divisions an engine has to compare the folder's pattern with every folder that there is.

    Not for a folder that is written out, nor for all that begins with a text, which lies together in an engine.
    """
    return sum(any(isinstance(step, Wild) for step in folder[:-1]) for folder, _ in folders_and_names(pattern))


def is_wild(pattern: str) -> bool:
    return any(isinstance(part, Wild) for part in pattern_parts(pattern))


def literal_pattern(text: str) -> str:
    """The pattern that means `text` as it is."""
    return re.sub(r"([\\*?])", r"\\\1", text)


def fold_pattern(pattern: str) -> str:
    """Folded, wildcards and escapes kept; what the parser puts into the tree."""
    spelled = {Wild.ONE: "?", Wild.ANY: "*", Wild.ANY_WITH_SLASHES: "**"}
    return "".join(
        spelled[part] if isinstance(part, Wild) else literal_pattern(fold(part)) for part in pattern_parts(pattern)
    )


class PrintedReading(NamedTuple):
    """A pattern read as `owner/workspace/path`; `owner` None: as `workspace/path`, the caller's own.

    `inside`: the pattern of the path, '' for all of the workspace.
    """

    owner: str | None
    workspace: str
    inside: str


def printed_readings(pattern: str) -> list[PrintedReading]:
    """What a pattern can mean that begins with a workspace, as results are printed and references are written.

    Names before the path are meant as they are: a wildcard in one is no name. Neither is a slash in front.
    """
    first, _, inside = pattern.partition("/")
    name = _literal(first)
    if not name:
        return []
    owner, colon, exact = name.partition(":")
    if colon:
        return [PrintedReading(owner, exact, inside)] if owner and exact else []
    readings = [PrintedReading(None, name, inside)]
    second, _, inside = inside.partition("/")
    workspace = _literal(second)
    return [*readings, PrintedReading(name, workspace, inside)] if workspace else readings


def _literal(pattern: str) -> str:
    """The text that it means, '' where it has wildcards."""
    return "" if is_wild(pattern) else "".join(map(str, pattern_parts(pattern)))


def fits_name(pattern: str, name: str) -> bool:
    """Both folded. As `name_expression`, in time that no pattern makes explode."""
    parts = pattern_parts(pattern)
    if not is_wild(pattern):
        return "".join(map(str, parts)) in name
    return _fits([Wild.ANY_WITH_SLASHES if part is Wild.ANY else part for part in parts], name, one_is_slash=True)


def fits_path(pattern: str, path: str) -> bool:
    """Both folded. As `path_expression`."""
    parts = pattern_parts(pattern)
    if _begins_anywhere(parts) and _fits([str(parts[1])[1:], *parts[2:]], path, one_is_slash=False):
        return True
    return _fits(parts, path, one_is_slash=False)


def _fits(parts: list[str | Wild], text: str, *, one_is_slash: bool) -> bool:
    """Follows every way through the pattern at once (Thompson, "Regular Expression Search Algorithm", 1968)."""
    steps: list[str | Wild] = []
    for part in parts:
        steps += [part] if isinstance(part, Wild) else part
    places = _with_skips({0}, steps)
    for character in text:
        reached = set()
        for place in places:
            step = steps[place] if place < len(steps) else ""
            if step is Wild.ANY_WITH_SLASHES or (step is Wild.ANY and character != "/"):
                reached.add(place)
            elif step == character or (step is Wild.ONE and (one_is_slash or character != "/")):
                reached.add(place + 1)
        places = _with_skips(reached, steps)
    return len(steps) in places


def _with_skips(places: set[int], steps: list[str | Wild]) -> set[int]:
    """And the places behind wildcards that stand for nothing."""
    found = set(places)
    for place in places:
        behind = place
        while behind < len(steps) and steps[behind] in (Wild.ANY, Wild.ANY_WITH_SLASHES):
            behind += 1
            found.add(behind)
    return found


def _begins_anywhere(parts: list[str | Wild]) -> bool:
    """With `**/`."""
    return len(parts) > 1 and parts[0] is Wild.ANY_WITH_SLASHES and str(parts[1]).startswith("/")


def name_expression(pattern: str) -> str:
    """A regular expression, understood by Python and Rust alike, that the whole folded name must fit."""
    parts = pattern_parts(pattern)
    if not is_wild(pattern):
        return f"(?s:.*){escaped(''.join(map(str, parts)))}(?s:.*)"
    shown = {Wild.ONE: "(?s:.)", Wild.ANY: "(?s:.*)", Wild.ANY_WITH_SLASHES: "(?s:.*)"}
    return "".join(shown[part] if isinstance(part, Wild) else escaped(part) for part in parts)


def path_expression(pattern: str) -> str:
    """A regular expression, understood by Python and Rust alike, that the whole folded path must fit."""
    shown = {Wild.ONE: "[^/]", Wild.ANY: "[^/]*", Wild.ANY_WITH_SLASHES: "(?s:.*)"}
    parts = pattern_parts(pattern)
    expression = ""
    if _begins_anywhere(parts):
        expression = "(?s:.*/)?"
        parts = [str(parts[1])[1:], *parts[2:]]
    return expression + "".join(shown[part] if isinstance(part, Wild) else escaped(part) for part in parts)


def escaped(text: str) -> str:
    """ASCII punctuation escaped; Rust knows no other escapes, and takes `\\<` for the start of a word."""
    return re.sub(r"([!-/:;=?@\[-`{-~])", r"\\\1", text)
