"""Whoever isn't signed in is told so before anything else about a request that only signed-in users may make.

Route functions identify the caller in the transaction in which they act, which is after the framework has looked
at body and parameters. So it is asked here where an answer is about to say what is wrong with those: only then, so
that a request that is in order costs nothing more.
"""

from fastapi import FastAPI
from fastapi.security.utils import get_authorization_scheme_param
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import Scope

from workspacesio.api.context import ServerContext
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.services.actors import identify


async def refusal_of_stranger(app: FastAPI, scope: Scope) -> WorkspacesIOError | None:
    """Unauthenticated, where the request is for signed-in users and shows no token that is good now.

    Unavailable where that can't be told. An address that doesn't exist counts as one for signed-in users.
    """
    method, path = scope["method"], scope["path"]
    if any(method == one and pattern.match(path) for one, pattern in app.state.open_routes):
        return None
    scheme, token = get_authorization_scheme_param(Headers(scope=scope).get("authorization"))
    try:
        await run_in_threadpool(_identify, app.state.context, token if scheme.lower() == "bearer" else "")
    except WorkspacesIOError as error:
        return error
    return None


def _identify(context: ServerContext, token: str) -> None:
    with context.database.read() as session:
        identify(session, token=token, now=context.clock())
