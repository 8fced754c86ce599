"""Removing a node on a MinIO server: every right there first, then what is ours, then the node."""

from workspacesio.domain.errors import Unavailable
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.subjects import remove_everything
from workspacesio.services.effect_marks import mark_node, marked
from workspacesio.services.event_sources import withdraw_source
from workspacesio.services.minio_nodes import changeable_minio_node
from workspacesio.services.node_effects import EffectsContext, minio_driver, settle_one
from workspacesio.services.nodes import remove_node, require_removable
from workspacesio.services.server_nodes import OpenWrite, RemovedServerNode

REMOVAL_SECONDS = 60.0


def remove_minio_node(
    context: EffectsContext, open_write: OpenWrite, *, name: str, force: bool
) -> RemovedServerNode:
    """Take every right on the server away, with our users, groups and policies there; then forget the node.

    What is stored stays. Raises as `remove_node`, and Unavailable while the server can't be reached; `force`
    forgets the node all the same, and the workspaces on it.
    """
    with open_write() as (session, actor, now):
        node = require_removable(session, actor=actor, name=name, force=force, now=now)
        node_id, prefix, deployment_id = node.id, node.name_prefix or "", node.deployment_id
        node.leaving = True
        mark_node(session, node_id)
        changed = marked(session)
    problem = _clear_server(
        context, node_id, deployment_id, settled=settle_one(context, changed, seconds=REMOVAL_SECONDS)
    )
    if problem is not None and not force:
        with open_write() as (session, actor, now):
            changeable_minio_node(session, actor, name, now).leaving = False
            mark_node(session, node_id)
        raise Unavailable(
            f"The users and policies on its server can't be removed: {problem} Start it and try again, or add "
            "--force to forget the node and leave them there.",
            code="node_down",
        )
    with open_write() as (session, actor, now):
        remove_node(session, actor=actor, name=name, force=force, now=now)
    if problem is None:
        return RemovedServerNode(None)
    return RemovedServerNode(
        f"Users, groups and policies whose names begin with {prefix!r} may be left on the server, and keys issued "
        "before still work there until they expire; remove them there."
    )


def _clear_server(context: EffectsContext, node_id: int, deployment_id: str | None, *, settled: str) -> str | None:
    """What keeps our things on the server, or None when nothing of ours is left there."""
    try:
        driver = minio_driver(context, node_id)
        if settled == "pending":
            driver.identity.require(deployment_id)
            driver.administration.server()
            return "Somebody else is writing there."
        withdraw_source(context, node_id)
        remove_everything(driver.administration, driver.name_prefix)
    except (NodeError, Unavailable) as error:
        return str(error)
    return None
