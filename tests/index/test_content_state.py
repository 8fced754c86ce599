"""What answers say of contents that were not read, and that nothing is found by what a root's level lacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from database.kinds import database_fixture
from database.worlds import NOW, RootRow, ShareRow, UserRow, WorkspaceRow, World
from index.asked_index import AskedIndex
from index.searched_world import object_of
from workspacesio.database.index_tables import RootIndexing
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.domain.errors import NotFound
from workspacesio.domain.facts import UNNARROWED, NodeFacts, RootFacts, ShareFacts
from workspacesio.domain.vocabulary import IndexLevel, Level, RootType, SubjectKind
from workspacesio.index.aggregating import Aggregates, By, aggregate
from workspacesio.index.catalogue_readings import ReadSoFar, write_readings
from workspacesio.index.engine import Sort
from workspacesio.index.extraction.protocol import Enrichment
from workspacesio.index.remembered import Remembered
from workspacesio.index.searching import SearchAnswer, search
from workspacesio.index.sizes import Sizes, sizes
from workspacesio.index.tantivy_engine import TantivyEngine
from workspacesio.services.actors import Actor
from workspacesio.services.keys import Keyring

database = database_fixture()

KEYRING = Keyring("a secret of tests that is long enough")
ADA, BOB = 1, 2
DATA, OTHER, HIDDEN = 1, 2, 3
"""ada's `data` and bob's `hidden` in root1, ada's `other` in root2; bob reads the folder `x/` of `data`."""


class Lab:
    def __init__(self, database: Database, index: AskedIndex) -> None:
        self.database, self.index = database, index
        self.world = World(
            {ADA: UserRow(), BOB: UserRow()},
            {1: NodeFacts(1, None)},
            {
                1: RootRow(1, "alpha", "one/", RootFacts(1, RootType.PRIVATE)),
                2: RootRow(1, "alpha", "two/", RootFacts(2, RootType.PRIVATE)),
            },
        )
        self.world.workspaces = {
            DATA: WorkspaceRow(1, "one/data/", ADA),
            OTHER: WorkspaceRow(2, "two/other/", ADA),
            HIDDEN: WorkspaceRow(1, "one/hidden/", BOB),
        }
        self.world.shares = {1: ShareRow(DATA, ShareFacts(SubjectKind.USER, BOB, Level.READ, "x/"))}
        with database.engine.begin() as connection:
            self.world.save(connection)
        for path in ("a.txt", "pic", "x/c.csv"):
            self.put(DATA, path)
        self.put(OTHER, "b.txt")

    def put(self, workspace: int, path: str) -> None:
        name = path.rpartition("/")[2]
        self.index.recorder.put(workspace, path, object_of(name, 10 + len(path), 10, timedelta(0)))
        self.index.recorder.commit()

    def read_all(self, workspace: int) -> None:
        """As the extraction does: `stage` in every object, which are pictures."""
        due = self.index.catalogue.due(workspace, current=[], after=None, limit=100)
        self.index.recorder.enrich(
            [
                (
                    one,
                    Enrichment(
                        entry_id=one.entry_id,
                        size=one.size,
                        modified=one.modified_us,
                        etag=one.etag,
                        looked="read",
                        content_type="image/png",
                        tags={"colour": "red"},
                        facts={"width": "640"},
                        text=f"an embryo stage of {one.name}",
                        problem="It is cut off.",
                    ),
                )
                for one in due
            ]
        )
        self.index.recorder.commit()

    def level(self, root: int, level: IndexLevel) -> None:
        with self.database.write() as session:
            row = session.get(RootIndexing, root)
            if row is None:
                session.execute(
                    insert(RootIndexing).values(
                        root_id=root,
                        level=level.value,
                        exclusions=[],
                        cross_filesystems=False,
                        content_read_bytes=0,
                    )
                )
            else:
                session.execute(update(RootIndexing).where(RootIndexing.root_id == root).values(level=level.value))

    def note(self, workspace: int, **changes: Any) -> None:
        """How far the extraction says it is: through everything, unless said otherwise."""
        number = self.index.catalogue.change_number()
        row = ReadSoFar(IndexLevel.CONTENT, IndexLevel.CONTENT, number, "s", False)._replace(**changes)
        self.index.recorder.change_rows(lambda statements: write_readings(statements, {workspace: row}, number))

    def search(self, user: int, text: str, **how: Any) -> SearchAnswer:
        self.index.remembered = Remembered()
        with self.database.read() as session:
            return search(
                session,
                index=self.index,
                keyring=KEYRING,
                actor=self._actor(user),
                text=text,
                now=NOW,
                **{"sort": Sort.PATH, "descending": False} | how,
            )

    def aggregate(self, user: int, text: str = "") -> Aggregates:
        with self.database.read() as session:
            return aggregate(session, index=self.index, actor=self._actor(user), text=text, by=[By.TYPE], now=NOW)

    def sizes(self, user: int, path: str, depth: int = 0) -> Sizes:
        """Of `data`."""
        self.index.remembered = Remembered()
        with self.database.read() as session:
            return sizes(
                session,
                index=self.index,
                actor=self._actor(user),
                workspace_id=DATA,
                path=path,
                depth=depth,
                now=NOW,
            )

    def _actor(self, user: int) -> Actor:
        return Actor(self.world.caller(user, UNNARROWED), f"user{user}")

    def paths(self, text: str, user: int = ADA) -> list[str]:
        return [one.path for one in self.search(user, text).results]

    def said(self, text: str, user: int = ADA) -> list[tuple[str, tuple[str, ...]]]:
        answer = self.search(user, text, limit=0)
        assert self.aggregate(user, text).incomplete[: len(answer.incomplete)] == answer.incomplete
        return [(note.code, note.roots) for note in answer.incomplete]

    def types(self, text: str = "") -> dict[str, int]:
        return {one.key: one.count for one in self.aggregate(ADA, text).facets[By.TYPE].buckets}


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Iterator[Lab]:
    numbers = iter(range(10))
    index = AskedIndex(
        sqlite_url(tmp_path / "catalogue.sqlite") if database.is_sqlite else database.url,
        lambda: TantivyEngine(tmp_path / f"engine-{next(numbers)}"),
    )
    yield Lab(database, index)
    index.close()


