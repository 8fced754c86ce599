"""One workspace, and what is listed and found, as `workspacesio.Client` gives them to programs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workspacesio.client.failures import errors, told
from workspacesio.client.references import READ, Located

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workspacesio.client.client import Client
    from workspacesio.client.objects import Details
    from workspacesio.client.places import Item, Place


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a workspace. `size` in bytes, None for a folder, whose path ends with a slash."""

    path: str
    size: int | None
    modified: str
    """RFC 3339, in UTC; "" for a folder."""
    etag: str

    @classmethod
    def of(cls, item: Item) -> Entry:
        return cls(item.path, None if item.is_folder else item.size, item.modified, item.etag.strip('"'))


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: how many in all, and the first, each with workspace, owner, path, size, modified.

    `incomplete`: sentences that say what the index lacks just now.
    """

    total: int
    results: list[dict[str, Any]]
    incomplete: list[str]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.results)

    def _repr_html_(self) -> str:
        from workspacesio.client import notebook

        columns = ("owner", "workspace", "path", "size", "modified")
        rows = [[one.get(name) for name in columns] for one in self.results[: notebook.MOST_ROWS]]
        return notebook.table(f"{self.total:,} found", columns, rows, left_out=self.total - len(rows))

    def __len__(self) -> int:
        return len(self.results)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with an owner. `level`: the caller's on all of it, None where only `folders` are shared with them.

    Paths are written as in S3: `raw/plate-1.csv`; a folder's may end with a slash.
    """

    name: str
    owner: str
    level: str | None
    bucket: str
    prefix: str
    node: str
    folders: tuple[str, ...]
    _client: Client = field(repr=False, compare=False)
    _described: dict[str, Any] = field(repr=False, compare=False)

    def _repr_html_(self) -> str:
        from workspacesio.client import notebook

        rows = [
            ("owner", self.owner),
            ("level", self.level or ""),
            ("lies at", f"s3://{self.bucket}/{self.prefix}"),
        ]
        rows += [("node", self.node), *(("shared folder", one) for one in self.folders)]
        return notebook.table(f"workspace {self.reference}", ("", ""), rows)

    @property
    def reference(self) -> str:
        """`owner/name`, as every command and method takes it."""
        return f"{self.owner}/{self.name}"

    def ls(self, path: str = "") -> list[Entry]:
        """What lies directly in a folder. Raises NotFound, Refused."""
        with told(), self._at(path) as place:
            found = [Entry.of(item) for item in place.items()]
            if not found:
                place.check_there()
            return found

    def walk(self, path: str = "") -> Iterator[Entry]:
        """Every object below a folder, one after the other, however many. Raises as `ls`."""
        with told(), self._at(path) as place:
            for item in place.walk():
                yield Entry.of(item)

    def stat(self, path: str) -> Details:
        """Size, ETag, time, content type and metadata of an object. Raises NotFound, Refused."""
        with told(), self._at(path) as place:
            return place.details()

    def read_bytes(self, path: str, *, first: int | None = None) -> bytes:
        """An object's bytes, or its first ones, whole and of one version. Raises NotFound, Refused."""
        with told(), self._at(path) as place:
            return b"".join(place.content(first=first))

    def read_text(self, path: str, *, encoding: str = "utf-8") -> str:
        """As `read_bytes`."""
        return self.read_bytes(path).decode(encoding)

    def write_bytes(self, path: str, data: bytes, *, overwrite: bool = True) -> None:
        """Make an object: whole, or not at all. Raises Refused; Conflict where it exists and is to be kept."""
        from workspacesio.client.s3_requests import S3Refused

        with told(), self._at(path, writes=True) as place:
            try:
                _write(place, data, overwrite=overwrite)
            except S3Refused as refused:
                if refused.status == 412:
                    raise errors.Conflict(f"{place.name()} exists already.", code="exists") from refused
                raise place.refusal(refused, writes=True) from refused

    def delete(self, path: str) -> None:
        """Delete an object; one that isn't there is no error, as in S3. Raises Refused."""
        with told(), self._at(path, writes=True) as place:
            place.remove()

    def share(
        self, subject: str, *, level: str = "read", folder: str = "", expires_at: str | None = None
    ) -> dict[str, Any]:
        """Give a user, `@group` or `everyone` access; the answer says whether it is enforced yet.

        `level`: read, readwrite or own. `expires_at`: RFC 3339. Raises Refused, NotFound, Invalid.
        """
        fields = {"folder": _folder(folder), "subject": subject, "level": level, "expires_at": expires_at}
        given: dict[str, Any] = self._client._ask(
            "POST", f"/workspaces/{self._described['id']}/shares", body=fields
        )
        return given

    def unshare(self, subject: str, *, folder: str = "") -> dict[str, Any]:
        """Take access back; it ends at once, and the answer says where that is pending. Raises NotFound."""
        query = {"folder": _folder(folder) or None, "subject": subject}
        taken: dict[str, Any] = self._client._ask(
            "DELETE", f"/workspaces/{self._described['id']}/shares", query=query
        )
        return taken

    def shares(self) -> list[dict[str, Any]]:
        """What was given of this workspace, as far as the caller sees it."""
        with told():
            return self._client._api.pages(f"/workspaces/{self._described['id']}/shares", "id")

    def _now(self) -> dict[str, Any]:
        """Which folders are shared is answered from the description itself, so it must be of this moment."""
        reference = f"{self.owner}:{self.name}"
        answer = self._client._ask("GET", "/workspaces/resolve", query={"reference": reference, "purpose": READ})
        described: dict[str, Any] = answer["workspace"]
        return described

    @contextlib.contextmanager
    def _at(self, path: str, *, writes: bool = False) -> Iterator[Place]:
        from workspacesio.client.places import places

        located = Located(self._described if self.level else self._now(), self.reference, path)
        (place,) = places(self._client._caller, [located], read_only=not writes)
        with place.storage:
            yield place


def _write(place: Place, data: bytes, *, overwrite: bool) -> None:
    from workspacesio.client import uploads
    from workspacesio.client.multipart import Assembly, part_size
    from workspacesio.client.signature import Request

    kept = uploads.content_type(place.path)
    condition = {} if overwrite else {"If-None-Match": "*"}
    if len(data) <= uploads.SINGLE_BYTES:
        headers = {**kept, **condition}
        place.storage.read(Request("PUT", place.bucket, place.key(), headers=headers, body=bytes(data)))
        return
    if not overwrite:
        uploads.check_free(place)
    size = part_size(len(data))
    with Assembly(place, kept, condition=condition) as assembly:
        for begin in range(0, len(data), size):
            assembly.add(bytes(data[begin : begin + size]))


def _folder(path: str) -> str:
    return f"{path.strip('/')}/" if path.strip("/") else ""
