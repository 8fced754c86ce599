"""Random worlds of users, groups, nodes, nested roots, workspaces and shares: as facts, and as rows.

The places follow the invariants: a key belongs to the deepest root, workspaces never overlap, none holds a root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from workspacesio.database import tables
from workspacesio.domain.facts import Caller, Narrowing, NodeFacts, RootFacts, ShareFacts, Target, WorkspaceFacts
from workspacesio.domain.vocabulary import CreatePolicy, Level, RootType, SubjectKind

NOW = datetime(2030, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
USERS = (1, 2, 3, 4)
GROUPS = (1, 2)
NODES = (1, 2)
BUCKETS = ("alpha", "beta")
ROOT_PREFIXES = ("", "r/", "r/in/", "s/", "ä*/")
WORKSPACE_PREFIXES = ("w/", "w2/", "r/w/", "r/in/w/", "r/in/w2/", "s/w/", "s/", "ä*/w/", "r/", "")
FOLDERS = ("", "x/", "x/y/", "xy/", "%/", "X/")
PATHS = ("", "k", "x", "x/", "x/k", "x/y/", "x/y/k", "xy/", "xy/k", "%/", "%/k", "X/k", "x/../xy/k")
EXPIRIES = (
    None,
    *(NOW + delta for delta in (timedelta(days=-1), timedelta(microseconds=-1), timedelta(0))),
    *(NOW + delta for delta in (timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=1))),
)


@dataclass(frozen=True)
class UserRow:
    enabled: bool = True
    administrator: bool = False
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True)
class RootRow:
    node: int
    bucket: str
    prefix: str
    facts: RootFacts


@dataclass(frozen=True)
class WorkspaceRow:
    root: int
    prefix: str
    owner: int


@dataclass(frozen=True)
class ShareRow:
    workspace: int
    facts: ShareFacts


@dataclass
class World:
    users: dict[int, UserRow] = field(default_factory=dict)
    nodes: dict[int, NodeFacts] = field(default_factory=dict)
    roots: dict[int, RootRow] = field(default_factory=dict)
    workspaces: dict[int, WorkspaceRow] = field(default_factory=dict)
    shares: dict[int, ShareRow] = field(default_factory=dict)

    def caller(self, user: int, narrowing: Narrowing) -> Caller:
        row = self.users[user]
        return Caller(user, row.enabled, row.administrator, row.groups, narrowing)

    def shares_of(self, workspace: int) -> tuple[ShareFacts, ...]:
        return tuple(row.facts for _, row in sorted(self.shares.items()) if row.workspace == workspace)

    def target(self, workspace: int, path: str = "") -> Target:
        row = self.workspaces[workspace]
        root = self.roots[row.root]
        facts = WorkspaceFacts(workspace, row.owner)
        return Target(self.nodes[root.node], root.facts, facts, path, self.shares_of(workspace))

    def workspace_at(self, node: int, bucket: str, key: str) -> int | None:
        """By the words of the design: the deepest root that the key begins with, then its workspace there."""
        here = [
            (len(row.prefix), number)
            for number, row in self.roots.items()
            if (row.node, row.bucket) == (node, bucket) and key.startswith(row.prefix)
        ]
        if not here:
            return None
        root = max(here)[1]
        found = [
            number for number, row in self.workspaces.items() if row.root == root and key.startswith(row.prefix)
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def fits(self, root: int, prefix: str) -> bool:
        """Whether a workspace of `root` may be made at `prefix`."""
        mine = self.roots[root]
        if not prefix.startswith(mine.prefix):
            return False
        for number, row in self.roots.items():
            same_bucket = (row.node, row.bucket) == (mine.node, mine.bucket)
            if number != root and same_bucket and row.prefix.startswith(prefix):
                return False
            if same_bucket and prefix.startswith(row.prefix) and len(row.prefix) > len(mine.prefix):
                return False
        return not any(
            (other.node, other.bucket) == (mine.node, mine.bucket)
            and (row.prefix.startswith(prefix) or prefix.startswith(row.prefix))
            for row in self.workspaces.values()
            for other in [self.roots[row.root]]
        )

    def save(self, connection: Connection) -> None:
        """Insert every row, with the ids of this world."""
        for table, rows in self._rows():
            if rows:
                connection.execute(insert(table), rows)

    def _rows(self) -> Iterator[tuple[type[tables.Base], list[dict[str, Any]]]]:
        yield tables.User, [user_row(number, row) for number, row in self.users.items()]
        yield tables.Group, [{"id": number, "name": f"group{number}", "created_at": NOW} for number in GROUPS]
        yield (
            tables.GroupMember,
            [
                {"group_id": group, "user_id": number, "manager": number == min(USERS)}
                for number, row in self.users.items()
                for group in sorted(row.groups)
            ],
        )
        yield tables.Node, [node_row(facts) for facts in self.nodes.values()]
        yield tables.Root, [root_row(number, row) for number, row in self.roots.items()]
        for table, attribute in ((tables.RootManager, "managers"), (tables.RootCreator, "creators")):
            yield (
                table,
                [
                    {"root_id": number, "user_id": user}
                    for number, row in self.roots.items()
                    for user in sorted(getattr(row.facts, attribute))
                ],
            )
        yield tables.Workspace, [self.workspace_row(number) for number in self.workspaces]
        yield tables.Share, [share_row(number, row) for number, row in self.shares.items()]

    def workspace_row(self, number: int) -> dict[str, Any]:
        row = self.workspaces[number]
        root = self.roots[row.root]
        return {
            "id": number,
            "name": f"w{number}",
            "owner_id": row.owner,
            "root_id": row.root,
            "node_id": root.node,
            "bucket": root.bucket,
            "prefix": row.prefix,
            "imported": False,
            "created_at": NOW,
        }


def user_row(number: int, row: UserRow) -> dict[str, Any]:
    return {
        "id": number,
        "email": f"user{number}@example.org",
        "username": f"user{number}",
        "enabled": row.enabled,
        "administrator": row.administrator,
        "created_at": NOW,
    }


def node_row(facts: NodeFacts) -> dict[str, Any]:
    return {
        "id": facts.node_id,
        "name": f"node{facts.node_id}",
        "kind": "folder",
        "layout": "buckets",
        "operator_id": facts.operator_id or None,
        "run_by_service": facts.run_by_service,
        "read_only": facts.read_only,
        "serve_owner_only": False,
        "cross_filesystems": False,
        "created_at": NOW,
    }


def root_row(number: int, row: RootRow) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"root{number}",
        "node_id": row.node,
        "bucket": row.bucket,
        "prefix": row.prefix,
        "type": row.facts.type.value,
        "create_policy": row.facts.create_policy.value,
        "created_at": NOW,
    }


def share_row(number: int, row: ShareRow) -> dict[str, Any]:
    facts = row.facts
    return {
        "id": number,
        "workspace_id": row.workspace,
        "folder": facts.folder,
        "subject_kind": facts.subject_kind.value,
        "user_id": facts.subject_id if facts.subject_kind is SubjectKind.USER else None,
        "group_id": facts.subject_id if facts.subject_kind is SubjectKind.GROUP else None,
        "level": int(facts.level),
        "expires_at": facts.expires_at,
        "created_at": NOW,
    }


users = st.builds(
    UserRow,
    st.sampled_from([True, True, True, False]),
    st.sampled_from([False, False, True]),
    st.frozensets(st.sampled_from(GROUPS)),
)
user_ids = st.sampled_from(USERS)
narrowings = st.builds(
    Narrowing, st.none() | st.frozensets(st.integers(1, 6), max_size=4), st.sampled_from([False, False, True])
)


@st.composite
def share_facts(draw: st.DrawFn, number: int = 0) -> ShareFacts:
    kind = draw(st.sampled_from(SubjectKind))
    subject = {
        SubjectKind.USER: user_ids,
        SubjectKind.GROUP: st.sampled_from(GROUPS),
        SubjectKind.EVERYONE: st.none(),
    }[kind]
    return ShareFacts(
        kind,
        draw(subject),
        draw(st.sampled_from(Level)),
        draw(st.sampled_from(FOLDERS)),
        draw(st.sampled_from(EXPIRIES)),
        number,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World(users={number: draw(users) for number in USERS})
    for number in NODES:
        world.nodes[number] = NodeFacts(
            number, draw(st.sampled_from((0, 1, 2))), draw(st.booleans()), draw(st.booleans())
        )
    places = st.tuples(st.sampled_from(NODES), st.sampled_from(BUCKETS), st.sampled_from(ROOT_PREFIXES))
    for number, (node, bucket, prefix) in enumerate(
        draw(st.lists(places, min_size=1, max_size=5, unique=True)), 1
    ):
        facts = RootFacts(
            number,
            draw(st.sampled_from(RootType)),
            draw(st.frozensets(user_ids, max_size=2)),
            draw(st.sampled_from(CreatePolicy)),
            draw(st.frozensets(user_ids, max_size=2)),
        )
        world.roots[number] = RootRow(node, bucket, prefix, facts)
    wanted = st.tuples(st.sampled_from(sorted(world.roots)), st.sampled_from(WORKSPACE_PREFIXES), user_ids)
    for root, prefix, owner in draw(st.lists(wanted, min_size=3, max_size=8)):
        if world.fits(root, prefix):
            number = len(world.workspaces) + 1
            world.workspaces[number] = WorkspaceRow(root, prefix, owner)
    if world.workspaces:
        given = st.tuples(st.sampled_from(sorted(world.workspaces)), share_facts())
        for workspace, facts in draw(st.lists(given, max_size=10)):
            add_share(world, workspace, facts)
    return world


def add_share(world: World, workspace: int, facts: ShareFacts, number: int | None = None) -> int | None:
    """The new share's id, or None if the same subject has one of this folder already."""
    for row in world.shares.values():
        same = (row.facts.folder, row.facts.subject_kind, row.facts.subject_id)
        if row.workspace == workspace and same == (facts.folder, facts.subject_kind, facts.subject_id):
            return None
    number = number or max(world.shares, default=0) + 1
    world.shares[number] = ShareRow(workspace, replace(facts, share_id=number))
    return number
