"""A query as tantivy takes it. What each kind means is said by `domain/search_matching.py`, to the letter."""

from collections.abc import Sequence
from functools import lru_cache

import tantivy
from tantivy import FieldType

from workspacesio.domain.search_matching import ranked
from workspacesio.domain.search_query import (
    AllOf,
    AnyOf,
    Everything,
    Folders,
    HasExtension,
    HasTag,
    ModifiedBetween,
    NameMatches,
    Not,
    OfType,
    PathMatches,
    PathWords,
    Query,
    SizeBetween,
    Words,
    Workspaces,
)
from workspacesio.domain.search_types import tag_term
from workspacesio.index.engine import Facet, FacetRequest
from workspacesio.index.tantivy_clauses import all_of, any_of, phrase, term
from workspacesio.index.tantivy_patterns import Patterns
from workspacesio.index.tantivy_schema import BEGIN, END, Kind, depth_column, schema

_LEAST = -(2**63)
_MOST = 2**63 - 1


class Queries:
    """Makes the queries of one request."""

    def __init__(self, fields: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = fields
        self._patterns = Patterns(fields, searcher)

    def asked(self, query: Query) -> tantivy.Query:
        """`query`, of the whole request: all its parts are looked for within the places that it names."""
        self._patterns.sight = [self.query(place) for place in _places(query)]
        return self.query(query)

    def query(self, query: Query) -> tantivy.Query:
        """Raises ValueError for a name that was not resolved, Invalid for a pattern beyond tantivy's limits."""
        match query:
            case Everything():
                return tantivy.Query.all_query()
            case AllOf(parts):
                wanted = [self.query(part) for part in parts if not isinstance(part, Not)]
                excluded = [self.query(part.part) for part in parts if isinstance(part, Not)]
                return all_of(wanted, excluded)
            case AnyOf(parts):
                return any_of([self.query(part) for part in parts])
            case Not(part):
                return all_of([], [self.query(part)])
            case Workspaces(ids):
                return self._numbers("workspace", ids)
            case Folders(ids):
                return self._numbers("folders", ids)
            case SizeBetween(least, most):
                return self.between("size", least, most)
            case ModifiedBetween(earliest, latest):
                return self.between("modified", earliest, latest)
            case _:
                return self._of_text(query)

    def _of_text(self, query: Query) -> tantivy.Query:
        match query:
            case Words(words):
                return any_of([self.in_name(words), self.in_folder(words), self._phrase("content", words)])
            case PathWords(words):
                return any_of([self.in_name(words), self.in_folder(words)])
            case NameMatches(pattern):
                return self._patterns.name(pattern)
            case PathMatches(pattern):
                return self._patterns.path(pattern)
            case HasExtension(extension):
                return self._term(Kind.EXTENSION, extension)
            case OfType(kind):
                return self._term(Kind.CONTENT_TYPE if "/" in kind else Kind.TYPE, kind)
            case HasTag(key, value):
                return self._term(Kind.TAG, tag_term(key, value))
            case _:
                raise ValueError(f"{query!r} is a name, which is resolved before the index is asked")

    def of_best_rank(self, query: Query) -> tantivy.Query:
        """What `query` finds whose name has all the words that it is ranked by.

        These words need not be looked for in folders and contents again.
        """
        words = ranked(query)
        others = [part for part in _conjuncts(query) if part not in words]
        names = [self.in_name(one.words) for one in words]
        return all_of([*names, self.query(AllOf(tuple(others)))] if others else names)

    def in_name(self, words: tuple[str, ...]) -> tantivy.Query:
        return self._phrase("name_words", words)

    def in_folder(self, words: tuple[str, ...]) -> tantivy.Query:
        """In the path, but not in the name alone."""
        across = [
            all_of(
                [
                    self._phrase("folder_words", (*words[:cut], END)),
                    self._phrase("name_words", (BEGIN, *words[cut:])),
                ]
            )
            for cut in range(1, len(words))
        ]
        return any_of([self._phrase("folder_words", words), *across])

    def between(self, field: str, least: int | None, most: int | None) -> tantivy.Query:
        """Of a number field, both inclusive."""
        if (least is not None and least > _MOST) or (most is not None and most < _LEAST):
            return tantivy.Query.empty_query()
        if least is not None and most is not None and least > most:
            return tantivy.Query.empty_query()
        return tantivy.Query.range_query(
            self._schema,
            field,
            FieldType.Integer,
            lower_bound=_LEAST if least is None else max(least, _LEAST),
            upper_bound=_MOST if most is None else min(most, _MOST),
        )

    def ids(self, ids: Sequence[int]) -> tantivy.Query:
        # Half as long as a term set, which makes and looks through a bit for every entry of the index.
        return any_of([tantivy.Query.term_query(self._schema, "id", number, "basic") for number in ids])

    def bucket(self, request: FacetRequest, key: str) -> tantivy.Query:
        """The entries that a facet counts under the key."""
        match request.facet:
            case Facet.EXTENSION:
                return self._term(Kind.EXTENSION, key)
            case Facet.TYPE:
                return self._term(Kind.TYPE, key)
            case Facet.WORKSPACE:
                return self._numbers("workspace", frozenset([int(key)]))
            case Facet.YEAR:
                return self.between("year", int(key), int(key))
            case Facet.FOLDER if key:
                return self._numbers("folders", frozenset([int(key)]))
            case _:
                return all_of([], [tantivy.Query.exists_query(depth_column(request.depth))])

    def _numbers(self, field: str, ids: frozenset[int]) -> tantivy.Query:
        return _of_numbers(field, ids) if ids else tantivy.Query.empty_query()

    def _term(self, kind: Kind, value: str) -> tantivy.Query:
        return term(self._schema, kind, value)

    def _phrase(self, field: str, words: Sequence[str]) -> tantivy.Query:
        return phrase(self._schema, field, words)


@lru_cache(maxsize=64)
def _of_numbers(field: str, ids: frozenset[int]) -> tantivy.Query:
    """Kept, since a caller's sight may be thousands of numbers, and is the same at every request."""
    return tantivy.Query.term_set_query(schema(), field, sorted(ids))


def _places(query: Query) -> list[Query]:
    """Those that all that is found lies in."""
    return [part for part in _conjuncts(query) if _is_place(part)]


def _conjuncts(query: Query) -> list[Query]:
    """All of them must hold."""
    if isinstance(query, AllOf):
        return [each for part in query.parts for each in _conjuncts(part)]
    return [query]


def _is_place(query: Query) -> bool:
    if isinstance(query, AnyOf):
        return all(_is_place(part) for part in query.parts)
    return isinstance(query, Workspaces | Folders)
