"""`workspacesio.Client`: a service as one person uses it, from Python.

    from workspacesio import Client

    client = Client()                                # as `wio login` left it
    plates = client.workspace("ada/plates")
    for one in plates.ls("raw/"):
        print(one.path, one.size)
    table = plates.read_text("raw/plate-1.csv")
    client.search("plate ext:csv size:>1MB")

Errors are those of `workspacesio.errors`: one sentence each, with a stable `code`. A client serves one thread;
make one for each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workspacesio.client import credentials, objects, sign_in, uploads
from workspacesio.client.errors import CommandError, NotAllowed, NotThere
from workspacesio.client.errors import Refused as RefusedByApi
from workspacesio.client.http_api import HttpApi
from workspacesio.client.multipart import Assembly, part_size
from workspacesio.client.places import Item, Place, places
from workspacesio.client.references import READ, WRITE, Located
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request
from workspacesio.domain import errors

_BY_STATUS: dict[int, type[errors.WorkspacesIOError]] = {
    401: errors.Unauthenticated,
    403: errors.Refused,
    404: errors.NotFound,
    409: errors.Conflict,
    422: errors.Invalid,
    429: errors.TooManyAttempts,
    501: errors.NotSupported,
    503: errors.Unavailable,
}


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, as an error of the one tree."""
    try:
        yield
    except RefusedByApi as refused:
        kind = errors.Ambiguous if refused.code == "ambiguous" else _BY_STATUS.get(refused.status)
        made = (kind or errors.WorkspacesIOError)(str(refused), code=refused.code or None, details=refused.details)
        raise made from refused
    except NotThere as error:
        raise errors.NotFound(str(error)) from error
    except NotAllowed as error:
        raise errors.Refused(str(error)) from error
    except S3Refused as refused:
        kind = _BY_STATUS.get(refused.status, errors.WorkspacesIOError)
        raise kind(str(refused), code=refused.code or None) from refused
    except CommandError as error:
        raise errors.WorkspacesIOError(str(error)) from error


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

    @property
    def reference(self) -> str:
        """`owner/name`, as every command and method takes it."""
        return f"{self.owner}/{self.name}"

    def ls(self, path: str = "") -> list[Entry]:
        """What lies directly in a folder. Raises NotFound, Refused."""
        with _told(), self._at(path) as place:
            found = [Entry.of(item) for item in place.items()]
            if not found:
                place.check_there()
            return found

    def walk(self, path: str = "") -> Iterator[Entry]:
        """Every object below a folder, one after the other, however many. Raises as `ls`."""
        with _told(), self._at(path) as place:
            for item in place.walk():
                yield Entry.of(item)

    def stat(self, path: str) -> objects.Details:
        """Size, ETag, time, content type and metadata of an object. Raises NotFound, Refused."""
        with _told(), self._at(path) as place:
            return place.details()

    def read_bytes(self, path: str, *, first: int | None = None) -> bytes:
        """An object's bytes, or its first ones, whole and of one version. Raises NotFound, Refused."""
        with _told(), self._at(path) as place:
            return b"".join(place.content(first=first))

    def read_text(self, path: str, *, encoding: str = "utf-8") -> str:
        """As `read_bytes`."""
        return self.read_bytes(path).decode(encoding)

    def write_bytes(self, path: str, data: bytes, *, overwrite: bool = True) -> None:
        """Make an object: whole, or not at all. Raises Refused; Conflict where it exists and is to be kept."""
        with _told(), self._at(path, writes=True) as place:
            try:
                _write(place, data, overwrite=overwrite)
            except S3Refused as refused:
                if refused.status == 412:
                    raise errors.Conflict(f"{place.name()} exists already.", code="exists") from refused
                raise place.refusal(refused, writes=True) from refused

    def delete(self, path: str) -> None:
        """Delete an object; one that isn't there is no error, as in S3. Raises Refused."""
        with _told(), self._at(path, writes=True) as place:
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
        with _told():
            return self._client._api.pages(f"/workspaces/{self._described['id']}/shares", "id")

    def _now(self) -> dict[str, Any]:
        """Which folders are shared is answered from the description itself, so it must be of this moment."""
        reference = f"{self.owner}:{self.name}"
        answer = self._client._ask("GET", "/workspaces/resolve", query={"reference": reference, "purpose": READ})
        described: dict[str, Any] = answer["workspace"]
        return described

    @contextlib.contextmanager
    def _at(self, path: str, *, writes: bool = False) -> Iterator[Place]:
        located = Located(self._described if self.level else self._now(), self.reference, path)
        (place,) = places(self._client._caller, [located], read_only=not writes)
        with place.storage:
            yield place


