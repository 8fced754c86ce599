"""Who may do what: the role table of the terminology page, every role against every action.

Columns are the actions in the order of `Action`, in the groups data, workspace, root, node, service:

    data       read list write
    workspace  see share rename move delete hand-over release crawl
    root       see create-workspace import change quota
    node       see change create-root buckets
    service    add-node users change audit

Groups, adding folders and making groups have tables of their own: nothing of the above gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from workspacesio.domain.facts import (
    Caller,
    GroupFacts,
    Narrowing,
    NodeFacts,
    RootFacts,
    ServiceFacts,
    ShareFacts,
    Target,
    WorkspaceFacts,
)
from workspacesio.domain.permissions import Allowed, Denied, decide
from workspacesio.domain.vocabulary import (
    DATA_ACTIONS,
    READING_ACTIONS,
    Action,
    AddNodePolicy,
    CreatePolicy,
    Level,
    RootType,
    SubjectKind,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
OPERATOR, MANAGER, OWNER, USER = 1, 2, 3, 4
GROUP = 40

NODE = NodeFacts(1, OPERATOR, run_by_service=True)
FOREIGN = replace(NODE, run_by_service=False)
READ_ONLY = replace(NODE, read_only=True)
ROOT = RootFacts(1, RootType.PRIVATE, frozenset({MANAGER}), CreatePolicy.NOBODY)
WORKSPACE = WorkspaceFacts(7, OWNER)
USER_SHARE = ShareFacts(SubjectKind.USER, USER, Level.READ, share_id=1)
GROUP_SHARE = ShareFacts(SubjectKind.GROUP, GROUP, Level.READ, share_id=2)
EVERYONE_SHARE = ShareFacts(SubjectKind.EVERYONE, None, Level.READ, share_id=3)


@dataclass(frozen=True)
class Case:
    caller: Caller
    allowed: str
    shares: tuple[ShareFacts, ...] = ()
    node: NodeFacts = NODE
    root: RootFacts = ROOT
    path: str = "a/b/key"

    def target(self) -> Target:
        return Target(self.node, self.root, WORKSPACE, self.path, self.shares)


def user(
    user_id: int = USER, *, admin: bool = False, enabled: bool = True, narrowing: Narrowing | None = None
) -> Caller:
    return Caller(user_id, enabled, admin, frozenset({GROUP}), narrowing or Narrowing())


def share(
    level: Level, given: ShareFacts = USER_SHARE, folder: str = "", seconds: int | None = None
) -> tuple[ShareFacts]:
    expires_at = None if seconds is None else NOW + timedelta(seconds=seconds)
    return (replace(given, level=level, folder=folder, expires_at=expires_at),)


NOTHING = "... ........ ..... .... ...."
READS = "rl. s....... ..... .... ...."
WRITES = "rlw s....... ..... .... ...."
SHARES = "rlw ss...... ..... .... ...."
OWNS = "rlw ssrmdhrc ..... .... ...."
SEES = "... s....... ..... .... ...."
MANAGES = "... s....hrc sciCq .... ...."
OPERATES = "... s....hrc sciCq scrb ...."
ADMINISTERS = "... s....hrc sciCq scrb aucA"
ADMINISTERS_SERVICE_ONLY = "... ........ ..... .... aucA"
CREATES = "... ........ sc... .... ...."

to_others = Narrowing(frozenset({8}))
to_this = Narrowing(frozenset({7, 8}))
to_reading = Narrowing(read_only=True)
to_nothing = Narrowing(frozenset())
every_share = (*share(Level.OWN), *share(Level.OWN, GROUP_SHARE), *share(Level.OWN, EVERYONE_SHARE))

TABLE = {
    # Shares, by level and by whom they name.
    "a stranger": Case(user(), NOTHING),
    "a stranger among shares of others": Case(
        user(),
        NOTHING,
        (replace(USER_SHARE, subject_id=9, level=Level.OWN), replace(GROUP_SHARE, subject_id=USER)),
    ),
    "read share": Case(user(), READS, share(Level.READ)),
    "readwrite share": Case(user(), WRITES, share(Level.READWRITE)),
    "own share": Case(user(), SHARES, share(Level.OWN)),
    "read share of a group": Case(user(), READS, share(Level.READ, GROUP_SHARE)),
    "readwrite share of a group": Case(user(), WRITES, share(Level.READWRITE, GROUP_SHARE)),
    "own share of a group": Case(user(), SHARES, share(Level.OWN, GROUP_SHARE)),
    "read share of everyone": Case(user(), READS, share(Level.READ, EVERYONE_SHARE)),
    "readwrite share of everyone": Case(user(), WRITES, share(Level.READWRITE, EVERYONE_SHARE)),
    "own share of everyone": Case(user(), SHARES, share(Level.OWN, EVERYONE_SHARE)),
    "the highest of several": Case(
        user(),
        WRITES,
        (*share(Level.READ), *share(Level.READWRITE, GROUP_SHARE), *share(Level.READ, EVERYONE_SHARE)),
    ),
    # A folder of it: inside, beside, above.
    "read share of the folder": Case(user(), READS, share(Level.READ, folder="a/")),
    "readwrite share of the folder": Case(user(), WRITES, share(Level.READWRITE, folder="a/b/")),
    "own share of the folder": Case(user(), SHARES, share(Level.OWN, folder="a/")),
    "own share of the folder, for itself": Case(user(), SHARES, share(Level.OWN, folder="a/b/"), path="a/b/"),
    "own share of another folder": Case(user(), SEES, share(Level.OWN, folder="b/")),
    "own share of a deeper folder": Case(user(), SEES, share(Level.OWN, folder="a/b/key/")),
    "own share of a folder, for the whole": Case(user(), SEES, share(Level.OWN, folder="a/"), path=""),
    "own share of a folder, without its slash": Case(user(), SEES, share(Level.OWN, folder="a/"), path="a"),
    "own share of a folder whose name goes on": Case(user(), SEES, share(Level.OWN, folder="a/"), path="ab/key"),
    "own share of a folder, climbing out": Case(user(), SEES, share(Level.OWN, folder="a/"), path="a/../b/key"),
    "own share of a folder, climbing at the end": Case(user(), SEES, share(Level.OWN, folder="a/"), path="a/b/.."),
    "own share of a folder, only looking like it": Case(
        user(), SHARES, share(Level.OWN, folder="a/"), path="a/..b/c../.../x"
    ),
    "read share of all, own share of a folder": Case(
        user(), SHARES, (*share(Level.READ), *share(Level.OWN, folder="a/"))
    ),
    "read share of all, own share of another folder": Case(
        user(), READS, (*share(Level.READ), *share(Level.OWN, folder="b/"))
    ),
    # Time.
    "own share with a second left": Case(user(), SHARES, share(Level.OWN, seconds=1)),
    "own share that ends now": Case(user(), NOTHING, share(Level.OWN, seconds=0)),
    "own share that has ended": Case(user(), NOTHING, share(Level.OWN, seconds=-1)),
    "own share that has ended, read share of everyone": Case(
        user(), READS, (*share(Level.OWN, seconds=-1), *share(Level.READ, EVERYONE_SHARE))
    ),
    # Roles.
    "owner": Case(user(OWNER), OWNS),
    "owner with a lower share": Case(user(OWNER), OWNS, share(Level.READ, EVERYONE_SHARE)),
    "root manager": Case(user(MANAGER), MANAGES),
    "root manager with a read share": Case(
        user(MANAGER), "rl. s....hrc sciCq .... ....", share(Level.READ, EVERYONE_SHARE)
    ),
    "operator": Case(user(OPERATOR), OPERATES),
    "operator of a node of their own": Case(user(OPERATOR), OPERATES, node=FOREIGN),
    "administrator": Case(user(admin=True), ADMINISTERS),
    "administrator, on somebody's node": Case(user(admin=True), ADMINISTERS_SERVICE_ONLY, node=FOREIGN),
    # Root types and who creates.
    "anybody in a public root": Case(user(), READS, root=replace(ROOT, type=RootType.PUBLIC)),
    "anybody in an unmanaged public root": Case(user(), READS, root=replace(ROOT, type=RootType.UNMANAGED_PUBLIC)),
    "own share of a folder in a public root": Case(
        user(), READS, share(Level.OWN, folder="b/"), root=replace(ROOT, type=RootType.PUBLIC)
    ),
    "readwrite share in a public root": Case(
        user(), WRITES, share(Level.READWRITE), root=replace(ROOT, type=RootType.PUBLIC)
    ),
    "everyone creates": Case(user(), CREATES, root=replace(ROOT, create_policy=CreatePolicy.EVERYONE)),
    "a named creator": Case(
        user(), CREATES, root=replace(ROOT, create_policy=CreatePolicy.USERS, creators=frozenset({USER}))
    ),
    "not a named creator": Case(
        user(), NOTHING, root=replace(ROOT, create_policy=CreatePolicy.USERS, creators=frozenset({OWNER}))
    ),
    "named once, and now nobody creates": Case(user(), NOTHING, root=replace(ROOT, creators=frozenset({USER}))),
    "nobody else creates in unmanaged roots": Case(
        user(), NOTHING, root=replace(ROOT, type=RootType.UNMANAGED_PRIVATE, create_policy=CreatePolicy.EVERYONE)
    ),
    "a manager of an unmanaged root": Case(
        user(MANAGER), MANAGES, root=replace(ROOT, type=RootType.UNMANAGED_PRIVATE)
    ),
    # A read-only node: nothing is written by anybody, everything else goes on.
    "owner on a read-only node": Case(user(OWNER), "rl. ssr..hrc ..... .... ....", node=READ_ONLY),
    "readwrite share on a read-only node": Case(user(), READS, share(Level.READWRITE), node=READ_ONLY),
    "own share on a read-only node": Case(
        user(), "rl. ss...... ..... .... ....", share(Level.OWN), node=READ_ONLY
    ),
    "operator of a read-only node": Case(user(OPERATOR), "... s....hrc sciCq scr. ....", node=READ_ONLY),
    # Narrowings take away, whoever it is.
    "owner, narrowed to reading": Case(user(OWNER, narrowing=to_reading), READS),
    "owner, narrowed to this and another": Case(user(OWNER, narrowing=to_this), OWNS),
    "owner, narrowed to another": Case(user(OWNER, narrowing=to_others), NOTHING),
    "owner, narrowed to no workspace": Case(user(OWNER, narrowing=to_nothing), NOTHING),
    "own share, narrowed to reading this": Case(
        user(narrowing=Narrowing(frozenset({7}), read_only=True)), READS, share(Level.OWN)
    ),
    "own share, narrowed to another": Case(user(narrowing=to_others), NOTHING, every_share),
    "root manager, narrowed to reading": Case(user(MANAGER, narrowing=to_reading), "... s....... s.... .... ...."),
    "operator, narrowed to reading": Case(user(OPERATOR, narrowing=to_reading), "... s....... s.... s... ...."),
    "operator, narrowed to this": Case(user(OPERATOR, narrowing=to_this), "... s....hrc ..... .... ...."),
    "administrator, narrowed to reading": Case(
        user(admin=True, narrowing=to_reading), "... s....... s.... s... ...A"
    ),
    "administrator, narrowed to another": Case(user(admin=True, narrowing=to_others), NOTHING),
    "anybody in a public root, narrowed to another": Case(
        user(narrowing=to_others), NOTHING, root=replace(ROOT, type=RootType.PUBLIC)
    ),
    # Disabled: nothing, through nothing.
    "disabled user with every share": Case(user(enabled=False), NOTHING, every_share),
    "disabled owner": Case(user(OWNER, enabled=False), NOTHING),
    "disabled root manager": Case(user(MANAGER, enabled=False), NOTHING),
    "disabled operator": Case(user(OPERATOR, enabled=False), NOTHING),
    "disabled administrator": Case(user(admin=True, enabled=False), NOTHING),
    "disabled user, public root": Case(user(enabled=False), NOTHING, root=replace(ROOT, type=RootType.PUBLIC)),
}


_ELSEWHERE = (Action.ADD_FOLDER, Action.CREATE_GROUP)
IN_TABLE = [action for action in Action if action.area != "group" and action not in _ELSEWHERE]


@pytest.mark.parametrize("name", TABLE)
def test_role_table(name: str) -> None:
    case = TABLE[name]
    cells = case.allowed.replace(" ", "")
    assert len(cells) == len(IN_TABLE)
    wrong = []
    for action, cell in zip(IN_TABLE, cells, strict=True):
        verdict = decide(case.caller, action, case.target(), NOW)
        if isinstance(verdict, Allowed) is not (cell != "."):
            wrong.append((action, verdict))
    assert wrong == []


def test_the_table_has_every_action_in_its_column() -> None:
    areas = [action.area for action in IN_TABLE]
    assert [areas.count(area) for area in ("data", "workspace", "root", "node", "service")] == [3, 8, 5, 4, 4]
    assert [len(group) for group in OPERATES.split(" ")] == [3, 8, 5, 4, 4]
    assert areas == sorted(areas, key=("data", "workspace", "root", "node", "service").index)


MEMBER, GROUP_MANAGER = 41, 42
GROUP_FACTS = GroupFacts(GROUP, frozenset({GROUP_MANAGER}))


def outsider(user_id: int = USER, *, enabled: bool = True, admin: bool = False) -> Caller:
    return Caller(user_id, enabled, admin, frozenset({7, 8}))


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        # see change leave create
        (outsider(), "...g"),
        (outsider(OPERATOR), "...g"),
        (user(MEMBER), "s.lg"),
        (user(GROUP_MANAGER), "sclg"),
        (outsider(admin=True), "sc.g"),
        (user(admin=True), "sclg"),
        (user(GROUP_MANAGER, narrowing=to_reading), "s..."),
        (replace(outsider(admin=True), narrowing=to_reading), "s..."),
        (user(GROUP_MANAGER, admin=True, narrowing=to_this), "...."),
        (user(GROUP_MANAGER, admin=True, enabled=False), "...."),
    ],
)
def test_groups(caller: Caller, allowed: str) -> None:
    target = Target(NODE, ROOT, WORKSPACE, "", every_share, GROUP_FACTS)
    actions = (Action.SEE_GROUP, Action.CHANGE_GROUP, Action.LEAVE_GROUP, Action.CREATE_GROUP)
    found = "".join(
        cell if decide(caller, action, target, NOW) else "." for action, cell in zip(actions, "sclg", strict=True)
    )
    assert found == allowed


def test_a_manager_of_one_group_is_none_of_another() -> None:
    other = GroupFacts(GROUP + 1, frozenset({MEMBER}))
    for action in (Action.SEE_GROUP, Action.CHANGE_GROUP):
        assert decide(user(GROUP_MANAGER), action, Target(group=other), NOW) == Denied("not_a_group_manager")
    assert decide(user(), Action.LEAVE_GROUP, Target(group=other), NOW) == Denied("not_a_member")


@pytest.mark.parametrize(
    ("service", "named", "others"),
    [
        (ServiceFacts(), False, False),
        (ServiceFacts(AddNodePolicy.NOBODY, frozenset({USER})), False, False),
        (ServiceFacts(AddNodePolicy.USERS), False, False),
        (ServiceFacts(AddNodePolicy.USERS, frozenset({USER})), True, False),
        (ServiceFacts(AddNodePolicy.EVERYONE), True, True),
    ],
)
def test_who_adds_nodes(service: ServiceFacts, named: bool, others: bool) -> None:
    """Servers: administrators and whom they let. Folders of the service's machine: administrators alone."""
    target = Target(service=service)
    assert bool(decide(user(), Action.ADD_NODE, target, NOW)) is named
    assert bool(decide(user(OWNER), Action.ADD_NODE, target, NOW)) is others
    assert decide(user(OWNER, admin=True), Action.ADD_NODE, target, NOW) == Allowed("administrator")
    for caller in (user(enabled=False), user(narrowing=to_reading), user(narrowing=to_this)):
        assert not decide(caller, Action.ADD_NODE, target, NOW)
    for action in (Action.ADD_FOLDER, Action.MANAGE_USERS, Action.CHANGE_SERVICE, Action.SEE_AUDIT):
        assert decide(user(), action, target, NOW) == Denied("not_an_administrator")
        assert decide(user(admin=True), action, target, NOW) == Allowed("administrator")


