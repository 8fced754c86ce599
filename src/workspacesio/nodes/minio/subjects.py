"""One subject's state on the server: read it, make it what it shall be, read it again.

    converge(administration, wanted) -> Converged     raises NotTaken when the server shows something else

Rights are taken before others are given: first the server's users that shall not be, then groups, then policies.
A policy is written in place, in one step. Where there are several, they are written from the last to the first
when grants were added and from the first to the last when some went, so that what only moves from one to the next
is there all the time; nothing that was neither held before nor is held afterwards is ever there in between.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, field

from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.administration import Administration, normal_form
from workspacesio.nodes.minio.connection import RequestRefused

REMOVAL_ATTEMPTS = 5


class NotTaken(NodeDown):
    """What was written is not what the server shows."""


@dataclass(frozen=True, slots=True)
class SubjectState:
    """`exists`: the server's user or group of that name. `documents` by name, in normal form."""

    exists: bool
    enabled: bool
    attached: frozenset[str]
    groups: frozenset[str]
    documents: tuple[tuple[str, str], ...]

    def digest(self) -> str:
        parts = [
            self.exists,
            self.enabled,
            sorted(self.attached),
            sorted(self.groups),
            [list(one) for one in self.documents],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class WantedUser:
    """`secret` None: there shall be no user of this name, and no policies."""

    name: str
    secret: str | None = field(repr=False)
    groups: frozenset[str]
    documents: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WantedGroup:
    """`exists` False: there shall be no group of this name, and no policies."""

    name: str
    exists: bool
    documents: tuple[tuple[str, str], ...]


Wanted = WantedUser | WantedGroup


@dataclass(frozen=True, slots=True)
class Converged:
    """`found` is the state's digest before anything was written, `now` after it; whether a secret was set."""

    found: str
    now: str
    secret_set: bool = False


def converge(
    administration: Administration, wanted: Wanted, may_exist: frozenset[str], *, renew_secret: bool = False
) -> Converged:
    """`may_exist`: names of policies that earlier attempts may have left. `renew_secret`: set the user's again."""
    goal = _goal(wanted)
    looked_at = may_exist | {name for name, _ in wanted.documents}
    found = _read(administration, wanted, looked_at)
    has_secret = isinstance(wanted, WantedUser) and wanted.secret is not None
    if renew_secret and found.exists and isinstance(wanted, WantedUser) and wanted.secret is not None:
        administration.add_user(wanted.name, wanted.secret)
    if found == goal:
        return Converged(found.digest(), found.digest(), has_secret and renew_secret)
    if isinstance(wanted, WantedUser):
        _write_user(administration, wanted, found)
    else:
        _write_group(administration, wanted, found)
    now = _read(administration, wanted, looked_at)
    if now != goal:
        raise NotTaken("The server shows other rights than were written; they will be written again.")
    return Converged(found.digest(), now.digest(), has_secret and (renew_secret or not found.exists))


def remove_group(administration: Administration, name: str) -> None:
    """Its rights go first, then its members, as the server keeps a group that has any.

    Where one of the members is removed from the server at the same time, it refuses to take any of them out; so
    it is looked at again.
    """
    for left in reversed(range(REMOVAL_ATTEMPTS)):
        group = administration.group(name)
        if group is None:
            return
        administration.set_group_policies(name, [])
        if group.members:
            administration.remove_from_group(name, group.members)
        try:
            administration.remove_from_group(name, [])
        except RequestRefused as error:
            if error.code != "XMinioAdminGroupNotEmpty" or not left:
                raise


def remove_everything(administration: Administration, prefix: str) -> None:
    """All that is ours on the server, and nothing else. Raises NotTaken if something comes back."""
    found = administration.inventory(prefix)
    for name in sorted(found.users):
        administration.remove_user(name)
    for name in sorted(found.groups):
        remove_group(administration, name)
    for name in sorted(found.policies):
        administration.remove_policy(name)
    if administration.inventory(prefix):
        raise NotTaken("The server still shows users or policies of the node.")


def _goal(wanted: Wanted) -> SubjectState:
    documents = tuple((name, normal_form(document)) for name, document in wanted.documents)
    exists = wanted.exists if isinstance(wanted, WantedGroup) else wanted.secret is not None
    groups = wanted.groups if isinstance(wanted, WantedUser) and exists else frozenset()
    return SubjectState(exists, exists, frozenset(name for name, _ in documents), groups, documents)


def _read(administration: Administration, wanted: Wanted, looked_at: frozenset[str]) -> SubjectState:
    exists, enabled = False, False
    attached: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    if isinstance(wanted, WantedUser):
        user = administration.user(wanted.name)
        if user is not None:
            exists, enabled, attached, groups = True, user.enabled, user.policies, user.groups
    else:
        group = administration.group(wanted.name)
        if group is not None:
            exists, enabled, attached = True, group.enabled, group.policies
    documents = []
    for name in sorted(looked_at, key=_number):
        document = administration.policy(name)
        if document is not None:
            documents.append((name, document))
    return SubjectState(exists, enabled, attached, groups, tuple(documents))


def _write_user(administration: Administration, wanted: WantedUser, found: SubjectState) -> None:
    if wanted.secret is None:
        if found.exists:
            administration.remove_user(wanted.name)
        _remove_policies(administration, wanted, found)
        return
    for group in sorted(found.groups - wanted.groups):
        administration.remove_from_group(group, [wanted.name])
    _put_policies(administration, wanted, found)
    if not found.exists:
        administration.add_user(wanted.name, wanted.secret)
    elif not found.enabled:
        administration.enable_user(wanted.name)
    names = frozenset(name for name, _ in wanted.documents)
    if found.attached != names:
        administration.set_user_policies(wanted.name, names)
    for group in sorted(wanted.groups - found.groups):
        administration.add_to_group(group, [wanted.name])
    _remove_policies(administration, wanted, found)


def _write_group(administration: Administration, wanted: WantedGroup, found: SubjectState) -> None:
    if not wanted.exists:
        if found.exists:
            remove_group(administration, wanted.name)
        _remove_policies(administration, wanted, found)
        return
    _put_policies(administration, wanted, found)
    if not found.exists:
        administration.add_to_group(wanted.name, [])
    elif not found.enabled:
        administration.enable_group(wanted.name)
    names = frozenset(name for name, _ in wanted.documents)
    if found.attached != names:
        administration.set_group_policies(wanted.name, names)
    _remove_policies(administration, wanted, found)


def _put_policies(administration: Administration, wanted: Wanted, found: SubjectState) -> None:
    there = dict(found.documents)
    changed = [(name, document) for name, document in wanted.documents if there.get(name) != normal_form(document)]
    if _grants(dict(wanted.documents)) >= _grants(there):
        changed.reverse()
    for name, document in changed:
        administration.put_policy(name, document)


def _remove_policies(administration: Administration, wanted: Wanted, found: SubjectState) -> None:
    names = {name for name, _ in wanted.documents}
    for name, _ in found.documents:
        if name not in names:
            administration.remove_policy(name)


def _grants(documents: dict[str, str]) -> int:
    """How much is said, near enough to tell growing from shrinking."""
    return sum(len(normal_form(document)) for document in documents.values())


def _number(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("-")
    # Somebody may have made one that ends otherwise.
    return stem, int(number) if number.isdecimal() else sys.maxsize