def test_a_level_that_is_too_low_is_said_where_it_matters(lab: Lab) -> None:
    assert lab.said("ext:txt name:a size:>1") == []
    assert lab.said("stage") == [("words_not_indexed", ("root1", "root2"))]
    assert lab.said("in:w2 type:image") == [("index_level_too_low", ("root2",))]
    assert lab.said("stage", BOB) == [("words_not_indexed", ("root1",))]
    lab.level(1, IndexLevel.METADATA)
    lab.note(DATA, held=IndexLevel.METADATA, looked=IndexLevel.METADATA)
    lab.note(HIDDEN, held=IndexLevel.METADATA, looked=IndexLevel.METADATA)
    assert lab.said("type:image") == [("index_level_too_low", ("root2",))]
    [note] = lab.search(ADA, "stage tag:a").incomplete
    assert note.sentence == (
        "Not indexed, as operators chose: facts of contents and words in contents of root root1; "
        "tags and words in contents of root root2."
    )
    lab.level(1, IndexLevel.NONE)
    assert lab.said("in:w1 stage") == [("not_indexed", ("root1",))]
    assert [note.code for note in lab.aggregate(ADA, "in:w2").incomplete] == []


def test_contents_that_are_not_read_are_said_until_they_are(lab: Lab) -> None:
    lab.level(1, IndexLevel.CONTENT)
    assert lab.said("in:w1 stage") == [("contents_unread", ("root1",))], "the worker hasn't looked yet"
    assert lab.said("in:w1 ext:txt") == []
    assert [note.code for note in lab.aggregate(ADA, "in:w1").incomplete] == ["contents_unread"]
    lab.note(DATA, looked=IndexLevel.NAMES, is_open=True)
    assert lab.said("in:w1 stage") == [("contents_unread", ("root1",))]
    lab.read_all(DATA)
    lab.note(DATA, is_open=True)
    assert lab.said("in:w1 stage") == [("contents_unread", ("root1",))]
    lab.note(DATA)
    assert lab.said("in:w1 stage") == []
    lab.put(DATA, "new.txt")
    assert lab.said("in:w1 stage") == [("contents_unread", ("root1",))], "it came later"
    lab.put(OTHER, "other.txt")
    lab.note(DATA)
    assert lab.said("in:w1 stage") == []


