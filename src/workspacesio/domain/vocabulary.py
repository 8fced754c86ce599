"""The words of WorkspacesIO, as values.

Everything stored or sent uses the string of the member, so a member is never renamed without a migration.
"""

from enum import IntEnum, StrEnum


class Level(IntEnum):
    """What a share gives. Ordered: a level includes those below it."""

    READ = 1
    READWRITE = 2
    OWN = 3

    @property
    def word(self) -> str:
        """The word users type and read: `read`, `readwrite` or `own`."""
        return self.name.lower()

    @classmethod
    def from_word(cls, word: str) -> "Level":
        """Raises KeyError for any other word, and for these words in other letters."""
        return {level.word: level for level in cls}[word]


class RootType(StrEnum):
    """Public roots are readable by every signed-in user; unmanaged ones map data that was there before."""

    PUBLIC = "public"
    PRIVATE = "private"
    UNMANAGED_PUBLIC = "unmanaged-public"
    UNMANAGED_PRIVATE = "unmanaged-private"

    @property
    def is_public(self) -> bool:
        return self in (RootType.PUBLIC, RootType.UNMANAGED_PUBLIC)

    @property
    def is_managed(self) -> bool:
        return self in (RootType.PUBLIC, RootType.PRIVATE)


class SubjectKind(StrEnum):
    """Whom a share names."""

    USER = "user"
    GROUP = "group"
    EVERYONE = "everyone"


class NodeKind(StrEnum):
    """Where bytes are.

    `minio` is a server with a key that may administer it, `minio-plain` one with the key of a plain user.
    """

    FOLDER = "folder"
    MINIO = "minio"
    MINIO_PLAIN = "minio-plain"
    AWS = "aws"
    S3 = "s3"

    @property
    def keeps_policies(self) -> bool:
        """The server stores policies of our users, which are kept equal to their rights."""
        return self is NodeKind.MINIO

    @property
    def issues_sessions(self) -> bool:
        """The server issues keys whose rights are those of the moment, and nothing ends them before their time."""
        return self in (NodeKind.MINIO_PLAIN, NodeKind.AWS)


class FolderLayout(StrEnum):
    """A folder node is one bucket, or a folder whose sub-folders are buckets."""

    BUCKET = "bucket"
    BUCKETS = "buckets"


class CreatePolicy(StrEnum):
    """Who may create workspaces in a managed root, besides its managers."""

    EVERYONE = "everyone"
    USERS = "users"
    NOBODY = "nobody"


class AddNodePolicy(StrEnum):
    """Who may add servers as nodes, besides administrators."""

    EVERYONE = "everyone"
    USERS = "users"
    NOBODY = "nobody"


class IndexLevel(StrEnum):
    """What of a root's objects is searchable: nothing, what listings show, metadata too, the content too."""

    NONE = "none"
    NAMES = "names"
    METADATA = "metadata"
    CONTENT = "content"


class CrawlState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"


class CrawlReason(StrEnum):
    """Why a crawl was wanted. UNHEARD: changes may have been made that nobody told of."""

    REQUEST = "request"
    IMPORT = "import"
    CREATE = "create"
    SETTINGS = "settings"
    SCHEDULE = "schedule"
    UNHEARD = "unheard"


class Action(StrEnum):
    """Everything that can be decided, `area.verb`. The area says what the target must name."""

    # Data: a key or a prefix in a workspace.
    READ_DATA = "data.read"
    LIST_DATA = "data.list"
    WRITE_DATA = "data.write"

    # A workspace.
    SEE_WORKSPACE = "workspace.see"
    SHARE_WORKSPACE = "workspace.share"
    RENAME_WORKSPACE = "workspace.rename"
    MOVE_WORKSPACE = "workspace.move"
    DELETE_WORKSPACE = "workspace.delete"
    HAND_OVER_WORKSPACE = "workspace.hand_over"
    RELEASE_WORKSPACE = "workspace.release"
    CRAWL_WORKSPACE = "workspace.crawl"

    # A root.
    SEE_ROOT = "root.see"
    CREATE_WORKSPACE = "root.create_workspace"
    IMPORT_WORKSPACE = "root.import_workspace"
    CHANGE_ROOT = "root.change"
    SET_QUOTA = "root.set_quota"

    # A node.
    SEE_NODE = "node.see"
    CHANGE_NODE = "node.change"
    CREATE_ROOT = "node.create_root"
    MANAGE_BUCKETS = "node.manage_buckets"

    # A group.
    SEE_GROUP = "group.see"
    CHANGE_GROUP = "group.change"
    LEAVE_GROUP = "group.leave"

    # The service.
    ADD_NODE = "service.add_node"
    ADD_FOLDER = "service.add_folder"
    CREATE_GROUP = "service.create_group"
    MANAGE_USERS = "service.manage_users"
    CHANGE_SERVICE = "service.change"
    SEE_AUDIT = "service.see_audit"

    @property
    def area(self) -> str:
        return self.value.partition(".")[0]


DATA_ACTIONS = frozenset(action for action in Action if action.area == "data")

READING_ACTIONS = frozenset(
    {
        Action.READ_DATA,
        Action.LIST_DATA,
        Action.SEE_WORKSPACE,
        Action.SEE_ROOT,
        Action.SEE_NODE,
        Action.SEE_GROUP,
        Action.SEE_AUDIT,
    }
)
"""What a credential or API key that was narrowed to reading may still be used for."""
