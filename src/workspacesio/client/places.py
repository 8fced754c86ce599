"""Paths in workspaces as people name them: what lies there, as far as the caller reaches.

Whoever holds a share of folders in a workspace, and not of all of it, may list these folders and nothing above
them. Above, they are shown as the only folders there are.
"""

from __future__ import annotations

from workspacesio.client import objects
from workspacesio.client.checksums import Comparison
from workspacesio.client.credentials import for_workspaces
from workspacesio.client.deletions import delete
from workspacesio.client.errors import CommandError, NotAllowed, NotThere
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage, S3Refused
from workspacesio.client.signature import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from workspacesio.client.s3_documents import Object
    from workspacesio.client.sign_in import SignIn


class Item:
    """An object or a folder. `path`: in the workspace; a folder's ends with a slash, and it has no size."""

    __slots__ = ("etag", "modified", "path", "size")

    def __init__(self, path: str, size: int | None = None, modified: str = "", etag: str = "") -> None:
        self.path = path
        self.size = size
        self.modified = modified
        self.etag = etag

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/") and self.size is None


class Place:
    """A path in a workspace, with the storage where it lies. `typed`: how the workspace was written."""

    def __init__(self, located: Located, storage: NodeStorage) -> None:
        self.storage = storage
        self.workspace = located.workspace
        self.typed = located.typed
        self.path = located.path

    def at(self, path: str) -> Place:
        """Another path in the same workspace."""
        return Place(Located(self.workspace, self.typed, path), self.storage)

    @property
    def bucket(self) -> str:
        return str(self.workspace["bucket"])

    def is_beside(self, other: Place) -> bool:
        """Whether both lie in one bucket, so that their keys tell which lies where."""
        return (self.workspace["node"], self.bucket) == (other.workspace["node"], other.bucket)

    def key(self, path: str | None = None) -> str:
        """Of a path in the workspace; without one, of this place."""
        return f"{self.workspace['prefix']}{self.path if path is None else path}"

    def name(self, path: str | None = None) -> str:
        """As the caller would type it."""
        return f"{self.typed}/{self.path if path is None else path}"

    @property
    def folder(self) -> str:
        """The path as that of a folder."""
        return self.path if not self.path or self.path.endswith("/") else f"{self.path}/"

    def is_folder(self) -> bool:
        """Whether anything lies below it; what was typed with a final slash is meant as one."""
        return self.path == self.folder or self._holds_something()

    def check_there(self) -> None:
        """For a folder: raises CommandError where nothing lies in it, and it isn't stored as an empty one."""
        if self.path and not self._holds_something():
            self.at(self.folder).details()

    def _holds_something(self) -> bool:
        if self.shared_below() is not None:
            return True
        try:
            page = objects.list_page(self.storage, self.bucket, self.key(self.folder), limit=1)
        except S3Refused as refused:
            raise self.refusal(refused) from refused
        return bool(page.objects or page.folders)

    def details(self) -> objects.Details:
        """Of the object; raises CommandError where there is none."""
        try:
            return objects.details(self.storage, self.bucket, self.key())
        except S3Refused as refused:
            raise self.refusal(refused) from refused

    def items(self) -> Iterator[Item]:
        """What lies directly in this folder, in the order of keys. Raises CommandError."""
        shared = self.shared_below()
        if shared is not None:
            names = {folder[len(self.folder) :].partition("/")[0] for folder in shared}
            yield from (Item(f"{self.folder}{name}/") for name in sorted(names))
            return
        try:
            for one in objects.children(self.storage, self.bucket, self.key(self.folder)):
                yield Item(self._path(one)) if isinstance(one, str) else self._item(one)
        except S3Refused as refused:
            raise self.refusal(refused) from refused

    def walk(self) -> Iterator[Item]:
        """Every object below this folder, in the order of keys. Raises CommandError."""
        shared = self.shared_below()
        folders = [self.folder] if shared is None else _outermost(shared)
        try:
            for folder in folders:
                yield from map(self._item, objects.below(self.storage, self.bucket, self.key(folder)))
        except S3Refused as refused:
            raise self.refusal(refused) from refused

    def content(self, *, first: int | None = None) -> Iterator[bytes]:
        """The object's bytes, or its `first` ones. Raises CommandError, at the end if they aren't as stored."""
        headers = {"x-amz-checksum-mode": "ENABLED"} if first is None else {}
        request = Request("GET", self.bucket, self.key(), headers=headers)
        length = 0
        try:
            details, pieces = objects.open_content(self.storage, request, objects.Span(first=first))
            compared = Comparison(details)
            for piece in pieces:
                compared.update(piece)
                length += len(piece)
                yield piece
            if first is None and not compared.is_whole(length):
                raise CommandError("it did not come as it is stored; read it again.")
        except S3Refused as refused:
            raise self.refusal(refused) from refused
        except CommandError as error:
            raise CommandError(f"{self.name()}: {error}") from error

    def remove(self) -> None:
        """The object. Raises CommandError."""
        try:
            self.storage.read(Request("DELETE", self.bucket, self.key()))
        except S3Refused as refused:
            raise self.refusal(refused, writes=True) from refused

    def remove_all(self, items: Sequence[Item]) -> list[str]:
        """What could not be removed, in a sentence each. Raises CommandError."""
        problems: list[str] = []
        for begin in range(0, len(items), objects.PAGE_KEYS):
            keys = [self.key(item.path) for item in items[begin : begin + objects.PAGE_KEYS]]
            try:
                refused = delete(self.storage, self.bucket, keys)
            except S3Refused as error:
                raise self.refusal(error, writes=True) from error
            problems += [f"{self.name(self._path(key))}: {reason}" for key, reason in refused]
        return problems

    def refusal(self, refused: S3Refused, *, writes: bool = False) -> CommandError:
        """What a refusal, to write if `writes`, means for who typed the name."""
        name = self.name()
        if refused.status == 404:
            folder, _, last = name.rpartition("/")
            if any(sign in last for sign in "*?["):  # a shell would have put names in its place
                return NotThere(f"there is no {name}; `wio find {folder}/ --name '{last}'` shows names like that.")
            return NotThere(f"there is no {name}; `wio ls {self.typed}/` shows what there is.")
        if refused.status != 403 or refused.code not in ("", "AccessDenied"):
            return CommandError(f"{name}: {refused}")
        if writes and self._level() == "read":
            return NotAllowed(f"you may read {name}, but not write it; ask {self.workspace['owner']} for more.")
        return NotAllowed(
            f"you don't reach {name}: it is not shared with you, or not for this; `wio ls` shows what is."
        )

    def _level(self) -> str:
        """The caller's here, as the workspace was described; "" for none."""
        folders = self.workspace.get("folders") or []
        found = [str(one["level"]) for one in folders if self.path.startswith(one["folder"])]
        if self.workspace.get("level"):
            found.append(str(self.workspace["level"]))
        return max(found, key=["read", "readwrite", "own", "owner"].index, default="")

    def shared_below(self) -> list[str] | None:
        """The shared folders below this one where it may not be listed itself; None where it may."""
        if self.workspace.get("level"):
            return None
        shared = [str(one["folder"]) for one in self.workspace.get("folders") or []]
        if any(self.folder.startswith(folder) or self.path == folder for folder in shared):
            return None
        return [folder for folder in shared if folder.startswith(self.folder)] or None

    def _path(self, key: str) -> str:
        return key[len(self.workspace["prefix"]) :]

    def _item(self, one: Object) -> Item:
        return Item(self._path(one.key), one.size, one.modified, one.etag)


def places(caller: SignIn, located: Iterable[Located], *, read_only: bool) -> list[Place]:
    """Each with the storage of its node, one credential for all that lies on one. Raises CommandError."""
    wanted = list(located)
    storages: dict[str, NodeStorage] = {}
    for one in wanted:
        node = str(one.workspace["node"])
        if node not in storages:
            here = [other.workspace for other in wanted if other.workspace["node"] == node]
            names = [f"{workspace['owner']}:{workspace['name']}" for workspace in here]

            def issue(fresh: bool, node: str = node, names: list[str] = names) -> dict[str, object]:  # noqa: FBT001
                return for_workspaces(caller, node, names, read_only=read_only, left=0.5, fresh=fresh)

            storages[node] = NodeStorage(issue)
    return [Place(one, storages[str(one.workspace["node"])]) for one in wanted]


def _outermost(folders: Iterable[str]) -> list[str]:
    found: list[str] = []
    for folder in sorted(folders):
        if not (found and folder.startswith(found[-1])):
            found.append(folder)
    return found
