"""What each kind of node does whose users go to its server directly: asked here, never by looking at the kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from workspacesio.domain.vocabulary import NodeKind
from workspacesio.services.credentials import DEFAULT_SECONDS
from workspacesio.services.effect_writing import EffectsContext
from workspacesio.services.issued_keys import Door, IssuedThere, ScopeOf
from workspacesio.services.minio_credentials import issue_minio_credential
from workspacesio.services.minio_nodes import change_minio_node, node_state
from workspacesio.services.minio_removal import remove_minio_node
from workspacesio.services.server_nodes import OpenWrite, RemovedServerNode, ServerNodeState
from workspacesio.services.session_credentials import issue_session_credential
from workspacesio.services.session_nodes import change_session_node, remove_session_node, session_node_state


class Issue(Protocol):
    """Keys of the caller, by the server. `duration` None: as long as is usual there. Outside of transactions."""

    def __call__(
        self, context: EffectsContext, door: Door, /, *, scope_of: ScopeOf, duration: timedelta | None
    ) -> IssuedThere: ...


class Change(Protocol):
    """Replace keys or the public address, after trying them."""

    def __call__(
        self,
        context: EffectsContext,
        open_write: OpenWrite,
        *,
        name: str,
        secret: str | None,
        access_key: str | None,
        public_endpoint: str | None,
    ) -> None: ...


class Remove(Protocol):
    """Forget the node, with what of ours is on its server."""

    def __call__(
        self, context: EffectsContext, open_write: OpenWrite, *, name: str, force: bool
    ) -> RemovedServerNode: ...


@dataclass(frozen=True, slots=True)
class ServerKind:
    issue: Issue
    state: Callable[[EffectsContext, int], ServerNodeState]
    change: Change
    remove: Remove


def _issue_by_minio(
    context: EffectsContext, door: Door, /, *, scope_of: ScopeOf, duration: timedelta | None
) -> IssuedThere:
    usual = context.settings.usual_life(timedelta(seconds=DEFAULT_SECONDS))
    return issue_minio_credential(context, door, scope_of=scope_of, duration=duration or usual)


_SESSIONS = ServerKind(issue_session_credential, session_node_state, change_session_node, remove_session_node)

SERVER_KINDS: Mapping[NodeKind, ServerKind] = {
    NodeKind.MINIO: ServerKind(_issue_by_minio, node_state, change_minio_node, remove_minio_node),
    NodeKind.MINIO_PLAIN: _SESSIONS,
    NodeKind.AWS: _SESSIONS,
}
"""Nodes of other kinds are served by the endpoint."""
