"""Roots, for whoever manages them or creates workspaces in them."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from workspacesio.api.dependencies import SignedIn
from workspacesio.api.enforcement import Settled, enforced_on
from workspacesio.api.fields import MAX_ID, Body, Line, Name, Names, RootTypeWord
from workspacesio.api.index_answers import Remark, remarks
from workspacesio.domain.errors import Conflict, NotFound
from workspacesio.domain.vocabulary import CreatePolicy, IndexLevel, RootType
from workspacesio.index.extraction.costs import told_cost
from workspacesio.index.level_changes import level_changed, level_of
from workspacesio.index.notes import Note
from workspacesio.services.actors import Actor
from workspacesio.services.node_effects import marked, settle
from workspacesio.services.root_indexing import change_indexing, shown_indexing
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

_NAMED = 10
"""Buckets in a sentence."""


class RootRequest(Body):
    """`create` is for managed roots (`public`, `private`); the name is made from the prefix unless given."""

    node: Name
    bucket: Name
    prefix: Line = ""
    type: RootTypeWord
    name: Name | None = None
    create: Create | None = None


class IndexingChange(Body):
    """What is left out stays. None means without end: no limit in rate (entries a second), no crawl on schedule.

    `exclusions`: patterns of paths that are not indexed, all of them. `content_allowed_bytes`: how much may be
    read of a server that charges for it.
    """

    level: IndexLevel | None = None
    rate: int | None = None
    crawl_every_seconds: int | None = None
    exclusions: list[Line] | None = None
    cross_filesystems: bool | None = None
    content_allowed_bytes: Annotated[int, Field(ge=0, le=MAX_ID)] | None = None


class RootChange(Body):
    """`type` changes between public and private only."""

    create: Create | None = None
    managers: Names | None = None
    type: RootTypeWord | None = None
    indexing: IndexingChange | None = None


class Indexing(BaseModel):
    """What of the root is searchable, and when it is crawled; None: no limit in rate, no schedule.

    `content_read_bytes`: how much has been read of a server that charges for it.
    """

    level: IndexLevel
    rate: int | None
    crawl_every_seconds: int | None
    exclusions: list[str]
    cross_filesystems: bool
    content_allowed_bytes: int | None
    content_read_bytes: int


class RootView(BaseModel):
    """`indexing` is shown to managers of the root."""

    id: int
    name: str
    node: str
    bucket: str
    prefix: str
    type: RootTypeWord
    create: Literal["everyone", "users", "nobody"]
    creators: list[str]
    managers: list[str]
    indexing: Indexing | None = None


class ChangedRoot(RootView, Settled):
    """The root, and where the change is enforced. `notes`: what another level of indexing means for it."""

    notes: list[Remark]


@router.get("")
def roots(call: SignedIn) -> list[RootView]:
    """The roots that the caller manages or may create workspaces in."""
    with call.read() as (session, actor, _):
        return [_shown(session, actor, found) for found in list_roots(session, actor=actor)]


@router.get("/{name}")
def root(call: SignedIn, name: Name) -> RootView:
    """One root: where it lies, who manages it and who creates workspaces there."""
    with call.read() as (session, actor, now):
        return _shown(session, actor, show_root(session, actor=actor, name=name, now=now))


@router.post("", status_code=201)
def add_root(call: SignedIn, wanted: RootRequest) -> RootView:
    """Manage a bucket and prefix of a node. Nothing stored there is changed."""
    with call.read() as (session, actor, now):
        node_id = node_for_new_root(session, actor=actor, node=wanted.node, now=now).id
    there = call.storage(node_id).buckets()
    if wanted.bucket not in there:
        raise _no_bucket(wanted, there)
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
        answer = _shown(session, actor, made)
        concerned = marked(session)
    settle(call.visit.context, concerned)
    return answer


@router.patch("/{name}")
def set_root(call: SignedIn, name: Name, change: RootChange) -> ChangedRoot:
    """Change who creates workspaces, manages or reads (public or private), and what is indexed."""
    policy, creators = _policy(change.create)
    with call.write() as (session, actor, now):
        level_before = level_of(session, name)
        if change.indexing is not None:
            asked = change.indexing.model_dump(exclude_unset=True)
            try:
                change_indexing(session, actor=actor, name=name, changes=asked, now=now)
            except Conflict as refusal:
                raise told_cost(session, call.index, name, refusal) from refusal
            found = show_root(session, actor=actor, name=name, now=now)
        if change.indexing is None or change.model_fields_set != {"indexing"}:
            found = change_root(
                session,
                actor=actor,
                name=name,
                create=policy,
                creators=creators,
                managers=change.managers,
                root_type=None if change.type is None else RootType(change.type),
                now=now,
            )
        view = _shown(session, actor, found)
        concerned = marked(session)
    notes: list[Note] = []
    if change.indexing is not None and change.indexing.level is not None and level_before is not None:
        with call.read() as (session, _, _):
            notes = level_changed(session, call.index, root_id=view.id, before=level_before)
    enforced = enforced_on(call.visit.context, concerned)
    return ChangedRoot(**dict(view), enforced=enforced, notes=remarks(notes))


@router.delete("/{name}", status_code=204)
def delete_root(call: SignedIn, name: Name) -> None:
    """Stop managing; every file stays. Refused while the root has workspaces."""
    with call.write() as (session, actor, now):
        remove_root(session, actor=actor, name=name, now=now)


def _no_bucket(wanted: RootRequest, there: list[str]) -> NotFound:
    """Whoever adds roots to a node may know its buckets."""
    named = ", ".join(repr(one) for one in there[:_NAMED])
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    return NotFound(
        f"There is no bucket {wanted.bucket!r} on node {wanted.node}; there is {named or 'none'}{more}.",
        code="no_such_bucket",
    )


def _policy(create: Create | None) -> tuple[CreatePolicy | None, list[str] | None]:
    if create is None or isinstance(create, str):
        return (None if create is None else CreatePolicy(create)), None
    return CreatePolicy.USERS, create


def _shown(session: Session, actor: Actor, view: View) -> RootView:
    indexing = shown_indexing(session, actor=actor, root_id=view.root.id)
    return RootView.model_validate(
        {
            "indexing": None
            if indexing is None
            else {field: getattr(indexing, field) for field in Indexing.model_fields},
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
