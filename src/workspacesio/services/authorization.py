"""From the decision to the error: what may not be seen is not found; what is seen and not allowed is refused.

Every use case begins here: it names what it acts on and the action, and gets the row with the facts that were
decided on, or one of NotFound and Refused is raised.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.facts import (
    load_group_target,
    load_node_target,
    load_root_target,
    load_workspace_target,
)
from workspacesio.database.tables import Group, Node, Root, Workspace
from workspacesio.domain.errors import NotFound, Refused
from workspacesio.domain.facts import Target
from workspacesio.domain.permissions import Denied, decide
from workspacesio.domain.vocabulary import Action
from workspacesio.services.actors import Actor

_SENTENCES = {
    "narrowed_to_reading": "This key was narrowed to reading.",
    "narrowed_to_other_workspaces": "This key was narrowed to other workspaces.",
    "level_too_low": "Your share's level doesn't allow that; ask the owner for a higher one.",
    "not_shared": "That isn't shared with you.",
    "not_the_owner": "Only the owner of the workspace may do that.",
    "node_is_read_only": "The node is read-only.",
    "root_is_unmanaged": "Only managers of an unmanaged root create or import workspaces there.",
    "not_a_creator": "You may not create workspaces in this root; ask its manager.",
    "not_a_root_manager": "Only managers of the root may do that.",
    "not_the_operator": "Only the operator of the node may do that.",
    "not_a_node_adder": "You may not add nodes here; an administrator says who may, with `wio node adders`.",
    "not_a_group_manager": "Only managers of the group and administrators may do that.",
    "not_a_member": "You are no member of that group.",
    "not_an_administrator": "Only an administrator may do that.",
}


def require(actor: Actor, action: Action, target: Target, now: datetime) -> None:
    """Raise Refused, with the decision's reason as its code's detail, unless the caller may."""
    verdict = decide(actor.caller, action, target, now)
    if isinstance(verdict, Denied):
        sentence = _SENTENCES.get(verdict.reason, "You may not do that.")
        raise Refused(sentence, details={"reason": verdict.reason})


def require_service(actor: Actor, action: Action, now: datetime) -> None:
    """For what concerns the whole service."""
    require(actor, action, Target(), now)


def find_workspace(
    session: Session, *, actor: Actor, workspace_id: int, action: Action, now: datetime, path: str = ""
) -> tuple[Workspace, Target]:
    """The workspace and the facts, if the caller may do `action` on `path` in it. Raises NotFound, Refused."""
    workspace = session.get(Workspace, workspace_id)
    if workspace is None:
        raise _no_workspace()
    target = load_workspace_target(session, workspace, path)
    if not decide(actor.caller, Action.SEE_WORKSPACE, target, now):
        raise _no_workspace()
    require(actor, action, target, now)
    return workspace, target


def find_root(session: Session, *, actor: Actor, name: str, action: Action, now: datetime) -> tuple[Root, Target]:
    """The root of that name, if the caller may do `action` there. Raises NotFound, Refused."""
    root = session.scalar(select(Root).where(Root.name == name))
    target = None if root is None else load_root_target(session, root)
    if root is None or target is None or not decide(actor.caller, Action.SEE_ROOT, target, now):
        raise NotFound("There is no such root; `wio root ls` shows those that you may use.")
    require(actor, action, target, now)
    return root, target


def find_node(session: Session, *, actor: Actor, name: str, action: Action, now: datetime) -> Node:
    """The node of that name, if the caller may do `action` to it. Raises NotFound, Refused."""
    node = session.scalar(select(Node).where(Node.name == name))
    if node is None or not decide(actor.caller, Action.SEE_NODE, load_node_target(node), now):
        raise NotFound("There is no such node; `wio node ls` shows yours.")
    require(actor, action, load_node_target(node), now)
    return node


def find_group(session: Session, *, actor: Actor, name: str, action: Action, now: datetime) -> Group:
    """The group of that name, if the caller may do `action` to it. Raises NotFound, Refused."""
    group = session.scalar(select(Group).where(Group.name == name))
    target = None if group is None else load_group_target(session, group)
    if group is None or target is None or not decide(actor.caller, Action.SEE_GROUP, target, now):
        raise NotFound("There is no such group; `wio group ls` shows yours.", code="no_such_group")
    require(actor, action, target, now)
    return group


def _no_workspace() -> NotFound:
    return NotFound("There is no such workspace; `wio ls` shows what you can reach.")
