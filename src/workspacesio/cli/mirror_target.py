"""Whether the caller may write where `wio mc mirror` is told to.

mc passes over whatever a server refuses for lack of rights (cmd/mirror-main.go), and then reports that all of it
was copied. So that is found out before, from what the answer with the keys says of each workspace.
"""

from __future__ import annotations

from workspacesio.client.errors import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from workspacesio.client.references import Located

WRITING = frozenset({"owner", "own", "readwrite"})


def check_writable(issued: dict[str, Any], target: Located) -> None:
    """Raises CommandError unless the keys write in all of `target`."""
    if _is_writable(issued, target):
        return
    workspace = target.workspace
    raise CommandError(
        f"You may read here, but not write: nothing can be copied into {workspace['reference']}/{target.path}; "
        f"ask {workspace['owner']} to share it with --permission readwrite."
    )


def _is_writable(issued: dict[str, Any], target: Located) -> bool:
    for one in issued.get("workspaces") or []:
        if one["id"] == target.workspace["id"]:
            within = target.path.rstrip("/") + "/"
            return one["level"] in WRITING or any(
                folder["level"] in WRITING and within.startswith(folder["folder"]) for folder in one["folders"]
            )
    return True
