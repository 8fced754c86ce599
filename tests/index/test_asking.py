"""What belongs to a question besides its hits: names, notes, cursors, what is missing, and what is remembered."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from database.kinds import database_fixture
from database.worlds import NOW, RootRow, ShareRow, UserRow, WorkspaceRow, World, share_row
from index.asked_index import AskedIndex
from index.reference_engine import ReferenceEngine
from index.searched_world import object_of
from workspacesio.database import tables
from workspacesio.database.index_tables import Crawl, IndexLease, RootIndexing
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.domain.errors import Ambiguous, Invalid, NotFound, Unavailable, WorkspacesIOError
from workspacesio.domain.facts import UNNARROWED, Narrowing, NodeFacts, RootFacts, ShareFacts
from workspacesio.domain.vocabulary import CrawlState, Level, RootType, SubjectKind
from workspacesio.index import remembered
from workspacesio.index.aggregating import Aggregates, By, aggregate
from workspacesio.index.engine import Sort
from workspacesio.index.notes import Note
from workspacesio.index.remembered import Remembered
from workspacesio.index.searching import SearchAnswer, search
from workspacesio.index.sizes import Sizes, sizes
from workspacesio.services.actors import Actor
from workspacesio.services.keys import Keyring

database = database_fixture("sqlite")

KEYRING = Keyring("a secret of tests that is long enough")
ADA, BOB, CAROL = 1, 2, 3
DATA, NOTES, HIDDEN = 1, 2, 3


class Lab:
    """ada's `data` (1; bob has its folder `x/`, carol all of it), bob's public `notes` (2), his `hidden` (3)."""

    def __init__(self, database: Database, index: AskedIndex) -> None:
        self.database = database
        self.index = index
        self.now = NOW
        self.world = World(
            {ADA: UserRow(), BOB: UserRow(), CAROL: UserRow()},
            {1: NodeFacts(1, CAROL)},
            {
                1: RootRow(1, "alpha", "private/", RootFacts(1, RootType.PRIVATE)),
                2: RootRow(1, "alpha", "public/", RootFacts(2, RootType.PUBLIC)),
            },
        )
        self.world.workspaces = {
            DATA: WorkspaceRow(1, "private/data/", ADA),
            NOTES: WorkspaceRow(2, "public/notes/", BOB),
            HIDDEN: WorkspaceRow(1, "private/hidden/", BOB),
        }
        self.world.shares = {
            1: ShareRow(DATA, ShareFacts(SubjectKind.USER, BOB, Level.READ, "x/")),
            2: ShareRow(DATA, ShareFacts(SubjectKind.USER, CAROL, Level.READ, "", NOW + timedelta(days=1))),
        }
        with database.engine.begin() as connection:
            self.world.save(connection)
        for workspace, path in (
            *((DATA, path) for path in ("a.txt", "b.tif", "x/c.txt", "x/y/d.csv", "z/e.csv")),
            *((NOTES, path) for path in ("f.md", "g/h.md")),
            (HIDDEN, "secret.txt"),
        ):
            self.put(workspace, path)
        index.recorder.commit()

    def put(self, workspace: int, path: str) -> None:
        name = path.rpartition("/")[2]
        self.index.recorder.put(
            workspace, path, object_of(name, 10 + len(path), len(path), timedelta(days=-len(path)))
        )

    def do(self, statement: Any) -> None:
        with self.database.write() as session:
            session.execute(statement)

    def actor(self, user: int, narrowing: Narrowing = UNNARROWED) -> Actor:
        return Actor(self.world.caller(user, narrowing), f"user{user}")

    def search(self, user: int, text: str = "", narrowing: Narrowing = UNNARROWED, **how: Any) -> SearchAnswer:
        with self.database.read() as session:
            return search(
                session,
                index=self.index,
                keyring=KEYRING,
                actor=self.actor(user, narrowing),
                text=text,
                now=self.now,
                **{"sort": Sort.PATH, "descending": False} | how,
            )

    def paths(self, user: int, text: str = "", **how: Any) -> list[str]:
        return [one.path for one in self.search(user, text, **how).results]

    def aggregate(self, user: int, text: str = "", **how: Any) -> Aggregates:
        with self.database.read() as session:
            return aggregate(
                session,
                index=self.index,
                actor=self.actor(user),
                text=text,
                now=self.now,
                **{"by": list(By)} | how,
            )

    def sizes(self, user: int, workspace: int, path: str = "", depth: int = 0) -> Sizes:
        with self.database.read() as session:
            return sizes(
                session,
                index=self.index,
                actor=self.actor(user),
                workspace_id=workspace,
                path=path,
                depth=depth,
                now=self.now,
            )


@pytest.fixture
def lab(database: Database, tmp_path: Any) -> Iterator[Lab]:
    index = AskedIndex(sqlite_url(tmp_path / "catalogue.sqlite"), ReferenceEngine)
    yield Lab(database, index)
    index.close()


def test_each_finds_what_they_may_read(lab: Lab) -> None:
    assert lab.paths(ADA) == ["a.txt", "b.tif", "x/c.txt", "x/y/d.csv", "z/e.csv", "f.md", "g/h.md"]
    assert lab.paths(BOB) == ["x/c.txt", "x/y/d.csv", "f.md", "g/h.md", "secret.txt"]
    assert lab.paths(BOB, narrowing=Narrowing(frozenset({DATA}))) == ["x/c.txt", "x/y/d.csv"]
    assert lab.paths(BOB, narrowing=Narrowing(frozenset())) == []


def test_what_was_unshared_is_gone_with_its_numbers(lab: Lab) -> None:
    before = lab.search(CAROL)
    lab.do(delete(tables.Share).where(tables.Share.id == 2))
    after = lab.search(CAROL)
    assert (before.total, after.total) == (7, 2)
    assert lab.aggregate(CAROL).total == 2
    with pytest.raises(NotFound):
        lab.sizes(CAROL, DATA, "x")


def test_a_share_ends_by_itself_at_its_moment(lab: Lab) -> None:
    assert lab.search(CAROL).total == 7
    lab.now = NOW + timedelta(days=1) - timedelta(microseconds=1)
    assert lab.search(CAROL).total == 7
    lab.now = NOW + timedelta(days=1)
    assert lab.search(CAROL).total == 2
    lab.now = NOW
    assert lab.search(CAROL).total == 7, "a clock that was set back finds what held then"


def test_names_mean_what_they_mean_everywhere(lab: Lab) -> None:
    assert lab.paths(BOB, "in:user1/w1") == ["x/c.txt", "x/y/d.csv"]
    lab.do(update(tables.Workspace).where(tables.Workspace.id == DATA).values(name="data"))
    assert lab.paths(BOB, "in:data") == ["x/c.txt", "x/y/d.csv"]
    assert lab.paths(BOB, "in:user1:data/x/y/") == ["x/y/d.csv"]
    assert lab.paths(BOB, "in:user1/data/z") == []
    assert lab.paths(ADA, "-in:data") == ["f.md", "g/h.md"]
    assert lab.paths(BOB, "owner:me") == ["f.md", "g/h.md", "secret.txt"]
    assert lab.paths(BOB, "root:root1 node:node1 public:no") == ["x/c.txt", "x/y/d.csv", "secret.txt"]


def test_a_reference_that_means_two_things_lists_them(lab: Lab) -> None:
    for number in (DATA, HIDDEN):
        lab.do(update(tables.Workspace).where(tables.Workspace.id == number).values(name="same"))
    lab.do(
        insert(tables.Share).values(
            share_row(9, ShareRow(HIDDEN, ShareFacts(SubjectKind.USER, CAROL, Level.READ)))
        )
    )
    with pytest.raises(Ambiguous) as caught:
        lab.search(CAROL, "raw or in:same")
    assert caught.value.details["candidates"] == ["user1:same", "user2:same"]


@pytest.mark.parametrize("field", ["owner", "node", "root"])
def test_an_unknown_name_finds_nothing_and_says_so(lab: Lab, field: str) -> None:
    answer = lab.search(ADA, f"{field}:nobody or ext:md -{field}:nobody")
    assert answer.total == 2
    assert [note.code for note in answer.notes] == ["nothing_by_that_name"]
    assert answer.notes[0].sentence == f"You can read nothing whose {field} is 'nobody'; see `wio ls`."


def test_hidden_and_unknown_are_answered_alike(lab: Lab) -> None:
    """carol sees nothing of user2's hidden workspace; bob's own name is known to her from his public one."""
    lab.do(delete(tables.Workspace).where(tables.Workspace.id == NOTES))
    lab.do(update(tables.Node).values(operator_id=None))
    errors = []
    for name in ("user2/w3", "user2/w9", "user9/w3"):
        with pytest.raises(NotFound) as caught:
            lab.search(CAROL, f"in:{name}")
        errors.append((caught.value.code, str(caught.value).replace(name, "")))
    assert len(set(errors)) == 1
    answers = [lab.search(CAROL, f"owner:{name}") for name in ("user2", "user9")]
    assert [answer.total for answer in answers] == [0, 0]
    assert [replace(answer, notes=()) for answer in answers] == [replace(answers[0], notes=())] * 2
    assert len({answer.notes[0].sentence.replace("user2", "user9") for answer in answers}) == 1


@pytest.mark.parametrize("folder", ["z", "z/", "nowhere", "z/e.csv", "x/c.txt", "x/y/nowhere"])
def test_a_folder_where_nothing_is_read_is_said(lab: Lab, folder: str) -> None:
    """bob has `x/`: what lies outside of it, and what isn't there, make one answer."""
    answer = lab.search(BOB, f"in:user1/w1/{folder}")
    assert answer.total == 0
    (note,) = answer.notes
    assert note.code == "nothing_by_that_name"
    assert note.sentence.replace(f"user1/w1/{folder}", "PLACE").count("PLACE") == 1
    assert note.sentence == (
        f"You can read nothing in a folder 'user1/w1/{folder}'; `wio search --facets folder` shows folders, and "
        "path: finds single objects."
    )
    assert lab.aggregate(BOB, f"in:user1/w1/{folder}").notes == answer.notes


