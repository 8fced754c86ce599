"""The table of routes and callers: what each kind of caller gets from every route of the API."""
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

from api.plane import PASSWORD

CALLERS = (
    "anonymous",
    "disabled",
    "stranger",
    "reader",
    "writer",
    "sharer",  # holds a share at `own`
    "folder",  # holds a share of a folder
    "owner",
    "manager",  # of the root
    "operator",  # of the node
    "admin",
    "otherkey",  # the owner's API key, narrowed to another workspace
    "readkey",  # the owner's API key, narrowed to reading
)

SECOND = "/second"
"""Stands for a second folder of the server, which the test makes."""

# What each caller gets, in the order above; method, path as described, path as called, and body.
# fmt: off
CALLS: list[tuple[str, str, str, str, Any]] = [
    ("200 200 200 200 200 200 200 200 200 200 200 200 200", "GET", "/service", "/service", None),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "PATCH", "/service", "/service", {"registration": "closed"}),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "PATCH", "/service", "/service", {"add_nodes": ["reader"]}),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "GET", "/service/settings", "/service/settings", None),
    ("200 200 200 200 200 200 200 200 200 200 200 200 200", "GET", "/health", "/health", None),
    ("201 201 201 201 201 201 201 201 201 201 201 201 201", "POST", "/register", "/register", {"email": "n@example.org", "username": "newcomer", "password": PASSWORD}),
    ("200 200 200 200 200 200 200 200 200 200 200 200 200", "POST", "/sign-in", "/sign-in", {"email": "reader@example.org", "password": PASSWORD}),
    ("401 401 200 200 200 200 200 200 200 200 200 403 403", "DELETE", "/sign-in", "/sign-in", None),
    ("403 403 403 403 403 403 403 403 403 403 403 403 403", "POST", "/password-reset", "/password-reset", {"token": "wiot_unknown", "password": PASSWORD}),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/me", "/me", None),
    ("401 401 200 200 200 200 200 200 200 200 200 403 403", "POST", "/me/password", "/me/password", {"current_password": PASSWORD, "new_password": PASSWORD}),
    ("401 401 200 200 200 200 200 200 200 200 200 403 403", "GET", "/api-keys", "/api-keys", None),
    ("401 401 201 201 201 201 201 201 201 201 201 403 403", "POST", "/api-keys", "/api-keys", {"name": "new"}),
    ("401 401 404 404 404 404 404 200 404 404 404 403 403", "DELETE", "/api-keys/{api_key_id}", "/api-keys/1", None),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "GET", "/users", "/users", None),
    ("401 401 403 403 403 403 403 403 403 403 201 403 403", "POST", "/users/invitations", "/users/invitations", {"emails": ["n@example.org"]}),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "GET", "/users/{username}", "/users/reader", None),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "PATCH", "/users/{username}", "/users/reader", {"administrator": True}),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "POST", "/users/{username}/disable", "/users/reader/disable", None),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "POST", "/users/{username}/enable", "/users/reader/enable", None),
    ("401 401 403 403 403 403 403 403 403 403 200 403 403", "POST", "/users/{username}/password-reset", "/users/reader/password-reset", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/groups", "/groups", None),
    ("401 401 201 201 201 201 201 201 201 201 201 403 403", "POST", "/groups", "/groups", {"name": "new"}),
    ("401 401 404 200 404 404 404 200 404 404 200 404 200", "GET", "/groups/{name}", "/groups/lab", None),
    ("401 401 404 403 404 404 404 200 404 404 200 404 403", "DELETE", "/groups/{name}", "/groups/lab", None),
    ("401 401 404 200 404 404 404 200 404 404 200 404 200", "GET", "/groups/{name}/members", "/groups/lab/members", None),
    ("401 401 404 403 404 404 404 200 404 404 200 404 403", "POST", "/groups/{name}/members", "/groups/lab/members", {"username": "stranger"}),
    ("401 401 404 200 404 404 404 200 404 404 200 404 403", "DELETE", "/groups/{name}/members/{username}", "/groups/lab/members/reader", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/nodes", "/nodes", None),
    ("401 401 403 403 403 403 403 403 403 403 422 403 403", "POST", "/nodes", "/nodes", {"kind": "minio", "name": "new", "endpoint": "nonsense", "access_key": "k", "secret_key": "s"}),
    ("401 401 403 403 403 403 403 403 403 403 201 403 403", "POST", "/nodes", "/nodes", {"kind": "folder", "name": "new", "path": SECOND}),
    ("401 401 404 404 404 404 404 404 404 200 200 404 404", "GET", "/nodes/{name}", "/nodes/local", None),
    ("401 401 404 404 404 404 404 404 404 409 409 404 404", "PATCH", "/nodes/{name}", "/nodes/local", {"public_endpoint": "http://127.0.0.1:9"}),
    ("401 401 404 404 404 404 404 404 404 200 200 404 404", "DELETE", "/nodes/{name}", "/nodes/local?force=true", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/roots", "/roots", None),
    ("401 401 404 404 404 404 404 404 404 201 201 404 404", "POST", "/roots", "/roots", {"node": "local", "bucket": "data", "prefix": "new", "type": "private"}),
    ("401 401 200 200 200 200 200 200 200 200 200 404 200", "GET", "/roots/{name}", "/roots/private", None),
    ("401 401 404 404 404 404 404 404 200 200 200 404 404", "GET", "/roots/{name}", "/roots/existing", None),
    ("401 401 403 403 403 403 403 403 200 200 200 404 403", "PATCH", "/roots/{name}", "/roots/private", {"create": "nobody"}),
    ("401 401 404 404 404 404 404 404 409 409 409 404 404", "PATCH", "/roots/{name}", "/roots/existing", {"type": "unmanaged-public"}),
    ("401 401 403 403 403 403 403 403 403 200 200 404 403", "PATCH", "/roots/{name}", "/roots/public", {"type": "private"}),
    ("401 401 403 403 403 403 403 403 200 200 200 404 403", "PATCH", "/roots/{name}", "/roots/private", {"indexing": {"level": "none"}}),
    ("401 401 404 404 404 404 404 404 200 200 200 404 404", "PATCH", "/roots/{name}", "/roots/existing", {"indexing": {"rate": 10}}),
    ("401 401 403 403 403 403 403 403 403 204 204 404 403", "DELETE", "/roots/{name}", "/roots/public", None),
    ("401 401 404 404 404 404 404 404 200 200 200 404 404", "POST", "/roots/{name}/import", "/roots/existing/import", {"all": True, "dry_run": True}),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/workspaces", "/workspaces", None),
    ("401 401 404 200 200 200 200 200 200 200 200 404 200", "GET", "/workspaces/resolve", "/workspaces/resolve?reference=owner/scans/sub/x", None),
    ("401 401 201 201 201 201 201 201 201 201 201 404 404", "POST", "/workspaces", "/workspaces", {"name": "new"}),
    ("401 401 404 404 404 404 404 404 201 201 201 404 404", "POST", "/workspaces", "/workspaces", {"name": "new", "root": "existing"}),
    ("401 401 404 200 200 200 200 200 200 200 200 404 200", "GET", "/workspaces/{workspace_id}", "/workspaces/1", None),
    ("401 401 404 403 403 403 403 200 403 403 403 404 403", "PATCH", "/workspaces/{workspace_id}", "/workspaces/1", {"name": "renamed"}),
    ("401 401 404 403 403 403 403 200 403 403 403 404 403", "DELETE", "/workspaces/{workspace_id}", "/workspaces/1", None),
    ("401 401 404 403 403 403 403 200 200 200 200 404 403", "POST", "/workspaces/{workspace_id}/hand-over", "/workspaces/1/hand-over", {"to": "reader"}),
    ("401 401 404 404 404 404 404 200 200 200 200 404 403", "POST", "/workspaces/{workspace_id}/release", "/workspaces/3/release", None),
    ("401 401 404 200 200 200 200 200 200 200 200 404 200", "GET", "/workspaces/{workspace_id}/shares", "/workspaces/1/shares", None),
    ("401 401 404 403 403 201 403 201 403 403 403 404 403", "POST", "/workspaces/{workspace_id}/shares", "/workspaces/1/shares", {"subject": "everyone"}),
    ("401 401 404 404 200 403 404 200 404 404 404 404 403", "DELETE", "/workspaces/{workspace_id}/shares", "/workspaces/1/shares?subject=writer", None),
    ("401 401 404 403 403 200 403 200 403 403 403 404 403", "GET", "/workspaces/{workspace_id}/access", "/workspaces/1/access", None),
    ("401 401 201 201 201 201 201 201 201 201 201 201 201", "POST", "/credentials", "/credentials", {}),
    ("401 401 404 201 201 201 201 201 403 403 403 404 201", "POST", "/credentials", "/credentials", {"workspaces": ["owner/scans"]}),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/credentials", "/credentials", None),
    ("401 401 404 404 404 404 404 200 404 404 404 404 404", "DELETE", "/credentials/{credential_id}", "/credentials/1", None),
    ("401 401 404 200 200 200 200 200 403 403 403 404 200", "POST", "/presign", "/presign", {"reference": "owner/scans/sub/x"}),
    ("401 401 404 403 200 200 200 200 403 403 403 404 403", "POST", "/presign", "/presign", {"reference": "owner/scans/sub/x", "method": "PUT"}),
    ("401 401 404 200 200 200 403 200 403 403 403 404 200", "POST", "/presign", "/presign", {"reference": "owner/scans/elsewhere/x"}),
    ("401 401 404 404 404 404 404 404 404 409 409 404 404", "GET", "/nodes/{name}/events", "/nodes/local/events", None),
    ("401 401 404 404 404 404 404 404 404 409 409 404 404", "POST", "/nodes/{name}/events", "/nodes/local/events", {}),
    ("401 401 404 404 404 404 404 404 404 409 409 404 404", "DELETE", "/nodes/{name}/events", "/nodes/local/events", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/events", "/events", None),
    ("401 401 404 200 200 200 200 200 404 404 404 404 200", "GET", "/events", "/events?within=owner/scans/sub/", None),
    ("401 401 404 200 200 200 404 200 404 404 404 404 200", "GET", "/events", "/events?within=owner/scans/elsewhere/", None),
    ("403 403 403 403 403 403 403 403 403 403 403 403 403", "POST", "/events/minio/{node}", "/events/minio/local", {}),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/search", "/search?q=x", None),
    ("401 401 404 200 200 200 200 200 200 200 200 404 200", "GET", "/search", "/search?q=in:owner/scans", None),
    ("401 401 422 422 422 422 422 422 422 422 422 422 422", "GET", "/search", "/search?q=siz:1", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/aggregate", "/aggregate?by=ext,owner", None),
    ("401 401 404 200 200 200 200 200 200 200 200 404 200", "GET", "/workspaces/{workspace_id}/sizes", "/workspaces/1/sizes", None),
    ("401 401 404 200 200 200 200 200 404 404 404 404 200", "GET", "/workspaces/{workspace_id}/sizes", "/workspaces/1/sizes?path=sub", None),
    ("401 401 404 200 200 200 404 200 404 404 404 404 200", "GET", "/workspaces/{workspace_id}/sizes", "/workspaces/1/sizes?path=elsewhere", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/index", "/index", None),
    ("401 401 403 403 403 403 403 403 403 403 202 403 403", "POST", "/index/rebuild", "/index/rebuild", None),
    ("401 401 403 403 403 403 403 403 403 403 202 403 403", "POST", "/index/verify", "/index/verify", {}),
    ("401 401 404 404 404 404 404 404 202 202 202 404 404", "POST", "/index/verify", "/index/verify", {"root": "existing"}),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/index/requests", "/index/requests", None),
    ("401 401 404 404 404 404 404 404 404 404 200 404 404", "GET", "/index/requests/{request_id}", "/index/requests/1", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/crawls", "/crawls", None),
    ("401 401 404 404 404 404 404 404 200 200 200 404 404", "GET", "/crawls", "/crawls?root=existing", None),
    ("401 401 404 200 200 200 200 200 200 200 200 404 200", "GET", "/crawls", "/crawls?workspace=owner/scans", None),
    ("401 401 403 403 403 403 403 403 201 201 201 404 403", "POST", "/crawls", "/crawls", {"root": "private"}),
    ("401 401 404 404 404 404 404 404 201 201 201 404 404", "POST", "/crawls", "/crawls", {"root": "existing"}),
    ("401 401 404 403 403 403 403 201 201 201 201 404 403", "POST", "/crawls", "/crawls", {"workspace": "owner/scans"}),
    # That of the import of another of the owner's.
    ("401 401 404 404 404 404 404 200 200 200 200 404 200", "GET", "/crawls/{crawl_id}", "/crawls/3", None),
    ("401 401 404 404 404 404 404 200 200 200 200 404 403", "POST", "/crawls/{crawl_id}/pause", "/crawls/3/pause", None),
    ("401 401 404 404 404 404 404 409 409 409 409 404 403", "POST", "/crawls/{crawl_id}/resume", "/crawls/3/resume", None),
    ("401 401 200 200 200 200 200 200 200 200 200 200 200", "GET", "/audit", "/audit", None),
    ("401 401 404 403 403 403 403 200 403 403 200 404 200", "GET", "/audit", "/audit?workspace=owner/scans", None),
]
# fmt: on
