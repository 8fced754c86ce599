"""Short-lived S3 keys: asked for at the server, kept while they are good, spelled as AWS SDKs read them."""

from __future__ import annotations

from workspacesio.client import credential_cache
from workspacesio.client.errors import Refused, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs more to load than the rest of `wio token`
    from collections.abc import Iterable
    from typing import Any

    from workspacesio.client import sign_in


def credential(
    caller: sign_in.SignIn, request: dict[str, Any], *, left: float = 0.0, fresh: bool = False
) -> dict[str, Any]:
    """A credential as the API gives it: the cached one while it is good, else a new one.

    `request` has workspaces, node, read_only and duration_seconds, as POST /credentials takes them; `left` is the
    part of its life that a cached one must still have. Raises CommandError.
    """
    cached = None if fresh else credential_cache.get(caller.cache_key, request, left=left)
    if cached is not None:
        return cached
    from workspacesio.client.http_api import HttpApi

    body = {name: value for name, value in request.items() if value}
    api = HttpApi(caller.server, caller.token)
    try:
        issued: dict[str, Any] = api.post("/credentials", body)
    except Refused as refused:
        nodes = refused.details.get("candidates")
        if request.get("node") or request.get("workspaces") or not isinstance(nodes, list):
            raise
        names = ", ".join(map(str, nodes))
        raise UsageError(f"you reach several nodes; add --node and one of {names}.") from refused
    finally:
        api.close()
    if (issued.get("abilities") or {}).get("immediate_revocation", True):
        # Other keys hold the rights of the moment, and would miss what is shared or made next.
        credential_cache.put(caller.cache_key, request, issued)
    return issued


def aws_environment(issued: dict[str, Any]) -> dict[str, str]:
    """The variables that every AWS SDK and most S3 clients read."""
    return {
        "AWS_ACCESS_KEY_ID": issued["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": issued["secret_access_key"],
        "AWS_SESSION_TOKEN": issued["session_token"],
        "AWS_ENDPOINT_URL_S3": issued["endpoint"],
        "AWS_REGION": issued["region"],
        "AWS_DEFAULT_REGION": issued["region"],  # boto3 reads only this one
    }


def mc_host(issued: dict[str, Any]) -> str:
    """MC_HOST_… as mc parses it (cmd/config.go, parseEnvURLStr): nothing is escaped."""
    scheme, _, host = issued["endpoint"].partition("://")
    keys = f"{issued['access_key_id']}:{issued['secret_access_key']}:{issued['session_token']}"
    return f"{scheme}://{keys}@{host.rstrip('/')}"


def for_workspaces(
    caller: sign_in.SignIn,
    node: str,
    workspaces: Iterable[str],
    *,
    read_only: bool,
    duration: int | None = None,
    left: float = 0.0,
    fresh: bool = False,
) -> dict[str, Any]:
    """A credential for what is named on a node, `owner:name` each; otherwise as `credential`."""
    request = {
        "workspaces": sorted(set(workspaces)),
        "node": node,
        "read_only": read_only,
        "duration_seconds": duration,
    }
    # Nobody asked for the narrowing but we: where the node can't express it, what the caller holds anyway must do.
    everything = {**request, "workspaces": []}
    for asked in (request, everything, {**everything, "read_only": False}):
        try:
            return credential(caller, asked, left=left, fresh=fresh)
        except Refused as refused:
            if refused.code != "narrowing_too_long":
                credential_cache.clear(caller.cache_key)  # a name may mean something else by now
                raise
            last = refused
    raise last
