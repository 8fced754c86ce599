"""A service full of things to hit, of which nothing changes: transactions are rolled back at their end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.plane import Plane
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, User


class _Undone(Exception):
    pass


class Rehearsal(Database):
    """A database that, once rehearsing, forgets every change at the end of its transaction."""

    rehearsing = False

    @contextmanager
    def write(self) -> Iterator[Session]:
        try:
            with super().write() as session:
                yield session
                session.flush()
                if self.rehearsing:
                    raise _Undone
        except _Undone:
            pass


def build_world(plane: Plane) -> None:
    """Everybody whom the table of routes names. From its end on nothing is kept."""
    plane.start()
    plane.user("admin", administrator=True)
    for username in (
        "stranger",
        "reader",
        "writer",
        "sharer",
        "folder",
        "owner",
        "manager",
        "operator",
        "disabled",
    ):
        plane.user(username)
    plane.write_file("there/x")
    plane.write_file("late/x")
    scans = plane.workspace("owner", "scans")["id"]
    plane.workspace("owner", "other")
    for subject, level in (("reader", "read"), ("writer", "readwrite"), ("sharer", "own"), ("disabled", "own")):
        plane.share("owner", scans, subject, level)
    plane.share("owner", scans, "folder", "readwrite", folder="sub")
    plane.call("admin", "POST", "/roots/existing/import", {"folders": ["there"], "owner": "owner"})
    for root in ("private", "existing"):
        plane.do("admin", "PATCH", f"/roots/{root}", {"managers": ["manager"]})
    for name, fields in (("otherkey", {"workspaces": ["other"]}), ("readkey", {"read_only": True})):
        plane.tokens[name] = plane.do("owner", "POST", "/api-keys", {"name": name, **fields})["token"]
    with plane.database.write() as session:
        session.scalars(select(Node)).one().operator_id = session.scalars(
            select(User.id).where(User.username == "operator")
        ).one()
    plane.do("owner", "POST", "/groups", {"name": "lab"})
    plane.do("owner", "POST", "/groups/lab/members", {"username": "reader"})
    plane.do("owner", "POST", "/credentials", {})
    _index_what_is_gone_again(plane)
    plane.do("admin", "POST", "/index/rebuild")
    plane.call("admin", "POST", "/roots/existing/import", {"folders": ["late"], "owner": "owner"})
    plane.do("admin", "POST", "/users/disabled/disable")
    assert isinstance(plane.database, Rehearsal)
    plane.database.rehearsing = True


def _index_what_is_gone_again(plane: Plane) -> None:
    """The workspace is empty for all who ask storage, and holds two objects for all who ask the index."""
    files = [plane.write_file(f"private/owner/scans/{path}") for path in ("sub/x", "elsewhere/x")]
    plane.do("admin", "POST", "/crawls", {"root": "private"})
    plane.crawl()
    shutil.rmtree(files[0].parents[3])
