"""Paths of the filesystem, and what fsspec calls the info of one.

A path is what stands behind `wio://`. Every character of it means itself; slashes at both ends are dropped, so
that an object whose name ends with one can't be named: it stands for a folder.
"""

from __future__ import annotations

from typing import Any

from workspacesio.client.places import Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from workspacesio.client.objects import Details

PROTOCOL = "wio"

Info = dict[str, Any]
"""`name`, `type` (file or directory), `size` in bytes; of a file `mtime` in seconds since 1970, and `etag`."""


def stripped(path: str) -> str:
    """Without the protocol, and without slashes at its ends."""
    return path.removeprefix(f"{PROTOCOL}://").strip("/")


def folder_info(name: str) -> Info:
    return {"name": name, "size": 0, "type": "directory"}


def workspace_info(workspace: dict[str, Any]) -> Info:
    """Of a workspace in the listing of all, as the API describes it."""
    return folder_info(f"{workspace['owner']}/{workspace['name']}")


def info_of(item: Item, typed: str) -> Info:
    """`typed`: how its workspace was written."""
    name = f"{typed}/{item.path}".rstrip("/")
    if item.is_folder:
        return folder_info(name)
    return {"name": name, "size": item.size, "type": "file", "mtime": _seconds(item), "etag": item.etag.strip('"')}


def item_of(path: str, details: Details) -> Item:
    """What HEAD said of an object."""
    return Item(path, details.size, details.modified, details.etag)


def _seconds(item: Item) -> float | None:
    """In whole seconds, since HEAD says no more and both are to say the same."""
    from datetime import datetime

    return float(int(datetime.fromisoformat(item.modified).timestamp())) if item.modified else None


def by_folder(items: Iterable[Item], top: str) -> dict[str, list[Item]]:
    """What lies below a folder, each under the folder in which it lies directly; folders are made of the paths.

    Folders are without their final slash here, `top` too. What has an empty name in its path has no folder that
    could be named, and stands under the last that can.
    """
    found: dict[str, list[Item]] = {top: []}
    for item in items:
        folder, _, name = item.path.rpartition("/")
        listing = _listing(found, folder)
        if name:  # else it stands for the folder
            listing.append(item)
    return found


def _listing(found: dict[str, list[Item]], folder: str) -> list[Item]:
    """Of a folder, which is put into the one above it where it is new."""
    known = found.get(folder)
    if known is None:
        known = found[folder] = []
        above, _, name = folder.rpartition("/")
        listing = _listing(found, above)
        if name:
            listing.append(Item(f"{folder}/"))
    return known
