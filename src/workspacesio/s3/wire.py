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
from workspacesio.s3.exchange import ClientGone, Exchange, Head, Headers
from workspacesio.s3.request import Request, parse_request
from workspacesio.s3.responses import XML, ObjectResponse, Response, StreamedResponse
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


async def serve(answer: Answer, cors: Cors, settings: EndpointSettings, head: Head, exchange: Exchange) -> None:
    """Parse, have it answered, write."""
    begun = time.perf_counter()
    request_id = _request_id()
    request: Request | None = None
    try:
        request = parse_request(head, exchange, request_id, settings.body_limits)
        response = await answer(request)
    except Exception as error:
        response = _error_response(error_answer(error, request_id), head, request, request_id)
    headers = response.headers
    headers.append(("x-amz-request-id", request_id))
    headers.append(SERVER)
    if request is not None:
        headers += cors.headers(request)
        if request.body.length != 0 and not await request.body.drain():
            # The rest of the body would be taken for the next request.
            exchange.is_last()
    try:
        finished = await _write(exchange, response, settings.send_idle_seconds)
    except Exception as error:
        # A header that is none, in metadata that somebody wrote by hand.
        finished = False
        response = _error_response(error_answer(error, request_id), head, request, request_id)
        response.headers.append(("x-amz-request-id", request_id))
        with suppress(Exception):
            await _write(exchange, response, settings.send_idle_seconds)
    if access_log.isEnabledFor(logging.INFO):
        _log_access(head, request_id, response, time.perf_counter() - begun, finished=finished)


def _error_response(error: S3Error, head: Head, request: Request | None, request_id: str) -> Response:
    fields = error.fields
    headers: Headers = []
    if error.code is ErrorCode.NoSuchKey and request is not None:
        fields = {"Key": request.key, **fields}
    if error.code is ErrorCode.InvalidRange and "ActualObjectSize" in fields:
        headers.append(("content-range", f"bytes */{fields['ActualObjectSize']}"))
    if head.method == "HEAD":
        return Response(error.status, headers, error_code=error.code.name)
    headers.append(XML)
    document = error_document(error.code.name, error.message, fields, head.path, request_id)
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode("utf-8", "replace")
    return Response(error.status, headers, body, error_code=error.code.name)


async def _write(exchange: Exchange, response: Response, idle_seconds: float) -> bool:
    """Send the answer; whether all of it could be sent. Closes what it was given to send."""
    if isinstance(response, ObjectResponse | StreamedResponse):
        return await _send_pieces(exchange, response, idle_seconds)
    try:
        exchange.respond(response.status, response.headers, response.body)
    except ClientGone:
        return False
    return True


async def _send_pieces(
    exchange: Exchange, response: ObjectResponse | StreamedResponse, idle_seconds: float
) -> bool:
    """Send a body piece by piece. One that ends early cuts the connection, so a client notices."""
    begun = False
    try:
        stream = exchange.respond_in_pieces(response.status, response.headers, idle_seconds)
        begun = True
        async for piece in response.pieces(views=stream.takes_views):
            await stream.send(piece)
        stream.end()
    except ClientGone:
        return False
    except Exception as error:
        if not begun:
            raise
        error_answer(error, dict(response.headers)["x-amz-request-id"])
        return False
    finally:
        await response.close()
    return True


def _log_access(head: Head, request_id: str, response: Response, seconds: float, *, finished: bool) -> None:
    """One line. Never the query, which may hold a signature, and never a header that a client chose."""
    access_log.info(
        '%s %s "%s %s" %d %s %s %.1fms',
        request_id,
        head.client,
        head.method,
        head.path.encode("unicode_escape").decode("ascii").replace('"', '\\"'),
        response.status,
        response.error_code or "-",
        "done" if finished else "broken-off",
        seconds * 1000,
    )
