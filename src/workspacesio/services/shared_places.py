"""Where what was shared lies, for what is said to the person who shares."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from workspacesio.database.tables import Node, Workspace
from workspacesio.domain.vocabulary import NodeKind
from workspacesio.services.key_expiry import LONGEST_LIFE


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """Where what was shared lies, and how many seconds keys there may go on after it is taken back, if they do."""

    node_id: int
    bucket: str
    prefix: str
    taken_back_within: int | None


def shared_place(
    session: Session, *, workspace_id: int, folder: str, expires_at: datetime | None, now: datetime
) -> SharedPlace:
    """For whoever has just shared `folder`, and so reads there: nobody shares what they may not read.

    A share's own end is written into keys, so none lasts longer than that.
    """
    workspace = session.get_one(Workspace, workspace_id)
    lasting = NodeKind(session.get_one(Node, workspace.node_id).kind).issues_sessions
    longest = LONGEST_LIFE if expires_at is None else min(LONGEST_LIFE, expires_at - now)
    within = int(longest.total_seconds()) if lasting else None
    return SharedPlace(workspace.node_id, workspace.bucket, workspace.prefix + folder, within)
