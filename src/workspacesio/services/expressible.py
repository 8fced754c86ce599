"""Folders whose names a node's server can't say in its policies: refused before anything rests on them."""

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.s3_policies import NotExpressible, check_expressible
from workspacesio.domain.vocabulary import NodeKind


def untellable(node: Node, prefix: str) -> str | None:
    """Why rights on this prefix of the node can't be said to its server, or None; folder nodes need no telling."""
    kind = NodeKind(node.kind)
    if not kind.keeps_policies and not kind.issues_sessions:
        return None
    try:
        check_expressible(prefix)
    except NotExpressible as error:
        return str(error)
    return None


def check_stays(node: Node) -> None:
    """Raise Conflict on a node that is being removed: nobody reaches anything there any more."""
    if node.leaving:
        raise Conflict("The node is being removed.", code="node_leaving")


def check_can_be_told(node: Node, prefix: str) -> None:
    """Raise Invalid with the reason, and Conflict on a node that is being removed."""
    check_stays(node)
    problem = untellable(node, prefix)
    if problem is not None:
        raise Invalid(problem, code="not_expressible")
