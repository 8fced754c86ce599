"""The few forms of tantivy's queries that all others are put together from."""

from collections.abc import Sequence

import tantivy
from tantivy import Occur

from workspacesio.index.tantivy_schema import Kind


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


def term(schema: tantivy.Schema, kind: Kind, value: str) -> tantivy.Query:
    return tantivy.Query.term_query(schema, "terms", kind + value, "basic")


def phrase(
    schema: tantivy.Schema, field: str, words: Sequence[str], places: Sequence[int] | None = None
) -> tantivy.Query:
    """Words that follow one another; `places`: or lie so far apart, counted from the first one."""
    if len(words) == 1:
        return tantivy.Query.term_query(schema, field, words[0], "basic")
    if places is None:
        return tantivy.Query.phrase_query(schema, field, list(words))
    return tantivy.Query.phrase_query(schema, field, list(zip(places, words, strict=True)))
