"""The decision: may this caller do this, here, now?

    decide(caller, action, target, now) -> Allowed | Denied(reason)

A pure function of facts. Silence denies: every right comes from a row of the role table in the terminology
page, and nothing else gives one. The database has one SQL twin of the part that lists workspaces
(`database/visibility.py`); a property test holds the two together.

Order of the checks: the caller is enabled; the workspaces that the credential or API key was narrowed to; the
area of the action; and last what even an allowed caller can't do, with a key that was narrowed to reading or on a
node that is read-only. Those two reasons come last because they are said to the caller: who isn't allowed anyway
must not learn from them that something is there.
"""

from dataclasses import dataclass
from datetime import datetime

from workspacesio.domain.facts import Caller, Narrowing, NodeFacts, RootFacts, ServiceFacts, Target
from workspacesio.domain.vocabulary import READING_ACTIONS, Action, AddNodePolicy, CreatePolicy, Level


@dataclass(frozen=True, slots=True)
class Allowed:
    """`through` says what gave the right, for the answer to "who has access, and why".

    `folder` ('' or 'a/b/') is how far the right reaches around the path: '' is all of the workspace. A link in a
    shared folder that leads elsewhere in the workspace would widen the share, so drivers stay beneath it.
    """

    through: str
    folder: str = ""

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Denied:
    """`reason` is a stable word for logs, audit and the access report; callers see their transport's error."""

    reason: str

    def __bool__(self) -> bool:
        return False


Verdict = Allowed | Denied

_NEEDED_LEVEL = {
    Action.READ_DATA: Level.READ,
    Action.LIST_DATA: Level.READ,
    Action.WRITE_DATA: Level.READWRITE,
    Action.SHARE_WORKSPACE: Level.OWN,
}

_OWNER_ONLY = frozenset({Action.RENAME_WORKSPACE, Action.MOVE_WORKSPACE, Action.DELETE_WORKSPACE})
_OWNER_OR_MANAGER = frozenset({Action.HAND_OVER_WORKSPACE, Action.RELEASE_WORKSPACE, Action.CRAWL_WORKSPACE})

_CHANGES_BYTES = frozenset(
    {Action.WRITE_DATA, Action.MOVE_WORKSPACE, Action.DELETE_WORKSPACE, Action.MANAGE_BUCKETS}
)
"""What a read-only node refuses to everybody."""


def decide(caller: Caller, action: Action, target: Target, now: datetime) -> Verdict:
    """May `caller` do `action` on `target` at `now` (aware, UTC)? See the module's docstring."""
    if not caller.enabled:
        return Denied("user_disabled")
    if _is_outside(caller.narrowing, action, target):
        return Denied("narrowed_to_other_workspaces")
    verdict = _decide_in_area(caller, action, target, now)
    if isinstance(verdict, Denied):
        return verdict
    if caller.narrowing.read_only and action not in READING_ACTIONS:
        return Denied("narrowed_to_reading")
    if action in _CHANGES_BYTES and target.node is not None and target.node.read_only:
        return Denied("node_is_read_only")
    return verdict


def _decide_in_area(caller: Caller, action: Action, target: Target, now: datetime) -> Verdict:
    match action.area:
        case "data":
            return _decide_data(caller, action, target, now)
        case "workspace":
            return _decide_workspace(caller, action, target, now)
        case "root":
            return _decide_root(caller, action, target)
        case "node":
            return _decide_node(caller, target)
        case "group":
            return _decide_group(caller, action, target)
        case _:
            return _decide_service(caller, action, target.service)


def granted_level(caller: Caller, target: Target, now: datetime) -> tuple[Level, str] | None:
    """The highest level that `caller` holds on `target.path`, and through what; the narrowing is left aside.

    The owner holds OWN.
    """
    best: tuple[Level, str] | None = None
    if target.workspace is None:
        return None
    if target.workspace.owner_id == caller.user_id:
        return Level.OWN, "owner"
    if target.root is not None and target.root.type.is_public:
        best = Level.READ, "public root"
    for share in target.shares:
        if best is not None and share.level <= best[0]:
            continue
        if share.concerns(caller) and share.holds(now) and share.covers(target.path):
            best = share.level, f"share {share.share_id}"
    return best


def sharing_limit(caller: Caller, target: Target, now: datetime) -> tuple[Level, datetime | None, int | None]:
    """Up to what an allowed SHARE_WORKSPACE may give: level, latest expiry, and the share it rests on.

    The owner is not limited. Whoever shares on gives no longer than the longest share at `own` lasts.
    """
    if target.workspace is not None and target.workspace.owner_id == caller.user_id:
        return Level.OWN, None, None
    held = [
        share
        for share in target.shares
        if share.level is Level.OWN and share.concerns(caller) and share.holds(now) and share.covers(target.path)
    ]
    lasting = max(held, key=lambda share: (share.expires_at is None, share.expires_at or now), default=None)
    if lasting is None:
        raise ValueError("sharing_limit is asked only after the decision allowed sharing")
    return Level.OWN, lasting.expires_at, lasting.share_id


