"""Workspaces: what the caller reaches, and what owners and managers do with them."""

import contextlib
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import MAX_PAGE, Body, Enforced, Id, Line, Name, Page
from workspacesio.api.workspace_answers import WorkspaceAnswer
from workspacesio.database.tables import Workspace
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.services.folders_in_nodes import holds_files
from workspacesio.services.node_effects import marked, settle
from workspacesio.services.references import ReadOrWrite, resolve_reference
from workspacesio.services.storage import Deleted
from workspacesio.services.workspace_removal import (
    continue_removal,
    find_workspace_to_remove,
    remove_workspace,
)
from workspacesio.services.workspace_views import Scope, list_workspaces, show_workspace
from workspacesio.services.workspaces import (
    create_workspace,
    hand_over_workspace,
    node_of_place,
    place_holds_objects,
    place_workspace,
    release_workspace,
    rename_workspace,
)

router = APIRouter(prefix="/workspaces", tags=["workspaces"])

REMOVAL_SECONDS = 20.0
"""How long a request deletes objects itself; the worker goes on with the rest."""


class WorkspaceRequest(Body):
    """In `root`, else in the private root, or the public one, in which the caller may create."""

    name: Name
    public: bool = False
    root: Name | None = None


class WorkspaceChange(Body):
    name: Name


class HandOver(Body):
    """`to`: the new owner's username."""

    to: Name


class Resolved(BaseModel):
    workspace: WorkspaceAnswer
    path: str


class Removed(BaseModel):
    """`finished` is false while objects are still being deleted; nobody reaches them any more."""

    enforced: list[Enforced]
    objects: int
    bytes: int
    finished: bool


@router.get("")
def workspaces(
    call: SignedIn,
    scope: Annotated[
        Scope, Query(description="One's own, shared by others, in public roots, or all.")
    ] = Scope.ALL,
    limit: Page = MAX_PAGE,
    after: Annotated[Line | None, Query(description="Go on behind this `owner/name`.")] = None,
) -> list[WorkspaceAnswer]:
    """What the caller sees, by owner and name, in pages."""
    behind = None
    if after is not None:
        owner, _, name = after.partition("/")
        behind = owner, name
    with call.read() as (session, actor, now):
        views = list_workspaces(session, actor=actor, scope=scope, limit=limit, after=behind, now=now)
    return [WorkspaceAnswer.of(view) for view in views]


@router.get("/resolve")
def resolve(
    call: SignedIn,
    reference: Annotated[Line, Query(description="`name/path`, `owner/name/path` or `owner:name/path`.")],
    purpose: ReadOrWrite = ReadOrWrite.READ,
) -> Resolved:
    """What a reference means to the caller. 409 lists the candidates of one that means two things."""
    with call.read() as (session, actor, now):
        meaning = resolve_reference(session, actor=actor, reference=reference, purpose=purpose, now=now)
        view = show_workspace(session, actor=actor, workspace_id=meaning.workspace_id, now=now)
    return Resolved(workspace=WorkspaceAnswer.of(view), path=meaning.path)


@router.post("", status_code=201)
def add_workspace(call: SignedIn, wanted: WorkspaceRequest) -> WorkspaceAnswer:
    """Make a workspace of the caller; never over objects that are there already."""
    asked = wanted.model_dump()
    with call.read() as (session, actor, now):
        place = place_workspace(session, actor=actor, **asked, now=now)
        node = node_of_place(session, place=place)
    call.require_writable()
    call.storage(node.id).require_writable()
    holds_objects = call.storage(node.id).holds_objects(place.bucket, place.prefix)
    if holds_objects or holds_files(node, call.visit.context.drivers(node.id), place.bucket, place.prefix):
        raise place_holds_objects(place)
    with call.write() as (session, actor, now):
        made = create_workspace(session, actor=actor, **asked, place=place, now=now)
        answer = WorkspaceAnswer.of(show_workspace(session, actor=actor, workspace_id=made.id, now=now))
        concerned = marked(session)
    settle(call.visit.context, concerned)
    return answer


@router.get("/{workspace_id}")
def workspace(call: SignedIn, workspace_id: Id) -> WorkspaceAnswer:
    """One workspace: where it lies, what it holds, and what the caller may do there."""
    with call.read() as (session, actor, now):
        return WorkspaceAnswer.of(show_workspace(session, actor=actor, workspace_id=workspace_id, now=now))


@router.patch("/{workspace_id}")
def change_workspace(call: SignedIn, workspace_id: Id, change: WorkspaceChange) -> WorkspaceAnswer:
    """Rename: a label; no byte moves."""
    with call.write() as (session, actor, now):
        rename_workspace(session, actor=actor, workspace_id=workspace_id, name=change.name, now=now)
        session.flush()
        return WorkspaceAnswer.of(show_workspace(session, actor=actor, workspace_id=workspace_id, now=now))


@router.delete("/{workspace_id}")
def delete_workspace(
    call: SignedIn,
    workspace_id: Id,
    *,
    delete_objects: Annotated[bool, Query(description="Delete what it holds, for ever.")] = False,
) -> Removed:
    """Refused with `workspace_not_empty` while it holds objects, unless told to delete them."""
    with call.read() as (session, actor, now):
        found = find_workspace_to_remove(session, actor=actor, workspace_id=workspace_id, now=now)
    storage = call.storage(found.node_id)
    if delete_objects:
        call.require_writable()
        storage.require_writable()
    holds_objects = storage.holds_objects(found.bucket, found.prefix)
    with call.write() as (session, actor, now):
        removal_id = remove_workspace(
            session,
            actor=actor,
            workspace_id=workspace_id,
            holds_objects=holds_objects,
            delete_objects=delete_objects,
            now=now,
        )
        concerned = marked(session)
    enforced = enforced_on(call.visit.context, concerned, nodes=[found.node_id])
    deleted = Deleted(0, 0, finished=removal_id is None)
    if removal_id is not None:
        # The workspace is gone whatever comes now; what a node that fails keeps, the worker deletes.
        with contextlib.suppress(WorkspacesIOError):
            deleted = continue_removal(
                call.visit.context.database, storage, removal_id=removal_id, seconds=REMOVAL_SECONDS, now=now
            )
    return Removed(enforced=enforced, objects=deleted.objects, bytes=deleted.bytes, finished=deleted.finished)


@router.post("/{workspace_id}/hand-over")
def hand_over(call: SignedIn, workspace_id: Id, given: HandOver) -> Settled:
    """Make another user the owner. The owner before holds nothing any more; shares with others stay."""
    with call.write() as (session, actor, now):
        hand_over_workspace(session, actor=actor, workspace_id=workspace_id, to=given.to, now=now)
        node_id = session.get_one(Workspace, workspace_id).node_id
        concerned = marked(session)
    return Settled(enforced=enforced_on(call.visit.context, concerned, nodes=[node_id]))


@router.post("/{workspace_id}/release")
def release(call: SignedIn, workspace_id: Id) -> Settled:
    """Let go of an imported workspace; nothing on disk is touched."""
    with call.write() as (session, actor, now):
        # Whether the caller may know of it is decided by the use case.
        found = session.get(Workspace, workspace_id)
        nodes = [] if found is None else [found.node_id]
        release_workspace(session, actor=actor, workspace_id=workspace_id, now=now)
        concerned = marked(session)
    return Settled(enforced=enforced_on(call.visit.context, concerned, nodes=nodes))
