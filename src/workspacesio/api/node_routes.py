"""Nodes, for their operators."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.fields import Body, Line, Name, Secret
from workspacesio.api.node_views import NodeView, view_node
from workspacesio.api.session_node_requests import AwsRequest, PlainMinioRequest, add_session_server
from workspacesio.database.tables import Node
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.vocabulary import FolderLayout, NodeKind
from workspacesio.services.first_start import bucket_name_from_folder
from workspacesio.services.minio_nodes import add_minio_node, check_server
from workspacesio.services.node_folders import check_node_folder
from workspacesio.services.nodes import (
    add_folder_node,
    begin_adding,
    change_folder_node,
    list_nodes,
    may_add_folder,
    remove_node,
    root_names,
    show_node,
)
from workspacesio.services.server_kinds import SERVER_KINDS

router = APIRouter(prefix="/nodes", tags=["nodes"])

MAX_ASKED_AT_ONCE = 8
OF_FOLDERS = frozenset({"read_only", "serve_owner_only", "cross_filesystems"})


class FolderRequest(Body):
    """A folder of the server's machine: one `bucket` (default: named after the folder), or `layout` `buckets`."""

    kind: Literal["folder"]
    name: Name
    path: Line
    bucket: Name | None = None
    layout: FolderLayout | None = None
    read_only: bool = False
    serve_owner_only: bool = False
    cross_filesystems: bool = False


class MinioRequest(Body):
    """A MinIO server, by a key with administration rights there.

    `endpoint` is where this service reaches it; `public_endpoint` where everyone else does, if that differs.
    """

    kind: Literal["minio"]
    name: Name
    endpoint: Line
    public_endpoint: Line | None = None
    region: Name | None = None
    access_key: Name
    secret_key: Secret
    read_only: bool = False


NodeRequest = Annotated[FolderRequest | MinioRequest | PlainMinioRequest | AwsRequest, Field(discriminator="kind")]


class NodeChange(Body):
    """Of a folder: what it takes and serves. Of a server: a new secret, another access key with its secret, or
    the address that others are told."""

    read_only: bool | None = None
    serve_owner_only: bool | None = None
    cross_filesystems: bool | None = None
    access_key: Name | None = None
    secret_key: Secret | None = None
    public_endpoint: Line | None = None


class RemovedNode(BaseModel):
    """`left_on_server` says what could not be removed from a server that can't be reached."""

    left_on_server: str | None


@router.get("")
def nodes(call: SignedIn) -> list[NodeView]:
    """The nodes that the caller operates."""
    with call.read() as (session, actor, _):
        found = [(node, root_names(session, node_id=node.id)) for node in list_nodes(session, actor=actor)]
    # At once: a server that doesn't answer holds up nobody else's line.
    with ThreadPoolExecutor(max_workers=MAX_ASKED_AT_ONCE) as pool:
        return list(pool.map(lambda one: view_node(call, *one), found))


@router.get("/{name}")
def node(call: SignedIn, name: Name) -> NodeView:
    """One node that the caller operates: what it is, what is wrong with it, and what isn't enforced there yet."""
    with call.read() as (session, actor, now):
        found = show_node(session, actor=actor, name=name, now=now)
        roots = root_names(session, node_id=found.id)
    return view_node(call, found, roots)


@router.post("", status_code=201)
def add_node(call: SignedIn, wanted: NodeRequest) -> NodeView:
    """Add a folder of the server, under a path that it may serve, or a MinIO server. Nothing stored is changed.

    Folders are added by administrators, servers by whom they let, who then operates the node.
    """
    if isinstance(wanted, FolderRequest):
        with call.read() as (_, actor, now):
            may_add_folder(actor, now=now)
        return view_node(call, _add_folder(call, wanted), [])
    with call.write() as (session, actor, now):
        by_administrator = begin_adding(session, actor=actor, now=now)
    add = _add_minio if isinstance(wanted, MinioRequest) else add_session_server
    return view_node(call, add(call, wanted, by_administrator=by_administrator), [])  # type: ignore[arg-type]


@router.patch("/{name}")
def change_node(call: SignedIn, name: Name, change: NodeChange) -> NodeView:
    """Replace what is given; it holds from the next request on. New keys of a server are tried first."""
    with call.read() as (session, actor, now):
        kind = show_node(session, actor=actor, name=name, now=now).kind
    given = {field for field, value in change if value is not None}
    foreign = given - OF_FOLDERS if kind == NodeKind.FOLDER else given & OF_FOLDERS
    if foreign:
        raise Conflict(f"A node of this kind has no {' or '.join(sorted(foreign))} to change.", code="node_kind")
    if kind == NodeKind.FOLDER:
        with call.write() as (session, actor, now):
            change_folder_node(
                session,
                actor=actor,
                name=name,
                read_only=change.read_only,
                serve_owner_only=change.serve_owner_only,
                cross_filesystems=change.cross_filesystems,
                now=now,
            )
        return node(call, name)
    if change.access_key is not None and change.secret_key is None:
        raise Invalid("Give the secret of the access key, too.", code="invalid_request")
    secret = change.secret_key
    SERVER_KINDS[NodeKind(kind)].change(
        call.visit.context,
        call.write,
        name=name,
        secret=None if secret is None else secret.get_secret_value(),
        access_key=change.access_key,
        public_endpoint=change.public_endpoint,
    )
    return node(call, name)


@router.delete("/{name}")
def delete_node(
    call: SignedIn,
    name: Name,
    *,
    force: Annotated[bool, Query(description="Forget its workspaces too; what is stored stays.")] = False,
) -> RemovedNode:
    """Stop serving the node; what it stores stays. Refused while it has workspaces, unless forced."""
    with call.read() as (session, actor, now):
        kind = show_node(session, actor=actor, name=name, now=now).kind
    server = SERVER_KINDS.get(NodeKind(kind))
    if server is not None:
        removed = server.remove(call.visit.context, call.write, name=name, force=force)
        return RemovedNode(left_on_server=removed.left_on_server)
    with call.write() as (session, actor, now):
        remove_node(session, actor=actor, name=name, force=force, now=now)
    return RemovedNode(left_on_server=None)


def _add_folder(call: SignedIn, wanted: FolderRequest) -> Node:
    layout = wanted.layout or FolderLayout.BUCKET
    if layout is FolderLayout.BUCKETS and wanted.bucket is not None:
        raise Invalid(
            "A folder of buckets takes no bucket name; each of its folders is one.", code="invalid_bucket"
        )
    settings = call.visit.context.settings
    folder = check_node_folder(wanted.path, allowed=settings.folder_paths, state_dir=settings.state_dir)
    with call.write() as (session, actor, now):
        return add_folder_node(
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


def _add_minio(call: SignedIn, wanted: MinioRequest, *, by_administrator: bool) -> Node:
    server = check_server(
        call.visit.context,
        endpoint=wanted.endpoint,
        public_endpoint=wanted.public_endpoint,
        region=wanted.region,
        access_key=wanted.access_key,
        secret=wanted.secret_key.get_secret_value(),
        by_administrator=by_administrator,
    )
    with call.write() as (session, actor, now):
        return add_minio_node(
            session,
            actor=actor,
            keyring=call.visit.context.keyring,
            name=wanted.name,
            server=server,
            read_only=wanted.read_only,
            now=now,
        )
