"""Which arguments of a command on files are workspaces, which are local paths, and where the workspaces lie.

The rule, in this order:

1. What begins with `.`, `/` or `~` is local, and on Windows what begins with a drive or has a backslash. What
   begins with `wio:` or `wio://`, as in Python, is a workspace, whatever else exists; nobody is called `wio`, so
   that is never `owner:name`. Addresses of other tools (`s3://`) are an error that says so.
2. A word without a slash is local if such a file exists.
3. Otherwise it is a workspace, if there is one. If there is a local file of that path too, nothing is guessed:
   that is an error which says what to write.
4. `rm` takes no local path but one that begins with `.`, `/` or `~`: a mistyped name must not remove a file.
5. Otherwise it is local where it can be (it exists, its first folder exists, or it is one word that is written to:
   the name of a copy); else there is no such workspace.

For `wio mc`, what begins with an alias of mc's own counts as local, for it goes to mc as it is.
"""

from __future__ import annotations

import os

from workspacesio.client import credential_cache
from workspacesio.client.errors import Refused, UsageError
from workspacesio.client.sign_in import SignIn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from workspacesio.client.http_api import HttpApi

FORCED = "wio:"
FOREIGN = ("s3://", "http://", "https://")
READ, WRITE = "read", "write"

SAMPLE_ALIASES = frozenset({"gcs", "local", "play", "s3"})
"""What mc writes into a new configuration; nobody chose them, so a workspace of that name goes before."""


class Located:
    """A workspace that an argument names, and the path in it. `typed` is how the workspace was written."""

    __slots__ = ("path", "typed", "workspace")

    def __init__(self, workspace: dict[str, Any], typed: str, path: str) -> None:
        self.workspace = workspace
        self.typed = typed
        self.path = path

    def key(self) -> str:
        """`BUCKET/PREFIX…PATH`. A workspace or shared folder alone has its final slash: rights are bound to it."""
        reached = self.workspace.get("level")
        shared = [] if reached else [one["folder"] for one in self.workspace.get("folders") or []]
        path = f"{self.path}/" if f"{self.path}/" in shared else self.path
        return f"{self.workspace['bucket']}/{self.workspace['prefix']}{path}"


def is_plainly_local(text: str, exists: Callable[[str], bool], *, removes: bool = False) -> bool:
    """Steps 1 and 2 of the rule: what needs no question to the server. `removes`: step 4."""
    if text.startswith(FORCED):
        return False
    if text in ("", "-") or text[0] in "./~" or "://" in text or (os.name == "nt" and is_windows_path(text)):
        return True
    return "/" not in text and not removes and exists(text)


def is_windows_path(text: str) -> bool:
    """`C:/data`, `C:` or `data\\raw`; but `c:data` is the workspace `data` of the user c."""
    return "\\" in text or (text[:1].isalpha() and text[1:] == ":") or text[1:3] == ":/"


def unforced(text: str) -> str:
    """A reference without the `wio:` or `wio://` that may stand before it."""
    return text.removeprefix(FORCED).lstrip("/") if text.startswith(FORCED) else text


class Resolver:
    """Asks the server what names mean, and remembers the answers for a while."""

    def __init__(
        self,
        caller: SignIn,
        *,
        aliases: frozenset[str] = frozenset(),
        exists: Callable[[str], bool] = os.path.lexists,
        removes: bool = False,
        believes: bool = True,
    ) -> None:
        """`aliases`: words that begin what mc takes as it is. `removes`: step 4 of the rule.
        `believes`: what the server said to an earlier command a short while ago.
        """
        self._believes = believes
        self._caller = caller
        self._removes = removes
        self._aliases = aliases
        self._exists = exists
        self._client: HttpApi | None = None
        self._found: dict[str, dict[str, Any]] = {}
        self._reachable: set[tuple[str, str]] | None = None

    def locate(self, text: str, purpose: str) -> Located | None:
        """The workspace of an argument, or None for a local path. Raises CommandError."""
        if is_plainly_local(text, self._exists, removes=self._removes):
            if text.startswith(FOREIGN):
                raise UsageError(
                    f"{text!r} is an address for other tools; write NAME/PATH or OWNER/NAME/PATH, as in `wio ls`."
                )
            return None
        forced = text.startswith(FORCED)
        reference = unforced(text)
        here = not forced and self._exists(text)
        if here and not self._removes and not self._may_be_workspace(reference):
            return None
        try:
            located = self._resolve(reference, purpose)
        except Refused as refused:
            if forced or refused.status != 404:
                raise
            if self._can_be_local(text, purpose):
                return None
            raise Refused(
                f"{str(refused).rstrip('.')}; ./{text} would be a local path.",
                status=refused.status,
                code=refused.code,
                details=refused.details,
            ) from refused
        if here:
            raise UsageError(
                f"{text!r} is a local path and in the workspace {located.workspace['reference']}; write ./{text} "
                f"for the one, {FORCED}{text} for the other."
            )
        if not forced and located.typed in self._aliases - SAMPLE_ALIASES:
            raise UsageError(
                f"{located.typed!r} is an alias of mc and a workspace; use `mc` itself for the alias, and write "
                f"{FORCED}{text} for the workspace."
            )
        return located

    def remember(self) -> None:
        """Keep what was learned for the commands to come."""
        if self._found:
            credential_cache.put_references(self._caller.cache_key, self._found)

    def _resolve(self, text: str, purpose: str) -> Located:
        # Which reading of `a/b/c` holds depends on its first two parts only.
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{text!r} is no UTF-8, and no name in a workspace; ./ makes it a path.") from error
        parts = text.split("/", 2)
        question = f"{purpose} {'/'.join(parts[:2])}"
        known = self._found.get(question)
        if known is None and self._believes:
            known = credential_cache.get_reference(self._caller.cache_key, question)
        if known is None:
            answer = self._server().get("/workspaces/resolve", reference=text, purpose=purpose)
            typed = text.removesuffix(answer["path"]).rstrip("/")
            known = {"workspace": answer["workspace"], "parts": typed.count("/") + 1}
            self._found[question] = known
        typed = "/".join(text.split("/")[: known["parts"]])
        return Located(known["workspace"], typed, text[len(typed) :].removeprefix("/"))

    def _may_be_workspace(self, text: str) -> bool:
        """For what exists locally: one listing instead of a question for each file that a pattern named."""
        if self._reachable is None:
            found = self._server().pages("/workspaces", "reference", scope="all")
            self._reachable = {(one["owner"], one["name"]) for one in found}
        first, _, rest = text.partition("/")
        owner, exact, name = first.partition(":")
        if exact:
            return (owner, name) in self._reachable
        second = rest.partition("/")[0]
        return (first, second) in self._reachable or any(name == first for _, name in self._reachable)

    def _can_be_local(self, text: str, purpose: str) -> bool:
        first, slash, _ = text.partition("/")
        if first in self._aliases:
            return True
        new = not slash and purpose == WRITE
        return not self._removes and (new or self._exists(text) or self._exists(first))

    def _server(self) -> HttpApi:
        if self._client is None:
            from workspacesio.client.http_api import HttpApi

            self._client = HttpApi(self._caller.server, self._caller.token)
        return self._client
