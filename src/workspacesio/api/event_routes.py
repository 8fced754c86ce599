"""Events: what servers tell, and what readers hear."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from workspacesio.api.dependencies import Anyone, Call, SignedIn
from workspacesio.api.event_streams import EventStreams, Reader
from workspacesio.api.fields import Line
from workspacesio.services.event_cursors import open_cursor
from workspacesio.services.event_intake import greet_source, take_notification
from workspacesio.services.event_stream import Step, Wanted, require_source
from workspacesio.services.references import ReadOrWrite, resolve_reference

router = APIRouter(prefix="/events", tags=["events"])

_STREAM_HEADERS = {"X-Accel-Buffering": "no"}
"""nginx would else keep events back until it has a buffer full of them."""


class EventWorkspace(BaseModel):
    id: int
    owner: str
    name: str


class EventAnswer(BaseModel):
    """The `data` of a message in the stream: something happened to the object at `path` in a workspace.

    `name` is S3's name of the event. `size` and `etag` are null for removals. `sequencer` is there where a server
    gave one: of two events of one key the later one's is greater, as text.
    """

    name: str
    at: str
    workspace: EventWorkspace
    path: str
    node: str
    bucket: str
    key: str
    size: int | None
    etag: str | None
    sequencer: str | None


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events; the `data` of each message is an EventAnswer.",
            "content": {"text/event-stream": {"schema": EventAnswer.model_json_schema()}},
        }
    },
)
async def events(
    request: Request,
    call: SignedIn,
    within: Annotated[
        Line | None, Query(description="A workspace, or the beginning of paths in it: `ada/data/raw/`.")
    ] = None,
    last_event_id: Annotated[
        Line | None, Header(description="The id of the last message that was read, to go on behind it.")
    ] = None,
) -> StreamingResponse:
    """What happens to objects that the caller may read, as it happens, each event decided for itself."""
    streams: EventStreams = request.app.state.event_streams
    reader, step = await run_in_threadpool(_begin, call, within, last_event_id)
    streams.require_room(reader.user_id)
    return StreamingResponse(streams.frames(reader, step), media_type="text/event-stream", headers=_STREAM_HEADERS)


def _begin(call: Call, within: str | None, last_event_id: str | None) -> tuple[Reader, Step]:
    """The first step, which says what is wrong before an answer begins."""
    context = call.visit.context
    wanted, position = Wanted(), None
    with call.read() as (session, actor, now):
        if within is not None:
            meaning = resolve_reference(session, actor=actor, reference=within, purpose=ReadOrWrite.READ, now=now)
            wanted = Wanted(meaning.workspace_id, meaning.path)
        if last_event_id:
            position = open_cursor(context.keyring, actor.user_id, last_event_id)
    reader = Reader(context, actor.user_id, call.token, wanted)
    step = reader.step(position)
    if wanted.workspace_id is not None:
        require_source(context.database, workspace_id=wanted.workspace_id)
    return reader, step


@router.head("/minio/{node}", include_in_schema=False)
async def greet(visit: Anyone, node: str) -> Response:
    """A MinIO server asks whether its webhook's address and token are right."""
    token = _bearer(visit.request)
    await run_in_threadpool(greet_source, visit.context, node=node, token=token)
    return Response()


@router.post(
    "/minio/{node}",
    status_code=200,
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def take(visit: Anyone, node: str) -> Response:
    """What a MinIO server's webhook sends (`EventName`, `Key`, `Records`), with the node's token as bearer.

    200 says that it is kept. Anything else makes the server send it again. HEAD asks for no more than whether the
    address and the token are right.
    """
    body = await visit.request.body()
    token = _bearer(visit.request)
    await run_in_threadpool(
        take_notification, visit.context, node=node, token=token, body=body, now=visit.context.clock()
    )
    return Response()


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
