"""Open streams of events: server-sent events (HTML Living Standard, section 9.2), since that is what browsers and
HTTP libraries read, with a place to go on from (`Last-Event-ID`) that newline-delimited JSON has no word for.

    id: CURSOR                 where to go on; also sent alone, as a sign of life
    data: {"name": …}          one event (`EventAnswer`)

    event: lost                what happened before can't be had any more: list, then go on
    event: end                 the last one, with an error in the one shape: why nothing more comes

A stream takes a step, sends what it gave and only then takes the next: a reader that reads slowly holds up itself,
and never has more than one step's events waiting here.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from workspacesio.api.context import ServerContext
from workspacesio.api.error_responses import describe
from workspacesio.database.sessions import Database
from workspacesio.domain.errors import Unavailable, WorkspacesIOError
from workspacesio.services.event_cursors import seal_cursor
from workspacesio.services.event_stream import SeenEvent, Step, Wanted, newest_position, next_step

POLL_SECONDS = 0.15
"""How often one process asks for the journal's last number, for all of its streams together."""

CHECK_SECONDS = 0.5
"""How soon a stream notices that its reader's session, key or right has ended, when nothing happens."""

HEARTBEAT_SECONDS = 15.0
RECONNECT_MILLISECONDS = 2000
LONGEST_SECONDS = 3600.0
"""Then a stream ends, and its reader goes on with another, perhaps on a server that was started since."""

MAX_STREAMS_OF_USER = 20
MAX_STREAMS = 1000


@dataclass(frozen=True, slots=True)
class Reader:
    """Who listens, with which token, and to what."""

    context: ServerContext
    user_id: int
    token: str
    wanted: Wanted

    def step(self, position: int | None) -> Step:
        return next_step(
            self.context.database,
            token=self.token,
            wanted=self.wanted,
            position=position,
            now=self.context.clock(),
        )

    def cursor(self, position: int) -> str:
        return seal_cursor(self.context.keyring, self.user_id, position)


class EventStreams:
    """One in each process."""

    def __init__(self) -> None:
        self.longest_seconds = LONGEST_SECONDS
        self._open: Counter[int] = Counter()
        self._asked_at = -1.0
        self._asking: asyncio.Task[int] | None = None

    def require_room(self, user_id: int) -> None:
        """Raises Unavailable."""
        if self._open[user_id] >= MAX_STREAMS_OF_USER or self._open.total() >= MAX_STREAMS:
            raise Unavailable(
                f"Too many streams are open: at most {MAX_STREAMS_OF_USER} of one user; close others first.",
                code="too_many_streams",
                details={"retry_after_seconds": 5},
            )

    async def frames(self, reader: Reader, step: Step) -> AsyncGenerator[bytes, None]:
        """The stream, from what its first step gave."""
        async with self._counted(reader.user_id):
            loop = asyncio.get_running_loop()
            ends_at = loop.time() + self.longest_seconds
            yield f"retry: {RECONNECT_MILLISECONDS}\n".encode() + _frames(reader, step, alive=True)
            last = loop.time()
            while loop.time() < ends_at and not reader.context.stopping():
                try:
                    await self._until_newer(reader, step.position, ends_at)
                    step = await asyncio.to_thread(reader.step, step.position)
                except WorkspacesIOError as error:
                    yield _frame("end", describe(error))
                    return
                alive = loop.time() - last >= HEARTBEAT_SECONDS
                if found := _frames(reader, step, alive=alive):
                    yield found
                    last = loop.time()

    @asynccontextmanager
    async def _counted(self, user_id: int) -> AsyncIterator[None]:
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            self._open += Counter()  # forgets who has none

    async def _until_newer(self, reader: Reader, position: int, ends_at: float) -> None:
        """Until the journal has a row behind the position, or it is time to look at the reader's rights."""
        loop = asyncio.get_running_loop()
        until = min(loop.time() + CHECK_SECONDS, ends_at)
        while await self._newest(reader.context.database) <= position and loop.time() < until:
            await asyncio.sleep(POLL_SECONDS)

    async def _newest(self, database: Database) -> int:
        """Of a moment ago at most; streams that ask at the same time share the answer."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or now - self._asked_at >= POLL_SECONDS:
            self._asked_at = now
            self._asking = asyncio.ensure_future(asyncio.to_thread(newest_position, database))
        return await asyncio.shield(self._asking)


def _frames(reader: Reader, step: Step, *, alive: bool) -> bytes:
    """What a step gave; '' where that is nothing, or only where to go on if that is to be said."""
    found = b"".join(_frame(None, _answer(one), reader.cursor(one.position)) for one in step.events)
    if step.lost:
        found = _frame("lost", {}, reader.cursor(step.position)) + found
    if not found and alive:
        return f"id: {reader.cursor(step.position)}\n\n".encode()
    return found


def _frame(kind: str | None, data: object, cursor: str | None = None) -> bytes:
    """JSON as it is written here holds no line break, so it is one `data:` line."""
    lines = [f"event: {kind}"] if kind else []
    lines += [f"id: {cursor}"] if cursor else []
    return "\n".join([*lines, f"data: {json.dumps(data, ensure_ascii=False)}", "", ""]).encode()


def _answer(event: SeenEvent) -> dict[str, object]:
    """`EventAnswer` says what each is."""
    return {
        "name": event.name,
        "at": _instant(event.at),
        "workspace": {"id": event.workspace_id, "owner": event.owner, "name": event.workspace},
        "path": event.path,
        "node": event.node,
        "bucket": event.bucket,
        "key": event.key,
        "size": event.size,
        "etag": event.etag,
        "sequencer": event.sequencer,
    }


def _instant(moment: datetime) -> str:
    """To the millisecond, as S3's events have it."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
