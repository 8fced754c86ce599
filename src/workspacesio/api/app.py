"""The application: all routes under /api/v1, behind one edge."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path
from starlette.types import ASGIApp

import workspacesio
from workspacesio.api import (
    account_routes,
    audit_routes,
    crawl_routes,
    credential_routes,
    event_routes,
    event_source_routes,
    group_routes,
    import_routes,
    index_routes,
    node_routes,
    root_routes,
    search_routes,
    service_routes,
    share_routes,
    sign_in_routes,
    user_routes,
    workspace_routes,
)
from workspacesio.api.context import ServerContext
from workspacesio.api.dependencies import is_open
from workspacesio.api.edge import Edge, on_unforeseen
from workspacesio.api.error_responses import ErrorAnswer, add_error_handlers
from workspacesio.api.event_streams import EventStreams

PREFIX = "/api/v1"

_AREAS = (
    service_routes,
    sign_in_routes,
    account_routes,
    user_routes,
    group_routes,
    node_routes,
    root_routes,
    import_routes,
    workspace_routes,
    share_routes,
    credential_routes,
    event_routes,
    event_source_routes,
    search_routes,
    crawl_routes,
    index_routes,
    audit_routes,
)


def create_app(context: ServerContext) -> ASGIApp:
    """The ASGI application of one process."""
    return Edge(create_routes(context))


def create_routes(context: ServerContext) -> FastAPI:
    """The routes without the edge: what OpenAPI describes."""
    app = FastAPI(
        title="WorkspacesIO",
        version=workspacesio.__version__,
        description="Users, workspaces, shares and short-lived S3 credentials over folders and S3 servers.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"default": {"model": ErrorAnswer, "description": "What is wrong, and what to do next."}},
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = context
    app.state.event_streams = EventStreams()
    add_error_handlers(app)
    app.add_exception_handler(Exception, on_unforeseen)
    v1 = APIRouter(prefix=PREFIX)
    for area in _AREAS:
        v1.include_router(area.router)
    app.state.open_routes = tuple(
        (method, compile_path(PREFIX + route.path)[0])
        for area in _AREAS
        for route in area.router.routes
        if isinstance(route, APIRoute) and is_open(route)
        for method in route.methods or ()
    )
    app.include_router(v1)
    return app
