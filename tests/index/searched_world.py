"""Random worlds with objects, changed at random in database, storage and index; and what may be found in them.

What is expected comes from `domain.permissions.decide` and `domain.search_matching` alone, entry by entry.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, update

from database.worlds import (
    FOLDERS,
    GROUPS,
    NOW,
    USERS,
    UserRow,
    World,
    add_share,
    share_row,
)
from workspacesio.database import tables
from workspacesio.database.sessions import Database
from workspacesio.domain.facts import Narrowing, ShareFacts
from workspacesio.domain.permissions import decide
from workspacesio.domain.search_matching import EntryFields
from workspacesio.domain.vocabulary import Action, Level, RootType, SubjectKind
from workspacesio.index.asking import microseconds
from workspacesio.index.found import Found
from workspacesio.index.recording import Recorder
from workspacesio.services.actors import Actor

OBJECTS = (
    *("k", "Raw_k.TIF", "x", "x/k", "x/SampleReads.tif", "x/y/k", "x/y/raw.tar.gz", "x/y/z/deep.csv", "xy/k"),
    *("xy/x/k.csv", "%/k", "%/raw k.md", "X/k", "X/y/K.Tif", "x/", "x/y/", "é.txt", "日本/東京.jpg", "a*b?.txt"),
)
DELTAS = (
    timedelta(seconds=-1),
    timedelta(0),
    *(timedelta(**{unit: 1}) for unit in ("microseconds", "seconds", "days")),
)
TIMES = (timedelta(days=-800), timedelta(days=-40), timedelta(days=-3), timedelta(minutes=-1), timedelta(0))


def object_of(name: str, number: int, size: int, age: timedelta) -> Found:
    return Found(name, size, microseconds(NOW + age), f"{number:032x}", number)


@dataclass
class SearchedWorld:
    """`objects` is what storage holds, and the index after `settle`. `names`: of workspaces. `now` goes on."""

    world: World
    database: Database
    recorder: Recorder
    random: random.Random
    objects: dict[tuple[int, str], Found] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    now: datetime = NOW
    _folders: dict[tuple[int, str], int] = field(default_factory=dict)
    _number: int = 0

    def begin(self) -> None:
        with self.database.engine.begin() as connection:
            self.world.save(connection)
        self.names = {number: f"w{number}" for number in self.world.workspaces}
        for number in self.recorder.workspaces():
            self.recorder.drop_workspace(number)
        for workspace in self.world.workspaces:
            for path in self.random.sample(OBJECTS, self.random.randrange(len(OBJECTS))):
                self._put(workspace, path)
        self.recorder.commit()

    def change(self) -> None:
        if not self.world.workspaces:
            return
        changes = [self.write, self.write, self.remove, self.share, self.share, self.unshare, self.change_share]
        changes += [
            self.rename,
            self.hand_over,
            self.delete_workspace,
            self.join,
            self.change_root,
        ]
        self.random.choice(changes)()

    def write(self) -> None:
        workspace = self._any_workspace()
        for path in self.random.sample(OBJECTS, 3):
            self._put(workspace, path)

    def remove(self) -> None:
        workspace = self._any_workspace()
        if self.random.random() < 0.2:
            folder = self.random.choice(["", "x/", "x/y/", "xy/"])
            self.recorder.drop_folder(workspace, folder)
            gone = [place for place in self.objects if place[0] == workspace and place[1].startswith(folder)]
        else:
            gone = [place for place in self.objects if place[0] == workspace][:2]
            self.recorder.drop_many(workspace, [path for _, path in gone])
        for place in gone:
            del self.objects[place]

    def share(self) -> None:
        kind = self.random.choice(list(SubjectKind))
        subject = {
            SubjectKind.USER: self.random.choice(USERS),
            SubjectKind.GROUP: self.random.choice(GROUPS),
            SubjectKind.EVERYONE: None,
        }[kind]
        facts = ShareFacts(
            kind,
            subject,
            self.random.choice(list(Level)),
            self.random.choice(FOLDERS),
            self._expiry(),
        )
        number = add_share(self.world, self._any_workspace(), facts, max(self.world.shares, default=0) + 1)
        if number is not None:
            self._do(insert(tables.Share).values(share_row(number, self.world.shares[number])))

    def unshare(self) -> None:
        if self.world.shares:
            number = self.random.choice(sorted(self.world.shares))
            del self.world.shares[number]
            self._do(delete(tables.Share).where(tables.Share.id == number))

    def change_share(self) -> None:
        if self.world.shares:
            number = self.random.choice(sorted(self.world.shares))
            row = self.world.shares[number]
            facts = replace(row.facts, expires_at=self._expiry())
            self.world.shares[number] = replace(row, facts=facts)
            changed = update(tables.Share).where(tables.Share.id == number)
            self._do(changed.values(expires_at=facts.expires_at))

    def rename(self) -> None:
        workspace = self._any_workspace()
        self._number += 1
        self.names[workspace] = f"new{self._number}"
        self._change_workspace(workspace, name=self.names[workspace])

    def hand_over(self) -> None:
        workspace, owner = self._any_workspace(), self.random.choice(USERS)
        self.world.workspaces[workspace] = replace(self.world.workspaces[workspace], owner=owner)
        self._change_workspace(workspace, owner_id=owner)

    def delete_workspace(self) -> None:
        """The index may still hold what lay there."""
        workspace = self._any_workspace()
        if self.random.random() < 0.5 or len(self.world.workspaces) < 2:
            return
        for number, row in list(self.world.shares.items()):
            if row.workspace == workspace:
                del self.world.shares[number]
        del self.world.workspaces[workspace]
        self._do(delete(tables.Share).where(tables.Share.workspace_id == workspace))
        self._do(delete(tables.Workspace).where(tables.Workspace.id == workspace))
        if self.random.random() < 0.5:
            self.recorder.drop_workspace(workspace)

    def join(self) -> None:
        user, group = self.random.choice(USERS), self.random.choice(GROUPS)
        row = self.world.users[user]
        membership = tables.GroupMember.user_id == user, tables.GroupMember.group_id == group
        if group in row.groups:
            self._do(delete(tables.GroupMember).where(*membership))
        else:
            self._do(insert(tables.GroupMember).values(user_id=user, group_id=group, manager=False))
        self.world.users[user] = UserRow(row.enabled, row.administrator, row.groups ^ {group})

    def change_root(self) -> None:
        number = self.random.choice(sorted(self.world.roots))
        row = self.world.roots[number]
        facts = replace(row.facts, type=self.random.choice(list(RootType)))
        self.world.roots[number] = replace(row, facts=facts)
        self._do(update(tables.Root).where(tables.Root.id == number).values(type=facts.type.value))

    def pass_time(self) -> None:
        """Shares expire."""
        self.now += self.random.choice(DELTAS[1:])

    def _expiry(self) -> datetime | None:
        delta = self.random.choice([None, *DELTAS])
        return None if delta is None else self.now + delta

    def actor(self, user: int, narrowing: Narrowing) -> Actor:
        return Actor(self.world.caller(user, narrowing), f"user{user}")

    def readable(self, user: int, narrowing: Narrowing) -> dict[tuple[int, str], EntryFields]:
        caller = self.world.caller(user, narrowing)
        return {
            (workspace, path): self._fields(workspace, path, found)
            for (workspace, path), found in self.objects.items()
            if workspace in self.world.workspaces
            and decide(caller, Action.READ_DATA, self.world.target(workspace, path), self.now)
        }

    def sees(self, user: int, narrowing: Narrowing, workspace: int) -> bool:
        target = self.world.target(workspace)
        return bool(decide(self.world.caller(user, narrowing), Action.SEE_WORKSPACE, target, self.now))

    def reference(self, workspace: int) -> str:
        return f"user{self.world.workspaces[workspace].owner}/{self.names[workspace]}"

    def folder_number(self, workspace: int, folder: str) -> int:
        """Not the catalogue's: numbers for the reference alone."""
        return self._folders.setdefault((workspace, folder), len(self._folders) + 1)

    def _fields(self, workspace: int, path: str, found: Found) -> EntryFields:
        numbers = [self.folder_number(workspace, folder) for folder in folders_of(path)]
        return EntryFields(workspace, tuple(numbers), path, found.size, found.modified)

    def _put(self, workspace: int, path: str) -> None:
        self._number += 1
        size = self.random.choice([0, 1, 700, 1000, 5_000_000])
        found = object_of(path[path.rfind("/") + 1 :], self._number, size, self.random.choice(TIMES))
        self.recorder.put(workspace, path, found)
        self.objects[workspace, path] = found

    def _any_workspace(self) -> int:
        return self.random.choice(sorted(self.world.workspaces))

    def _change_workspace(self, number: int, **values: object) -> None:
        self._do(update(tables.Workspace).where(tables.Workspace.id == number).values(**values))

    def _do(self, *statements: object) -> None:
        with self.database.write() as session:
            for statement in statements:
                session.execute(statement)  # type: ignore[call-overload]


def folders_of(path: str) -> Iterable[str]:
    """'' first: the folders that hold the object."""
    yield ""
    for place, character in enumerate(path):
        if character == "/":
            yield path[: place + 1]
