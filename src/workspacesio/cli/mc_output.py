"""Shows workspace names again where mc prints bucket paths.

mc is given `ALIAS/BUCKET/PREFIX`, where ALIAS is made up for one run, so nothing else in its output can look like
it. It prints that again, or the address `http://ENDPOINT/BUCKET/PREFIX`, and `mc du` prints `BUCKET/PREFIX`. The
stream is changed as it comes, and only what could be the beginning of such a path waits for the rest: progress
bars and prompts go on working.
"""

from __future__ import annotations

import json
import re

# What may follow a path that ends here: a slash, a quote, white space, or an escape sequence that ends a colour.
_AFTER = rb"(?=[/`\"'\s\x1b\\]|$)"


class Shown:
    """A workspace as it was typed, and where it lies."""

    __slots__ = ("alias", "endpoint", "path", "typed")

    def __init__(self, *, typed: str, alias: str, endpoint: str, bucket: str, prefix: str) -> None:
        self.typed = typed.rstrip("/")
        self.alias = alias
        self.endpoint = endpoint.rstrip("/")
        self.path = f"{bucket}/{prefix}".rstrip("/")

    def sources(self, verb: str) -> list[str]:
        """Every way in which a verb of mc spells it."""
        found = [f"{self.alias}/{self.path}"]
        # What `mc find` prints as an address is a signed link: changed, it would open nothing.
        if verb != "find":
            found.append(f"{self.endpoint}/{self.path}")
        return found


class Renamer:
    """Replaces paths by names in a stream of bytes. `du` is read by lines: its paths have no alias before them."""

    def __init__(self, workspaces: list[Shown], *, verb: str, as_json: bool) -> None:
        spell = go_json if as_json else str.encode
        names: dict[bytes, bytes] = {}
        for shown in workspaces:
            for source in shown.sources(verb):
                names.setdefault(spell(source), spell(shown.typed))
        alternatives = [re.escape(source) for source in sorted(names, key=len, reverse=True)]
        if verb == "du":
            bare = {spell(shown.path): spell(shown.typed) for shown in reversed(workspaces)}
            names.update(bare)
            # At the beginning of its field: after a tab, a quote, or the colour's `m`.
            alternatives += [
                rb"(?<=[\t\"m])" + re.escape(source) for source in sorted(bare, key=len, reverse=True)
            ]
        self._by_line = verb == "du"
        self._names = names
        self._pattern = re.compile(rb"(?:" + rb"|".join(alternatives) + rb")" + _AFTER) if names else None
        self._longest = max(map(len, names), default=0)
        self._waiting = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown so far."""
        if self._pattern is None:
            return data
        text = self._waiting + data
        safe = text.rfind(b"\n") + 1 if self._by_line else self._safe(text)
        shown, safe = self._replaced(text, safe)
        self._waiting = text[safe:]
        return shown

    def end(self) -> bytes:
        """What still waited when the stream ended."""
        text, self._waiting = self._waiting, b""
        return self._replaced(text, len(text))[0] if self._pattern else text

    def _safe(self, text: bytes) -> int:
        """Where the end of `text` begins that may be part of a path, or a whole one whose next byte is unknown."""
        for start in range(max(0, len(text) - self._longest), len(text)):
            tail = text[start:]
            if any(name.startswith(tail) for name in self._names):
                return start
        return len(text)

    def _replaced(self, text: bytes, safe: int) -> tuple[bytes, int]:
        parts = []
        position = 0
        assert self._pattern is not None
        for match in self._pattern.finditer(text):
            if match.start() >= safe:
                break
            safe = max(safe, match.end())
            parts += [text[position : match.start()], self._names[match.group()]]
            position = match.end()
        parts.append(text[position:safe])
        return b"".join(parts), safe


def go_json(text: str) -> bytes:
    """`text` inside a string of JSON, as Go's encoding/json writes it: HTML's characters are escaped too."""
    spelled = json.dumps(text, ensure_ascii=False)[1:-1]
    for character in "<>&\u2028\u2029":
        spelled = spelled.replace(character, f"\\u{ord(character):04x}")
    return spelled.encode()
