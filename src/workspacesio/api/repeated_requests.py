"""Requests of keys that were answered a short while ago: equal ones are answered without the application's ways.

Equal means the same token and, byte for byte, the same body. The rights generation is read after the request has
arrived, and once more in the transaction that writes the row (`services/repeated_issuance.py`). Nothing secret is
kept here: of tokens only their hashes, of keys none.
"""

import threading
from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from workspacesio.domain.errors import Unavailable
from workspacesio.services.credentials import Issued
from workspacesio.services.decided_requests import Decided
from workspacesio.services.effect_writing import EffectsContext
from workspacesio.services.generation import GenerationReader, generation_reader
from workspacesio.services.repeated_issuance import RepeatedIssuance
from workspacesio.services.tokens import token_hash

PATH = "/api/v1/credentials"
MAX_REMEMBERED = 4096
MAX_REMEMBERED_BYTES = 32 * 1024 * 1024
"""Of answers in all; beyond either number everything is forgotten."""

MAX_BODY_BYTES = 4096
AT_ONCE = 16
BODY = "workspacesio.body"
"""Where the body of a request is found in its scope."""

Key = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Answered:
    """`rest`: the JSON object without what is new each time, which `render` writes, also as an object."""

    decided: Decided
    rest: bytes
    render: Callable[[Issued], bytes]


class RepeatedRequests:
    """One in each process; asked on one event loop, told in any thread."""

    def __init__(self) -> None:
        self._answered: dict[Key, _Answered] = {}
        self._bytes = 0
        self._changing = threading.Lock()
        self._issuance = RepeatedIssuance()
        self._generation: GenerationReader | None = None
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="keys")

    def remember(self, scope: Scope, decided: Decided, rest: bytes, render: Callable[[Issued], bytes]) -> None:
        """What was answered just now."""
        key = _key(scope)
        if key is None:
            return
        with self._changing:
            before = self._answered.pop(key, None)
            self._bytes += len(rest) - (len(before.rest) if before else 0)
            if len(self._answered) >= MAX_REMEMBERED or self._bytes > MAX_REMEMBERED_BYTES:
                self._answered.clear()
                self._bytes = len(rest)
            self._answered[key] = _Answered(decided, rest, render)

    async def answer(self, context: EffectsContext, scope: Scope) -> Response | None:
        """The answer to an equal request, or None: the application answers."""
        key = _key(scope)
        found = self._answered.get(key) if key is not None else None
        if found is None:
            return None
        self._generation = self._generation or generation_reader(context.database)
        try:
            generation = await self._generation.current()
        except Unavailable:
            return None
        if generation != found.decided.generation:
            return None
        issued = await get_running_loop().run_in_executor(
            self._threads, self._issuance.issue, context, found.decided
        )
        if issued is None:
            return None
        body = found.render(issued)[:-1] + b"," + found.rest[1:]
        return Response(body, 201, media_type="application/json")


def _key(scope: Scope) -> Key | None:
    body: bytes = scope.get(BODY, b"")
    if scope["method"] != "POST" or scope["path"] != PATH or len(body) > MAX_BODY_BYTES:
        return None
    kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return (token_hash(token), body) if kind.lower() == "bearer" and token else None
