"""Every command of `wio`: the words typed, where its code is, and one line for the overview.

A command lives in a module of this package as a function `run(arguments) -> exit status or None`, with
`NAME_arguments(parser)` beside it that declares what it takes. Modules are imported only when their command is
typed, so this table imports nothing.
"""

from __future__ import annotations

# words: (module, function, summary). `mc` takes everything after it as it is.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "register": ("account_commands", "register", "make a user account on a server and sign in"),
    "login": ("account_commands", "login", "sign in: wio login https://HOST EMAIL"),
    "logout": ("account_commands", "logout", "sign out and forget everything kept for this server"),
    "whoami": ("account_commands", "whoami", "who is signed in, and where"),
    "passwd": ("account_commands", "passwd", "change your password"),
    "ls": ("listing_commands", "ls", "list every workspace that you can reach, or what lies in one"),
    "workspace create": ("workspace_commands", "create", "make a workspace"),
    "workspace ls": ("workspace_commands", "listing", "list workspaces: yours, shared with you, public"),
    "workspace show": ("workspace_commands", "show", "what a workspace is, where it lies and who reaches it"),
    "workspace rename": ("workspace_commands", "rename", "give a workspace another name; no byte moves"),
    "workspace hand-over": ("workspace_commands", "hand_over", "make another user the owner"),
    "workspace release": ("workspace_commands", "release", "let go of an imported workspace, touching no file"),
    "workspace delete": ("workspace_commands", "delete", "delete a workspace"),
    "workspace share": ("share_commands", "share", "give a user, a group or everyone access"),
    "workspace unshare": ("share_commands", "unshare", "take access back, at once"),
    "workspace shares": ("share_commands", "shares", "list who has access and through what"),
    "cp": ("copy_commands", "cp", "copy files and objects: up, down, between workspaces"),
    "mv": ("copy_commands", "mv", "as cp, and remove each where it was"),
    "sync": ("sync_commands", "sync", "make one folder like another: only what differs is copied"),
    "diff": ("sync_commands", "diff", "what differs between two folders"),
    "pipe": ("pipe_command", "pipe", "make an object of standard input"),
    "watch": ("watch_command", "watch", "what happens to objects, as it happens"),
    "rm": ("removing_commands", "rm", "delete objects"),
    "cat": ("reading_commands", "cat", "print objects"),
    "head": ("reading_commands", "head", "print the beginning of objects"),
    "tree": ("listing_commands", "tree", "folders and objects of a workspace as a tree"),
    "find": ("listing_commands", "find", "objects by name, size and time, as they are stored now"),
    "stat": ("listing_commands", "stat", "everything that is stored with an object"),
    "search": ("search_command", "search", "find what you may read: by name, path, type, size, time, content"),
    "du": ("du_command", "du", "bytes and objects of a workspace or folder, at once"),
    "mc": ("mc_command", "mc", "ls mv cp rm diff cat tree head mirror watch find stat du pipe"),
    "token": ("credential_commands", "token", "short-lived S3 credentials for any S3 client"),
    "config": ("config_command", "config", "settings for aws, rclone, duckdb, mc and s3cmd"),
    "exec": ("exec_command", "execute", "run a command with S3 credentials that it can renew"),
    "presign": ("credential_commands", "presign", "a link to one object for somebody without an account"),
    "path": ("credential_commands", "path", "the s3:// address of a path in a workspace"),
    "credential ls": ("credential_commands", "listing", "list your credentials that are still valid"),
    "credential revoke": ("credential_commands", "revoke", "end a credential before its time"),
    "api-key create": ("api_key_commands", "create", "make a key for scripts that sign in as you"),
    "api-key ls": ("api_key_commands", "listing", "list your API keys"),
    "api-key revoke": ("api_key_commands", "revoke", "end an API key, at once"),
    "user ls": ("user_commands", "listing", "list users"),
    "user invite": ("user_commands", "invite", "invite people by email address"),
    "user disable": ("user_commands", "disable", "refuse everything that a user asks for, at once"),
    "user enable": ("user_commands", "enable", "undo `wio user disable`"),
    "user reset-password": ("user_commands", "reset_password", "a one-time token for a forgotten password"),
    "user administrator": ("user_commands", "administrator", "make a user an administrator, or no longer"),
    "user registration": ("user_commands", "registration", "who may register: open, by invitation or closed"),
    "group create": ("group_commands", "create", "make a group of users, to share with"),
    "group delete": ("group_commands", "delete", "delete a group, with every share that was given to it"),
    "group add": ("group_commands", "add", "take users into a group, or name managers"),
    "group remove": ("group_commands", "remove", "take users out of a group, at once; or leave it"),
    "group ls": ("group_commands", "listing", "list your groups"),
    "group show": ("group_commands", "show", "who belongs to a group and who manages it"),
    "node adders": ("node_adders_command", "adders", "who may add servers as nodes besides administrators"),
    "node add folder": ("node_commands", "add_folder", "serve a folder of the server's machine"),
    "node add minio": ("node_commands", "add_minio", "manage rights on a MinIO server that people reach directly"),
    "node add aws": ("node_commands", "add_aws", "manage rights on AWS S3, by sessions of a role"),
    "node ls": ("node_commands", "listing", "list nodes"),
    "node show": ("node_commands", "show", "what a node is, its roots and its state"),
    "node set": ("node_commands", "change", "change what a folder takes and serves, or a server's keys"),
    "node events": ("node_events_command", "events", "let a MinIO server tell of changes: wio mc watch, events"),
    "node rm": ("node_commands", "remove", "stop serving a node; its files stay"),
    "root create": ("root_commands", "create", "manage a bucket and prefix of a node"),
    "root ls": ("root_commands", "listing", "list roots"),
    "root show": ("root_commands", "show", "what a root is and who manages it"),
    "root set": ("root_commands", "change", "change who creates workspaces or manages, and what is indexed"),
    "root import": ("import_command", "import_folders", "turn folders that are there into workspaces"),
    "root rm": ("root_commands", "remove", "stop managing a root; its files stay"),
    "crawl start": ("crawl_commands", "start", "make the index true again, of a root or a workspace"),
    "crawl status": ("crawl_commands", "status", "how far crawls are, and how they ended"),
    "crawl pause": ("crawl_commands", "pause", "stop a crawl where it is"),
    "crawl resume": ("crawl_commands", "resume", "let a paused crawl go on where it is"),
    "index status": ("index_commands", "status", "whether the index is complete, and how far it is behind"),
    "index rebuild": ("index_commands", "rebuild", "build the index again beside the one that serves"),
    "index verify": ("index_commands", "verify", "compare the index with what storage holds"),
    "audit": ("audit_command", "audit", "what was done, by whom and when"),
    "serve": ("server_commands", "serve", "run the service on this machine"),
    "admin setup-token": ("server_commands", "admin", "on the server: print the first administrator's token"),
    "completion": ("completion", "completion", "print the shell's completion script"),
}

