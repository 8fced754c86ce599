"""Nodes, for their operators."""

import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.fields import Body, Line, Name
from workspacesio.database.tables import Node
from workspacesio.domain.errors import Invalid, WorkspacesIOError
from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.services.first_start import bucket_name_from_folder
from workspacesio.services.node_folders import check_node_folder
from workspacesio.services.nodes import (
    add_folder_node,
    list_nodes,
    may_add_node,
    remove_node,
    root_names,
    show_node,
)

router = APIRouter(prefix="/nodes", tags=["nodes"])


class NodeRequest(Body):
    """A folder of the server's machine: one `bucket` (default: named after the folder), or `layout` `buckets`."""

    kind: Literal["folder"]
    name: Name
    path: Line
    bucket: Name | None = None
    layout: FolderLayout | None = None
    read_only: bool = False
    serve_owner_only: bool = False
    cross_filesystems: bool = False


class NodeView(BaseModel):
    """`state` says whether the node can be used now, `reason` why not."""

    id: int
    name: str
    kind: str
    path: str | None
    layout: str | None
    bucket: str | None
    read_only: bool
    serve_owner_only: bool
    cross_filesystems: bool
    state: Literal["up", "down"]
    reason: str | None
    abilities: dict[str, bool]
    roots: list[str]


@router.get("")
def nodes(call: SignedIn) -> list[NodeView]:
    """The nodes that the caller operates."""
    with call.read() as (session, actor, _):
        found = [(node, root_names(session, node_id=node.id)) for node in list_nodes(session, actor=actor)]
    return [_view(call, node, roots) for node, roots in found]


@router.get("/{name}")
def node(call: SignedIn, name: Name) -> NodeView:
    with call.read() as (session, actor, now):
        found = show_node(session, actor=actor, name=name, now=now)
        roots = root_names(session, node_id=found.id)
    return _view(call, found, roots)


@router.post("", status_code=201)
def add_node(call: SignedIn, wanted: NodeRequest) -> NodeView:
    """Add a folder under one of the paths that the service may serve. Nothing in it is changed."""
    with call.read() as (_, actor, now):
        may_add_node(actor, now=now)
    layout = wanted.layout or FolderLayout.BUCKET
    if layout is FolderLayout.BUCKETS and wanted.bucket is not None:
        raise Invalid(
            "A folder of buckets takes no bucket name; each of its folders is one.", code="invalid_bucket"
        )
    settings = call.visit.context.settings
    folder = check_node_folder(wanted.path, allowed=settings.folder_paths, state_dir=settings.state_dir)
    with call.write() as (session, actor, now):
        made = add_folder_node(
            session,
            actor=actor,
            name=wanted.name,
            folder=folder,
            layout=layout,
            bucket=wanted.bucket or bucket_name_from_folder(folder.path.rpartition("/")[2]),
            read_only=wanted.read_only,
            serve_owner_only=wanted.serve_owner_only,
            cross_filesystems=wanted.cross_filesystems,
            now=now,
        )
    return _view(call, made, [])


@router.delete("/{name}", status_code=204)
def delete_node(
    call: SignedIn,
    name: Name,
    *,
    force: Annotated[bool, Query(description="Forget its workspaces too; every file stays.")] = False,
) -> None:
    """Stop serving the node; every file stays. Refused while it has workspaces, unless forced."""
    with call.write() as (session, actor, now):
        remove_node(session, actor=actor, name=name, force=force, now=now)


def _view(call: SignedIn, node: Node, roots: list[str]) -> NodeView:
    abilities: dict[str, bool] = {}
    reason = None
    try:
        driver = call.visit.context.drivers(node.id)
        abilities = dataclasses.asdict(driver.abilities)
        call.storage(node.id).require_up()
    except WorkspacesIOError as error:
        reason = str(error)
    return NodeView(
        id=node.id,
        name=node.name,
        kind=node.kind,
        path=node.path,
        layout=node.layout,
        bucket=node.bucket,
        read_only=node.read_only,
        serve_owner_only=node.serve_owner_only,
        cross_filesystems=node.cross_filesystems,
        state="up" if reason is None else "down",
        reason=reason,
        abilities=abilities,
        roots=roots,
    )