class Client:
    """A service and the person who is signed in to it.

    Without arguments as `wio login` left it, or as WIO_API_URL and WIO_TOKEN say. Raises WorkspacesIOError where
    nobody is signed in.
    """

    def __init__(self, server: str | None = None, *, token: str | None = None) -> None:
        with _told():
            if server is None and token is None:
                self._caller = sign_in.current()
            else:
                address = sign_in.check_server(server) if server else sign_in.server_address()
                self._caller = sign_in.SignIn(address, token) if token else sign_in.kept_for(address)
            self._api = HttpApi(self._caller.server, self._caller.token)

    def close(self) -> None:
        """Its connection to the service."""
        self._api.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._caller.server!r})"

    def workspaces(self, *, scope: str = "all") -> list[Workspace]:
        """Those that the caller reaches. `scope`: all, mine, shared or public."""
        with _told():
            return [self._workspace(one) for one in self._api.pages("/workspaces", "reference", scope=scope)]

    def workspace(self, reference: str, *, purpose: str = READ) -> Workspace:
        """The workspace of `name`, `owner/name` or `owner:name`. Raises NotFound, Ambiguous, Invalid.

        `purpose` `write`: only one that may be written can be meant.
        """
        if purpose not in (READ, WRITE):
            raise errors.Invalid(f"a purpose is {READ!r} or {WRITE!r}, and {purpose!r} is neither.")
        answer = self._ask("GET", "/workspaces/resolve", query={"reference": reference, "purpose": purpose})
        if answer["path"].strip("/"):
            raise errors.Invalid(f"{reference!r} names a path in a workspace; name only the workspace.")
        return self._workspace(answer["workspace"])

    def create(self, name: str, *, public: bool = False, root: str | None = None) -> Workspace:
        """Make a workspace of the caller's own. Raises Conflict, Invalid, Refused."""
        return self._workspace(
            self._ask("POST", "/workspaces", body={"name": name, "public": public, "root": root})
        )

    def search(self, query: str = "", *, limit: int = 50, sort: str | None = None) -> Found:
        """What the caller may read and the query fits, by `wio search`'s language, with the exact number of all.

        `sort`: relevance, size, modified or path. Raises Invalid for a query that is wrong, and says where.
        """
        results: list[dict[str, Any]] = []
        total, incomplete, after = 0, [], None
        while len(results) < limit:
            wanted = {"q": query, "sort": sort, "limit": min(1000, limit - len(results)), "after": after}
            page = self._ask("GET", "/search", query=wanted)
            results += page["results"]
            total, incomplete, after = page["total"], [one["message"] for one in page["incomplete"]], page["next"]
            if after is None or not page["results"]:
                break
        return Found(total, results, incomplete)

    def token(
        self,
        *workspaces: str,
        node: str | None = None,
        read_only: bool = False,
        duration_seconds: int | None = None,
    ) -> dict[str, Any]:
        """S3 keys for any other library, narrowed to the workspaces that are named.

        With access_key_id, secret_access_key, session_token, endpoint, region and expires_at. Without a workspace
        for all that the caller reaches on the node.
        """
        request = {
            "workspaces": list(workspaces),
            "node": node,
            "read_only": read_only,
            "duration_seconds": duration_seconds,
        }
        with _told():
            return credentials.credential(self._caller, request)

    def _workspace(self, described: dict[str, Any]) -> Workspace:
        return Workspace(
            name=described["name"],
            owner=described["owner"],
            level=described.get("level"),
            bucket=described["bucket"],
            prefix=described["prefix"],
            node=described["node"],
            folders=tuple(one["folder"] for one in described.get("folders") or ()),
            _client=self,
            _described=described,
        )

    def _ask(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, query: dict[str, Any] | None = None
    ) -> Any:
        with _told():
            return self._api.request(method, path, body=body, query=query)


def _write(place: Place, data: bytes, *, overwrite: bool) -> None:
    headers = {**uploads.content_type(place.path), **({} if overwrite else {"If-None-Match": "*"})}
    if len(data) <= uploads.SINGLE_BYTES:
        place.storage.read(Request("PUT", place.bucket, place.key(), headers=headers, body=bytes(data)))
        return
    if not overwrite:
        uploads.check_free(place)
    size = part_size(len(data))
    with Assembly(place, uploads.content_type(place.path)) as assembly:
        for begin in range(0, len(data), size):
            assembly.add({}, bytes(data[begin : begin + size]))


def _folder(path: str) -> str:
    return f"{path.strip('/')}/" if path.strip("/") else ""