def is_operator(caller: Caller, node: NodeFacts | None) -> bool:
    """The operator of the node, or an administrator where the service itself runs it."""
    if node is None:
        return False
    return node.operator_id == caller.user_id or (node.run_by_service and caller.administrator)


def is_root_manager(caller: Caller, target: Target) -> bool:
    """A manager of the root, or whoever is an operator of its node."""
    if is_operator(caller, target.node):
        return True
    return target.root is not None and caller.user_id in target.root.managers


def _is_outside(narrowing: Narrowing, action: Action, target: Target) -> bool:
    """A key for some workspaces does nothing to roots, nodes or the service, whatever the target names besides."""
    if narrowing.workspaces is None:
        return False
    if action.area not in ("data", "workspace") or target.workspace is None:
        return True
    return target.workspace.workspace_id not in narrowing.workspaces


def _decide_data(caller: Caller, action: Action, target: Target, now: datetime) -> Verdict:
    if target.workspace is None:
        return Denied("no_workspace_here")
    return _decide_by_level(caller, action, target, now)


def _decide_by_level(caller: Caller, action: Action, target: Target, now: datetime) -> Verdict:
    held = granted_level(caller, target, now)
    if held is None:
        return Denied("not_shared")
    level, through = held
    needed = _NEEDED_LEVEL[action]
    if level < needed:
        return Denied("level_too_low")
    return Allowed(through, _reach(caller, target, needed, now))


def _reach(caller: Caller, target: Target, needed: Level, now: datetime) -> str:
    """The largest folder around the path on which the caller holds what is needed; '' is the whole workspace."""
    if target.workspace is not None and target.workspace.owner_id == caller.user_id:
        return ""
    if needed is Level.READ and target.root is not None and target.root.type.is_public:
        return ""
    return min(
        (
            share.folder
            for share in target.shares
            if share.level >= needed and share.concerns(caller) and share.holds(now) and share.covers(target.path)
        ),
        key=len,
    )


def _decide_workspace(caller: Caller, action: Action, target: Target, now: datetime) -> Verdict:
    if target.workspace is None:
        return Denied("no_workspace_here")
    if action is Action.SHARE_WORKSPACE:
        return _decide_by_level(caller, action, target, now)
    if target.workspace.owner_id == caller.user_id:
        return Allowed("owner")
    if action in _OWNER_ONLY:
        return Denied("not_the_owner")
    if is_root_manager(caller, target):
        return Allowed("root manager")
    if action in _OWNER_OR_MANAGER:
        return Denied("not_the_owner")
    return _decide_seeing(caller, target, now)


def _decide_seeing(caller: Caller, target: Target, now: datetime) -> Verdict:
    """A workspace is seen by whoever holds a share of any folder in it."""
    if target.root is not None and target.root.type.is_public:
        return Allowed("public root")
    for share in target.shares:
        if share.concerns(caller) and share.holds(now):
            return Allowed(f"share {share.share_id}")
    return Denied("not_shared")


def _decide_root(caller: Caller, action: Action, target: Target) -> Verdict:
    if target.root is None:
        return Denied("no_root_here")
    if is_root_manager(caller, target):
        return Allowed("root manager")
    if action in (Action.SEE_ROOT, Action.CREATE_WORKSPACE):
        return _decide_creating(caller, target.root)
    return Denied("not_a_root_manager")


def _decide_creating(caller: Caller, root: RootFacts) -> Verdict:
    if not root.type.is_managed:
        return Denied("root_is_unmanaged")
    if root.create_policy is CreatePolicy.EVERYONE:
        return Allowed("everyone creates here")
    if root.create_policy is CreatePolicy.USERS and caller.user_id in root.creators:
        return Allowed("named creator")
    return Denied("not_a_creator")


def _decide_node(caller: Caller, target: Target) -> Verdict:
    if target.node is None:
        return Denied("no_node_here")
    if is_operator(caller, target.node):
        return Allowed("operator")
    return Denied("not_the_operator")


def _decide_group(caller: Caller, action: Action, target: Target) -> Verdict:
    """Members see a group and may leave it; its managers and administrators see and change it."""
    group = target.group
    if group is None:
        return Denied("no_group_here")
    is_member = group.group_id in caller.groups
    if action is Action.LEAVE_GROUP:
        return Allowed("member") if is_member else Denied("not_a_member")
    if caller.user_id in group.managers:
        return Allowed("group manager")
    if caller.administrator:
        return Allowed("administrator")
    if action is Action.SEE_GROUP and is_member:
        return Allowed("member")
    return Denied("not_a_group_manager")


def _decide_service(caller: Caller, action: Action, service: ServiceFacts) -> Verdict:
    if action is Action.CREATE_GROUP:
        return Allowed("everyone creates groups")
    if caller.administrator:
        return Allowed("administrator")
    if action is Action.ADD_NODE:
        return _decide_adding_nodes(caller, service)
    return Denied("not_an_administrator")


def _decide_adding_nodes(caller: Caller, service: ServiceFacts) -> Verdict:
    if service.add_nodes is AddNodePolicy.EVERYONE:
        return Allowed("everyone adds nodes")
    if service.add_nodes is AddNodePolicy.USERS and caller.user_id in service.node_adders:
        return Allowed("named to add nodes")
    return Denied("not_a_node_adder")
