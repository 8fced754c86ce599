"""Random worlds in one bucket of a MinIO node: users, groups, nested roots, workspaces, shares, nasty names.

The places follow the invariants: a key belongs to the deepest root, workspaces never overlap, none holds a root.
What a MinIO server can't say exactly is refused beforehand, as sharing and importing refuse it, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from workspacesio.domain.facts import Caller, NodeFacts, RootFacts, ShareFacts, Target, WorkspaceFacts
from workspacesio.domain.permissions import decide
from workspacesio.domain.s3_policies import NotExpressible, check_expressible
from workspacesio.domain.subject_grants import PlacedWorkspace
from workspacesio.domain.vocabulary import Action, CreatePolicy, Level, RootType, SubjectKind

GROUPS_OF = {1: frozenset({1}), 2: frozenset({1, 2}), 3: frozenset(), 4: frozenset({2})}
USERS = tuple(GROUPS_OF)
GROUPS = (1, 2)

ROOT_PREFIXES = ("", "r/", "r/in/", "ä ü/", "s$/", "r*/", "${aws:username}/")
WORKSPACE_PREFIXES = (
    *("w/", "w2/", "W/", "r/w/", "r/w2/", "r/w 2/", "r/in/w/", "r/in/", "ä ü/w/", "ä ü/", "s$/{w}/", 's$/"<&>/'),
    *("r/", "", "w*/", "r/w?/", "s$/${aws:username}/", "r/%2A/", "r/[w]/", "r/w\\/", "r/data.zip/", "r*/w/"),
    *("r/tab\t\u2028/", "r/\U0001f600/", "r/w__XLDIR__/"),
)
FOLDERS = (
    "",
    "x/",
    "x/y/",
    "xy/",
    "X/",
    "é/",
    "e\u0301/",
    "a b+c/",
    "%/",
    "x*/",
    "q?/",
    "${aws:username}/",
    "$x/",
)
NAMES = (
    "",
    "k",
    "x",
    "x/k",
    "x/y/k",
    "xy/k",
    "X/k",
    "é/k",
    "e\u0301/k",
    "a b+c/k",
    "%/k",
    "xZ/k",
    "x*/k",
    "qq/k",
    "$x/k",
)
ODD_KEYS = (
    "k",
    "wZ/k",
    "wio-u1/k",
    "r",
    "r/",
    "rZ/w/k",
    "r/wZ/k",
    "s$/usr/k",
    "w",
    "r/*/k",
    "r/w\\/k",
    "r/data.zip/k",
    "w__XLDIR__",
    "r/w__XLDIR__",
)


@dataclass(frozen=True)
class Place:
    root: RootFacts
    root_prefix: str
    prefix: str
    workspace: WorkspaceFacts


@dataclass
class World:
    node: NodeFacts
    now: datetime
    administrators: frozenset[int] = frozenset()
    roots: dict[str, RootFacts] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    shares: dict[int, list[ShareFacts]] = field(default_factory=dict)
    refused: int = 0

    def caller(self, user: int) -> Caller:
        return Caller(user, administrator=user in self.administrators, groups=GROUPS_OF[user])

    def allows(self, user: int, action: Action, key: str) -> bool:
        """The permission core's decision about a key or a listing's prefix."""
        place = self._place(key)
        if place is None:
            return bool(decide(self.caller(user), action, Target(self.node), self.now))
        return self._decides(user, action, place, key.removeprefix(place.prefix))

    def reaches(self, user: int) -> bool:
        """Whether there is anything in the bucket that the user may list."""
        return any(
            self._decides(user, Action.LIST_DATA, place, folder) for place in self.places for folder in FOLDERS
        )

    def placed(self, bucket: str) -> Iterator[PlacedWorkspace]:
        for place in self.places:
            number = place.workspace.workspace_id
            yield PlacedWorkspace(
                bucket,
                place.prefix,
                place.workspace.owner_id,
                place.root.type.is_public,
                self.node.read_only,
                tuple(self.shares.get(number, ())),
            )

    def _decides(self, user: int, action: Action, place: Place, path: str) -> bool:
        shares = tuple(self.shares.get(place.workspace.workspace_id, ()))
        target = Target(self.node, place.root, place.workspace, path, shares)
        return bool(decide(self.caller(user), action, target, self.now))

    def _place(self, key: str) -> Place | None:
        root = max((prefix for prefix in self.roots if key.startswith(prefix)), key=len, default=None)
        for place in self.places:
            if place.root_prefix == root and key.startswith(place.prefix):
                return place
        return None

    def fits(self, root_prefix: str, prefix: str) -> bool:
        """Whether a workspace of that root may be made there."""
        if not prefix.startswith(root_prefix):
            return False
        for other in self.roots:
            if other != root_prefix and (
                other.startswith(prefix) or (prefix.startswith(other) and len(other) > len(root_prefix))
            ):
                return False
        return not any(place.prefix.startswith(prefix) or prefix.startswith(place.prefix) for place in self.places)


def random_world(chance: Random, now: datetime) -> World:
    world = World(
        NodeFacts(1, chance.choice(USERS), chance.random() < 0.3, chance.random() < 0.15),
        now,
        frozenset(user for user in USERS if chance.random() < 0.15),
    )
    for number, prefix in enumerate(chance.sample(ROOT_PREFIXES, chance.randint(1, 4)), 1):
        managers = frozenset(user for user in USERS if chance.random() < 0.15)
        world.roots[prefix] = RootFacts(
            number, chance.choice(list(RootType)), managers, chance.choice(list(CreatePolicy))
        )
    for prefix in chance.sample(WORKSPACE_PREFIXES, 9):
        fitting = [root for root in world.roots if world.fits(root, prefix)]
        if fitting:
            _add_place(world, chance.choice(fitting), prefix, chance.choice(USERS))
    for _ in range(60 if chance.random() < 0.05 else chance.randint(0, 10)):
        if world.places:
            _add_share(world, chance.choice(world.places), _random_share(chance, now))
    return world


def interesting_keys(world: World) -> list[str]:
    """Keys in and beside every workspace and folder, as well as prefixes of listings."""
    inside = [place.prefix + name for place in world.places for name in NAMES]
    cut = [place.prefix[:-1] for place in world.places if place.prefix]
    return [key for key in (*inside, *cut, *ODD_KEYS) if key]


def _add_place(world: World, root_prefix: str, prefix: str, owner: int) -> None:
    try:
        check_expressible(prefix)
    except NotExpressible:
        world.refused += 1
        return
    number = len(world.places) + 1
    world.places.append(Place(world.roots[root_prefix], root_prefix, prefix, WorkspaceFacts(number, owner)))


def _add_share(world: World, place: Place, share: ShareFacts) -> None:
    try:
        check_expressible(place.prefix + share.folder)
    except NotExpressible:
        world.refused += 1
        return
    made = world.shares.setdefault(place.workspace.workspace_id, [])
    made.append(replace(share, share_id=len(made) + 1))


def _random_share(chance: Random, now: datetime) -> ShareFacts:
    kind = chance.choice(list(SubjectKind))
    subject = {SubjectKind.USER: chance.choice(USERS), SubjectKind.GROUP: chance.choice(GROUPS)}.get(kind)
    expiries = [
        now - timedelta(hours=1),
        now + timedelta(days=1),
        now + timedelta(minutes=chance.randint(30, 99_999)),
    ]
    expires = chance.choice([None, None, *expiries])
    return ShareFacts(kind, subject, chance.choice(list(Level)), chance.choice(FOLDERS), expires)
