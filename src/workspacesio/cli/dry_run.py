"""What `--dry-run` shows of copies: a line for each as it is found, or one JSON document of all."""

from __future__ import annotations

from workspacesio.cli import output
from workspacesio.client.copy_plan import LeftOut, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from workspacesio.client.copy_plan import Copy


class DryRun:
    """Counts what would be copied. Lines are printed at once and forgotten; only JSON is kept until its end."""

    def __init__(self, *, as_json: bool) -> None:
        self.objects = 0
        self.bytes = 0
        self._as_json = as_json
        self._copies: list[dict[str, Any]] = []
        self._left_out: list[dict[str, str]] = []

    def show(self, steps: Iterable[Copy | LeftOut]) -> None:
        """Goes through all of them."""
        for step in steps:
            if isinstance(step, LeftOut):
                self._show_left_out(step)
                continue
            self.objects, self.bytes = self.objects + 1, self.bytes + step.size
            source, target = name_of(step.source), name_of(step.target)
            if self._as_json:
                self._copies.append({"from": source, "to": target, "bytes": step.size})
            else:
                print(f"{output.safe(source)} -> {output.safe(target)}")

    def _show_left_out(self, step: LeftOut) -> None:
        if self._as_json:
            self._left_out.append({"name": step.name, "reason": step.reason})
        else:
            print(f"left out: {output.safe(step.name)}: {output.safe(step.reason)}")

    def print_json(self, **more: object) -> None:
        """The document; `more` stands in it, too."""
        found = {"would_copy": self._copies, "bytes": self.bytes, **more, "left_out": self._left_out}
        output.print_json(found)
