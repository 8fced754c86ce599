"""Patterns of names and paths as tantivy takes them.

Substrings of names are phrases of grams, so they cost what words cost, however many names there are. So are texts
with `?` between them, if they have grams, which lie so far apart; and `begin*end`. What grams can't say (`*`
between others, a `?` beside one or two letters) looks at the names that grams nearly find. Where those are too
many, it is a regular expression, which looks at every distinct name (0.3 s a million, in each pass of a request),
and is refused in a large index.

A path is its folder and its name. A pattern of a path is divided at every place where the name may begin: after
its last slash, or within a `**` behind it. So the expression of the first part looks at distinct folders only, and
the second part is a pattern of a name.
"""

import tantivy

from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_patterns import (
    Steps,
    Wild,
    escaped,
    folders_and_names,
    joined,
    name_expression,
    path_expression,
    pattern_parts,
)
from workspacesio.domain.search_term import CODE, shown
from workspacesio.index import tantivy_names
from workspacesio.index.tantivy_clauses import all_of, any_of, phrase, term
from workspacesio.index.tantivy_grams import GRAM, NAME_END, visible
from workspacesio.index.tantivy_names import Names
from workspacesio.index.tantivy_runs import Run, runs
from workspacesio.index.tantivy_schema import Kind

MOST_BY_EXPRESSION = 2_000_000
"""Names that the expressions of one request look at, entries that expressions are asked of counted together."""


class Patterns:
    """Of one request. `sight`: where all that it finds lies."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self.sight: list[tantivy.Query] = []
        self._schema = schema
        self._names = Names(searcher)
        self._entries = searcher.num_docs
        self._left = MOST_BY_EXPRESSION
        self._fitted: dict[tuple[str | Wild, ...], tantivy.Query] = {}

    def name(self, pattern: str) -> tantivy.Query:
        """Raises Invalid for a pattern beyond tantivy's limits, or one that would take seconds."""
        parts = pattern_parts(pattern)
        if any(isinstance(part, str) and "/" in part for part in parts):
            return tantivy.Query.empty_query()
        if any(isinstance(part, Wild) for part in parts):
            return self._whole_name(joined(parts))
        return self._substring("".join(map(str, parts)))

    def path(self, pattern: str) -> tantivy.Query:
        """Raises as `name`."""
        return any_of(
            [all_of([self._folder(folder), self._whole_name(name)]) for folder, name in folders_and_names(pattern)]
        )

    def _whole_name(self, parts: Steps) -> tantivy.Query:
        """The name fits from end to end."""
        if not any(isinstance(part, Wild) for part in parts):
            return term(self._schema, Kind.NAME, "".join(map(str, parts)))
        known = self._fitted.get(tuple(parts))
        if known is None:
            known = self._fitted[tuple(parts)] = self._fitting(parts)
        return known

    def _fitting(self, parts: Steps) -> tantivy.Query:
        found = runs(parts)
        nearly = [self._run(run) for run in found]
        if all(run.is_said for run in found):
            if len(found) < 2:
                return all_of(nearly)
            between = len(found) == 2 and found[0].begins and found[1].ends
            if between and (short := found[0].overlaps(found[1])) is not None:
                return all_of(nearly, [term(self._schema, Kind.NAME, name) for name in short])
        return self._looked_at(parts, nearly)

    def _looked_at(self, parts: Steps, nearly: list[tantivy.Query]) -> tantivy.Query:
        if any(isinstance(part, str) for part in parts):
            found = self._names.of(all_of([*self.sight, *nearly]))
            if found is not None:
                fits = tantivy_names.fitting(parts)
                terms = [Kind.NAME + name for name in sorted(found) if fits(name)]
                return tantivy.Query.term_set_query(self._schema, "terms", terms) if terms else any_of([])
        pattern = tantivy_names.spelled(parts)
        self._left -= self._entries
        if self._left < 0:
            hint = "write more of the name, leave patterns out, or look in fewer places, such as with in:ada/data"
            raise Invalid(
                f"The pattern `{shown(pattern)}` nearly finds more names than can be looked at one by one; "
                f"{hint}.",
                code=CODE,
                details={"pattern": pattern, "hint": hint},
            )
        return self._expression(Kind.NAME, name_expression(pattern))

    def _run(self, run: Run) -> tantivy.Query:
        """Names that have it, or more where grams don't say it."""
        if grams := run.grams:
            return phrase(self._schema, "grams", [gram for _, gram in grams], [at for at, _ in grams])
        return all_of([self._substring(*text) for text in run.texts])

    def _substring(self, text: str, begin: str = "", end: str = "") -> tantivy.Query:
        """Names that hold the text; at their beginning, or end, if those are `NAME_END`."""
        if not text:
            return tantivy.Query.all_query()
        text = begin + visible(text) + end
        if len(text) >= GRAM:
            return phrase(self._schema, "grams", [text[at : at + GRAM] for at in range(len(text) - GRAM + 1)])
        known = escaped(text)
        if end:
            return self._grams(f"(?s:.){known}")
        # Behind a text of two characters there is a third, if only `NAME_END`; so behind one, but for the last.
        begins = self._grams(f"{known}(?s:.){{{GRAM - len(text)}}}")
        return begins if len(text) > 1 else any_of([begins, self._grams(f"(?s:.){known}{NAME_END}")])

    def _grams(self, expression: str) -> tantivy.Query:
        return tantivy.Query.regex_query(self._schema, "grams", expression)

    def _folder(self, steps: Steps) -> tantivy.Query:
        if not any(isinstance(step, Wild) for step in steps):
            return term(self._schema, Kind.FOLDER, "".join(map(str, steps)))
        if list(steps) == [Wild.ANY_WITH_SLASHES]:
            return tantivy.Query.all_query()
        return self._expression(Kind.FOLDER, path_expression(tantivy_names.spelled(steps)))

    def _expression(self, kind: Kind, expression: str) -> tantivy.Query:
        try:
            return tantivy.Query.regex_query(self._schema, "terms", f"{kind}{expression}")
        except ValueError as error:
            # tantivy takes an automaton of at most 1,000 states, which is some hundred wildcards.
            raise Invalid(
                "This pattern is too long for the index; write it with fewer `?` and `*`.", code=CODE
            ) from error
