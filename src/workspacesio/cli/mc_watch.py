"""`wio mc watch` where the server tells of changes only to those who may read a whole bucket: from our own stream.

The service decides each event for the caller, and this prints it as `mc watch` would (cmd/watch-main.go).
"""

from __future__ import annotations

import json
import os

from workspacesio.cli import mc_flags, output
from workspacesio.cli.mc_output import go_json
from workspacesio.cli.terminal_text import coloured
from workspacesio.cli.watching import follow
from workspacesio.client.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from workspacesio.client.references import Located

KINDS = {
    "put": ("s3:ObjectCreated:",),
    "delete": ("s3:ObjectRemoved:",),
    "get": (),
    "replica": (),
    "ilm": (),
    "bucket-creation": (),
    "bucket-removal": (),
    "scanner": (),
}
"""mc's words for --events, and what of them servers tell here."""


class Shape:
    """What is shown of the events, and how. `plain`: everything that was typed for mc, in which flags stand."""

    def __init__(self, located: Located, arguments: list[str], plain: list[str]) -> None:
        words = mc_flags.flag_value("watch", arguments, "events") or "put,delete,get"
        unknown = [word for word in words.split(",") if word not in KINDS]
        if unknown:
            raise UsageError(f"--events knows {', '.join(KINDS)}, and {unknown[0]!r} is none of them.")
        prefix = mc_flags.flag_value("watch", arguments, "prefix") or ""
        if prefix and located.path:
            raise UsageError("--prefix is for a whole workspace; write it behind the workspace's name instead.")
        workspace = located.workspace
        self.within = f"{workspace['owner']}:{workspace['name']}/{located.path or prefix}"
        self._typed = located.typed.rstrip("/")
        self._names = tuple(name for word in words.split(",") for name in KINDS[word])
        self._suffix = mc_flags.flag_value("watch", arguments, "suffix") or ""
        self._as_json = mc_flags.has_flag("watch", plain, "json") or "MC_JSON" in os.environ
        self._coloured = coloured() and not mc_flags.has_flag("watch", plain, "no-color")

    def show(self, event: dict[str, Any]) -> None:
        """Print it, if it is wanted."""
        if event["name"].startswith(self._names) and event["path"].endswith(self._suffix):
            print(self._json(event) if self._as_json else self._line(event), flush=True)

    def _line(self, event: dict[str, Any]) -> str:
        created = event["name"].startswith("s3:ObjectCreated:")
        size = binary_size(event.get("size") or 0) if created else ""
        path = output.safe(f"{self._typed}/{event['path']}")
        return (
            self._paint("32", f"[{event['at']}] ")
            + self._paint("33", f"{size:>6} ")
            + self._paint("36;1", f"{event['name']} ")
            + self._paint("1", path)
        )

    def _json(self, event: dict[str, Any]) -> str:
        path = go_json(f"{self._typed}/{event['path']}").decode()
        told = {"time": event["at"], "size": event.get("size") or 0, "path": "", "type": event["name"]}
        spelled = json.dumps({"status": "success", "events": told, "source": {}}, separators=(",", ":"))
        return spelled.replace('"path":""', f'"path":"{path}"', 1)

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text


def watch(located: Located, arguments: list[str], *, plain: list[str]) -> NoReturn:
    """Print events until interrupted; raises CommandError when the right or the sign-in ends."""
    shape = Shape(located, arguments, plain)
    follow(shape.within, shape.show)


def binary_size(count: int) -> str:
    """As mc writes it (github.com/dustin/go-humanize, IBytes): 1536 gives '1.5 KiB', 20480 '20 KiB'."""
    if count < 10:
        return f"{count} B"
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    power = min((count.bit_length() - 1) // 10, len(units) - 1)
    amount = int(count / 1024**power * 10 + 0.5) / 10
    return f"{amount:.1f} {units[power]}" if amount < 10 else f"{amount:.0f} {units[power]}"
