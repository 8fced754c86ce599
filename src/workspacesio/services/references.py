"""What a workspace reference means to a caller: `name/path`, `owner/name/path` or `owner:name/path`.

`owner:name/` is exact and can mean nothing else. `owner/name/` is exact too, and goes before a workspace that
others share under the name `owner`: else whoever calls one so, and shares it with everyone, takes all of that
owner's references from everybody. `name/` is the caller's own workspace of that name, else, for reading only, one
that is readable to the caller if only one has that name.

A workspace of the caller's own that is called like an owner stays a second meaning of `owner/name/`, for either
answer could be wrong: by sharing a workspace that is called like a folder in it, the owner would else take over
what the caller writes there. Whatever means two things is an error that lists the candidates as `owner:name/path`.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from workspacesio.database.tables import User, Workspace
from workspacesio.database.visibility import readable_folders, seen_workspaces
from workspacesio.database.visible_places import owned_workspaces
from workspacesio.domain.errors import Ambiguous, NotFound, WorkspacesIOError
from workspacesio.domain.names import parse_reference
from workspacesio.services.actors import Actor


class ReadOrWrite(StrEnum):
    """What a reference is to be used for."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A workspace and the path in it, without a leading slash."""

    workspace_id: int
    owner: str
    name: str
    path: str

    @property
    def reference(self) -> str:
        return f"{self.owner}/{self.name}/{self.path}".rstrip("/")

    @property
    def exact(self) -> str:
        """The spelling that means nothing else."""
        return f"{self.owner}:{self.name}/{self.path}".rstrip("/")


def resolve_reference(
    session: Session, *, actor: Actor, reference: str, purpose: ReadOrWrite, now: datetime
) -> Meaning:
    """The one meaning. Raises Invalid for a malformed reference, NotFound, and Ambiguous with `candidates`."""
    candidates: list[Meaning] = []
    for owner, written, path in parse_reference(reference).readings():
        # Workspace names are NFC, whatever the keyboard makes of an accent.
        name = unicodedata.normalize("NFC", written)
        if owner is None:
            candidates += [
                Meaning(workspace_id, username, name, path)
                for workspace_id, username in _named(session, actor, name, purpose, now)
            ]
        else:
            exact = _exact(session, actor, owner, name, now)
            if exact is not None:
                # `ada/ada/x` of ada's own workspace `ada` is the exact reading, too.
                own = [one for one in candidates if one.owner == actor.username and one.workspace_id != exact]
                candidates = [*own, Meaning(exact, owner, name, path)]
    if not candidates:
        raise _not_found(session, actor, reference, purpose, now)
    if len(candidates) > 1:
        meanings = sorted(one.exact for one in candidates)
        raise Ambiguous(
            f"{reference!r} can mean {' or '.join(meanings)}; write one of these.",
            details={"candidates": meanings},
        )
    return candidates[0]


def _not_found(
    session: Session, actor: Actor, reference: str, purpose: ReadOrWrite, now: datetime
) -> WorkspacesIOError:
    """For a reference without a meaning; the sentence says how to write one that it would have for reading."""
    sentence = f"There is no workspace {reference!r} that you can reach; `wio ls` shows those you can."
    if purpose is ReadOrWrite.WRITE:
        try:
            read = resolve_reference(session, actor=actor, reference=reference, purpose=ReadOrWrite.READ, now=now)
        except Ambiguous as error:
            return error
        except NotFound:
            pass
        else:
            sentence = f"{reference!r} is no workspace of your own; write {read.reference}."
    return NotFound(sentence, code="no_such_workspace", details={"reference": reference})


def written_references(session: Session, *, actor: Actor, ids: Sequence[int], now: datetime) -> list[str]:
    """`owner/name` of those that the caller sees, in order."""
    seen = seen_workspaces(actor.caller, now).subquery()
    rows = session.execute(
        select(User.username, Workspace.name)
        .join(User, User.id == Workspace.owner_id)
        .where(Workspace.id.in_(ids), Workspace.id.in_(select(seen.c.workspace_id)))
        .order_by(User.username, Workspace.name)
    )
    return [f"{owner}/{name}" for owner, name in rows]


def _named(
    session: Session, actor: Actor, name: str, purpose: ReadOrWrite, now: datetime
) -> list[tuple[int, str]]:
    """(id, owner) of the caller's own workspace of this name, else, for reading, of all that are readable."""
    named = (
        select(Workspace.id, User.username)
        .join(User, User.id == Workspace.owner_id)
        .where(Workspace.name == name)
        .order_by(User.username)
    )
    rows = session.execute(named.where(Workspace.id.in_(owned_workspaces(actor.caller)))).all()
    if not rows and purpose is ReadOrWrite.READ:
        readable = readable_folders(actor.caller, now).subquery()
        named = named.where(Workspace.id.in_(select(readable.c.workspace_id)))
        rows = session.execute(named).all()
    return list(rows)


def _exact(session: Session, actor: Actor, owner: str, name: str, now: datetime) -> int | None:
    """That owner's workspace of that name, if the caller sees it: managers name what they may not read."""
    seen = seen_workspaces(actor.caller, now).subquery()
    return session.scalar(
        select(Workspace.id)
        .join(User, User.id == Workspace.owner_id)
        .where(User.username == owner, Workspace.name == name, Workspace.id.in_(select(seen.c.workspace_id)))
    )
