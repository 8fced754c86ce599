"""What the extraction tells whoever searches: which workspaces are read through, and of which more may be held.

Before anything is read of a workspace it is written down that this may be held; that it is read through, or that
no more than its level is held, only when the engine has it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from workspacesio.domain.search_levels import is_below
from workspacesio.domain.vocabulary import IndexLevel
from workspacesio.index.catalogue_readings import ReadSoFar, load_readings, write_readings
from workspacesio.index.recording import Recorder

NOTHING_MORE = IndexLevel.NAMES


class Aim(NamedTuple):
    """Of one walk: the level that its root has, and the stamps of what was looked at."""

    level: IndexLevel
    stamps: str


def aim_of(level: IndexLevel, current: Iterable[str]) -> Aim:
    known = level if is_below(NOTHING_MORE, level) else NOTHING_MORE
    return Aim(known, blake2b("\n".join(sorted(current)).encode(), digest_size=8).hexdigest())


class WrittenReadings:
    """For one thread. Methods raise Unavailable and LeaseLost."""

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = time.time) -> None:
        self._recorder = recorder
        self._clock = clock
        held = load_readings(recorder.catalogue.store)
        self.through = held.through
        self._rows = held.rows
        self._settled: dict[int, ReadSoFar | None] = {}
        self._changed_at: dict[int, int] = {}
        """Since its walk began: when a workspace was first found changed."""

    def begin(
        self, through: int, walked: Mapping[int, Aim], changed: Collection[int], existing: Collection[int]
    ) -> None:
        """Walks begin, of all that changed up to `through` but what is open already."""
        now = self._now()
        news: dict[int, ReadSoFar | None] = dict.fromkeys(self._rows.keys() - set(existing))
        for workspace_id, aim in walked.items():
            row = self._rows.get(workspace_id)
            begun = _begun(row, aim, now, changed=workspace_id in changed)
            self._changed_at.pop(workspace_id, None)
            if begun != row:
                news[workspace_id] = begun
            self._settled.pop(workspace_id, None)
        for workspace_id in changed:
            self._settled.pop(workspace_id, None)
            row = self._rows.get(workspace_id)
            if workspace_id not in walked:
                self._changed_at.setdefault(workspace_id, now)
            if workspace_id not in walked and workspace_id not in news and row is not None:
                news[workspace_id] = row._replace(is_open=True, unread_since=row.unread_since or now)
        self._write(news, through if self._rows or news else None)

    def settle(self, workspace_id: int, aim: Aim, through: int, *, whole: bool, again: bool) -> None:
        """A walk has ended. `whole`: nothing was left out; `again`: something has changed since it began."""
        if aim.level is NOTHING_MORE:
            if workspace_id in self._rows:
                self._settled[workspace_id] = None
            return
        looked = aim.level if whole else NOTHING_MORE
        changed_at = self._changed_at.get(workspace_id, self._now()) if again else None
        before = None if whole else self._rows.get(workspace_id)
        unread = changed_at if before is None else before.unread_since
        self._settled[workspace_id] = ReadSoFar(aim.level, looked, through, aim.stamps, again, unread)

    def forget(self) -> None:
        """What was settled and not yet written may be lost."""
        self._settled.clear()

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)

    @property
    def has_settled(self) -> bool:
        return bool(self._settled)

    def write_settled(self) -> None:
        """When readers find what was recorded."""
        settled, self._settled = self._settled, {}
        self._write({number: row for number, row in settled.items() if self._rows.get(number) != row}, None)

    def _write(self, news: Mapping[int, ReadSoFar | None], through: int | None) -> None:
        if through == self.through:
            through = None
        if not news and through is None:
            return
        recorder = self._recorder
        with recorder.lock:
            recorder.flush()
            recorder.change_rows(lambda statements: write_readings(statements, news, through))
        self.through = self.through if through is None else through
        for number, row in news.items():
            if row is None:
                self._rows.pop(number, None)
            else:
                self._rows[number] = row


def _begun(row: ReadSoFar | None, aim: Aim, now: int, *, changed: bool) -> ReadSoFar | None:
    if row is None:
        if aim.level is NOTHING_MORE:
            return None
        return ReadSoFar(aim.level, NOTHING_MORE, 0, aim.stamps, is_open=True, unread_since=now)
    held = row.held if is_below(aim.level, row.held) else aim.level
    if (row.looked, row.stamps) != aim:
        since = row.unread_since or now
        return ReadSoFar(held, NOTHING_MORE, 0, aim.stamps, is_open=True, unread_since=since)
    if changed:
        row = row._replace(is_open=True, unread_since=row.unread_since or now)
    return row._replace(held=held)
