"""From the facts of workspaces to the grants of subjects: what is written to servers that decide by themselves.

A subject is a user, a group, or everyone. A user's rights are what the user, the user's groups and everyone hold
together; that is how the permission core unites shares, and how such a server unites its policies. A test holds
the two together on random worlds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from workspacesio.domain.facts import ShareFacts
from workspacesio.domain.grants import Grant
from workspacesio.domain.vocabulary import Level, SubjectKind

Subject = tuple[SubjectKind, int]
"""Kind and id; everyone has the id 0."""

EVERYONE: Subject = (SubjectKind.EVERYONE, 0)


@dataclass(frozen=True, slots=True)
class PlacedWorkspace:
    """A workspace where it lies: `prefix` from the bucket's root, and what its root, node and shares say of it."""

    bucket: str
    prefix: str
    owner_id: int
    public: bool = False
    read_only: bool = False
    shares: tuple[ShareFacts, ...] = ()


def grants_by_subject(workspaces: Iterable[PlacedWorkspace], now: datetime) -> dict[Subject, list[Grant]]:
    """What each subject holds at `now`; who holds nothing is absent. Expired shares give nothing.

    A disabled user's grants are here too: the server's user is to be disabled, since those of groups would stay.
    """
    found: dict[Subject, list[Grant]] = {}
    for workspace in workspaces:
        for subject, grant in _grants(workspace, now):
            found.setdefault(subject, []).append(grant)
    return found


def _grants(workspace: PlacedWorkspace, now: datetime) -> Iterable[tuple[Subject, Grant]]:
    bucket, prefix, writable = workspace.bucket, workspace.prefix, not workspace.read_only
    yield (SubjectKind.USER, workspace.owner_id), Grant(bucket, prefix, writes=writable)
    if workspace.public:
        yield EVERYONE, Grant(bucket, prefix)
    for share in workspace.shares:
        if share.holds(now):
            writes = writable and share.level >= Level.READWRITE
            yield _subject(share), Grant(bucket, prefix + share.folder, writes, share.expires_at)


def _subject(share: ShareFacts) -> Subject:
    return share.subject_kind, share.subject_id or 0
