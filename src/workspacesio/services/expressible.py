"""Folders that a node's server can't be told of in its policies: refused before anything rests on them."""

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.grants import Grant
from workspacesio.domain.s3_policies import NotExpressible, TooLong, check_expressible, session_policy
from workspacesio.domain.vocabulary import NodeKind
from workspacesio.services.session_servers import policy_language


def untellable(node: Node, bucket: str, prefix: str, *, writes: bool) -> str | None:
    """Why rights on this prefix of the node can't be said to its server, or None; folder nodes need no telling.

    Where rights go into each session's policy, those of this folder alone must fit into one.
    """
    kind = NodeKind(node.kind)
    if not kind.keeps_policies and not kind.issues_sessions:
        return None
    try:
        check_expressible(prefix)
        if kind.issues_sessions:
            session_policy([Grant(bucket, prefix, writes)], language=policy_language(node))
    except NotExpressible as error:
        return str(error)
    except TooLong as error:
        return (
            f"{prefix!r} is too long: keys for it alone need {error.length} characters of policy, and the node's "
            f"server takes {error.limit}; share a folder above it."
        )
    return None


def check_stays(node: Node) -> None:
    """Raise Conflict on a node that is being removed: nobody reaches anything there any more."""
    if node.leaving:
        raise Conflict("The node is being removed.", code="node_leaving")


def check_can_be_told(node: Node, bucket: str, prefix: str, *, writes: bool) -> None:
    """Raise Invalid with the reason, and Conflict on a node that is being removed."""
    check_stays(node)
    problem = untellable(node, bucket, prefix, writes=writes)
    if problem is not None:
        raise Invalid(problem, code="not_expressible")