SHORT_FORMS: dict[str, str] = {
    "w": "workspace",
    "create": "workspace create",
    "share": "workspace share",
    "unshare": "workspace unshare",
    "shares": "workspace shares",
}

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Signing in", ("register", "login", "logout", "whoami", "passwd", "api-key")),
    ("Workspaces", ("ls", "workspace", "group")),
    ("Files", ("cp", "mv", "sync", "diff", "pipe", "cat", "head", "tree", "find", "stat", "watch", "rm", "mc")),
    ("Finding", ("search", "du")),
    ("Other tools", ("token", "config", "exec", "presign", "path", "credential")),
    ("Running a service", ("user", "node", "root", "crawl", "index", "audit", "serve", "admin")),
    ("Shell", ("completion",)),
)


def find(argv: list[str]) -> tuple[str, list[str]]:
    """The command that `argv` begins with and the arguments after it; the command is "" where none is named.

    A group such as `workspace` typed without one of its commands is returned as it is.
    """
    if not argv:
        return "", []
    typed = SHORT_FORMS.get(argv[0], argv[0]).split(" ") + argv[1:]
    for count in (3, 2, 1):
        words = " ".join(typed[:count])
        if words in COMMANDS:
            return words, typed[count:]
    for count in (2, 1):
        words = " ".join(typed[:count])
        if members(words):
            return words, typed[count:]
    return "", argv


def members(group: str) -> list[str]:
    """The commands of a group, in their order; empty for what is no group."""
    return [words for words in COMMANDS if words.startswith(group + " ")]