def test_a_folder_above_what_is_read_needs_no_note(lab: Lab) -> None:
    lab.do(update(tables.Share).where(tables.Share.id == 1).values(folder="x/y/"))
    assert [lab.search(BOB, f"in:user1/w1/{folder}").notes for folder in ("", "x", "x/y")] == [()] * 3
    assert lab.paths(BOB, "in:user1/w1/x") == ["x/y/d.csv"]
    assert lab.search(ADA, "in:w1/x -in:w1/x/y").notes == ()


def test_pages_go_on_where_they_were(lab: Lab) -> None:
    first = lab.search(ADA, limit=3)
    assert first.next_after is not None
    second = lab.search(ADA, limit=3, after=first.next_after)
    assert second.next_after is not None
    third = lab.search(ADA, limit=3, after=second.next_after)
    assert third.next_after is None
    assert [*first.results, *second.results, *third.results] == list(lab.search(ADA).results)


def test_ages_end_when_the_first_page_was_asked(lab: Lab) -> None:
    text = "modified:<6d"
    first = lab.search(ADA, text, limit=1)
    lab.now += timedelta(days=30)
    assert lab.search(ADA, text).total == 0
    assert lab.search(ADA, text, limit=1, after=first.next_after).total == first.total == 3


def test_a_cursor_is_of_one_user_query_and_order(lab: Lab) -> None:
    cursor = lab.search(ADA, "ext:csv", limit=1).next_after
    assert cursor is not None
    assert lab.paths(ADA, "ext:csv", after=cursor) == ["z/e.csv"]
    raw = base64.urlsafe_b64decode(cursor + "==")
    wrong = [
        lambda: lab.search(CAROL, "ext:csv", after=cursor),
        lambda: lab.search(ADA, "ext:csv ", after=cursor),
        lambda: lab.search(ADA, "ext:csv", after=cursor, sort=Sort.SIZE),
        lambda: lab.search(ADA, "ext:csv", after=cursor, descending=True),
        lambda: lab.search(
            ADA, "ext:csv", after=base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()
        ),
        *(
            lambda text=text: lab.search(ADA, "ext:csv", after=text)
            for text in ("", "a", "é", "A" * 9000, cursor[:40])
        ),
    ]
    for ask in wrong:
        with pytest.raises(Invalid) as caught:
            ask()
        assert caught.value.code == "invalid_cursor"


