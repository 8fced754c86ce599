"""A query as tantivy takes it. What each kind means is said by `domain/search_matching.py`, to the letter.

Substrings of names are phrases of grams, so they cost what words cost, however many names there are. Patterns that
grams can't say (`?`, or a `*` between two texts) look at the names that grams find for their texts; where those
are too many, they are regular expressions, which look at every distinct name (0.3 s a million).

A path is its folder and its name. A pattern of a path is divided at every place where the name may begin: after
its last slash, or within a `**` behind it. So the expression of the first part looks at distinct folders only, and
the second part is a pattern of a name.
"""

from collections.abc import Sequence

import tantivy
from tantivy import FieldType, Occur

from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_patterns import (
    Wild,
    escaped,
    name_expression,
    path_expression,
    pattern_parts,
)
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
    Query,
    SizeBetween,
    Words,
    Workspaces,
)
from workspacesio.domain.search_term import CODE, shown
from workspacesio.domain.search_types import tag_term
from workspacesio.index import tantivy_names
from workspacesio.index.engine import Facet, FacetRequest
from workspacesio.index.tantivy_names import Names, Steps
from workspacesio.index.tantivy_schema import BEGIN, END, GRAM, NAME_END, Kind, depth_column, visible

MAX_EXPRESSIONS = 4
"""In one request, of those that look at every name."""

_LEAST = -(2**63)
_MOST = 2**63 - 1


