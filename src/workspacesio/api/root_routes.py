"""Roots, for whoever manages them or creates workspaces in them."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import Body, Line, Name, Names, RootTypeWord
from workspacesio.domain.errors import NotFound
from workspacesio.domain.vocabulary import CreatePolicy, RootType
from workspacesio.services.node_effects import marked, settle
from workspacesio.services.roots import (
    RootView as View,
)
from workspacesio.services.roots import (
    change_root,
    create_root,
    list_roots,
    node_for_new_root,
    remove_root,
    show_root,
)

router = APIRouter(prefix="/roots", tags=["roots"])

Create = Literal["everyone", "nobody"] | Names
"""Who may create workspaces: everyone, nobody but managers, or these users too."""


class RootRequest(Body):
    """`create` is for managed roots (`public`, `private`); the name is made from the prefix unless given."""

    node: Name
    bucket: Name
    prefix: Line = ""
    type: RootTypeWord
    name: Name | None = None
    create: Create | None = None


class RootChange(Body):
    """`type` changes between public and private only."""

    create: Create | None = None
    managers: Names | None = None
    type: RootTypeWord | None = None


class RootView(BaseModel):
    id: int
    name: str
    node: str
    bucket: str
    prefix: str
    type: RootTypeWord
    create: Literal["everyone", "users", "nobody"]
    creators: list[str]
    managers: list[str]


class ChangedRoot(RootView, Settled):
    """The root, and where the change is enforced."""


@router.get("")
def roots(call: SignedIn) -> list[RootView]:
    """The roots that the caller manages or may create workspaces in."""
    with call.read() as (session, actor, _):
        return [_view(found) for found in list_roots(session, actor=actor)]


@router.get("/{name}")
def root(call: SignedIn, name: Name) -> RootView:
    """One root: where it lies, who manages it and who creates workspaces there."""
    with call.read() as (session, actor, now):
        return _view(show_root(session, actor=actor, name=name, now=now))


@router.post("", status_code=201)
def add_root(call: SignedIn, wanted: RootRequest) -> RootView:
    """Manage a bucket and prefix of a node. Nothing stored there is changed."""
    with call.read() as (session, actor, now):
        node_id = node_for_new_root(session, actor=actor, node=wanted.node, now=now).id
    if not call.storage(node_id).has_bucket(wanted.bucket):
        raise NotFound("There is no such bucket on the node.", code="no_such_bucket")
    policy, creators = _policy(wanted.create)
    with call.write() as (session, actor, now):
        made = create_root(
            session,
            actor=actor,
            node=wanted.node,
            bucket=wanted.bucket,
            prefix=wanted.prefix,
            root_type=RootType(wanted.type),
            name=wanted.name,
            create=policy or CreatePolicy.EVERYONE,
            now=now,
        )
        if creators:
            made = change_root(
                session,
                actor=actor,
                name=made.root.name,
                create=policy,
                creators=creators,
                managers=None,
                root_type=None,
                now=now,
            )
        answer = _view(made)
        concerned = marked(session)
    settle(call.visit.context, concerned)
    return answer


@router.patch("/{name}")
def set_root(call: SignedIn, name: Name, change: RootChange) -> ChangedRoot:
    """Change who creates workspaces, who manages, or who reads (public or private)."""
    policy, creators = _policy(change.create)
    with call.write() as (session, actor, now):
        changed = change_root(
            session,
            actor=actor,
            name=name,
            create=policy,
            creators=creators,
            managers=change.managers,
            root_type=None if change.type is None else RootType(change.type),
            now=now,
        )
        view = _view(changed)
        concerned = marked(session)
    return ChangedRoot(**dict(view), enforced=enforced_on(call.visit.context, concerned))


@router.delete("/{name}", status_code=204)
def delete_root(call: SignedIn, name: Name) -> None:
    """Stop managing; every file stays. Refused while the root has workspaces."""
    with call.write() as (session, actor, now):
        remove_root(session, actor=actor, name=name, now=now)


def _policy(create: Create | None) -> tuple[CreatePolicy | None, list[str] | None]:
    if create is None or isinstance(create, str):
        return (None if create is None else CreatePolicy(create)), None
    return CreatePolicy.USERS, create


def _view(view: View) -> RootView:
    return RootView.model_validate(
        {
            "id": view.root.id,
            "name": view.root.name,
            "node": view.node,
            "bucket": view.root.bucket,
            "prefix": view.root.prefix,
            "type": view.root.type,
            "create": view.root.create_policy,
            "creators": list(view.creators),
            "managers": list(view.managers),
        }
    )
