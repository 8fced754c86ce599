"""How deep the folder lies that a query is about, so that folders are counted below it and not above."""

from collections.abc import Collection, Mapping
from typing import Protocol

from workspacesio.domain.search_patterns import pattern_parts
from workspacesio.domain.search_query import AllOf, AnyOf, Folders, PathMatches, Query
from workspacesio.index.sight import Place


class FolderPlaces(Protocol):
    """Of the catalogue."""

    def folder_places(self, folder_ids: Collection[int]) -> Mapping[int, Place]: ...


def asked_depth(query: Query, catalogue: FolderPlaces) -> int:
    """Of the folder in which all lies that `query` (names resolved) finds, as far as that is plain to see; 0 for
    whole workspaces. `path:a/b` counts as the folder."""
    return _depth(query, catalogue) or 0


def _depth(query: Query, catalogue: FolderPlaces) -> int | None:
    """None for what finds nothing."""
    match query:
        case AllOf(parts):
            known = [_depth(part, catalogue) for part in parts]
            return None if None in known else max(depth for depth in known if depth is not None)
        case AnyOf(parts):
            some = [depth for part in parts if (depth := _depth(part, catalogue)) is not None]
            return min(some, default=None)
        case Folders(ids):
            return min((path.count("/") for _, path in catalogue.folder_places(ids).values()), default=None)
        case PathMatches(pattern):
            return _depth_of_pattern(pattern)
        case _:
            return 0


def _depth_of_pattern(pattern: str) -> int:
    parts = pattern_parts(pattern)
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    return first.count("/") + (len(parts) == 1)
