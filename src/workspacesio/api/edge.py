"""The outermost layer of the application: limits what comes in, hardens what goes out, catches what nobody caught.

A body is JSON of at most `MAX_BODY_BYTES`, and is there before anything else is done. An unforeseen error is
logged with the request's id and answered in the one shape, without a trace of what happened inside. Who isn't
signed in hears that first, whatever is wrong with the body, where the address is for signed-in users.
"""

import json
import logging
import secrets

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from workspacesio.api import repeated_requests
from workspacesio.api.error_responses import answer_error, error_response
from workspacesio.api.strangers import refusal_of_stranger

MAX_BODY_BYTES = 1024 * 1024

MAX_FIELDS = 1000
"""In all objects of a body together. The largest bodies are lists of names; each unknown field costs an error."""

FEW_BYTES = 16 * 1024
"""So small a body isn't looked at for its number of fields."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_REQUEST_ID = "workspacesio.request_id"

logger = logging.getLogger(__name__)


class Edge:
    """Wraps the application; itself an ASGI application."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        refusal = exchange.refusal() or await exchange.read_body()
        if refusal is not None:
            stranger = await refusal_of_stranger(self._app, scope)
            answer = error_response(*refusal) if stranger is None else answer_error(stranger)
            await answer(scope, receive, exchange.send)
            return
        try:
            repeated = await self._repeated(scope)
            if repeated is not None:
                await repeated(scope, receive, exchange.send)
                return
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            # `on_unforeseen` has answered, or an answer had begun, and then the connection ends short.
            logger.exception("request %s failed: %s %s", exchange.request_id, scope["method"], scope["path"])

    async def _repeated(self, scope: Scope) -> Response | None:
        if scope["path"] != repeated_requests.PATH:
            return None
        context = self._app.state.context
        answer: Response | None = await context.repeated.answer(context, scope)
        return answer


async def on_unforeseen(request: Request, _error: Exception) -> Response:
    """The answer to what nobody foresaw; the edge logs it."""
    request_id = request.scope[_REQUEST_ID]
    message = f"Something went wrong here; the server's log has it under {request_id}."
    return error_response(500, "internal_error", message)


class _Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = scope[_REQUEST_ID] = secrets.token_hex(8)
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body: bytes | None = None

    def refusal(self) -> tuple[int, str, str] | None:
        """What is wrong with the request before anything of its body is read."""
        headers = Headers(scope=self._scope)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            return 400, "malformed", "Content-Length is a number."
        if int(length[:20]) > MAX_BODY_BYTES:
            return 413, "too_large", "The request is too large."
        has_body = int(length[:20]) > 0 or "transfer-encoding" in headers
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if has_body and media_type != "application/json":
            return 415, "not_json", "The body is JSON; send it as application/json."
        return None

    async def read_body(self) -> tuple[int, str, str] | None:
        """The whole body, before anybody else asks for it; what is wrong with it, or None."""
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return 400, "malformed", "The request ended before its body was there."
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MAX_BODY_BYTES:
                return 413, "too_large", "The request is too large."
            if not message.get("more_body", False):
                self._body = b"".join(parts)
                self._scope[repeated_requests.BODY] = self._body
                if size > FEW_BYTES and _number_of_fields(self._body) > MAX_FIELDS:
                    return 413, "too_large", "The request has too many fields."
                return None

    async def receive(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
        await self._send(message)


def _number_of_fields(body: bytes) -> int:
    """Of all objects in a JSON document; 0 for what is none, which is answered elsewhere."""
    counted = 0

    def count(pairs: list[tuple[str, object]]) -> None:
        nonlocal counted
        counted += len(pairs)

    try:
        json.loads(body, object_pairs_hook=count)
    except (ValueError, RecursionError):
        return 0
    return counted
