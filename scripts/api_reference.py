"""docs/api.md from the application's OpenAPI description."""

from typing import Any, cast

from workspacesio.api.app import create_routes
from workspacesio.api.context import ServerContext


def markdown() -> str:
    # Describing the routes asks nothing of what they run with.
    document: dict[str, Any] = create_routes(cast(ServerContext, None)).openapi()
    lines = [
        "# HTTP API",
        "",
        "JSON under `/api/v1`, described by OpenAPI at `/api/v1/openapi.json`. A caller shows",
        "`Authorization: Bearer TOKEN`, the token being that of a session (`wio login`) or an API key",
        "(`wio api-key create`).",
        "",
        'Every error has one shape: `{"error": {"code": …, "message": …, "details": {…}}}`. The code is stable; the',
        "message is one sentence that says what to do next. What the caller may not see is answered 404, and whoever",
        "isn't signed in hears 401, whatever they sent.",
        "",
        "Users, groups and their members, workspaces, shares, API keys, credentials, crawls and the audit come in pages of",
        "at most `limit` (1,000, which is the default but for 100 crawls and records). A page as long as `limit` may have",
        "another behind it: ask again with `after` the last one's `username`, `name`, `reference` or `id`.",
        "",
        "| method | path | does |",
        "|---|---|---|",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text = operation.get("description", "").splitlines()
            if not text:
                raise SystemExit(f"{method.upper()} {path} says nothing of itself; give its function a docstring.")
            lines.append(f"| {method.upper()} | `{path}` | {text[0]} |")
    return "\n".join(lines) + "\n"
