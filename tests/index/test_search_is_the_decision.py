"""Search, facets and sums are the decision: on random worlds under random changes they equal filtering everything.

Each step changes something and then asks, as every user and with narrowed keys, on a real catalogue and engine.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database.kinds import clear, database_fixture
from database.worlds import FOLDERS, USERS, World, narrowings, worlds
from index.asked_index import AskedIndex, NewEngine
from index.opensearch_settings import server_of
from index.reference_engine import ReferenceEngine
from index.searched_world import SearchedWorld, folders_of
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.domain.errors import NotFound
from workspacesio.domain.facts import Narrowing
from workspacesio.domain.search_matching import EntryFields, matches
from workspacesio.domain.search_parsing import parse
from workspacesio.domain.search_query import AllOf, AnyOf, Folders, Named, Not, Query, Workspaces
from workspacesio.domain.search_types import extension_of, type_of, year_of
from workspacesio.index.aggregating import By, aggregate
from workspacesio.index.asked_depth import asked_depth
from workspacesio.index.asking import microseconds
from workspacesio.index.engine import Sort
from workspacesio.index.opensearch_engine import OpenSearchEngine
from workspacesio.index.searching import FoundEntry, search
from workspacesio.index.sizes import sizes
from workspacesio.index.tantivy_engine import TantivyEngine
from workspacesio.services.actors import Actor
from workspacesio.services.keys import Keyring

database = database_fixture(scope="module")

KEYRING = Keyring("a secret of tests that is long enough")
STEPS = 6

ASKED = (
    *(
        "",
        "k",
        "raw",
        "reads",
        "samplereads",
        '"raw k"',
        "東京",
        "name:k",
        "*.tif",
        r"name:a\*b",
        "path:x",
        "path:x/*",
    ),
    *("path:**/y/**", "ext:tif", "ext:tar.gz", 'ext:""', "type:image", "type:other", "size:>999", "size:0..1"),
    *(
        "modified:<30d",
        "modified:>30d",
        "modified:today",
        "modified:2027",
        "tag:x",
        "-k",
        "not path:x",
        "k or raw",
    ),
    *("(raw or k) -ext:tif", "owner:user1", "owner:USER2", "owner:me", "-owner:me", "owner:user9", "public:yes"),
    *("public:no", "node:node1", "-node:node2 k", "root:root1", "root:nothing", "owner:user2 or ext:csv"),
    *("public:yes size:>0", "path:x -(owner:me or name:k)"),
    *("path:w1", "path:user1/w1/x", "-path:user2/w2/**", "path:user1:w1/x/*", "user2/w1/x/k", "path:w2/x/"),
)


@pytest.fixture(scope="module")
def new_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewEngine]:
    """Makes an empty engine of the kind, each with a number of its own."""
    numbers = itertools.count(1)
    if request.param == "reference":
        yield ReferenceEngine
    elif request.param == "tantivy":
        folder = tmp_path_factory.mktemp("tantivy")
        yield lambda: TantivyEngine(folder / str(next(numbers)))
    else:
        for server in server_of(request.getfixturevalue(f"{request.param}_server")):
            yield lambda: OpenSearchEngine(server, next(numbers), "decision")  # noqa: B023


@pytest.fixture(scope="module")
def index(
    tmp_path_factory: pytest.TempPathFactory, database: Database, new_engine: NewEngine
) -> Iterator[AskedIndex]:
    """The catalogue lies as it would: in a file of its own, or beside the service's tables."""
    beside = sqlite_url(tmp_path_factory.mktemp("index") / "catalogue.sqlite")
    made = AskedIndex(beside if database.is_sqlite else database.url, new_engine)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("database", "new_engine", "examples"),
    [
        ("sqlite", "tantivy", 12),
        ("postgresql", "reference", 6),
        ("sqlite", "opensearch3", 3),
    ],
    indirect=["database", "new_engine"],
)
def test_random_worlds_under_random_changes(database: Database, index: AskedIndex, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking worlds takes minutes
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(world=worlds(), narrowed=narrowings, seed=st.integers(0, 2**32))
    def check(world: World, narrowed: Narrowing, seed: int) -> None:
        clear(database)
        check_world(database, index, world, narrowed, seed)

    check()


def check_world(database: Database, index: AskedIndex, world: World, narrowed: Narrowing, seed: int) -> None:
    searched = SearchedWorld(world, database, index.recorder, random.Random(seed))
    searched.begin()
    for _ in range(STEPS):
        searched.change()
        assert index.recorder.commit()
        user = searched.random.choice(USERS)
        for narrowing in (Narrowing(), narrowed):
            with database.read() as session:
                Asking(session, index, searched, user, narrowing).check()
        searched.pass_time()
        with database.read() as session:
            Asking(session, index, searched, user, Narrowing()).check_search("")


class Asking:
    """One caller at one moment."""

    def __init__(
        self, session: Session, index: AskedIndex, searched: SearchedWorld, user: int, narrowing: Narrowing
    ) -> None:
        self.session = session
        self.index = index
        self.searched = searched
        self.user = user
        self.narrowing = narrowing
        self.actor: Actor = searched.actor(user, narrowing)
        self.readable = searched.readable(user, narrowing)
        self.random = searched.random

    def check(self) -> None:
        for text in ("", *self.random.sample(ASKED, 4)):
            self.check_search(text)
            self.check_facets(text)
        for workspace in self.searched.names:
            self.check_in(workspace)
            self.check_sizes(workspace, "", self.random.randrange(3))
            self.check_sizes(workspace, self.random.choice([*FOLDERS, "x/y/z/"]), self.random.randrange(3))

    def expected(self, text: str) -> dict[tuple[int, str], EntryFields]:
        query = self.resolved(parse(text, microseconds(self.searched.now)))
        return {place: entry for place, entry in self.readable.items() if matches(query, entry)}

    def resolved(self, query: Query) -> Query:
        """By the words of the language's page, over all workspaces: what is readable is filtered before."""
        match query:
            case AllOf(parts):
                return AllOf(tuple(map(self.resolved, parts)))
            case AnyOf(parts):
                return AnyOf(tuple(map(self.resolved, parts)))
            case Not(part):
                return Not(self.resolved(part))
            case Named("path", value):
                return AnyOf(tuple(self._printed(value)))
            case Named(field, value):
                world = self.searched.world
                has: dict[str, Callable[[int], bool]] = {
                    "owner": lambda number: (
                        f"user{world.workspaces[number].owner}" == value.lower().replace("me", f"user{self.user}")
                    ),
                    "node": lambda number: f"node{self._root(number).node}" == value,
                    "root": lambda number: f"root{world.workspaces[number].root}" == value,
                    "public": lambda number: self._root(number).facts.type.is_public,
                }
                return Workspaces(frozenset(filter(has[field], world.workspaces)))
            case _:
                return query

    def _printed(self, pattern: str) -> Iterator[Query]:
        """With the workspace in front, as it would be printed: without the owner if that is the caller."""
        for workspace in self.searched.world.workspaces:
            reference = self.searched.reference(workspace)
            owner, _, name = reference.partition("/")
            fronts = [f"{reference}/", f"{owner}:{name}/"]
            if owner == f"user{self.user}":
                fronts.append(f"{name}/")
            for front in fronts:
                if f"{pattern}/".startswith(front):
                    inside = parse(f"path:/{pattern[len(front) :]}", 0)
                    yield AllOf((Workspaces(frozenset({workspace})), inside))

    def _root(self, workspace: int) -> Any:
        world = self.searched.world
        return world.roots[world.workspaces[workspace].root]

    def check_search(self, text: str) -> None:
        expected = self.expected(text)
        sort = self.random.choice(list(Sort))
        descending = self.random.random() < 0.5
        limit = self.random.choice([1, 3, 1000])
        found: list[FoundEntry] = []
        after = None
        while True:
            answer = search(
                self.session,
                index=self.index,
                keyring=KEYRING,
                actor=self.actor,
                text=text,
                sort=sort,
                descending=descending,
                limit=limit,
                after=after,
                now=self.searched.now,
            )
            assert (answer.total, answer.bytes) == (len(expected), sum(entry.size for entry in expected.values()))
            assert len(answer.results) <= limit
            found += answer.results
            after = answer.next_after
            if after is None:
                break
        assert sorted((one.workspace_id, one.path) for one in found) == sorted(expected)
        for one in found:
            row = self.searched.world.workspaces[one.workspace_id]
            root = self._root(one.workspace_id)
            assert f"{one.owner}/{one.workspace}" == self.searched.reference(one.workspace_id)
            assert (one.node, one.bucket, one.key) == (f"node{root.node}", root.bucket, row.prefix + one.path)
            kept = self.searched.objects[one.workspace_id, one.path]
            assert (one.size, one.modified, one.etag) == (kept.size, kept.modified, kept.etag)
        if sort is not Sort.RELEVANCE:
            values: list[Any] = [
                f"{one.owner}/{one.workspace}/{one.path}" if sort is Sort.PATH else getattr(one, sort.value)
                for one in found
            ]
            assert values == sorted(values, reverse=descending)

    def check_facets(self, text: str) -> None:
        expected = self.expected(text)
        depth = self.random.choice([1, 2])
        answer = aggregate(
            self.session,
            index=self.index,
            actor=self.actor,
            text=text,
            by=list(By),
            top=1000,
            depth=depth,
            now=self.searched.now,
        )
        assert (answer.total, answer.bytes) == (len(expected), sum(entry.size for entry in expected.values()))
        asked = self.resolved(parse(text, microseconds(self.searched.now)))
        for by, key in self._keys(depth + asked_depth(asked, self.index.catalogue)).items():
            counts: Counter[str] = Counter()
            amounts: Counter[str] = Counter()
            for entry in expected.values():
                counts[key(entry)] += 1
                amounts[key(entry)] += entry.size
            view = answer.facets[by]
            shown = {bucket.key: (bucket.count, bucket.bytes) for bucket in view.buckets}
            assert shown == {one: (counts[one], amounts[one]) for one in counts}
            assert (view.others_count, view.others_bytes) == (0, 0)
            assert list(view.buckets) == sorted(view.buckets, key=lambda bucket: (-bucket.count, bucket.key))

    def _keys(self, depth: int) -> dict[By, Callable[[EntryFields], str]]:
        def folder(entry: EntryFields) -> str:
            folders = list(folders_of(entry.path))
            if len(folders) <= depth:
                return ""
            return f"{self.searched.reference(entry.workspace_id)}/{folders[depth]}"

        return {
            By.EXTENSION: lambda entry: extension_of(entry.path),
            By.TYPE: lambda entry: type_of(entry.path),
            By.OWNER: lambda entry: self.searched.reference(entry.workspace_id).partition("/")[0],
            By.WORKSPACE: lambda entry: self.searched.reference(entry.workspace_id),
            By.FOLDER: folder,
            By.YEAR: lambda entry: str(year_of(entry.modified)),
        }

    def check_in(self, workspace: int) -> None:
        """`in:owner:name/folder`: unknown and hidden alike are not found."""
        folder = self.random.choice(["", "x", "x/y/", "xy", "nothing/"])
        known = workspace in self.searched.world.workspaces
        reference = self.searched.reference(workspace) if known else f"user1/{self.searched.names[workspace]}"
        text = f'in:"{reference.replace("/", ":")}/{folder}" -path:/x/k'

        def ask() -> Any:
            return search(
                self.session, index=self.index, keyring=KEYRING, actor=self.actor, text=text, now=self.searched.now
            )

        if not known or not self.searched.sees(self.user, self.narrowing, workspace):
            with pytest.raises(NotFound):
                ask()
            return
        below = folder.rstrip("/") + "/" if folder else ""
        query = AllOf(
            (
                Folders(frozenset({self.searched.folder_number(workspace, below)})),
                parse("-path:/x/k", 0),
            )
        )
        expected = [place for place, entry in self.readable.items() if matches(query, entry)]
        answer = ask()
        assert answer.total == len(expected)
        assert sorted((one.workspace_id, one.path) for one in answer.results) == sorted(expected)

    def check_sizes(self, workspace: int, folder: str, depth: int) -> None:
        """The sum of what can be read below; a manager's, of the workspace alone."""

        def ask() -> Any:
            return sizes(
                self.session,
                index=self.index,
                actor=self.actor,
                workspace_id=workspace,
                path=folder,
                depth=depth,
                now=self.searched.now,
            )

        below = [
            entry
            for (number, path), entry in self.readable.items()
            if number == workspace and path.startswith(folder)
        ]
        known = workspace in self.searched.world.workspaces
        sees = known and self.searched.sees(self.user, self.narrowing, workspace)
        if not below and (folder or not sees):
            with pytest.raises(NotFound):
                ask()
            return
        answer = ask()
        if not folder and not self._reads_any(workspace):
            below = [
                EntryFields(workspace, (), path, found.size, found.modified)
                for (number, path), found in self.searched.objects.items()
                if number == workspace
            ]
            assert answer.children == ()
            depth = 0
        assert (answer.objects, answer.bytes) == (len(below), sum(entry.size for entry in below))
        counts: Counter[str] = Counter()
        amounts: Counter[str] = Counter()
        for entry in below:
            for one in folders_of(entry.path):
                if one.startswith(folder) and 0 < one.count("/") - folder.count("/") <= depth:
                    counts[one] += 1
                    amounts[one] += entry.size
        assert list(answer.children) == [(one, counts[one], amounts[one]) for one in sorted(counts)]

    def _reads_any(self, workspace: int) -> bool:
        """Something of it, even where nothing lies there."""
        from workspacesio.domain.permissions import decide
        from workspacesio.domain.vocabulary import Action

        caller = self.searched.world.caller(self.user, self.narrowing)
        return any(
            decide(caller, Action.READ_DATA, self.searched.world.target(workspace, folder), self.searched.now)
            for folder in FOLDERS
        )
