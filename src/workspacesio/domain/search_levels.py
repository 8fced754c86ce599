"""Levels of indexing, said of queries: what asks for more than names, and how to ask where only names count."""

from enum import StrEnum

from workspacesio.domain.search_query import (
    AllOf,
    AnyOf,
    HasExtension,
    HasTag,
    Not,
    OfType,
    PathWords,
    Query,
    Words,
    Workspaces,
)
from workspacesio.domain.search_types import EXTENSIONS, OTHER, extensions_of
from workspacesio.domain.vocabulary import IndexLevel

_ORDER = tuple(IndexLevel)


class Lacking(StrEnum):
    """What a query asks for and a level has not, as people are told."""

    WORDS = "words in contents"
    TYPES = "types told by content"
    TAGS = "tags"
    FACTS = "facts of contents"


def is_below(level: IndexLevel, other: IndexLevel) -> bool:
    """Whether less is known at `level` than at `other`."""
    return _ORDER.index(level) < _ORDER.index(other)


def lacking(query: Query, level: IndexLevel) -> frozenset[Lacking]:
    """What `query` asks for and nothing is known of at `level`, which is names or a higher one."""
    match query:
        case AllOf(parts) | AnyOf(parts):
            return frozenset(one for part in parts for one in lacking(part, level))
        case Not(part):
            return lacking(part, level)
        case Words() if level is not IndexLevel.CONTENT:
            return frozenset({Lacking.WORDS})
        case OfType() if level is IndexLevel.NAMES:
            return frozenset({Lacking.TYPES})
        case HasTag() if level is IndexLevel.NAMES:
            return frozenset({Lacking.TAGS})
        case HasTag() if level is IndexLevel.METADATA:
            return frozenset({Lacking.FACTS})
        case _:
            return frozenset()


def asks_of_contents(query: Query, level: IndexLevel) -> bool:
    """Whether the answer of `query` depends on what was read at `level`."""
    return lacking(query, IndexLevel.NAMES) - lacking(query, level) != frozenset()


def by_name_alone(query: Query, ids: frozenset[int]) -> Query:
    """`query`, in those workspaces as if nothing but names were known of their objects; elsewhere as it is."""
    elsewhere = Not(Workspaces(ids))
    match query:
        case AllOf(parts):
            return AllOf(tuple(by_name_alone(part, ids) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(by_name_alone(part, ids) for part in parts))
        case Not(part):
            return Not(by_name_alone(part, ids))
        case Words(words):
            return AnyOf((PathWords(words), AllOf((query, elsewhere))))
        case OfType(kind) if "/" not in kind:
            return AnyOf((AllOf((Workspaces(ids), type_by_name(kind))), AllOf((query, elsewhere))))
        case OfType() | HasTag():
            return AllOf((query, elsewhere))
        case _:
            return query


def type_by_name(kind: str) -> Query:
    """Objects whose extension tells this type."""
    if kind == OTHER:
        return Not(AnyOf(tuple(map(HasExtension, EXTENSIONS))))
    return AnyOf(tuple(map(HasExtension, extensions_of(kind))))
