"""Ending keys of a role's sessions early, on nodes that were added allowing it.

What is answered doesn't rest on it: AWS promises no time, so that the end of the last keys is what is said. The
moment before which sessions are refused only rises, whoever writes it and in whatever order: whoever has written
looks whether a later one is to be written by now.
"""

import logging
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from workspacesio.database.tables import Node
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.nodes.aws.driver import AwsDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.services.effect_writing import EffectsContext

logger = logging.getLogger(__name__)


def deny_older_sessions(context: EffectsContext, node_ids: Iterable[int]) -> set[int]:
    """Of these nodes, those whose servers were told. Outside of transactions; one that is away is no error."""
    with context.database.read() as session:
        asked = session.scalars(select(Node.id).where(Node.id.in_(list(node_ids)), Node.may_deny_sessions)).all()
    told = set()
    for node_id in asked:
        try:
            _deny(context, node_id)
        except (NodeError, WorkspacesIOError) as error:
            logger.warning("node %s: keys from before are not refused: %s", node_id, error)
            continue
        told.add(node_id)
    return told


def _deny(context: EffectsContext, node_id: int) -> None:
    driver = context.drivers(node_id)
    if not isinstance(driver, AwsDriver):
        return
    moment = _raised(context, node_id, context.clock().replace(microsecond=0))
    written: datetime | None = None
    while written is None or written < moment:
        driver.deny_sessions_before(moment)
        written = moment
        moment = _raised(context, node_id, moment)


def _raised(context: EffectsContext, node_id: int, moment: datetime) -> datetime:
    """The node's moment, which is at least this one from now on."""
    with context.database.read() as session:
        known = session.get_one(Node, node_id).sessions_denied_before
    if known is not None and known >= moment:
        return known
    with context.database.write() as session:
        node = session.get_one(Node, node_id)
        if node.sessions_denied_before is None or node.sessions_denied_before < moment:
            node.sessions_denied_before = moment
        return max(node.sessions_denied_before, moment)
