"""Comparing whole servers with the facts: repairs what somebody changed there by hand, and reports it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from workspacesio.database.tables import AuditRecord, Group, Node, NodeEffect
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.vocabulary import SubjectKind
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.administration import Inventory
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.minio.names import subject_of, user_name
from workspacesio.nodes.minio.subjects import remove_group
from workspacesio.services.effect_writing import EffectsContext, minio_driver, write_effect
from workspacesio.services.node_effects import written_subject
from workspacesio.services.node_secrets import server_user_key_id
from workspacesio.services.subject_rights import subject_word

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`repaired`: one sentence for each thing that somebody had changed on the server."""

    checked: int
    repaired: tuple[str, ...]


def reconcile(context: EffectsContext, node_id: int) -> Reconciled:
    """Compare everything of ours on the server with the facts, repair it, and report what was changed there.

    Raises Unavailable when the server can't be reached. What is on the server and in no row is removed: rows are
    written before anything is made there, and the server is asked before the rows are read.
    """
    driver = minio_driver(context, node_id)
    try:
        _look_at_server(context, driver, node_id)
        inventory = driver.administration.inventory(driver.name_prefix)
        with context.database.read() as session:
            rows = session.scalars(select(NodeEffect).where(NodeEffect.node_id == node_id)).all()
            words = {row.id: written_subject(session, row) for row in rows}
            groups = {subject_word(SubjectKind.GROUP, group_id) for group_id in session.scalars(select(Group.id))}
        known = {"everyone"} | groups | {_subject_word(row) for row in rows}
        repaired = _remove_strangers(driver, inventory, rows, known)
    except NodeError as error:
        raise Unavailable(str(error), code="node_down") from error
    for row in rows:
        subject = _subject_word(row)
        policies = {name for name in inventory.policies if subject_of(driver.name_prefix, name) == subject}
        # The service's secret may have been replaced.
        is_stale = row.secret_key_id != server_user_key_id(context.keyring, node_id)
        outcome = write_effect(context, row.id, may_exist=frozenset(policies), renew_secret=is_stale)
        if outcome is not None and outcome.away:
            raise Unavailable("The server went away while it was compared; it will be again.", code="node_down")
        if outcome is not None and outcome.drifted:
            repaired.append(f"The rights of {words[row.id]!r} had been changed on the server and were restored.")
    if repaired:
        _report(context, node_id, repaired)
    return Reconciled(len(rows), tuple(repaired))


def _look_at_server(context: EffectsContext, driver: MinioDriver, node_id: int) -> None:
    """Raises OtherServer where it isn't the node's. A node from before these were noted takes the one there is."""
    with context.database.read() as session:
        node = session.get(Node, node_id)
        expected = node.deployment_id if node is not None else None
    if expected is not None:
        driver.identity.look(expected)
        return
    found = driver.administration.deployment_id()
    with context.database.write() as session:
        node = session.get(Node, node_id)
        if node is not None and node.deployment_id is None and found:
            node.deployment_id = found


def _remove_strangers(
    driver: MinioDriver, inventory: Inventory, rows: Sequence[NodeEffect], subjects: set[str]
) -> list[str]:
    """What begins with the node's prefix and belongs to no subject, or to a user that was ended."""
    administration, prefix = driver.administration, driver.name_prefix
    users = {
        user_name(prefix, row.subject_id, row.identity)
        for row in rows
        if row.subject_kind == SubjectKind.USER.value
        and (row.active or row.applied_generation < row.desired_generation)
    }
    found = []
    for name in sorted(inventory.users - users):
        # What was removed since the server was asked is nobody's doing.
        if administration.user(name) is not None:
            administration.remove_user(name)
            found.append(f"{name!r} on the server belonged to nobody and was removed.")
    for name in sorted(inventory.groups):
        group = administration.group(name)
        if group is None:
            continue
        if subject_of(prefix, name) not in subjects:
            remove_group(administration, name)
            found.append(f"{name!r} on the server belonged to nobody and was removed.")
            continue
        foreign = sorted(member for member in group.members if not member.startswith(prefix))
        if foreign:
            administration.remove_from_group(name, foreign)
            found.append(f"{', '.join(map(repr, foreign))} had been put into {name!r} and was taken out.")
    for name in sorted(inventory.policies):
        if subject_of(prefix, name) not in subjects and administration.policy(name) is not None:
            administration.remove_policy(name)
            found.append(f"{name!r} on the server belonged to nobody and was removed.")
    return found


def _report(context: EffectsContext, node_id: int, repaired: Sequence[str]) -> None:
    with context.database.journal() as session:
        node = session.get(Node, node_id)
        if node is None:
            return
        for sentence in repaired:
            logger.warning("node %s: %s", node.name, sentence)
        session.add(
            AuditRecord(
                at=context.clock(),
                actor_id=None,
                actor="service",
                verb="node.repair",
                workspace_id=None,
                target=node.name,
                details={"repaired": list(repaired)},
            )
        )


def _subject_word(row: NodeEffect) -> str:
    return subject_word(SubjectKind(row.subject_kind), row.subject_id)
