"""A catalogue with its recorder and engines, and what it should hold: a dict of all objects."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from workspacesio.index.catalogue import Catalogue
from workspacesio.index.engine import Engine, Entry
from workspacesio.index.engine_feed import EngineFeed, entries_of
from workspacesio.index.engine_upkeep import EngineUpkeep
from workspacesio.index.found import Found, Listing, parent_path, split_path
from workspacesio.index.recording import Recorder

Model = dict[tuple[int, str], Found]
"""By workspace and path."""

NAMES = ("a", "b", "ab", "a b", "é", "z.tif", "A", "a-b", "_%", "日本.csv", "\U0010ffff")
FOLDERS = ("x", "y", "xy", "x-", "é", "%")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Installed:
    """Makes engines by `new`; `kind` is the one that is wanted."""

    new: Callable[[], Engine]
    kind: str = "dict"
    engines: dict[int, Engine] = field(default_factory=dict)

    def __call__(self, kind: str, number: int) -> Engine | None:
        return self.engines.setdefault(number, self.new())


def open_recorder(
    catalogue: Catalogue, installed: Callable[[str, int], Engine | None], clock: Clock, *, fence: int = 0
) -> tuple[Recorder, EngineUpkeep]:
    recorder = Recorder(catalogue, [], fence=fence, clock=clock)
    upkeep = EngineUpkeep(recorder, installed, clock=clock)  # type: ignore[arg-type]
    upkeep.prepare()
    return recorder, upkeep


def settle(recorder: Recorder, upkeep: EngineUpkeep, clock: Clock) -> None:
    """Until nothing is left to be done."""
    recorder.commit()
    for _ in range(10_000):
        wait = upkeep.step()
        behind = any(feed.is_behind for feed in recorder.feeds)
        if wait and not behind:
            break
        clock.now += wait
    recorder.commit()


def serving(recorder: Recorder) -> EngineFeed:
    [feed] = [feed for feed in recorder.feeds if feed.state == "serving"]
    return feed


def catalogued(catalogue: Catalogue) -> Model:
    with catalogue.store.reading() as statements:
        folders = statements.rows("SELECT workspace_id, path FROM catalogue_folders WHERE own_objects > 0")
    return {
        (workspace_id, folder + found.name): found
        for workspace_id, folder in folders
        for found in catalogue.listing(workspace_id, folder)
    }


def all_entries(catalogue: Catalogue) -> dict[int, Entry]:
    """As an engine should hold them."""
    with catalogue.store.reading() as statements:
        ids = [row[0] for row in statements.rows("SELECT id FROM catalogue_folders ORDER BY id")]
        return {
            entry.id: entry
            for number in ids
            for entry in entries_of(statements, [number], None)  # type: ignore[arg-type]
        }


def check_sums(catalogue: Catalogue, model: Model) -> None:
    """Every folder's sums, and `sizes`, equal what adding up the model's objects gives."""
    own: dict[tuple[int, str], list[int]] = {}
    everything: dict[tuple[int, str], list[int]] = {}
    for (workspace_id, path), found in model.items():
        folder: str | None = split_path(path)[0]
        own.setdefault((workspace_id, str(folder)), []).append(found.size)
        while folder is not None:
            everything.setdefault((workspace_id, folder), []).append(found.size)
            folder = parent_path(folder)
    with catalogue.store.reading() as statements:
        rows = statements.rows(
            "SELECT workspace_id, path, own_objects, own_bytes, all_objects, all_bytes FROM catalogue_folders"
        )
    assert {(row[0], row[1]): row[2:] for row in rows if row[4]} == {
        place: (len(own.get(place, ())), sum(own.get(place, ())), len(sizes), sum(sizes))
        for place, sizes in everything.items()
    }
    assert {(row[0], row[1]) for row in rows} >= everything.keys()
    for workspace_id in {place[0] for place in everything}:
        for depth in (1, 2):
            assert {size.path: size[1:] for size in catalogue.sizes(workspace_id, "", depth)} == {
                path: (len(sizes), sum(sizes))
                for (owner, path), sizes in everything.items()
                if owner == workspace_id and path and path.count("/") <= depth
            }


class Random:
    """Random changes, the same to the recorder and to the model; to the model alone where there is no recorder."""

    def __init__(self, seed: int, *, recorder: Recorder | None, model: Model) -> None:
        self.random = random.Random(seed)
        self.recorder = recorder
        self.model = model

    def folder(self) -> str:
        return "".join(self.random.choice(FOLDERS) + "/" for _ in range(self.random.randrange(4)))

    def object(self, name: str) -> Found:
        number = self.random.randrange(1, 1 << 40)
        etag = self.random.choice([f"{number:032x}", f"{number:032x}-3", f'"odd" {number}', f"{number:032X}", ""])
        return Found(name, number % 1000, number, etag, self.random.choice([0, number, -number]))

    def change(self) -> None:
        changes = [self.put, self.put, self.drop, self.sync, self.sync, self.sync_stretch, self.drop_folder]
        self.random.choice(changes)()

    def put(self) -> None:
        workspace = self.random.choice([1, 2])
        objects = []
        for _ in range(self.random.randrange(1, 4)):
            name = self.random.choice(NAMES)
            path = self.folder() + name
            found = self.model.get((workspace, path)) if self.random.random() < 0.2 else None
            found = found or self.object(name)
            objects.append((path, found))
            self.model[workspace, path] = found
        if self.recorder is not None:
            self.recorder.put_many(workspace, objects)

    def drop(self) -> None:
        paths = [self.folder() + self.random.choice(NAMES) for _ in range(2)]
        if self.model:
            paths.append(self.random.choice(sorted(self.model))[1])
        workspace = self.random.choice([1, 2])
        for path in paths:
            self.model.pop((workspace, path), None)
        if self.recorder is not None:
            self.recorder.drop_many(workspace, paths)

    def drop_folder(self) -> None:
        workspace, path = self.random.choice([1, 2]), self.folder()
        if path == "" and self.random.random() < 0.7:
            return
        self._forget(workspace, path)
        if self.recorder is not None:
            self.recorder.drop_folder(workspace, path)

    def sync(self) -> None:
        workspace, path = self.random.choice([1, 2]), self.folder()
        self._sync(workspace, path, None, None)

    def sync_stretch(self) -> None:
        first, last = sorted(self.random.sample(NAMES, 2))
        one = self.random.choice([None, first])
        self._sync(self.random.choice([1, 2]), self.folder(), one, self.random.choice([None, last]))

    def _sync(self, workspace: int, path: str, first: str | None, last: str | None) -> None:
        """Some objects stay as they are, with or without their etag, others come, change or go; so do folders."""

        def within(name: str) -> bool:
            return (first is None or name > first) and (last is None or name <= last)

        found: dict[str, Found] = {}
        for name in self.random.sample(NAMES, self.random.randrange(len(NAMES))):
            if not within(name):
                continue
            now = self.model.get((workspace, path + name))
            if now is None or self.random.random() < 0.3:
                now = self.object(name)
            found[name] = now
        named = sorted({name for name in FOLDERS if within(name) and self.random.random() < 0.7})
        told = [
            item._replace(etag="") if self._is_recorded(workspace, path, item) else item
            for _, item in sorted(found.items())
        ]
        if self.recorder is not None:
            since = self.recorder.mark()
            self.recorder.sync_folders([Listing(workspace, path, told, named, since, first, last)])
        for owner, one in list(self.model):
            if owner != workspace or not one.startswith(path):
                continue
            name, slash, _ = one[len(path) :].partition("/")
            if within(name) and (name not in named if slash else name not in found):
                del self.model[owner, one]
        for name, item in found.items():
            self.model[workspace, path + name] = item

    def _is_recorded(self, workspace: int, path: str, item: Found) -> bool:
        """A crawler then doesn't look for its etag."""
        return bool(item.stamp) and self.model.get((workspace, path + item.name)) == item

    def _forget(self, workspace: int, path: str) -> None:
        for owner, one in list(self.model):
            if owner == workspace and one.startswith(path):
                del self.model[owner, one]
