"""Folders whose names a node's server can't say in its policies: refused before anything rests on them."""

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Invalid
from workspacesio.domain.s3_policies import NotExpressible, check_expressible
from workspacesio.services.effect_marks import is_told


def untellable(node: Node, prefix: str) -> str | None:
    """Why rights on this prefix of the node can't be said to its server, or None; folder nodes need no telling."""
    if not is_told(node):
        return None
    try:
        check_expressible(prefix)
    except NotExpressible as error:
        return str(error)
    return None


def check_can_be_told(node: Node, prefix: str) -> None:
    """Raise Invalid with the reason."""
    problem = untellable(node, prefix)
    if problem is not None:
        raise Invalid(problem, code="not_expressible")
