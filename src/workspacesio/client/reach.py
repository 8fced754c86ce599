"""What the caller reaches by names of the form `[owner/]workspace/path`, for programs that go on for long.

What a name means is asked of the server, and believed for the stated lifetime. Keys are for one workspace each,
and renewed as long as the server issues them.
"""

from __future__ import annotations

import contextlib
import threading
import time

from workspacesio.client import sign_in
from workspacesio.client.errors import CommandError, NotThere, Refused, UsageError
from workspacesio.client.http_api import HttpApi
from workspacesio.client.places import Place, places
from workspacesio.client.references import READ, WRITE, Located

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from workspacesio.client.s3_requests import NodeStorage

    Meaning = tuple[dict[str, Any], int]

MOST_NAME_BYTES = 128
"""Of a workspace (domain/names.py); what is longer is a path in one."""
MOST_KEY_BYTES = 1024
MOST_NAMES = 10_000
OWNED_PAGE = 200
PATIENCE_SECONDS = 15.0
PAUSE_SECONDS = 0.2


class Reach:
    """For several threads: one asks the service at a time, and each has connections of its own to storage."""

    def __init__(self, server: str | None, *, read_only: bool, lifetime: float) -> None:
        self._server = server
        self._read_only = read_only
        self._lifetime = lifetime
        self._asking = threading.Lock()
        self._opening = threading.Lock()
        self._caller: sign_in.SignIn | None = None
        self._api: HttpApi | None = None
        self._meanings: dict[str, tuple[float, Meaning]] = {}
        self._workspaces: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._storages: dict[tuple[str, ...], NodeStorage] = {}
        self._keys_of = ""
        self._answered = False
        with contextlib.suppress(CommandError):  # who isn't signed in yet may be when something is asked
            self._who()

    def place(self, path: str, *, writes: bool = False) -> Place:
        """Raises CommandError; its cause has status 404 where no workspace is meant."""
        located = self._located(path, WRITE if writes else READ)
        return Place(located, self._storage([located]))

    def pair(self, source: str, target: str) -> tuple[Place, Place]:
        """Both with one storage where they lie on one node, so that its server can copy. Raises CommandError."""
        one, other = self._located(source, READ), self._located(target, WRITE)
        if one.workspace["node"] != other.workspace["node"]:
            return Place(one, self._storage([one])), Place(other, self._storage([other]))
        storage = self._storage([one, other])
        return Place(one, storage), Place(other, storage)

    def workspaces(self, owner: str = "") -> list[dict[str, Any]]:
        """Those that the caller reaches, all or one owner's, as the API describes them. Raises CommandError."""
        now = time.monotonic()
        known = self._workspaces.get(owner)
        if known is None or now - known[0] >= self._lifetime:
            found = self.ask(lambda api: _owned(api, owner) if owner else _all(api))
            known = self._workspaces[owner] = now, found
        return known[1]

    def ask(self, question: Callable[[HttpApi], Any]) -> Any:
        """What the service answers. Raises CommandError.

        One that answered before and is away is asked again for a while, and whom it doesn't know any more once, if
        they have signed in anew meanwhile.
        """
        with self._asking:
            try:
                answer = self._asked(question)
            except Refused as refused:
                before = self._caller
                if refused.status != 401 or before is None:
                    raise
                self._forget_caller()
                if self._who().token == before.token:
                    raise
                answer = self._asked(question)
            self._answered = True
            return answer

    def _asked(self, question: Callable[[HttpApi], Any]) -> Any:
        ends = time.monotonic() + (PATIENCE_SECONDS if self._answered else 0)
        api = self._signed_in()
        while True:
            try:
                return question(api)
            except CommandError as error:
                refused = isinstance(error, Refused) and error.status < 500
                if refused or not self._answered or time.monotonic() > ends:
                    raise
            time.sleep(PAUSE_SECONDS)

    def known(self, path: str) -> Located | None:
        """What a path means as far as that was asked before; for reading or for writing."""
        first, _, rest = path.partition("/")
        second = rest.partition("/")[0]
        for reference in (f"{first}/{second}", first):
            for purpose in (READ, WRITE):
                _, meaning = self._meanings.get(f"{purpose} {reference}", (0.0, None))
                if meaning is not None:
                    return _within(meaning, path)
        return None

    def forget(self) -> None:
        """What names mean, so that it is asked anew."""
        self._meanings.clear()
        self._workspaces.clear()

    def close(self) -> None:
        """All connections."""
        with self._opening:
            self._close_storages()
        with self._asking:
            self._forget_caller()

    def _located(self, path: str, purpose: str) -> Located:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{path!r} is no UTF-8, and no name in a workspace.") from error
        first, _, rest = path.partition("/")
        second = rest.partition("/")[0]
        # No workspace is called so, and a question is one line.
        could_be_name = second.isprintable() and len(second.encode()) <= MOST_NAME_BYTES
        if not first.isprintable():
            raise NotThere(f"there is no workspace {first!r}.")
        located = _within(self._meaning(first, second if could_be_name else "", purpose), path)
        if len(f"{located.workspace['prefix']}{located.path}".encode()) > MOST_KEY_BYTES:
            raise UsageError(f"{path!r} is longer than the {MOST_KEY_BYTES} bytes that S3 has for a name.")
        return located

    def _meaning(self, first: str, second: str, purpose: str) -> Meaning:
        """The workspace, and of how many segments its name was made."""
        exact = f"{first}/{second}" if second else first
        known = self._known(exact, purpose)
        if known is None and second:
            # The second segment matters only where it is the name of a workspace whose owner is the first.
            known = self._known(first, purpose)
            if known is not None and any(one["name"] == second for one in self.workspaces(first)):
                known = None
        if known is not None:
            return known
        now = time.monotonic()
        answer = self.ask(lambda api: api.get("/workspaces/resolve", reference=exact, purpose=purpose))
        parts = exact.removesuffix(answer["path"]).rstrip("/").count("/") + 1
        if len(self._meanings) >= MOST_NAMES:
            self._meanings.clear()
        meaning = answer["workspace"], parts
        self._meanings[f"{purpose} {exact if parts > 1 else first}"] = now, meaning
        return meaning

    def _known(self, reference: str, purpose: str) -> Meaning | None:
        asked_at, meaning = self._meanings.get(f"{purpose} {reference}", (0.0, None))
        return meaning if meaning is not None and time.monotonic() - asked_at < self._lifetime else None

    def _storage(self, located: list[Located]) -> NodeStorage:
        names = sorted({f"{one.workspace['owner']}:{one.workspace['name']}" for one in located})
        wanted = (str(located[0].workspace["node"]), *names)
        with self._opening:
            caller = self._caller
            if caller is None:
                with self._asking:
                    caller = self._who()
            if caller.token != self._keys_of:
                self._close_storages()
                self._keys_of = caller.token
            known = self._storages.get(wanted)
            if known is None:
                known = self._storages[wanted] = places(caller, located, read_only=self._read_only)[0].storage
        return known

    def _close_storages(self) -> None:
        for storage in self._storages.values():
            storage.close()
        self._storages.clear()

    def _who(self) -> sign_in.SignIn:
        if self._caller is None:
            server = self._server and sign_in.check_server(self._server)
            other = server and server != sign_in.server_address()
            self._caller = sign_in.kept_for(server) if server and other else sign_in.current()
        return self._caller

    def _signed_in(self) -> HttpApi:
        if self._api is None:
            caller = self._who()
            self._api = HttpApi(caller.server, caller.token)
        return self._api

    def _forget_caller(self) -> None:
        if self._api is not None:
            self._api.close()
        self._api = self._caller = None


def _within(meaning: Meaning, path: str) -> Located:
    workspace, parts = meaning
    typed = "/".join(path.split("/")[:parts])
    return Located(workspace, typed, path[len(typed) + 1 :])


def _all(api: HttpApi) -> list[dict[str, Any]]:
    return api.pages("/workspaces", "reference", scope="all")


def _owned(api: HttpApi, owner: str) -> list[dict[str, Any]]:
    """They are listed by owner and name."""
    found: list[dict[str, Any]] = []
    behind = f"{owner}/"
    while True:
        page = api.get("/workspaces", scope="all", after=behind, limit=OWNED_PAGE)
        mine = [one for one in page if one["owner"] == owner]
        found += mine
        if len(mine) < OWNED_PAGE:
            return found
        behind = page[-1]["reference"]


def is_missing(error: CommandError) -> bool:
    """Whether there is no such thing, or none that the caller may know of."""
    return isinstance(error, NotThere) or (isinstance(error, Refused) and error.status == 404)