def test_a_printed_path_is_found_again(lab: Lab) -> None:
    lab.do(update(tables.Workspace).where(tables.Workspace.id == DATA).values(name="data"))
    for query in ("path:data/x/c.txt", "path:user1/data/x/c.txt", "path:user1:data/x/c.txt", "data/x/c.txt"):
        assert lab.paths(ADA, query) == ["x/c.txt"], query
    assert lab.paths(ADA, "path:data/x") == ["x/c.txt", "x/y/d.csv"]
    assert lab.paths(ADA, "path:data/**.csv") == ["x/y/d.csv", "z/e.csv"]
    assert lab.paths(ADA, "path:data") == lab.paths(ADA, "path:user1/data/") == lab.paths(ADA, "in:data")
    assert lab.paths(ADA, "in:data -path:data/x") == ["a.txt", "b.tif", "z/e.csv"]
    assert lab.paths(ADA, "path:/data/x") == lab.paths(ADA, "path:data/nothing") == []
    assert lab.paths(ADA, "path:d*/x/**") == []


def test_a_printed_path_finds_no_more_than_the_caller_reads(lab: Lab) -> None:
    lab.do(update(tables.Workspace).where(tables.Workspace.id == DATA).values(name="x"))
    assert lab.paths(BOB, "path:user1/x") == ["x/c.txt", "x/y/d.csv"]
    assert lab.paths(CAROL, "path:user2/w3") == lab.paths(CAROL, "path:user2:nothing/**") == []
    # What others call their workspaces, and share, is no part of what a query without their name means.
    assert lab.paths(CAROL, "path:x/y") == ["x/y/d.csv"]
    assert lab.paths(ADA, "path:x/y") == ["x/y/d.csv"]
    assert lab.paths(CAROL, "path:x/a.txt") == []
    assert lab.paths(ADA, "path:x/a.txt") == ["a.txt"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_paths_are_sorted_with_their_workspaces(lab: Lab, limit: int, *, descending: bool) -> None:
    """A name with `-` comes before the one that goes on with `/`, as in the order of all keys."""
    names = {DATA: "w", NOTES: "w-1", HIDDEN: "v"}
    for number, name in names.items():
        lab.do(update(tables.Workspace).where(tables.Workspace.id == number).values(name=name))
    found: list[str] = []
    after = None
    while True:
        page = lab.search(BOB, limit=limit, descending=descending, after=after)
        assert (page.total, len(page.results) <= limit) == (5, True)
        found += [f"{one.owner}/{one.workspace}/{one.path}" for one in page.results]
        after = page.next_after
        if after is None:
            break
        # What comes and goes in between moves nothing that stays.
        lab.put(HIDDEN, f"new{len(found)}/later")
        lab.index.recorder.commit()
        lab.index.recorder.drop_many(HIDDEN, [f"new{len(found)}/later"])
        lab.index.recorder.commit()
    assert found == sorted(found, reverse=descending)
    assert len(found) == len(set(found)) == 5


def test_what_comes_while_a_page_by_path_is_made_is_on_the_next(lab: Lab) -> None:
    """Workspaces that were counted to fit in one page together hold more when they are asked for."""
    engine = lab.index.engine()
    facets = engine.facets

    def then_more(*asked: Any) -> Any:
        answer = facets(*asked)
        for number in range(3):
            lab.put(NOTES, f"late/{number}")
        lab.index.recorder.commit()
        return answer

    lab.index._reader = SimpleNamespace(facets=then_more, search=engine.search)  # type: ignore[assignment]
    first = lab.search(BOB, limit=5)
    lab.index._reader = engine
    rest = lab.search(BOB, limit=50, after=first.next_after)
    found = [f"{one.owner}/{one.workspace}/{one.path}" for one in (*first.results, *rest.results)]
    assert found == sorted(found)
    assert len(found) == len(set(found)) == 8


def test_a_page_is_asked_with_the_rights_of_its_time(lab: Lab) -> None:
    first = lab.search(CAROL, limit=1)
    lab.do(delete(tables.Share).where(tables.Share.id == 2))
    rest = lab.search(CAROL, after=first.next_after)
    assert [one.workspace for one in rest.results] == ["w2", "w2"]


def test_the_total_alone(lab: Lab) -> None:
    answer = lab.search(ADA, "ext:csv", limit=0)
    assert (answer.total, answer.bytes, answer.results, answer.next_after) == (2, 16, (), None)


def test_what_does_not_parse_is_said_before_anything_is_asked(lab: Lab) -> None:
    with pytest.raises(Invalid) as caught:
        lab.search(ADA, "size:big")
    assert caught.value.details["at"] == 5
    with pytest.raises(Invalid):
        lab.aggregate(ADA, "(")


def test_what_is_handed_over_renamed_or_deleted_is_called_as_it_is_now(lab: Lab) -> None:
    lab.do(update(tables.Workspace).where(tables.Workspace.id == DATA).values(name="new", owner_id=BOB))
    assert {(one.owner, one.workspace) for one in lab.search(CAROL, "path:x").results} == {("user2", "new")}
    assert lab.paths(ADA) == ["f.md", "g/h.md"]
    assert lab.search(BOB, "owner:me").total == 8
    lab.do(delete(tables.Share))
    lab.do(delete(tables.Workspace).where(tables.Workspace.id == DATA))
    assert lab.search(BOB).total == 3, "the index still has what lay there"


def test_an_engine_that_mixes_up_folders_is_not_believed(lab: Lab) -> None:
    """As one would that was filled by another catalogue."""
    engine = lab.index.engine()
    committed = engine._engine.committed  # type: ignore[attr-defined]
    for number, entry in list(committed.items()):
        if entry.path == "z/e.csv":
            [shared] = {one.folder_ids for one in committed.values() if one.path == "x/c.txt"}
            committed[number] = entry._replace(folder_ids=shared)
    with pytest.raises(Unavailable) as caught:
        lab.search(BOB)
    assert caught.value.code == "index_damaged"


def test_facets_are_cut_by_count_and_the_rest_is_counted(lab: Lab) -> None:
    answer = lab.aggregate(ADA, top=1)
    assert answer.total == 7
    for view in answer.facets.values():
        assert len(view.buckets) == 1
    extensions = answer.facets[By.EXTENSION]
    assert [(one.key, one.count) for one in extensions.buckets] == [("csv", 2)]
    assert extensions.others_count == 5
    assert extensions.others_bytes + extensions.buckets[0].bytes == answer.bytes
    folders = lab.aggregate(ADA, by=[By.FOLDER]).facets
    assert list(folders) == [By.FOLDER]
    assert [(one.key, one.count) for one in folders[By.FOLDER].buckets] == [
        ("", 3),
        ("user1/w1/x/", 2),
        ("user1/w1/z/", 1),
        ("user2/w2/g/", 1),
    ]
    assert folders[By.FOLDER].others_count == 0
    assert lab.aggregate(ADA, by=[]).facets == {}


@pytest.mark.parametrize(
    ("text", "depth", "counted"),
    [
        ("in:user1/w1", 1, {"": 2, "x/": 2, "z/": 1}),
        ("in:user1/w1", 2, {"": 4, "x/y/": 1}),
        ("in:user1/w1/x", 1, {"": 1, "x/y/": 1}),
        ("in:user1/w1/x c", 1, {"": 1}),
        ("in:user1/w1/x/y", 1, {"": 1}),
        ("path:x", 1, {"": 1, "x/y/": 1}),
        ("path:user1/w1/x/**", 1, {"": 1, "x/y/": 1}),
        ("path:x/**", 2, {"": 2}),
        ("path:x or path:z", 1, {"": 2, "x/y/": 1}),
        ("path:x or ext:csv", 1, {"x/": 2, "z/": 1}),
        ("path:*/y/**", 1, {"x/": 1}),
        ("path:user1/nothing/x or in:user1/w1/x", 1, {"": 1, "x/y/": 1}),
        ("in:user1/w1/nothing", 1, {}),
    ],
)
def test_folders_are_counted_below_the_one_asked_about(
    lab: Lab, text: str, depth: int, counted: dict[str, int]
) -> None:
    view = lab.aggregate(ADA, text, by=[By.FOLDER], depth=depth).facets[By.FOLDER]
    assert {one.key.removeprefix("user1/w1/"): one.count for one in view.buckets} == counted


def test_sums_of_a_folder_its_object_and_what_is_below(lab: Lab) -> None:
    whole = lab.sizes(ADA, DATA, depth=2)
    assert (whole.objects, whole.bytes, whole.partial) == (5, 33, False)
    assert whole.children == (("x/", 2, 16), ("x/y/", 1, 9), ("z/", 1, 7))
    assert lab.sizes(ADA, DATA, "x").children == ()
    assert lab.sizes(ADA, DATA, "/x/").path == "x/"
    one = lab.sizes(ADA, DATA, "x/c.txt")
    assert (one.path, one.objects, one.bytes) == ("x/c.txt", 1, 7)
    for path in ("nothing", "x/c.txt/", "x/nothing"):
        with pytest.raises(NotFound):
            lab.sizes(ADA, DATA, path)


def test_who_has_a_folder_gets_its_sum_and_no_other(lab: Lab) -> None:
    above = lab.sizes(BOB, DATA, depth=1)
    assert (above.objects, above.bytes, above.partial) == (2, 16, True)
    assert above.children == (("x/", 2, 16),)
    assert lab.sizes(BOB, DATA, "x", depth=1).children == (("x/y/", 1, 9),)
    assert lab.sizes(BOB, DATA, "x/c.txt").objects == 1
    sentences = set()
    for workspace, path in ((DATA, "z"), (DATA, "a.txt"), (DATA, "none"), (99, "")):
        with pytest.raises(NotFound) as caught:
            lab.sizes(BOB, workspace, path)
        sentences.add(str(caught.value))
    assert len(sentences) == 1


def test_an_operator_gets_the_sum_of_a_workspace_alone(lab: Lab) -> None:
    """carol runs the node: she sees sizes, and nothing in them."""
    answer = lab.sizes(CAROL, HIDDEN, depth=3)
    assert (answer.objects, answer.children) == (1, ())
    with pytest.raises(NotFound):
        lab.sizes(CAROL, HIDDEN, "secret.txt")
    assert lab.search(CAROL, "in:user2/w3").total == 0


def crawl(root: int, state: CrawlState, *, workspace: int | None = None, at: datetime = NOW) -> Any:
    return insert(Crawl).values(
        root_id=root, workspace_id=workspace, state=state.value, reason="request", created_at=at, problems={}
    )


def incomplete(lab: Lab, user: int = ADA, text: str = "") -> list[tuple[str, str]]:
    lab.index.remembered = Remembered()
    answer = lab.search(user, text, limit=0)
    assert lab.aggregate(user, text).incomplete == answer.incomplete
    return [(note.code, note.sentence) for note in answer.incomplete]


def test_what_is_not_crawled_yet_is_said_of_what_one_sees(lab: Lab) -> None:
    assert incomplete(lab) == [], "made here, so events told all"
    lab.do(update(tables.Workspace).where(tables.Workspace.id == DATA).values(imported=True))
    of = "(1 of the workspaces that you can read)"
    does_it = "its owners and managers do it with `wio crawl start`"
    assert incomplete(lab) == [("not_crawled", f"Root root1 was never crawled; {does_it} {of}.")]
    assert incomplete(lab, BOB, "in:w2") == []
    lab.do(crawl(1, CrawlState.DONE, at=NOW - timedelta(days=1)))
    assert len(incomplete(lab)) == 1, "a crawl before the import doesn't count"
    lab.do(crawl(1, CrawlState.QUEUED, workspace=DATA))
    for state, word in (
        (CrawlState.QUEUED, "waits for its first crawl"),
        (CrawlState.RUNNING, "is being crawled for the first time"),
        (CrawlState.PAUSED, "is paused"),
        (CrawlState.FAILED, "the crawl failed"),
    ):
        lab.do(update(Crawl).where(Crawl.workspace_id == DATA).values(state=state.value))
        [(code, sentence)] = incomplete(lab)
        assert code == "not_crawled"
        assert word in sentence
        assert f"{lab.sizes(ADA, DATA).incomplete[0].sentence}" == sentence
        assert lab.sizes(BOB, NOTES).incomplete == ()
    lab.do(crawl(1, CrawlState.DONE, workspace=DATA))
    assert incomplete(lab) == []
    lab.do(crawl(1, CrawlState.RUNNING))
    assert incomplete(lab) == [], "a later crawl leaves nothing out"
    changed = NOW + timedelta(seconds=1)
    lab.do(insert(RootIndexing).values(root_id=1, exclusions=["*.tmp"], changed_at=changed))
    for state, word in (
        (CrawlState.QUEUED, "waits for a crawl, since what is indexed of it was changed"),
        (CrawlState.RUNNING, "is being crawled, since what"),
        (CrawlState.PAUSED, "`wio crawl resume`"),
        (CrawlState.FAILED, "its operator sees why"),
    ):
        lab.do(crawl(1, state, at=changed))
        [(code, sentence)] = incomplete(lab)
        assert code == "settings_changed"
        assert word in sentence
        lab.do(delete(Crawl).where(Crawl.created_at == changed))
    assert incomplete(lab)[0][0] == "settings_changed"
    lab.do(crawl(1, CrawlState.DONE, at=changed))
    assert incomplete(lab) == []


def test_only_of_what_is_asked_about(lab: Lab) -> None:
    lab.do(insert(RootIndexing).values(root_id=2, level="none", exclusions=[]))
    for text in ("in:user1/w1/x", "in:user1/w1/unknown", "in:user1/w1 or in:user1/w1/x", "ext:txt in:user1/w1/x"):
        assert incomplete(lab, ADA, text) == [], text
    for text in ("in:user1/w1 or ext:txt", "-in:user1/w1", "ext:txt"):
        assert [code for code, _ in incomplete(lab, ADA, text)] == ["not_indexed"], text


def test_what_the_operator_does_not_index_is_said(lab: Lab) -> None:
    lab.do(insert(RootIndexing).values(root_id=2, level="none", exclusions=[]))
    [(code, sentence)] = incomplete(lab)
    assert code == "not_indexed"
    assert sentence.startswith("Root root2 is not indexed, as its operator chose (1 of")
    assert incomplete(lab, ADA, "in:user1/w1") == []


def test_a_worker_that_says_nothing_is_told_of(lab: Lab) -> None:
    heard = insert(IndexLease).values(name="index_writer", holder="one", fence=1, beat=1, until=NOW)
    lab.do(heard.values(heartbeat_at=NOW - timedelta(seconds=20)))
    assert incomplete(lab) == []
    lab.do(update(IndexLease).values(heartbeat_at=NOW - timedelta(seconds=40)))
    [(code, sentence)] = incomplete(lab)
    assert code == "worker_silent"
    assert f"since {NOW - timedelta(seconds=40):%Y-%m-%d %H:%M:%S} UTC" in sentence
    assert [note.code for note in lab.sizes(ADA, DATA).incomplete] == ["worker_silent"]
    assert incomplete(lab, ADA, "in:user1/w1")[0][0] == "worker_silent"


def test_what_is_wrong_with_the_whole_index_is_passed_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.index, "incomplete", lambda: [("index_rebuilding", "Wait.")])
    assert incomplete(lab) == [("index_rebuilding", "Wait.")]
    assert lab.sizes(ADA, DATA).incomplete == (Note("index_rebuilding", "Wait."),)