class Queries:
    """Makes the queries of one request."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._sight: list[tantivy.Query] = []
        self._names = Names(searcher)
        self._expressions = 0
        self._fitted: dict[tuple[str | Wild, ...], tantivy.Query] = {}

    def asked(self, query: Query) -> tantivy.Query:
        """`query`, of the whole request: all its parts are looked for within the places that it names."""
        self._sight = [self.query(place) for place in _places(query)]
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
            case NameMatches(pattern):
                return self._name(pattern)
            case PathMatches(pattern):
                return self._path(pattern)
            case HasExtension(extension):
                return self._term(Kind.EXTENSION, extension)
            case OfType(kind):
                return self._term(Kind.CONTENT_TYPE if "/" in kind else Kind.TYPE, kind)
            case HasTag(key, value):
                return self._term(Kind.TAG, tag_term(key, value))
            case _:
                raise ValueError(f"{query!r} is a name, which is resolved before the index is asked")

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
        return tantivy.Query.term_set_query(self._schema, "id", ids)

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
        if not ids:
            return tantivy.Query.empty_query()
        return tantivy.Query.term_set_query(self._schema, field, sorted(ids))

    def _term(self, kind: Kind, value: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "terms", kind + value, "basic")

    def _expression(self, kind: Kind, expression: str) -> tantivy.Query:
        try:
            return tantivy.Query.regex_query(self._schema, "terms", f"{kind}{expression}")
        except ValueError as error:
            # tantivy takes an automaton of at most 1,000 states, which is some hundred wildcards.
            raise Invalid(
                "This pattern is too long for the index; write it with fewer `?` and `*`.", code=CODE
            ) from error

    def _phrase(self, field: str, words: Sequence[str]) -> tantivy.Query:
        if len(words) == 1:
            return tantivy.Query.term_query(self._schema, field, words[0], "basic")
        return tantivy.Query.phrase_query(self._schema, field, list(words))

    def _name(self, pattern: str) -> tantivy.Query:
        parts = pattern_parts(pattern)
        if any(isinstance(part, str) and "/" in part for part in parts):
            return tantivy.Query.empty_query()
        if any(isinstance(part, Wild) for part in parts):
            return self._whole_name(parts)
        return self._substring("".join(map(str, parts)))

    def _whole_name(self, parts: Steps) -> tantivy.Query:
        """The name fits from end to end."""
        texts = [part for part in parts if isinstance(part, str)]
        inner = parts[1:-1] if len(parts) > 1 else ()
        if Wild.ONE in parts or any(isinstance(part, Wild) for part in inner):
            return self._fitting(parts)
        if not parts or (not inner and all(isinstance(part, str) for part in parts)):
            return self._term(Kind.NAME, "".join(texts))
        begin = "" if isinstance(parts[0], Wild) else NAME_END
        end = "" if isinstance(parts[-1], Wild) else NAME_END
        return self._substring("".join(texts), begin, end)

    def _fitting(self, parts: Steps) -> tantivy.Query:
        """The name fits a pattern that grams alone can't say. Looked for once, however often it is asked for."""
        known = self._fitted.get(tuple(parts))
        if known is None:
            known = self._fitted[tuple(parts)] = self._look(parts)
        return known

    def _look(self, parts: Steps) -> tantivy.Query:
        nearly = [
            self._substring(text, NAME_END if begin else "", NAME_END if end else "")
            for text, begin, end in tantivy_names.texts(parts)
        ]
        if nearly and (found := self._names.of(all_of([*self._sight, *nearly]))) is not None:
            fits = tantivy_names.fitting(parts)
            terms = [Kind.NAME + name for name in sorted(found) if fits(name)]
            return tantivy.Query.term_set_query(self._schema, "terms", terms) if terms else any_of([])
        pattern = tantivy_names.spelled(parts)
        self._expressions += 1
        if self._expressions > MAX_EXPRESSIONS:
            hint = "leave some out, or ask for fewer objects, such as with in:ada/data"
            raise Invalid(
                f"Too many patterns nearly find too many names, the last of them `{shown(pattern)}`; {hint}.",
                code=CODE,
                details={"pattern": pattern, "hint": hint},
            )
        return self._expression(Kind.NAME, name_expression(pattern))

    def _substring(self, text: str, begin: str = "", end: str = "") -> tantivy.Query:
        """Names that hold the text; at their beginning, or end, if those are `NAME_END`."""
        if not text:
            return tantivy.Query.all_query()
        text = begin + visible(text) + end
        if len(text) >= GRAM:
            return self._phrase("grams", [text[at : at + GRAM] for at in range(len(text) - GRAM + 1)])
        shown = escaped(text)
        if end:
            return self._grams(f"(?s:.){shown}")
        # Behind a text of two characters there is a third, if only `NAME_END`; so behind one, but for the last.
        begins = self._grams(f"{shown}(?s:.){{{GRAM - len(text)}}}")
        return begins if len(text) > 1 else any_of([begins, self._grams(f"(?s:.){shown}{NAME_END}")])

    def _grams(self, expression: str) -> tantivy.Query:
        return tantivy.Query.regex_query(self._schema, "grams", expression)

    def _path(self, pattern: str) -> tantivy.Query:
        steps: list[str | Wild] = []
        for part in pattern_parts(pattern):
            steps += [part] if isinstance(part, Wild) else part
        slash = max((at for at, step in enumerate(steps) if step == "/"), default=-1) + 1
        places = [(slash, slash)]
        places += [(at + 1, at) for at in range(slash, len(steps)) if steps[at] is Wild.ANY_WITH_SLASHES]
        return any_of(
            [
                all_of([self._folder(steps[:end]), self._whole_name(tantivy_names.joined(steps[start:]))])
                for end, start in places
            ]
        )

    def _folder(self, steps: Steps) -> tantivy.Query:
        if not any(isinstance(step, Wild) for step in steps):
            return self._term(Kind.FOLDER, "".join(map(str, steps)))
        if list(steps) == [Wild.ANY_WITH_SLASHES]:
            return tantivy.Query.all_query()
        return self._expression(Kind.FOLDER, path_expression(tantivy_names.spelled(steps)))


def all_of(wanted: Sequence[tantivy.Query], excluded: Sequence[tantivy.Query] = ()) -> tantivy.Query:
    if len(wanted) == 1 and not excluded:
        return wanted[0]
    if not wanted:
        # A query that only excludes finds nothing in tantivy.
        wanted = [tantivy.Query.all_query()]
    clauses = [(Occur.Must, query) for query in wanted] + [(Occur.MustNot, query) for query in excluded]
    return tantivy.Query.boolean_query(clauses)


def any_of(queries: Sequence[tantivy.Query], least: int = 1) -> tantivy.Query:
    """At least so many of them."""
    if len(queries) < least:
        return tantivy.Query.empty_query()
    if len(queries) == 1:
        return queries[0]
    clauses = [(Occur.Should, query) for query in queries]
    return tantivy.Query.boolean_query(clauses, minimum_number_should_match=least)


def _places(query: Query) -> list[Query]:
    """Those that all that is found lies in."""
    if isinstance(query, AllOf):
        return [place for part in query.parts for place in _places(part)]
    return [query] if _is_place(query) else []


def _is_place(query: Query) -> bool:
    if isinstance(query, AnyOf):
        return all(_is_place(part) for part in query.parts)
    return isinstance(query, Workspaces | Folders)