@pytest.mark.parametrize("action", Action)
def test_without_what_is_acted_on_nothing_is_allowed(action: Action) -> None:
    """Even to the administrator, but for what concerns the service itself."""
    verdict = decide(user(OPERATOR, admin=True), action, Target(), NOW)
    assert bool(verdict) is (action.area == "service")


def test_a_narrowing_to_workspaces_leaves_no_service_root_or_node() -> None:
    everybody = user(OPERATOR, admin=True, narrowing=to_this)
    for target in (Target(), Target(NODE), Target(NODE, ROOT), Target(NODE, ROOT, WORKSPACE)):
        for action in Action:
            if target.workspace is None or action.area not in ("data", "workspace"):
                assert decide(everybody, action, target, NOW) == Denied("narrowed_to_other_workspaces")


@pytest.mark.parametrize(
    ("name", "action", "reason"),
    [
        ("disabled owner", Action.READ_DATA, "user_disabled"),
        ("owner, narrowed to another", Action.READ_DATA, "narrowed_to_other_workspaces"),
        ("owner, narrowed to reading", Action.WRITE_DATA, "narrowed_to_reading"),
        ("owner on a read-only node", Action.WRITE_DATA, "node_is_read_only"),
        ("a stranger", Action.READ_DATA, "not_shared"),
        ("a stranger", Action.SEE_WORKSPACE, "not_shared"),
        ("read share", Action.WRITE_DATA, "level_too_low"),
        ("own share", Action.DELETE_WORKSPACE, "not_the_owner"),
        ("own share", Action.HAND_OVER_WORKSPACE, "not_the_owner"),
        ("a stranger", Action.CHANGE_ROOT, "not_a_root_manager"),
        ("a stranger", Action.CREATE_WORKSPACE, "not_a_creator"),
        ("nobody else creates in unmanaged roots", Action.CREATE_WORKSPACE, "root_is_unmanaged"),
        ("root manager", Action.CHANGE_NODE, "not_the_operator"),
        ("operator", Action.MANAGE_USERS, "not_an_administrator"),
        ("operator", Action.ADD_NODE, "not_a_node_adder"),
        ("operator", Action.SEE_GROUP, "no_group_here"),
    ],
)
def test_reasons(name: str, action: Action, reason: str) -> None:
    assert decide(TABLE[name].caller, action, TABLE[name].target(), NOW) == Denied(reason)


