"""Nodes on MinIO servers: check, add, change, look after.

Everything that asks the server happens outside of transactions; what it needs is read before, and what was found
is written after.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from workspacesio.database.tables import Node
from workspacesio.domain.errors import Conflict, Invalid, Unavailable
from workspacesio.domain.vocabulary import Action, NodeKind
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import NodeDown, NodeError
from workspacesio.nodes.minio.connection import AddressNotAllowed, Connection, NotPermitted, ServerAccess
from workspacesio.nodes.minio.driver import MinioDriver
from workspacesio.nodes.minio.fitness import clock_problem, missing_rights, release_warnings
from workspacesio.nodes.minio.identity import found_deployment
from workspacesio.nodes.minio.names import new_name_prefix
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_node
from workspacesio.services.effect_marks import mark_node
from workspacesio.services.keys import Keyring
from workspacesio.services.node_addresses import allowed_addresses, is_of_administrator, told_problem
from workspacesio.services.node_effects import (
    EffectsContext,
    minio_driver,
    pending_effects,
)
from workspacesio.services.node_secrets import open_secret, seal_secret
from workspacesio.services.server_fields import DEFAULT_REGION, server_address, server_secret
from workspacesio.services.server_nodes import OpenWrite, ServerNodeState, add_server_node
from workspacesio.services.server_observations import (
    buckets_to_read,
    gone_buckets,
    repairs,
    same_servers,
    unread_roots,
    unsaid_rights,
)

NO_ADMINISTRATION = (
    "The access key has no administration rights there; give it those that are documented, or add the server with "
    "--plain, where un-sharing takes effect only when the last keys have run out."
)


@dataclass(frozen=True, slots=True)
class CheckedServer:
    """A server that can be a node. `warnings`: one sentence each on what is worth knowing all the same."""

    endpoint: str
    public_endpoint: str | None
    region: str
    access_key: str
    secret: str = field(repr=False)
    name_prefix: str
    version: str
    warnings: tuple[str, ...]
    deployment_id: str | None = None


def check_server(
    context: EffectsContext,
    *,
    endpoint: str,
    public_endpoint: str | None,
    region: str | None,
    access_key: str,
    secret: str,
    by_administrator: bool = False,
) -> CheckedServer:
    """Try everything that a node needs: reach, keys, rights, clock. Leaves nothing on the server.

    `by_administrator` says who asks, and so which addresses may be asked (`node_addresses.py`).

    Raises Invalid: `invalid_address`, `address_not_allowed`, or `server_unfit` with `problems`, a list of
    sentences that say what is missing.
    """
    access = ServerAccess(server_address(endpoint), region or "", access_key, server_secret(secret))
    public = server_address(public_endpoint) if public_endpoint else None
    allowed = allowed_addresses(context.settings, by_administrator=by_administrator)
    with _opened(access, allowed) as driver:
        problems: list[str] = []
        version = ""
        try:
            version, found_region = driver.administration.server()
            access = replace(access, region=region or found_region or DEFAULT_REGION)
        except AddressNotAllowed as error:
            if by_administrator:
                raise Invalid(str(error), code="address_not_allowed") from error
            problems.append(told_problem(error, by_administrator=False))
        except NodeError as error:
            is_plain_key = isinstance(error, NotPermitted) and error.code == "AccessDenied"
            told = told_problem(error, by_administrator=by_administrator)
            problems.append(NO_ADMINISTRATION if is_plain_key else told)
    if not problems:
        with _opened(access, allowed) as driver:
            deployment_id, unfit = _unfitness(context, driver)
            problems += unfit
    if problems:
        raise Invalid(
            "The server can't be a node yet: " + " ".join(problems),
            code="server_unfit",
            details={"problems": problems},
        )
    return CheckedServer(
        access.endpoint,
        None if public == access.endpoint else public,
        access.region,
        access_key,
        secret,
        driver.name_prefix,
        version,
        release_warnings(version),
        deployment_id,
    )


def add_minio_node(
    session: Session,
    *,
    actor: Actor,
    keyring: Keyring,
    name: str,
    server: CheckedServer,
    read_only: bool,
    now: datetime,
) -> Node:
    """A node on a server that `check_server` let pass. Its operator is the caller. Raises Refused, Conflict."""
    node = Node(
        name=name,
        kind=NodeKind.MINIO.value,
        read_only=read_only,
        endpoint=server.endpoint,
        public_endpoint=server.public_endpoint,
        region=server.region,
        access_key=server.access_key,
        name_prefix=server.name_prefix,
        deployment_id=server.deployment_id,
    )
    return add_server_node(session, actor=actor, keyring=keyring, node=node, secret=server.secret, now=now)


def change_minio_node(
    context: EffectsContext,
    open_write: OpenWrite,
    *,
    name: str,
    secret: str | None = None,
    access_key: str | None = None,
    public_endpoint: str | None = None,
) -> None:
    """Replace what is given; new keys are tried first. Raises as `check_server`, and NotFound, Refused.

    `public_endpoint` equal to the node's own address takes the public one away. With keys that do, the server that
    answers now is the node's, and is told everything where it is another than before.
    """
    with open_write() as (session, actor, now):
        node = changeable_minio_node(session, actor, name, now)
        endpoint, region, known_key = node.endpoint or "", node.region, node.access_key or ""
        sealed, prefix = node.sealed_secret or b"", node.name_prefix or ""
        by_administrator = is_of_administrator(session, node)
    deployment_id: str | None = None
    if secret is not None or access_key is not None:
        known = secret if secret is not None else open_secret(context.keyring, node.id, sealed)
        access = ServerAccess(endpoint, region or "", access_key or known_key, server_secret(known))
        allowed = allowed_addresses(context.settings, by_administrator=by_administrator)
        with _opened(access, allowed, prefix) as driver:
            deployment_id, problems = _unfitness(context, driver)
        if problems:
            raise Invalid(
                "These keys don't do for the node: " + " ".join(problems),
                code="server_unfit",
                details={"problems": problems},
            )
    public = server_address(public_endpoint) if public_endpoint is not None else None
    with open_write() as (session, actor, now):
        node = changeable_minio_node(session, actor, name, now)
        if secret is not None:
            node.sealed_secret = seal_secret(context.keyring, node.id, secret)
        if access_key is not None:
            node.access_key = access_key
        if deployment_id is not None and deployment_id != node.deployment_id:
            node.deployment_id = deployment_id
            mark_node(session, node.id)
        if public is not None:
            node.public_endpoint = None if public == node.endpoint else public
        details = {
            "access_key": node.access_key,
            "public_endpoint": node.public_endpoint,
            "new_secret": secret is not None,
        }
        record(session, actor=actor, verb="node.change", target=name, now=now, details=details)


def node_state(context: EffectsContext, node_id: int) -> ServerNodeState:
    """How the node is now: asks the server, for some seconds at most. Raises NotFound."""
    problems: list[str] = []
    with context.database.read() as session:
        node = session.get(Node, node_id)
        if node is not None and node.leaving:
            problems.append(f"The node is being removed; go on with `wio node rm {node.name}`.")
        pending = tuple(pending_effects(session, node_id=node_id))
        warnings = tuple(unsaid_rights(session, node_id))
        if node is not None:
            warnings += (*repairs(session, node, context.clock()), *same_servers(session, node))
    version = None
    try:
        driver = minio_driver(context, node_id)
        driver.connection.reach.look_again()
        version, _ = driver.administration.server()
        driver.identity.look(node.deployment_id if node else None)
        buckets = driver.bucket_names()
        with context.database.read() as session:
            warnings += tuple(gone_buckets(session, node_id, buckets))
            to_read = [(name, bucket) for name, bucket in buckets_to_read(session, node_id) if bucket in buckets]
        warnings += tuple(unread_roots(to_read, driver.may_read))
        late = clock_problem(driver.connection.date(), context.clock())
        problems += [late] if late else []
        warnings += release_warnings(version)
    except (NodeError, Unavailable) as error:
        problems.append(str(error))
    return ServerNodeState(version, tuple(problems), warnings, pending)


def _unfitness(context: EffectsContext, driver: MinioDriver) -> tuple[str | None, list[str]]:
    """The deployment's id, and what is wrong."""
    try:
        deployment_id = found_deployment(driver.connection) or None
        late = clock_problem(driver.connection.date(), context.clock())
        problems = [late] if late else []
        problems += missing_rights(driver.administration, driver.name_prefix)
        driver.bucket_names()
    except NodeDown as error:
        return None, [str(error)]
    return deployment_id, problems


@contextlib.contextmanager
def _opened(access: ServerAccess, allowed: AllowedAddresses, prefix: str | None = None) -> Iterator[MinioDriver]:
    driver = MinioDriver(Connection(access, allowed), prefix or new_name_prefix())
    try:
        yield driver
    finally:
        driver.connection.close()


def changeable_minio_node(session: Session, actor: Actor, name: str, now: datetime) -> Node:
    node = find_node(session, actor=actor, name=name, action=Action.CHANGE_NODE, now=now)
    if node.kind != NodeKind.MINIO.value:
        raise Conflict("That node is no MinIO server.", code="node_kind")
    return node
