"""What may be called what: usernames, workspace names, object keys, prefixes and workspace references.

Names are data, never patterns. A name that is chosen here (user, workspace in a managed root, node, root)
is held to characters that every filesystem, S3 server and policy language can say exactly. A key that
exists already is taken as it is, or not served at all.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from workspacesio.domain.errors import Invalid

MAX_KEY_BYTES = 1024
"""Amazon S3 User Guide, "Naming Amazon S3 objects"."""

MAX_WORKSPACE_NAME_BYTES = 128

MAX_COMPONENT_BYTES = 255
"""NAME_MAX of Linux filesystems."""

MAX_WORKSPACE_NAME_BYTES = 128

STAGING_FOLDER = ".workspacesio"
"""The one folder that a node keeps among the data, at its root, for what is being written."""

SYSTEM_FOLDERS = frozenset(
    {
        STAGING_FOLDER,
        ".zfs",
        ".snapshot",
        ".snapshots",
        "@eaDir",
        "#recycle",
        "#snapshot",
        ".minio.sys",
        "lost+found",
        "$RECYCLE.BIN",
        "System Volume Information",
    }
)
"""Snapshots, recycle bins and server internals: absent at any depth, and never written."""

RESERVED_USERNAMES = frozenset({"everyone", "public", "private", "shared", "me", "admin-setup", "wio"})
"""`wio`: `wio:` says to `wio mc` that a workspace follows, and `wio:name` would be that user's."""

_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61}[a-z0-9])")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]{1,64}@[^@\s\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_PLAIN_KEY = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9_][A-Za-z0-9_.-]*+(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*+)*+/?")
"""Keys that need no closer look, as most are: no system folder, no '.' and no '..' begins so."""

_WORKSPACE_PUNCTUATION = frozenset(" .,_-+=@()&'!~")


def check_username(name: str) -> str:
    """Return `name`, or raise Invalid. Lower case because folders may fold case."""
    if not _USERNAME.fullmatch(name) or ".." in name or name in RESERVED_USERNAMES:
        raise Invalid(
            "A username has 1 to 63 of a-z, 0-9, '.', '_' and '-', begins and ends with a letter or digit, "
            "has no '..' and is not a reserved word.",
            code="invalid_username",
            details={"username": name},
        )
    return name


def check_email(email: str) -> str:
    """Return the address folded for comparison, or raise Invalid. Only the shape is checked."""
    folded = unicodedata.normalize("NFC", email.strip()).lower()
    if not _EMAIL.fullmatch(folded):
        raise Invalid("That is not an email address; give one like ada@example.org.", code="invalid_email")
    return folded


def check_service_name(name: str, kind: str) -> str:
    """Names of nodes, roots, groups and API keys. `kind` is the word for the message."""
    if not _SERVICE_NAME.fullmatch(name) or ".." in name:
        raise Invalid(
            f"A {kind} name has 1 to 63 letters, digits, '.', '_' and '-' and begins and ends "
            "with a letter or digit.",
            code="invalid_name",
            details={"name": name},
        )
    return name


def check_bucket(name: str) -> str:
    """Bucket names as S3 has them (3 to 63 of a-z, 0-9, '.', '-'); raises Invalid."""
    if not _BUCKET.fullmatch(name) or ".." in name:
        raise Invalid(
            "A bucket name has 3 to 63 of a-z, 0-9, '.' and '-' and begins and ends with a letter or digit.",
            code="invalid_bucket",
            details={"bucket": name},
        )
    return name


def workspace_name_problem(name: str) -> str | None:
    """Why `name` can't be a workspace's name, or None."""
    if not name:
        return "it is empty"
    if len(name.encode(errors="surrogatepass")) > MAX_WORKSPACE_NAME_BYTES:
        return f"it is longer than {MAX_WORKSPACE_NAME_BYTES} bytes"
    if unicodedata.normalize("NFC", name) != name:
        return "it is not in Unicode normal form NFC"
    if name[0] in " .-~@" or name[-1] in " .":
        return "it begins or ends with a character that tools trip over"
    for character in name:
        if character in _WORKSPACE_PUNCTUATION:
            continue
        if unicodedata.category(character)[0] not in "LNM":
            return f"it holds {character!r}"
    if name in SYSTEM_FOLDERS:
        return "it is the name of a system folder"
    return None


def check_workspace_name(name: str) -> str:
    """Return `name`, or raise Invalid with the reason."""
    problem = workspace_name_problem(name)
    if problem is not None:
        raise Invalid(
            f"A workspace can't be called {name!r}: {problem}. Letters, digits and . , _ - + = are safe.",
            code="invalid_workspace_name",
            details={"name": name},
        )
    return name


