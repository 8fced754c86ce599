"""`wio audit`: what was done, by whom and when."""

from __future__ import annotations

import argparse
import json
from typing import Any

from workspacesio.cli import output
from workspacesio.cli.arguments import add_json, complete_workspace
from workspacesio.client.http_api import signed_in


def audit_arguments(parser: argparse.ArgumentParser) -> None:
    workspace = parser.add_argument("--workspace", metavar="WORKSPACE", help="only what concerns it")
    workspace.completer = complete_workspace  # type: ignore[attr-defined]
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="how many, newest first (default: 100)"
    )
    add_json(parser)


def audit(arguments: argparse.Namespace) -> None:
    """`wio audit`: administrators see all, owners what concerns their workspaces."""
    records = signed_in().pages("/audit", "id", workspace=arguments.workspace, limit=arguments.limit)
    if arguments.json:
        output.print_json(records)
        return
    output.print_table(
        ["WHEN", "WHO", "WHAT", "ON", "DETAILS"],
        [
            [
                output.when(one["at"]),
                one["actor"],
                one["verb"],
                _text(one.get("target")),
                _text(one.get("details")),
            ]
            for one in records
        ],
        empty="Nothing has been recorded yet.",
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        spelled = {name: _text(inner) for name, inner in value.items()}
        return " ".join(f"{name}={text}" for name, text in spelled.items() if text not in ("", "false"))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
