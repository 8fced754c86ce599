"""What a decision is made of: the facts about the caller and about what is acted on, loaded beforehand.

Plain data without a rule of who may do what; `permissions` decides from it.
"""

from dataclasses import dataclass, field
from datetime import datetime

from workspacesio.domain.vocabulary import AddNodePolicy, CreatePolicy, Level, RootType, SubjectKind


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a credential or API key was cut down to. None means every workspace."""

    workspaces: frozenset[int] | None = None
    read_only: bool = False

    def within(self, other: "Narrowing") -> "Narrowing":
        """Both at once: a token that was made with a narrowed token takes away what either takes away."""
        if self.workspaces is None:
            workspaces = other.workspaces
        elif other.workspaces is None:
            workspaces = self.workspaces
        else:
            workspaces = self.workspaces & other.workspaces
        return Narrowing(workspaces, self.read_only or other.read_only)


UNNARROWED = Narrowing()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a user with the narrowing of what they signed in with."""

    user_id: int
    enabled: bool = True
    administrator: bool = False
    groups: frozenset[int] = frozenset()
    narrowing: Narrowing = UNNARROWED


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """`run_by_service`: the node belongs to the service itself, so administrators act as its operators."""

    node_id: int
    operator_id: int
    run_by_service: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class RootFacts:
    root_id: int
    type: RootType
    managers: frozenset[int] = frozenset()
    create_policy: CreatePolicy = CreatePolicy.EVERYONE
    creators: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """Who runs a group. Its members are known from the caller, who has their own groups."""

    group_id: int
    managers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """Settings of the service that give rights: who adds servers as nodes. Without them, administrators alone."""

    add_nodes: AddNodePolicy = AddNodePolicy.NOBODY
    node_adders: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    workspace_id: int
    owner_id: int


@dataclass(frozen=True, slots=True)
class ShareFacts:
    """A share of a folder ('' or 'a/b/', relative to the workspace) to a subject, until it expires."""

    subject_kind: SubjectKind
    subject_id: int | None
    level: Level
    folder: str = ""
    expires_at: datetime | None = None
    share_id: int = 0

    def concerns(self, caller: Caller) -> bool:
        if self.subject_kind is SubjectKind.EVERYONE:
            return True
        if self.subject_kind is SubjectKind.USER:
            return self.subject_id == caller.user_id
        return self.subject_id in caller.groups

    def holds(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at

    def covers(self, path: str) -> bool:
        """`path` begins with the share's folder (which ends in a slash) and doesn't climb out of it again.

        A driver keeps a path within its workspace, and knows nothing of a folder in it that alone is shared.
        """
        if not self.folder:
            return True
        return path.startswith(self.folder) and not (".." in path and ".." in path.split("/"))


@dataclass(frozen=True, slots=True)
class Target:
    """What is acted on, as far as the action's area needs it.

    `path` is relative to the workspace: a key, a listing's prefix, or a folder to be shared.
    `shares` are the shares on the workspace; those of other subjects do no harm.
    """

    node: NodeFacts | None = None
    root: RootFacts | None = None
    workspace: WorkspaceFacts | None = None
    path: str = ""
    shares: tuple[ShareFacts, ...] = field(default=())
    group: GroupFacts | None = None
    service: ServiceFacts = ServiceFacts()
