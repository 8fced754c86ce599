"""The workspaces that a crawl goes through, as they are in the service's database while it does."""

from typing import Protocol

from sqlalchemy import select

from workspacesio.database.sessions import Database
from workspacesio.database.tables import Root, Workspace
from workspacesio.index.crawl_queue import TakenCrawl
from workspacesio.index.crawl_sources import Place
from workspacesio.index.progress import Position
from workspacesio.index.recording import ListingSink


class Recording(ListingSink, Protocol):
    """A recorder, which also says of which workspaces it holds anything."""

    def workspaces(self) -> list[int]: ...


def places_of(database: Database, taken: TakenCrawl, position: Position | None) -> list[Place]:
    """In the order in which they are crawled, as many as are still to come."""
    query = select(Workspace.id, Workspace.bucket, Workspace.prefix, Root.prefix).join(
        Root, Root.id == Workspace.root_id
    )
    query = query.where(Workspace.root_id == taken.root_id).order_by(Workspace.id)
    if taken.workspace_id is not None:
        query = query.where(Workspace.id == taken.workspace_id)
    if position is not None:
        query = query.where(Workspace.id >= position.workspace_id)
    with database.read() as session:
        return [Place(*row) for row in session.execute(query)]


def is_there(database: Database, workspace_id: int) -> bool:
    with database.read() as session:
        return session.get(Workspace, workspace_id) is not None


def drop_vanished(database: Database, recorder: Recording) -> None:
    """Workspaces that were deleted or released."""
    held = recorder.workspaces()
    with database.read() as session:
        there = set(session.scalars(select(Workspace.id)))
    for workspace_id in held:
        if workspace_id not in there:
            recorder.drop_workspace(workspace_id)
