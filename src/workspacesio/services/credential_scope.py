"""What a credential is asked for: which node, narrowed to what. `credentials.py` makes the keys themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.facts import load_workspace_target
from workspacesio.database.tables import Node, Root, Workspace
from workspacesio.database.visibility import readable_folders
from workspacesio.database.visible_places import seen_nodes, seen_roots
from workspacesio.domain.errors import Ambiguous, Invalid, NotFound, Refused
from workspacesio.domain.facts import Caller, Narrowing
from workspacesio.domain.names import key_problem
from workspacesio.domain.vocabulary import Action
from workspacesio.services.actors import Actor
from workspacesio.services.authorization import require
from workspacesio.services.references import Meaning, ReadOrWrite, resolve_reference


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """The node, and the caller with everything that the credential takes away."""

    node: Node
    caller: Caller


@dataclass(frozen=True, slots=True)
class ObjectScope:
    """One object, and the caller narrowed to its workspace."""

    node: Node
    caller: Caller
    bucket: str
    key: str


def scope_of_workspaces(
    session: Session,
    *,
    actor: Actor,
    references: Sequence[str] | None,
    node: str | None,
    read_only: bool,
    now: datetime,
) -> CredentialScope:
    """For workspaces of one node, or for all that the caller reaches on a node. A token only takes away.

    Raises Ambiguous when the caller reaches several nodes and names none, Invalid when workspaces lie on several.
    """
    reached = _reached_nodes(session, actor, now)
    if node is not None and node not in reached:
        raise NotFound("There is no such node that you can reach.", code="no_such_node")
    ids: frozenset[int] | None = None
    if references is not None:
        meanings = [
            resolve_reference(session, actor=actor, reference=reference, purpose=ReadOrWrite.READ, now=now)
            for reference in references
        ]
        _require_readable(session, actor, meanings, now)
        ids = frozenset(meaning.workspace_id for meaning in meanings)
        found = session.scalars(
            select(Node.name).join(Workspace, Workspace.node_id == Node.id).where(Workspace.id.in_(ids)).distinct()
        ).all()
        reached = {name: reached[name] for name in found if name in reached}
        if len(found) > 1 or (node is not None and node not in found):
            raise Invalid("A credential is for one node; these workspaces lie on others.", code="several_nodes")
    if node is None:
        if not reached:
            raise NotFound(
                "There is nothing that you can reach yet; make a workspace first.", code="nothing_reached"
            )
        if len(reached) > 1:
            raise Ambiguous("You reach several nodes; name one.", details={"candidates": sorted(reached)})
        (node,) = reached
    narrowing = actor.caller.narrowing.within(Narrowing(ids, read_only))
    return CredentialScope(reached[node], replace(actor.caller, narrowing=narrowing))


def scope_of_object(session: Session, *, actor: Actor, reference: str, writes: bool, now: datetime) -> ObjectScope:
    """For a link to one object. Raises NotFound, Refused, and Invalid for what can't be a key."""
    purpose = ReadOrWrite.WRITE if writes else ReadOrWrite.READ
    meaning = resolve_reference(session, actor=actor, reference=reference, purpose=purpose, now=now)
    workspace = session.get_one(Workspace, meaning.workspace_id)
    problem = key_problem(workspace.prefix + meaning.path) if meaning.path else "it names no object"
    if problem is not None:
        raise Invalid(f"There can be no link to {reference!r}: {problem}.", code="invalid_reference")
    action = Action.WRITE_DATA if writes else Action.READ_DATA
    require(actor, action, load_workspace_target(session, workspace, meaning.path), now)
    narrowing = actor.caller.narrowing.within(Narrowing(frozenset({workspace.id}), read_only=not writes))
    return ObjectScope(
        session.get_one(Node, workspace.node_id),
        replace(actor.caller, narrowing=narrowing),
        workspace.bucket,
        workspace.prefix + meaning.path,
    )


def _require_readable(session: Session, actor: Actor, meanings: Sequence[Meaning], now: datetime) -> None:
    """A workspace may be seen by its manager and not be readable."""
    readable = readable_folders(actor.caller, now).subquery()
    ids = set(session.scalars(select(readable.c.workspace_id)))
    for meaning in meanings:
        if meaning.workspace_id not in ids:
            raise Refused(f"{meaning.owner}/{meaning.name} isn't shared with you.", code="not_shared")


def _reached_nodes(session: Session, actor: Actor, now: datetime) -> dict[str, Node]:
    """Nodes on which the caller reads something, creates workspaces, or is an operator."""
    readable = readable_folders(actor.caller, now).subquery()
    with_data = select(Workspace.node_id).where(Workspace.id.in_(select(readable.c.workspace_id)))
    with_roots = select(Root.node_id).where(Root.id.in_(seen_roots(actor.caller)))
    rows = session.scalars(
        select(Node)
        .where(Node.id.in_(with_data) | Node.id.in_(with_roots) | Node.id.in_(seen_nodes(actor.caller)))
        .order_by(Node.name)
    )
    return {node.name: node for node in rows}