def test_nothing_is_said_of_what_lies_outside_of_a_shared_folder(lab: Lab) -> None:
    lab.level(1, IndexLevel.CONTENT)
    lab.read_all(DATA)
    for workspace in (DATA, HIDDEN):
        lab.note(workspace)
    before = lab.search(BOB, "stage")
    assert before.incomplete == ()
    lab.put(DATA, "y/new.txt")
    lab.put(DATA, "xy/new.txt")
    lab.put(DATA, "new.txt")
    assert lab.said("in:w1 stage") == [("contents_unread", ("root1",))]
    assert lab.search(BOB, "stage") == before
    lab.put(DATA, "x/z/new.txt")
    assert lab.said("stage", BOB) == [("contents_unread", ("root1",))]


@pytest.mark.parametrize("level", [IndexLevel.NAMES, IndexLevel.METADATA])
def test_what_was_lowered_is_found_by_name_alone_from_then_on(lab: Lab, level: IndexLevel) -> None:
    for root in (1, 2):
        lab.level(root, IndexLevel.CONTENT)
    for workspace in (DATA, OTHER):
        lab.read_all(workspace)
        lab.note(workspace)
    everything = ["a.txt", "b.txt", "pic", "x/c.csv"]
    for text in ("stage", '"embryo stage"', "type:image", "type:image/png", "tag:width=640", "tag:colour"):
        assert sorted(lab.paths(text)) == everything, text
    assert lab.types() == {"image": 4}

    lab.level(1, level)
    for text in ("stage", '"embryo stage"', "type:image", "type:image/png", "tag:width=640", "tag:colour"):
        assert lab.paths(text) == ["b.txt"], text
    assert sorted(lab.paths("-stage")) == ["a.txt", "pic", "x/c.csv"]
    assert sorted(lab.paths("stage or c")) == ["b.txt", "x/c.csv"]
    assert lab.paths("type:table") == ["x/c.csv"]
    assert (lab.paths("stage", BOB), lab.paths("c", BOB)) == ([], ["x/c.csv"])
    assert lab.types() == {"image": 1, "text": 1, "table": 1, "other": 1}
    assert lab.types("-stage") == {"text": 1, "table": 1, "other": 1}
    [hit] = lab.search(BOB, "csv stage or c", highlight=True).results
    assert (hit.content_type, hit.facts, hit.tags, hit.problem) == ("", {}, {}, "")
    assert [text for text, _ in hit.highlights] == ["x/c.csv"]
    [kept] = lab.search(ADA, "b stage", highlight=True).results
    assert (kept.content_type, kept.problem, len(kept.highlights)) == ("image/png", "It is cut off.", 2)


def test_what_was_lowered_is_said_to_be_unread_until_it_is_read_again(lab: Lab) -> None:
    lab.level(1, IndexLevel.CONTENT)
    lab.read_all(DATA)
    lab.note(DATA)
    assert lab.said("in:w1 type:image") == []
    lab.level(1, IndexLevel.METADATA)
    assert lab.paths("in:w1 type:image") == []
    assert lab.said("in:w1 type:image") == [("contents_unread", ("root1",))]
    assert lab.said("in:w1 ext:txt") == []
    lab.note(DATA, held=IndexLevel.METADATA, looked=IndexLevel.METADATA)
    assert len(lab.paths("in:w1 type:image")) == 3
    assert lab.said("in:w1 type:image") == []


def test_a_root_that_is_indexed_no_more_has_no_hits(lab: Lab) -> None:
    lab.level(1, IndexLevel.NONE)
    assert lab.paths("") == ["b.txt"]
    assert lab.search(ADA, "", limit=0).total == lab.aggregate(ADA).total == 1
    assert lab.search(BOB, "").total == 0


def test_of_a_root_that_is_indexed_no_more_nothing_is_summed_up(lab: Lab) -> None:
    assert [child.path for child in lab.sizes(ADA, "", depth=2).children] == ["x/"]
    lab.level(1, IndexLevel.NONE)
    answer = lab.sizes(ADA, "", depth=2)
    assert (answer.objects, answer.bytes, answer.children) == (0, 0, ())
    assert [note.code for note in answer.incomplete] == ["not_indexed"]
    for user, path in ((ADA, "x"), (ADA, "a.txt"), (BOB, "x")):
        with pytest.raises(NotFound):
            lab.sizes(user, path)
    assert lab.sizes(BOB, "").objects == 0
    lab.level(1, IndexLevel.NAMES)
    assert lab.sizes(ADA, "").objects == 3
