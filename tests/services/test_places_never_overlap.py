"""Whatever roots, workspaces and imports are asked for, a key has one root and at most one workspace.

What the look-ups of the S3 endpoint rely on: workspaces never hold one another, no root lies in a workspace, and
the deepest root of a workspace's prefix is the workspace's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.kinds import clear, database_fixture
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Node, Root, User, Workspace
from workspacesio.domain.errors import WorkspacesIOError
from workspacesio.domain.facts import Caller
from workspacesio.domain.vocabulary import CreatePolicy, RootType
from workspacesio.services.actors import Actor
from workspacesio.services.imports import Counted, Wanted, import_folders
from workspacesio.services.roots import create_root, remove_root
from workspacesio.services.workspaces import create_workspace, place_workspace

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FOLDERS = ["", "a", "a/b", "a/b/c", "ab", "a/ada", "a/ada/x", "ada", "x", "a%", "a_"]
ROOTS = ["r0", "r1", "r2", "r3"]

database = database_fixture()

steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("root"), st.sampled_from(ROOTS), st.sampled_from(FOLDERS), st.sampled_from(list(RootType))
        ),
        st.tuples(st.just("remove"), st.sampled_from(ROOTS)),
        st.tuples(st.just("create"), st.sampled_from(ROOTS), st.sampled_from(["x", "b", "ada", "a%"])),
        st.tuples(st.just("import"), st.sampled_from(ROOTS), st.lists(st.sampled_from(FOLDERS), max_size=3)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps)
def test_places_never_overlap(database: Database, steps: list[tuple[object, ...]]) -> None:
    clear(database)
    with database.write() as session:
        user = User(email="ada@example.org", username="ada", administrator=True, enabled=True, created_at=NOW)
        session.add(user)
        session.flush()
        session.add(
            Node(
                name="n",
                kind="folder",
                path="/nowhere",
                layout="bucket",
                bucket="bucket",
                run_by_service=True,
                created_at=NOW,
            )
        )
        session.flush()
        actor = Actor(Caller(user.id, administrator=True), "ada")
    for step in steps:
        try:
            with database.write() as session:
                _do(session, actor, *step)
        except WorkspacesIOError:
            pass
    with database.read() as session:
        _check(session)


def _do(session: Session, actor: Actor, verb: object, *given: object) -> None:
    if verb == "root":
        name, prefix, root_type = given
        create_root(
            session,
            actor=actor,
            node="n",
            bucket="bucket",
            prefix=str(prefix),
            root_type=RootType(str(root_type)),
            name=str(name),
            create=CreatePolicy.EVERYONE,
            now=NOW,
        )
    elif verb == "remove":
        remove_root(session, actor=actor, name=str(given[0]), now=NOW)
    elif verb == "create":
        root, name = str(given[0]), str(given[1])
        place = place_workspace(session, actor=actor, name=name, public=False, root=root, now=NOW)
        create_workspace(session, actor=actor, name=name, public=False, root=root, place=place, now=NOW)
    else:
        folders = [f"{one}/" if one else "" for one in given[1]]  # type: ignore[attr-defined]
        import_folders(
            session,
            actor=actor,
            root=str(given[0]),
            wanted=[Wanted(folder, "ada") for folder in folders],
            name=None,
            counted={folder: Counted(0, 0) for folder in folders},
            now=NOW,
        )


def _check(session: Session) -> None:
    roots = session.scalars(select(Root)).all()
    workspaces = session.scalars(select(Workspace)).all()
    for one, other in combinations(workspaces, 2):
        assert not one.prefix.startswith(other.prefix)
        assert not other.prefix.startswith(one.prefix)
    for workspace in workspaces:
        above = [root for root in roots if workspace.prefix.startswith(root.prefix)]
        assert max(above, key=lambda root: len(root.prefix)).id == workspace.root_id
        for root in roots:
            assert root.id == workspace.root_id or not root.prefix.startswith(workspace.prefix)


@pytest.mark.parametrize("prefix", ["a/", "a/b/", "%/", ""])
def test_the_check_sees_an_overlap(database: Database, prefix: str) -> None:
    """So that the test above can fail."""
    with database.write() as session:
        session.add(User(email="a@b", username="ada", enabled=True, created_at=NOW))
        session.add(Node(name="n", kind="folder", layout="bucket", bucket="bucket", created_at=NOW))
        session.flush()
        root = Root(name="r", node_id=1, bucket="bucket", prefix="", type="private", created_at=NOW)
        session.add(root)
        session.flush()
        for number, folder in enumerate((prefix, f"{prefix}x/")):
            session.add(
                Workspace(
                    name=f"w{number}",
                    owner_id=1,
                    root_id=root.id,
                    node_id=1,
                    bucket="bucket",
                    prefix=folder,
                    created_at=NOW,
                )
            )
    with database.read() as session, pytest.raises(AssertionError):
        _check(session)