def workspace_name_from_folder(folder: str) -> str:
    """The nearest valid workspace name for a folder that is imported; the folder itself is never touched."""
    name = unicodedata.normalize("NFC", folder.rstrip("/").rpartition("/")[2])
    name = "".join(
        character if character in _WORKSPACE_PUNCTUATION or unicodedata.category(character)[0] in "LNM" else "_"
        for character in name
    )
    while len(name.encode()) > MAX_WORKSPACE_NAME_BYTES:
        name = name[:-1]
    name = name.lstrip(" .-~@").rstrip(" .")
    return name if workspace_name_problem(name) is None else "folder"


def numbered_name(wanted: str, taken: Collection[str]) -> str:
    """`wanted` if it is not among `taken`, else with -2, -3 and so on, shortened to a name's length."""
    number, candidate = 2, wanted
    while candidate in taken:
        suffix = f"-{number}"
        shortened = wanted
        while len((shortened + suffix).encode()) > MAX_WORKSPACE_NAME_BYTES:
            shortened = shortened[:-1]
        candidate = shortened + suffix
        number += 1
    return candidate


def key_problem(key: str) -> str | None:
    """Why `key` can't name a plain file, or None. One trailing slash (a folder's own entry) is allowed."""
    if _PLAIN_KEY.fullmatch(key):
        return None
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if not encoded:
        return "it is empty"
    if len(encoded) > MAX_KEY_BYTES:
        return f"it is longer than {MAX_KEY_BYTES} bytes"
    if "\0" in key:
        return "it holds a NUL"
    for component in key.removesuffix("/").split("/"):
        problem = _component_problem(component)
        if problem is not None:
            return problem
    return None


def _component_problem(component: str) -> str | None:
    if component == "":
        return "it has an empty folder name ('//' or a leading '/')"
    if component in (".", ".."):
        return f"it has {component!r} as a folder name"
    if len(component) > MAX_COMPONENT_BYTES // 4 and len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"a name in it is longer than {MAX_COMPONENT_BYTES} bytes"
    if component in SYSTEM_FOLDERS:
        return f"{component!r} is a system folder"
    return None


def check_prefix(prefix: str) -> str:
    """Return a root's, workspace's or share's prefix in its one spelling: '' or 'a/b/'. Raises Invalid."""
    spelled = prefix.strip("/")
    if not spelled:
        return ""
    problem = key_problem(spelled + "/")
    if problem is not None:
        raise Invalid(
            f"{prefix!r} can't be used as a folder: {problem}.",
            code="invalid_folder",
            details={"folder": prefix},
        )
    return spelled + "/"


def ancestors(key: str) -> list[str]:
    """Every prefix that could own `key`, longest first: 'a/b/c' gives ['a/b/', 'a/', '']."""
    found = []
    end = len(key)
    while (end := key.rfind("/", 0, end)) >= 0:
        found.append(key[: end + 1])
    found.append("")
    return found


@dataclass(frozen=True, slots=True)
class WorkspaceReference:
    """`[owner/]name[/path]` or `owner:name[/path]` as typed.

    Which reading holds is decided against what the caller can see. No username and no workspace's name holds a
    colon, so what is written with one has one reading.
    """

    text: str
    parts: tuple[str, ...]

    def readings(self) -> list[tuple[str | None, str, str]]:
        """The possible (owner, name, path) triples; path has no leading slash and keeps a trailing one."""
        owner, exact, name = self.parts[0].partition(":")
        if exact:
            return [(owner, name, self._path(1))]
        found: list[tuple[str | None, str, str]] = [(None, self.parts[0], self._path(1))]
        if len(self.parts) > 1 and self.parts[1]:
            found.append((self.parts[0], self.parts[1], self._path(2)))
        return found

    def _path(self, start: int) -> str:
        return "/".join(self.parts[start:])


def parse_reference(text: str) -> WorkspaceReference:
    """Split a workspace reference; raises Invalid when it names nothing, or no path that could be."""
    parts = tuple(text.split("/"))
    exact = parts[0].split(":")
    malformed = len(exact) > 2 or "" in exact or "\0" in text or "" in parts[1:-1]
    if malformed or not {".", ".."}.isdisjoint((*parts, *exact)):
        raise Invalid(
            f"{text!r} is not a workspace; write name/path, owner/name/path or owner:name/path.",
            code="invalid_reference",
        )
    return WorkspaceReference(text, parts)
