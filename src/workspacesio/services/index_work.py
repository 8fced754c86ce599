"""What people ask of the index worker: a new engine beside the old (rebuild), a comparison with storage (verify).

The engine is the whole service's, so administrators rebuild it and compare everything; a root is compared by its
managers. What a comparison found is told in numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, false, or_, select
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import IndexRequest
from workspacesio.database.tables import Root, User
from workspacesio.database.visible_places import managed_roots
from workspacesio.domain.errors import NotFound
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import Action
from workspacesio.services import index_requests
from workspacesio.services.actors import Actor
from workspacesio.services.audit import record
from workspacesio.services.authorization import find_root, require_service


@dataclass(frozen=True, slots=True)
class IndexWork:
    """A request with the names that its row has numbers for. `counts`: the numbers of its report."""

    request: IndexRequest
    root: str | None
    requested_by: str | None
    counts: Mapping[str, int]


def rebuild(session: Session, *, actor: Actor, now: datetime) -> IndexWork:
    """The rebuild that waits already, or a new one. Raises Refused."""
    require_service(actor, Action.CHANGE_SERVICE, now)
    row = index_requests.request_rebuild(session, requested_by=actor.user_id, now=now)
    return _recorded(session, actor, row, now)


def verify(session: Session, *, actor: Actor, root: str | None, now: datetime) -> IndexWork:
    """Of one root, or of all: as `rebuild`. Raises Refused, NotFound."""
    root_id = None
    if root is None:
        require_service(actor, Action.CHANGE_SERVICE, now)
    else:
        root_id = find_root(session, actor=actor, name=root, action=Action.CHANGE_ROOT, now=now)[0].id
    row = index_requests.request_verify(session, root_id=root_id, requested_by=actor.user_id, now=now)
    return _recorded(session, actor, row, now)


def list_work(session: Session, *, actor: Actor, limit: int, after: int | None = None) -> list[IndexWork]:
    """The newest first, that the caller may see; `after`: those older than that."""
    query = _seen(actor.caller).order_by(IndexRequest.id.desc()).limit(limit)
    if after is not None:
        query = query.where(IndexRequest.id < after)
    return [_view(session, row) for row in session.scalars(query).all()]


def show_work(session: Session, *, actor: Actor, request_id: int) -> IndexWork:
    """Raises NotFound for what the caller doesn't see."""
    row = session.scalar(_seen(actor.caller).where(IndexRequest.id == request_id))
    if row is None:
        raise NotFound("There is no such request; `wio index status` shows the index.", code="no_such_request")
    return _view(session, row)


def _seen(caller: Caller) -> Select[IndexRequest]:
    """Of roots that the caller manages; those of the whole service are administrators' business."""
    whole = caller.enabled and caller.administrator and caller.narrowing.workspaces is None
    of_service = IndexRequest.root_id.is_(None) if whole else false()
    return select(IndexRequest).where(or_(of_service, IndexRequest.root_id.in_(managed_roots(caller))))


def _recorded(session: Session, actor: Actor, row: IndexRequest, now: datetime) -> IndexWork:
    view = _view(session, row)
    details = {"request": row.id}
    record(session, actor=actor, verb=f"index.{row.kind}", target=view.root or "index", now=now, details=details)
    return view


def _view(session: Session, row: IndexRequest) -> IndexWork:
    root = None if row.root_id is None else session.get(Root, row.root_id)
    asked_by = None if row.requested_by is None else session.get(User, row.requested_by)
    return IndexWork(
        row,
        None if root is None else root.name,
        None if asked_by is None else asked_by.username,
        {name: number for name, number in row.report.items() if isinstance(number, int)},
    )
