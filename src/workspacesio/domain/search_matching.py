"""What a query means, said of one entry: the twin of the engines, which answer the same of millions.

    matches(query, entry)    whether the entry is found
    rank(query, entry)       its relevance; the more, the earlier

Plain and slow. A query has no names left in it (`Named`): those are the database's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from workspacesio.domain.search_patterns import fits_name, fits_path
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
from workspacesio.domain.search_types import extension_of, media_type, name_of, tag_term, tag_terms, type_of
from workspacesio.domain.search_words import fold, has_phrase, indexed_text

MAX_RANKED = 8


@dataclass(frozen=True, slots=True)
class EntryFields:
    """What of an entry can be asked for. `path` is relative to the workspace, `modified` microseconds since 1970.

    `folder_ids`: the folders that hold it, from the workspace's own on down.
    """

    workspace_id: int
    folder_ids: tuple[int, ...]
    path: str
    size: int
    modified: int
    content_type: str = ""
    user: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


def matches(query: Query, entry: EntryFields) -> bool:
    """Raises ValueError for a name that was not resolved."""
    match query:
        case Everything():
            return True
        case AllOf(parts):
            return all(matches(part, entry) for part in parts)
        case AnyOf(parts):
            return any(matches(part, entry) for part in parts)
        case Not(part):
            return not matches(part, entry)
        case Workspaces(ids):
            return entry.workspace_id in ids
        case Folders(ids):
            return not ids.isdisjoint(entry.folder_ids)
        case _:
            return _has(query, entry)


def _has(query: Query, entry: EntryFields) -> bool:
    match query:
        case Words(words):
            return any(has_phrase(indexed_text(text), words) for text in (entry.path, entry.text))
        case PathWords(words):
            return has_phrase(indexed_text(entry.path), words)
        case NameMatches(pattern):
            return fits_name(pattern, fold(name_of(entry.path)))
        case PathMatches(pattern):
            return fits_path(pattern, fold(entry.path))
        case HasExtension(extension):
            return extension_of(entry.path) == extension
        case OfType(kind):
            if "/" in kind:
                return media_type(entry.content_type) == kind
            return type_of(entry.path, entry.content_type) == kind
        case SizeBetween(least, most):
            return _between(least, entry.size, most)
        case ModifiedBetween(earliest, latest):
            return _between(earliest, entry.modified, latest)
        case HasTag(key, value):
            return tag_term(key, value) in tag_terms(entry.user, entry.tags, entry.facts)
        case _:
            raise ValueError(f"{query!r} is a name, which is resolved before an entry is looked at")


def _between(least: int | None, number: int, most: int | None) -> bool:
    return (least is None or least <= number) and (most is None or number <= most)


def rank(query: Query, entry: EntryFields) -> int:
    """For each of `ranked(query)`: 2 if the name has them, 1 if only the path has; content counts 0."""
    return sum(_rank(phrase, entry.path) for phrase in ranked(query))


def ranked(query: Query) -> list[Words]:
    """What relevance looks at: the first of the `Words` that are not excluded, each once.

    Engines look each of them up again: so their number has a limit.
    """
    return list(islice(dict.fromkeys(looked_for(query)), MAX_RANKED))


def _rank(phrase: Words, path: str) -> int:
    if has_phrase(indexed_text(name_of(path)), phrase.words):
        return 2
    return 1 if has_phrase(indexed_text(path), phrase.words) else 0


def looked_for(query: Query) -> Iterator[Words]:
    """Every `Words` that is not excluded."""
    match query:
        case Words():
            yield query
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from looked_for(part)
        case _:
            return