@pytest.mark.parametrize(
    ("name", "action", "through"),
    [
        ("owner", Action.WRITE_DATA, "owner"),
        ("own share", Action.READ_DATA, "share 1"),
        ("read share of a group", Action.SEE_WORKSPACE, "share 2"),
        ("read share of everyone", Action.LIST_DATA, "share 3"),
        ("anybody in a public root", Action.READ_DATA, "public root"),
        ("anybody in a public root", Action.SEE_WORKSPACE, "public root"),
        ("root manager", Action.SEE_WORKSPACE, "root manager"),
        ("operator", Action.CHANGE_NODE, "operator"),
        ("everyone creates", Action.CREATE_WORKSPACE, "everyone creates here"),
        ("a named creator", Action.CREATE_WORKSPACE, "named creator"),
        ("administrator", Action.SEE_AUDIT, "administrator"),
    ],
)
def test_through_what(name: str, action: Action, through: str) -> None:
    assert decide(TABLE[name].caller, action, TABLE[name].target(), NOW) == Allowed(through)


@pytest.mark.parametrize("action", [Action.READ_DATA, Action.WRITE_DATA])
def test_a_denial_tells_a_stranger_nothing_of_the_key_or_the_node(action: Action) -> None:
    """Reasons that are said to the caller (a narrowing, a read-only node) are for who would be allowed."""
    stranger = user(narrowing=to_reading)
    for node in (NODE, READ_ONLY):
        assert decide(stranger, action, Target(node, ROOT, WORKSPACE), NOW) == Denied("not_shared")


def test_what_counts_as_reading_changes_nothing() -> None:
    verbs = {action.value.partition(".")[2] for action in READING_ACTIONS}
    assert verbs == {"read", "list", "see", "see_audit"}
    assert {action for action in Action if action.value.partition(".")[2].startswith(("see", "read", "list"))} == (
        READING_ACTIONS
    )
    assert {Action.READ_DATA, Action.LIST_DATA, Action.WRITE_DATA} == DATA_ACTIONS
