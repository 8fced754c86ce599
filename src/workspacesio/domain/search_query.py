"""What is asked of the index, as a tree. Pure data.

`search_parsing` makes it from text, `search_matching` says what it means. A tree as it is parsed speaks of names
(`owner:ada`). Before it is asked, every `Named` is resolved to the workspaces that it means and the caller may
see, so engines know `Workspaces` and `Folders` only.
"""

from dataclasses import dataclass
from typing import Literal

NamedField = Literal["owner", "in", "node", "root", "public", "path"]


@dataclass(frozen=True, slots=True)
class Everything:
    pass


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: "tuple[Query, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """With no parts: nothing."""

    parts: "tuple[Query, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Query"


@dataclass(frozen=True, slots=True)
class Words:
    """Words next to one another, in the path or in the content; one for a word, several for a "phrase"."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathWords:
    """As `Words`, in the path alone. Nobody writes it: `search_levels` makes it of `Words`."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameMatches:
    """The last part of the path, folded, fits: `*` is any characters, `?` one, `\\` means the next one itself.

    Without `*` and `?`: contains it. See `search_patterns`.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class PathMatches:
    """The whole path in the workspace, folded, fits: `*` and `?` don't cross a slash, `**` does.

    See `search_patterns`.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class HasExtension:
    """Lower case, without its dot."""

    extension: str


@dataclass(frozen=True, slots=True)
class OfType:
    """One of `search_types.TYPES` (`image`), or a content type (`image/tiff`)."""

    type: str


@dataclass(frozen=True, slots=True)
class SizeBetween:
    """Bytes, both inclusive; None is no bound."""

    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class ModifiedBetween:
    """Microseconds since 1970 UTC, both inclusive; None is no bound."""

    earliest: int | None
    latest: int | None


@dataclass(frozen=True, slots=True)
class HasTag:
    """A tag, user metadata or a fact. `value` None: any."""

    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Named:
    """What the caller's sight resolves: an owner, a workspace (`in`), a node, a root, or `public:yes`.

    `path`: a pattern as it was written, if its first folders are a workspace's name, as results are printed; see
    `search_patterns.printed_readings`.
    """

    field: NamedField
    value: str


@dataclass(frozen=True, slots=True)
class Workspaces:
    """In one of these workspaces."""

    ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Folders:
    """Somewhere below one of these folders, by the numbers that the catalogue gave them."""

    ids: frozenset[int]


Query = (
    Everything
    | AllOf
    | AnyOf
    | Not
    | Words
    | PathWords
    | NameMatches
    | PathMatches
    | HasExtension
    | OfType
    | SizeBetween
    | ModifiedBetween
    | HasTag
    | Named
    | Workspaces
    | Folders
)