def test_little_is_remembered(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_CALLERS", 2)
    memory = lab.index.remembered
    for user in (ADA, BOB, CAROL, ADA):
        lab.search(user)
        assert len(memory._sights) <= 2
    monkeypatch.setattr(remembered, "MAX_PLACES", 0)
    lab.search(BOB)
    assert len(memory._sights) == 1
    assert memory._places == sum(remembered._size(one) for one in memory._sights.values())


def test_a_question_that_was_asked_before_reads_the_generation_and_no_rights(lab: Lab, monkeypatch: Any) -> None:
    lab.search(BOB)

    def no_more(*_: object, **__: object) -> None:
        raise AssertionError("rights were read again")

    monkeypatch.setattr(remembered, "load_sight", no_more)
    assert lab.search(BOB).total == 5
    lab.do(delete(tables.Share).where(tables.Share.id == 1))
    with pytest.raises(AssertionError):
        lab.search(BOB)


def test_a_shared_folder_that_fills_later_is_found(lab: Lab) -> None:
    """No right changes by it: the number of the folder is new."""
    lab.do(
        insert(tables.Share).values(
            share_row(9, ShareRow(DATA, ShareFacts(SubjectKind.USER, BOB, Level.READ, "new/")))
        )
    )
    assert lab.paths(BOB, "in:user1/w1") == ["x/c.txt", "x/y/d.csv"]
    lab.put(DATA, "new/n.txt")
    lab.index.recorder.commit()
    assert lab.paths(BOB, "in:user1/w1") == ["new/n.txt", "x/c.txt", "x/y/d.csv"]
    lab.index.recorder.drop_folder(DATA, "x/")
    lab.index.recorder.commit()
    assert lab.paths(BOB, "in:user1/w1") == ["new/n.txt"]
    lab.put(DATA, "x/again.txt")
    lab.index.recorder.commit()
    assert lab.paths(BOB, "in:user1/w1") == ["new/n.txt", "x/again.txt"]


def test_every_error_is_one_that_callers_know(lab: Lab) -> None:
    for text in ("in:", "in:..", "in:a//b", "in:a:b:c", 'in:"\x01"', "in:/"):
        with pytest.raises(WorkspacesIOError):
            lab.search(ADA, text)
