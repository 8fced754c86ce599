"""Where servers of nodes may be, and what is said of one that can't be reached.

An administrator's node may be anywhere that the service reaches, anybody else's only where that was listed
(`WIO_NODE_ADDRESSES`) or, with nothing listed, at public addresses. Who is no administrator hears the same of
every address at which no server of theirs answers, so that nobody searches this service's network with it.
"""

from sqlalchemy.orm import Session

from workspacesio.database.tables import Node, User
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.failures import NotPermitted
from workspacesio.settings import Settings

UNREACHED = (
    "No such server answers at that address, its certificate isn't trusted here, or this service may not connect "
    "there; an administrator says where nodes may be, with WIO_NODE_ADDRESSES."
)


def allowed_addresses(settings: Settings, *, by_administrator: bool) -> AllowedAddresses:
    """To which a node of an administrator, or of anybody else, may lead."""
    return AllowedAddresses.of(settings.node_addresses, public_only=not by_administrator)


def is_of_administrator(session: Session, node: Node) -> bool:
    if node.run_by_service:
        return True
    operator = session.get(User, node.operator_id) if node.operator_id is not None else None
    return operator is not None and operator.administrator


def told_problem(problem: NodeError, *, by_administrator: bool) -> str:
    """One sentence. What an S3 server says of the key is told to everybody."""
    if by_administrator or (isinstance(problem, NotPermitted) and problem.code):
        return str(problem)
    return UNREACHED
