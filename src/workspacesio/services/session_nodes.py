"""Nodes whose servers issue sessions: check, add, change, look after, remove.

Nothing of ours is stored on such a server. Everything that asks it happens outside of transactions.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Invalid, NotFound
from workspacesio.domain.vocabulary import Action, NodeKind
from workspacesio.nodes.aws.driver import AwsDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.connection import AddressNotAllowed, NotPermitted
from workspacesio.nodes.minio.fitness import release_warnings
from workspacesio.nodes.sessions.issuer import unfitness
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_node
from workspacesio.services.effect_writing import EffectsContext
from workspacesio.services.key_expiry import Taken, last_keys
from workspacesio.services.keys import Keyring
from workspacesio.services.node_addresses import allowed_addresses, is_of_administrator, told_problem
from workspacesio.services.node_secrets import open_secret, seal_secret
from workspacesio.services.nodes import remove_node, require_removable
from workspacesio.services.server_fields import DEFAULT_REGION, server_address, server_secret
from workspacesio.services.server_nodes import OpenWrite, RemovedServerNode, ServerNodeState, add_server_node
from workspacesio.services.server_observations import buckets_to_read, same_servers, unread_roots
from workspacesio.services.session_servers import SessionDriver, SessionServer

REVOCATION_WARNING = (
    "Nothing ends keys of this server before their time: un-sharing takes effect when the last ones have run out, "
    "an hour later at most."
)
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ROLE = re.compile(r"arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9+=,.@:/_-]{2,1224}")
"""API Reference of the Security Token Service, AssumeRole."""


def session_issuer(context: EffectsContext, node_id: int) -> SessionDriver:
    """Raises NotFound for a node that is gone or of another kind, Unavailable."""
    driver = context.drivers(node_id)
    if not isinstance(driver, SessionDriver):
        raise NotFound("That node issues no sessions.")
    return driver


def plain_server(
    *, endpoint: str, public_endpoint: str | None, region: str | None, access_key: str, secret: str
) -> SessionServer:
    """A MinIO server by the key of a plain user, as it was typed. Raises Invalid."""
    address = server_address(endpoint)
    return SessionServer(
        NodeKind.MINIO_PLAIN,
        address,
        _other_address(public_endpoint, address),
        _region(region or DEFAULT_REGION),
        access_key,
        server_secret(secret),
    )


def aws_server(
    *,
    role_arn: str,
    region: str,
    sts_endpoint: str | None,
    s3_endpoint: str | None,
    external_id: str | None,
    access_key: str,
    secret: str,
    may_deny_sessions: bool,
) -> SessionServer:
    """S3 by a role, as it was typed. Without addresses those of AWS in the region. Raises Invalid."""
    region = _region(region)
    if may_deny_sessions and (sts_endpoint or s3_endpoint):
        raise Invalid(
            "Sessions can be denied on AWS itself alone; leave out the addresses.", code="invalid_request"
        )
    if not _ROLE.fullmatch(role_arn):
        raise Invalid("A role is named like arn:aws:iam::123456789012:role/NAME.", code="invalid_role")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        raise Invalid("An external id has 2 to 1,224 letters, digits and +=,.@:/_-", code="invalid_external_id")
    return SessionServer(
        NodeKind.AWS,
        server_address(s3_endpoint or f"https://s3.{region}.amazonaws.com"),
        None,
        region,
        access_key,
        server_secret(secret),
        server_address(sts_endpoint or f"https://sts.{region}.amazonaws.com"),
        role_arn,
        external_id,
        may_deny_sessions,
    )


def check_session_server(
    context: EffectsContext, server: SessionServer, *, by_administrator: bool = False
) -> None:
    """Try everything that a node needs. Raises Invalid: `address_not_allowed`, or `server_unfit` with `problems`.

    `by_administrator` says who asks, and so which addresses may be asked (`node_addresses.py`).
    """
    with _opened(context, server, by_administrator=by_administrator) as driver:
        try:
            problems = unfitness(driver, context.clock())
            if not problems and server.may_deny_sessions:
                problems = _denial_problems(driver)
        except NodeError as error:
            if by_administrator and isinstance(error, AddressNotAllowed):
                raise Invalid(str(error), code="address_not_allowed") from error
            problems = [told_problem(error, by_administrator=by_administrator)]
    if problems:
        raise Invalid(
            "The server can't be a node yet: " + " ".join(problems),
            code="server_unfit",
            details={"problems": problems},
        )


def add_session_node(
    session: Session,
    *,
    actor: Actor,
    keyring: Keyring,
    name: str,
    server: SessionServer,
    read_only: bool,
    now: datetime,
) -> Node:
    """A node on a server that `check_session_server` let pass, of the caller. Raises Refused, Conflict."""
    node = Node(
        name=name,
        kind=server.kind.value,
        read_only=read_only,
        endpoint=server.endpoint,
        public_endpoint=server.public_endpoint,
        region=server.region,
        access_key=server.access_key,
        sts_endpoint=server.sts_endpoint,
        role_arn=server.role_arn,
        external_id=server.external_id,
        may_deny_sessions=server.may_deny_sessions,
    )
    details = {"role": server.role_arn}
    return add_server_node(
        session, actor=actor, keyring=keyring, node=node, secret=server.secret, now=now, details=details
    )


def change_session_node(
    context: EffectsContext,
    open_write: OpenWrite,
    *,
    name: str,
    secret: str | None = None,
    access_key: str | None = None,
    public_endpoint: str | None = None,
) -> None:
    """Replace what is given; new keys are tried first. Raises as `check_session_server`, and NotFound, Refused."""
    with open_write() as (session, actor, now):
        node = find_node(session, actor=actor, name=name, action=Action.CHANGE_NODE, now=now)
        known = secret if secret is not None else open_secret(context.keyring, node.id, node.sealed_secret or b"")
        server = SessionServer.of(node, server_secret(known))
        by_administrator = is_of_administrator(session, node)
    server = replace(server, access_key=access_key or server.access_key)
    if secret is not None or access_key is not None:
        check_session_server(context, server, by_administrator=by_administrator)
    with open_write() as (session, actor, now):
        node = find_node(session, actor=actor, name=name, action=Action.CHANGE_NODE, now=now)
        if secret is not None:
            node.sealed_secret = seal_secret(context.keyring, node.id, secret)
        node.access_key = server.access_key
        if public_endpoint is not None:
            node.public_endpoint = _other_address(public_endpoint, server.endpoint)
        details = {
            "access_key": node.access_key,
            "public_endpoint": node.public_endpoint,
            "new_secret": secret is not None,
        }
        record(session, actor=actor, verb="node.change", target=name, now=now, details=details)


def session_node_state(context: EffectsContext, node_id: int) -> ServerNodeState:
    """How the node is now: asks the server, for some seconds at most. Raises NotFound, Unavailable."""
    driver = session_issuer(context, node_id)
    with context.database.read() as session:
        node = session.get(Node, node_id)
        told = [] if node is None else same_servers(session, node)
        to_read = buckets_to_read(session, node_id)
    try:
        problems = tuple(unfitness(driver, context.clock()))
        told += [] if problems else unread_roots(to_read, driver.may_read)
    except NodeError as error:
        problems = (str(error),)
    return ServerNodeState(None, problems, (*session_warnings(driver), *told), ())


def session_warnings(driver: SessionDriver) -> tuple[str, ...]:
    """What is worth knowing of such a node. A plain user isn't told the server's release."""
    releases = () if isinstance(driver, AwsDriver) else release_warnings("")
    return (REVOCATION_WARNING, *releases)


def remove_session_node(
    context: EffectsContext,  # noqa: ARG001 - asked of every kind alike
    open_write: OpenWrite,
    *,
    name: str,
    force: bool,
) -> RemovedServerNode:
    """Forget the node. Its keys go on until they expire, as the answer says. Raises as `remove_node`."""
    with open_write() as (session, actor, now):
        node = require_removable(session, actor=actor, name=name, force=force, now=now)
        ends = last_keys(session, [Taken(node.id, None, None)], now=now).get(node.id)
        remove_node(session, actor=actor, name=name, force=force, now=now)
    if ends is None:
        return RemovedServerNode(None)
    return RemovedServerNode(
        f"Keys that were issued before work on the server until {ends:%Y-%m-%d %H:%M} UTC; take the access key's "
        "rights away there to end them now."
    )


def _denial_problems(driver: SessionDriver) -> list[str]:
    """Deny what nobody holds."""
    try:
        if isinstance(driver, AwsDriver):
            driver.deny_sessions_before(datetime(1970, 1, 1, tzinfo=UTC))
    except NotPermitted:
        return ["The node's access key needs the right iam:PutRolePolicy on the role to deny its sessions."]
    return []


@contextlib.contextmanager
def _opened(context: EffectsContext, server: SessionServer, *, by_administrator: bool) -> Iterator[SessionDriver]:
    driver = server.open(allowed_addresses(context.settings, by_administrator=by_administrator))
    try:
        yield driver
    finally:
        driver.close_now()


def _other_address(public_endpoint: str | None, endpoint: str) -> str | None:
    public = server_address(public_endpoint) if public_endpoint else None
    return None if public == endpoint else public


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise Invalid("A region is like eu-central-1.", code="invalid_region")
    return text
