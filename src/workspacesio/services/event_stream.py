"""Events as one reader may see them: every one is decided for itself when it is about to be sent.

One step is one state of the database: the reader is identified, their rights and the journal's next rows are read,
and each row is decided with `domain.permissions.decide`. What a step gives is sent before the next is taken, so
nothing that was decided waits for a slow reader, and whatever is taken back ends with the step after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workspacesio.database.facts import load_workspace_target
from workspacesio.database.journal_tables import EventSource, ObjectEvent
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, User, Workspace
from workspacesio.database.visibility import readable_folders
from workspacesio.domain.errors import Conflict, NotFound
from workspacesio.domain.facts import Target
from workspacesio.domain.permissions import decide
from workspacesio.domain.vocabulary import Action, NodeKind
from workspacesio.services.actors import Actor, identify

MAX_EVENTS = 100
"""Of one step: what is sent at once, some 40 KB."""

MAX_ROWS = 20_000
"""That one step looks at, of what happened to everybody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`workspace_id` None: everything that the reader may see. `prefix` is relative to the workspace."""

    workspace_id: int | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event in the reader's words, and its position in the journal, which is not for the reader."""

    position: int
    name: str
    at: datetime
    workspace_id: int
    owner: str
    workspace: str
    path: str
    node: str
    bucket: str
    key: str
    size: int | None
    etag: str | None
    sequencer: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """`position` is where to go on; `lost`: rows behind the last position are gone already."""

    user_id: int
    events: tuple[SeenEvent, ...]
    position: int
    lost: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    row: Workspace
    target: Target
    owner: str
    node: str


def newest_position(database: Database) -> int:
    """Of the journal's last row; 0 where it is empty. Raises Unavailable."""
    with database.read() as session:
        return _newest(session)


def next_step(database: Database, *, token: str, wanted: Wanted, position: int | None, now: datetime) -> Step:
    """What the reader may see of what comes after `position` (None: only find out where the end is).

    Raises Unauthenticated when the token is no longer good, NotFound when nothing of what is wanted may be read.
    """
    with database.read() as session:
        actor = identify(session, token=token, now=now)
        _require_reach(session, actor, wanted, now)
        newest = _newest(session)
        if position is None:
            return Step(actor.user_id, (), newest)
        if position > newest:  # the database is an older one
            return Step(actor.user_id, (), newest, lost=True)
        lost = _is_cleared(session, position)
        last = min(newest, position + MAX_ROWS)
        rows = _rows(session, actor, wanted, (position, last), now)
        seen = tuple(_seen(session, actor, rows, wanted, now))
        return Step(actor.user_id, seen, rows[-1].id if len(rows) == MAX_EVENTS else last, lost)


def require_source(database: Database, *, workspace_id: int) -> None:
    """Raise Conflict where the workspace lies on a server that was never told to tell what happens."""
    with database.read() as session:
        node = session.scalar(
            select(Node).join(Workspace, Workspace.node_id == Node.id).where(Workspace.id == workspace_id)
        )
        if node is None or node.kind == NodeKind.FOLDER or session.get(EventSource, node.id) is not None:
            return
    raise Conflict(
        f"The server of the node {node.name} doesn't tell of changes; its operator sets that up with "
        f"`wio node events {node.name}`.",
        code="no_events",
    )


def _newest(session: Session) -> int:
    return session.scalar(select(func.max(ObjectEvent.id))) or 0


def _is_cleared(session: Session, position: int) -> bool:
    """Whether rows behind the position may be gone: everything before them is."""
    if position == 0:
        return False
    first = session.scalar(select(func.min(ObjectEvent.id)))
    return first is not None and first > position + 1


def _require_reach(session: Session, actor: Actor, wanted: Wanted, now: datetime) -> None:
    if wanted.workspace_id is None:
        return
    readable = readable_folders(actor.caller, now).subquery()
    folders = session.scalars(
        select(readable.c.folder).where(readable.c.workspace_id == wanted.workspace_id).distinct()
    )
    if not any(_overlap(folder, wanted.prefix) for folder in folders):
        raise NotFound("There is nothing here that you may read; `wio ls` shows what you can reach.")


def _overlap(folder: str, prefix: str) -> bool:
    """Whether something can begin with both. A prefix may name a folder without its slash."""
    return folder.startswith(prefix) or prefix.startswith(folder)


def _rows(
    session: Session, actor: Actor, wanted: Wanted, between: tuple[int, int], now: datetime
) -> list[ObjectEvent]:
    """Rows of workspaces of which the reader may read something; each is still to be decided.

    `between`: the number behind which they lie, and the last one that is looked at.
    """
    readable = readable_folders(actor.caller, now).subquery()
    query = select(ObjectEvent).where(
        ObjectEvent.id > between[0],
        ObjectEvent.id <= between[1],
        ObjectEvent.workspace_id.in_(select(readable.c.workspace_id)),
    )
    if wanted.workspace_id is not None:
        query = query.where(ObjectEvent.workspace_id == wanted.workspace_id)
    return list(session.scalars(query.order_by(ObjectEvent.id).limit(MAX_EVENTS)))


def _seen(
    session: Session, actor: Actor, rows: list[ObjectEvent], wanted: Wanted, now: datetime
) -> Iterator[SeenEvent]:
    places: dict[int, _Place] = {}
    for row in rows:
        if row.workspace_id not in places:
            places[row.workspace_id] = _place(session, row.workspace_id)
        place = places[row.workspace_id]
        workspace = place.row
        # A workspace that was moved since lies elsewhere, and what lies there now is another's.
        if (row.node_id, row.bucket) != (workspace.node_id, workspace.bucket):
            continue
        if not row.key.startswith(workspace.prefix):
            continue
        path = row.key[len(workspace.prefix) :]
        if not path.startswith(wanted.prefix):
            continue
        if not decide(actor.caller, Action.READ_DATA, replace(place.target, path=path), now):
            continue
        yield SeenEvent(
            row.id,
            row.name,
            row.at,
            workspace.id,
            place.owner,
            workspace.name,
            path,
            place.node,
            row.bucket,
            row.key,
            row.size,
            row.etag,
            row.sequencer,
        )


def _place(session: Session, workspace_id: int) -> _Place:
    """The workspace exists: the rows were joined with those that may be read, in one state of the database."""
    workspace = session.get_one(Workspace, workspace_id)
    owner = session.get_one(User, workspace.owner_id).username
    node = session.get_one(Node, workspace.node_id).name
    return _Place(workspace, load_workspace_target(session, workspace), owner, node)
