"""The one shape of every error, and the table from errors to statuses.

{"error": {"code": "...", "message": "one sentence", "details": {}}}
"""

import logging
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from workspacesio.api.strangers import refusal_of_stranger
from workspacesio.domain.errors import (
    Conflict,
    Invalid,
    NotFound,
    NotSupported,
    Refused,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
    WorkspacesIOError,
)

logger = logging.getLogger(__name__)

STATUSES: Mapping[type[WorkspacesIOError], int] = {
    TooManyAttempts: 429,
    Unauthenticated: 401,
    Refused: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    NotSupported: 501,
    Unavailable: 503,
}
"""The nearest class in an error's ancestry counts."""

MAX_PROBLEMS = 20
MAX_FIELD_CHARACTERS = 100
MAX_PROBLEM_CHARACTERS = 500
"""An answer is no larger because a request is wrong in many places."""

_HTTP_CODES = {
    400: ("malformed", "The request can't be read; its body is JSON."),
    404: ("not_found", "There is nothing at this address; /api/v1/openapi.json describes what there is."),
    405: ("method_not_allowed", "That method isn't for this address; /api/v1/openapi.json describes what is."),
    413: ("too_large", "The request is too large."),
    415: ("not_json", "The body is JSON; send it as application/json."),
}


class ErrorContent(BaseModel):
    """`code` is stable and meant for programs, `message` is one sentence that says what to do next."""

    code: str
    message: str
    details: dict[str, object]


class ErrorAnswer(BaseModel):
    error: ErrorContent


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(WorkspacesIOError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(IntegrityError, _on_integrity_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def status_of(error: WorkspacesIOError) -> int:
    """500 for a class that the table doesn't know, which a test rules out."""
    for ancestor in type(error).__mro__:
        status = STATUSES.get(ancestor)
        if status is not None:
            return status
    return 500


def error_content(code: str, message: str, details: Mapping[str, object] | None = None) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "details": dict(details or {})}}


def error_response(
    status: int, code: str, message: str, details: Mapping[str, object] | None = None
) -> JSONResponse:
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = (details or {}).get("retry_after_seconds")
    if status in (429, 503):
        headers["Retry-After"] = str(retry_after or 1)
    return JSONResponse(error_content(code, message, details), status_code=status, headers=headers)


def describe(error: WorkspacesIOError) -> dict[str, object]:
    """The shape, for an error that comes after an answer has begun."""
    return error_content(error.code, str(error), error.details)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WorkspacesIOError)
    if isinstance(error, Invalid):
        error = await refusal_of_stranger(request.app, request.scope) or error
    return answer_error(error)


def answer_error(error: WorkspacesIOError) -> JSONResponse:
    return error_response(status_of(error), error.code, str(error), error.details)


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Names the fields and what is wrong, and never what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    refusal = await refusal_of_stranger(request.app, request.scope)
    if refusal is not None:
        return answer_error(refusal)
    problems = [
        {"field": _field(one["loc"])[:MAX_FIELD_CHARACTERS], "problem": one["msg"][:MAX_PROBLEM_CHARACTERS]}
        for one in error.errors()[:MAX_PROBLEMS]
    ]
    first = problems[0] if problems else {"field": "body", "problem": "can't be read"}
    message = f"The request is not valid: {first['field']}: {first['problem']}."
    return error_response(422, "invalid_request", message, {"fields": problems})


def _field(place: Sequence[object]) -> str:
    return ".".join(str(part) for part in place[1:]) or str(place[0])


async def _on_integrity_error(_request: Request, error: Exception) -> JSONResponse:
    """Use cases look before they write, one at a time; this is what they overlooked."""
    logger.warning("a constraint of the database refused a change: %s", type(error.__cause__).__name__)
    return error_response(409, "conflict", "The state was changed at the same time; look again and repeat.")


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code, message = _HTTP_CODES.get(error.status_code, ("http_error", "The request can't be answered."))
    response = error_response(error.status_code, code, message)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
