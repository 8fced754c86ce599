"""What lies at a place of the filesystem, asked of the server now: one function for each question."""

from __future__ import annotations

import contextlib

from workspacesio.client import objects
from workspacesio.client.errors import NotThere
from workspacesio.client.file_paths import item_of
from workspacesio.client.places import Item, Place
from workspacesio.client.s3_requests import S3Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from workspacesio.client.s3_documents import Object


def look(place: Place) -> Item:
    """The object, else the folder. Raises NotThere, CommandError."""
    if _is_open(place):
        return Item(place.folder)
    try:
        return item_of(place.path, place.details())
    except NotThere as error:
        if objects_begin_with(place, place.folder):
            return Item(place.folder)
        raise NotThere(str(error)) from error


def objects_begin_with(place: Place, path: str) -> bool:
    """Whether the name of any object does. Raises CommandError."""
    with refusals(place):
        page = objects.list_page(place.storage, place.bucket, place.key(path), limit=1)
    return bool(page.objects or page.folders)


def list_folder(place: Place, prefix: str = "") -> list[Item]:
    """What lies directly in a folder, and begins with `prefix`. Raises NotThere where there is no such folder."""
    if place.shared_below() is not None:
        return [item for item in place.items() if item.path[len(place.folder) :].startswith(prefix)]
    found, items, begin = False, [], place.key(place.folder)
    with refusals(place):
        for page in objects.pages(place.storage, place.bucket, begin + prefix, delimiter="/"):
            found = found or bool(page.objects or page.folders)
            # A folder whose name is empty can't be named; what lies below it is found all the same.
            items += [Item(_path(place, key)) for key in page.folders if not key.endswith("//")]
            items += [_item(place, one) for one in page.objects if one.key != begin]
    if not found and not prefix and not _is_open(place):
        raise NotThere(f"there is no folder {place.name()}; `wio ls {place.typed}/` shows what there is.")
    return items


def list_below(place: Place, prefix: str = "") -> list[Item]:
    """Every object below a folder, with those that stand for folders; none where there is none."""
    if place.shared_below() is not None:
        return [item for item in place.walk() if item.path[len(place.folder) :].startswith(prefix)]
    with refusals(place):
        found = objects.below(place.storage, place.bucket, place.key(place.folder) + prefix)
        return [_item(place, one) for one in found]


def _is_open(place: Place) -> bool:
    """A workspace, a folder that is shared by itself, or one on the way to it: there, whatever it holds."""
    if not place.path or place.shared_below() is not None:
        return True
    shared = [] if place.workspace.get("level") else place.workspace.get("folders") or []
    return any(one["folder"] == place.folder for one in shared)


@contextlib.contextmanager
def refusals(place: Place, *, writes: bool = False) -> Iterator[None]:
    """Refusals inside are told as those of the place."""
    try:
        yield
    except S3Refused as refused:
        raise place.refusal(refused, writes=writes) from refused


def _path(place: Place, key: str) -> str:
    return key[len(place.workspace["prefix"]) :]


def _item(place: Place, one: Object) -> Item:
    return Item(_path(place, one.key), one.size, one.modified, one.etag)
