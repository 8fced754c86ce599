"""A node in an answer: what it is, and how it is now."""

import dataclasses
from typing import Literal

from pydantic import BaseModel

from workspacesio.api.dependencies import Call
from workspacesio.api.fields import Instant
from workspacesio.database.tables import Node
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.domain.vocabulary import NodeKind
from workspacesio.services.server_kinds import SERVER_KINDS


class PendingView(BaseModel):
    """Whose rights the server hasn't been told yet: a username, `@group` or `everyone`. `problem` says why."""

    subject: str
    attempted_at: Instant | None
    problem: str | None


class NodeView(BaseModel):
    """`state` says whether the node can be used now, `reason` why not.

    `problems` are all reasons, one sentence each, `warnings` what is worth knowing though the node can be used.
    """

    id: int
    name: str
    kind: str
    path: str | None
    layout: str | None
    bucket: str | None
    endpoint: str | None
    public_endpoint: str | None
    region: str | None
    access_key: str | None
    role_arn: str | None
    sts_endpoint: str | None
    may_deny_sessions: bool
    version: str | None
    read_only: bool
    serve_owner_only: bool
    cross_filesystems: bool
    state: Literal["up", "down"]
    reason: str | None
    problems: list[str]
    warnings: list[str]
    pending: list[PendingView]
    abilities: dict[str, bool]
    roots: list[str]


def view_node(call: Call, node: Node, roots: list[str]) -> NodeView:
    """Asks the node how it is; never inside a transaction."""
    abilities: dict[str, bool] = {}
    problems: list[str] = []
    warnings: list[str] = []
    pending: list[PendingView] = []
    version = None
    try:
        driver = call.visit.context.drivers(node.id)
        abilities = dataclasses.asdict(driver.abilities)
        server = SERVER_KINDS.get(NodeKind(node.kind))
        if server is not None:
            found = server.state(call.visit.context, node.id)
            version, problems, warnings = found.version, list(found.problems), list(found.warnings)
            pending = [PendingView.model_validate(dataclasses.asdict(one)) for one in found.pending]
        else:
            call.storage(node.id).require_up()
    except WorkspacesIOError as error:
        problems = [str(error)]
    return NodeView(
        id=node.id,
        name=node.name,
        kind=node.kind,
        path=node.path,
        layout=node.layout,
        bucket=node.bucket,
        endpoint=node.endpoint,
        public_endpoint=node.public_endpoint,
        region=node.region,
        access_key=node.access_key,
        role_arn=node.role_arn,
        sts_endpoint=node.sts_endpoint,
        may_deny_sessions=node.may_deny_sessions,
        version=version,
        read_only=node.read_only,
        serve_owner_only=node.serve_owner_only,
        cross_filesystems=node.cross_filesystems,
        state="down" if problems else "up",
        reason=problems[0] if problems else None,
        problems=problems,
        warnings=warnings,
        pending=pending,
        abilities=abilities,
        roots=roots,
    )
