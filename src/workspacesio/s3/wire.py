"""The one place that writes answers: on the protocol, with the access line and whatever went wrong turned
into S3.

Nothing but what `Endpoint.answer` returned or raised is written, so no text of an unforeseen error reaches
a client: it gets InternalError and the request's id, and the log gets the rest.
"""

import itertools
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from workspacesio.s3.context import EndpointSettings
from workspacesio.s3.cors import Cors
from workspacesio.s3.error_answers import error_answer
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.pacing import WINDOW_BYTES, ClientGone, ClientStalled, Pace
from workspacesio.s3.request import Request, parse_request
from workspacesio.s3.responses import XML, ObjectResponse, Response, StreamedResponse
from workspacesio.s3.rsgi import Headers, HTTPProtocol, ProtocolClosed, Scope, Transport
from workspacesio.s3.xml_documents import error_document

access_log = logging.getLogger("workspacesio.s3.access")

SERVER = ("server", "WorkspacesIO")

_run_prefix = secrets.token_hex(4).upper()
_numbers = itertools.count(1)


def _begin_numbers_anew() -> None:
    """Workers are forks of a process that has loaded this module: each needs a prefix of its own."""
    global _run_prefix, _numbers  # noqa: PLW0603 - what a fork inherited
    _run_prefix = secrets.token_hex(4).upper()
    _numbers = itertools.count(1)


os.register_at_fork(after_in_child=_begin_numbers_anew)

Answer = Callable[[Request], Awaitable[Response]]


def _request_id() -> str:
    """16 hexadecimal digits, different in every process."""
    return f"{_run_prefix}{next(_numbers) & 0xFFFFFFFF:08X}"


async def serve(
    answer: Answer, cors: Cors, settings: EndpointSettings, scope: Scope, protocol: HTTPProtocol
) -> None:
    """Parse, have it answered, write."""
    begun = time.perf_counter()
    request_id = _request_id()
    request: Request | None = None
    try:
        request = parse_request(scope, protocol, request_id, settings.body_limits)
        response = await answer(request)
    except Exception as error:
        response = _error_response(error_answer(error, request_id), scope, request, request_id)
    headers = response.headers
    headers.append(("x-amz-request-id", request_id))
    headers.append(SERVER)
    if request is not None:
        headers += cors.headers(request)
        if request.body.length != 0 and not await request.body.drain() and scope.http_version[:1] == "1":
            # The rest of the body would be taken for the next request.
            headers.append(("connection", "close"))
    try:
        finished = await _write(scope, protocol, response, settings.send_idle_seconds)
    except Exception as error:
        # The server took it for no answer: a header that is none, in metadata that somebody wrote by hand.
        finished = False
        response = _error_response(error_answer(error, request_id), scope, request, request_id)
        response.headers.append(("x-amz-request-id", request_id))
        with suppress(Exception):
            await _write(scope, protocol, response, settings.send_idle_seconds)
    if access_log.isEnabledFor(logging.INFO):
        _log_access(scope, request_id, response, time.perf_counter() - begun, finished=finished)


def _error_response(error: S3Error, scope: Scope, request: Request | None, request_id: str) -> Response:
    fields = error.fields
    headers: Headers = []
    if error.code is ErrorCode.NoSuchKey and request is not None:
        fields = {"Key": request.key, **fields}
    if error.code is ErrorCode.InvalidRange and "ActualObjectSize" in fields:
        headers.append(("content-range", f"bytes */{fields['ActualObjectSize']}"))
    if scope.method == "HEAD":
        return Response(error.status, headers, error_code=error.code.name)
    headers.append(XML)
    document = error_document(error.code.name, error.message, fields, scope.path, request_id)
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode("utf-8", "replace")
    return Response(error.status, headers, body, error_code=error.code.name)


async def _write(scope: Scope, protocol: HTTPProtocol, response: Response, idle_seconds: float) -> bool:
    """Send the answer; whether all of it could be sent. Closes what it was given to send."""
    if isinstance(response, ObjectResponse | StreamedResponse):
        return await _pump(scope, protocol, response, idle_seconds)
    if response.body:
        protocol.response_bytes(response.status, response.headers, response.body)
    else:
        protocol.response_empty(response.status, response.headers)
    return True


async def _pump(
    scope: Scope, protocol: HTTPProtocol, response: ObjectResponse | StreamedResponse, idle_seconds: float
) -> bool:
    """Send a body piece by piece. Ending early makes the server close the connection, so a client notices."""
    pace: Pace | None = None
    transport: Transport | None = None
    try:
        if response.length is None or response.length > WINDOW_BYTES:
            pace = Pace(scope.client, encrypted=scope.scheme == "https", idle_seconds=idle_seconds)
        transport = protocol.response_stream(response.status, response.headers)
        async for piece in response.pieces():
            await transport.send_bytes(piece)
            if pace is not None:
                await pace.handed(len(piece))
    except (ProtocolClosed, ClientGone, ClientStalled):
        return False
    except Exception as error:
        error_answer(error, dict(response.headers)["x-amz-request-id"])
        return False
    finally:
        # The server ends the body once nobody holds this, and an error holds the frames that it went through.
        transport = None
        if pace is not None:
            pace.close()
        await response.close()
    return True


def _log_access(scope: Scope, request_id: str, response: Response, seconds: float, *, finished: bool) -> None:
    """One line. Never the query, which may hold a signature, and never a header that a client chose."""
    access_log.info(
        '%s %s "%s %s" %d %s %s %.1fms',
        request_id,
        scope.client,
        scope.method,
        scope.path.encode("unicode_escape").decode("ascii").replace('"', '\\"'),
        response.status,
        response.error_code or "-",
        "done" if finished else "broken-off",
        seconds * 1000,
    )
