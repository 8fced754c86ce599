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

from typing import TYPE_CHECKING, Any

from workspacesio.client import credentials, sign_in
from workspacesio.client.failures import errors, told
from workspacesio.client.references import READ, WRITE, Located
from workspacesio.client.workspace import Found, Workspace

if TYPE_CHECKING:
    from obstore.store import S3Store


class Client:
    """A service and the person who is signed in to it.

    Without arguments as `wio login` left it, or as WIO_API_URL and WIO_TOKEN say. Raises WorkspacesIOError where
    nobody is signed in.
    """

    def __init__(self, server: str | None = None, *, token: str | None = None) -> None:
        from workspacesio.client.http_api import HttpApi

        with told():
            if server is None and token is None:
                self._caller = sign_in.current()
            else:
                address = sign_in.check_server(server) if server else sign_in.server_address()
                self._caller = sign_in.SignIn(address, token) if token else sign_in.at(address)
            self._api = HttpApi(self._caller.server, self._caller.token)

    def close(self) -> None:
        """Its connection to the service."""
        self._api.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Client], tuple[str]]:
        """No token is in what is pickled: a process that gets one from another uses the sign-in that it finds."""
        return Client, (self._caller.server,)

    def __repr__(self) -> str:
        return f"Client({self._caller.server!r})"

    def _repr_html_(self) -> str:
        from workspacesio.client import notebook

        found = self.workspaces()
        shown = found[: notebook.MOST_ROWS]
        rows = [[one.reference, one.level or ", ".join(one.folders), one.node] for one in shown]
        return notebook.table(repr(self), ("workspace", "level", "node"), rows, left_out=len(found) - len(rows))

    def workspaces(self, *, scope: str = "all") -> list[Workspace]:
        """Those that the caller reaches. `scope`: all, mine, shared or public."""
        with told():
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
        with told():
            return credentials.credential(self._caller, request)

    def store(self, workspace: str | Workspace, path: str = "", *, read_only: bool = False) -> S3Store:
        """A store of obstore for what lies below a folder, `path`, or in all of a workspace.

        Its keys are renewed as long as the caller reaches the place. What goes wrong with one of its requests is
        told as errors of obstore. Raises as `workspace`; Invalid for a path that obstore can't name.
        """
        from workspacesio.client.places import places
        from workspacesio.client.store import store

        if not isinstance(workspace, Workspace):
            workspace = self.workspace(workspace)
        with told():
            located = Located(workspace._described, workspace.reference, path)
            (place,) = places(self._caller, [located], read_only=read_only)
        return store(place)

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
        with told():
            return self._api.request(method, path, body=body, query=query)
