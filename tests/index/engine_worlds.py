"""Entries and queries at random, few enough in kind that they meet, with names that break things."""

from collections.abc import Mapping
from random import Random

from workspacesio.domain.search_matching import EntryFields
from workspacesio.domain.search_patterns import fold_pattern, literal_pattern
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
from workspacesio.domain.search_types import extension_of, media_type, name_of, type_of
from workspacesio.domain.search_words import word_groups
from workspacesio.index.engine import Entry

_PLAIN = ["alpha", "Beta", "gamma", "AlphaBeta", "GAMMA2024", "r1", "x", "aa", "aaa", "0001", "AND", "n:"]
_PARTS = [
    *_PLAIN,
    *"_-.*?\\|^$\"'(+~#&< \t\n\u3000\u00a0\u0301äÄßéİﬁ😀",
    *("..", "  ", "[a-z]", "{2}", "%2F", "日本"),
]
_EXTENSIONS = ["", ".tif", ".TIF", ".csv", ".tar.gz", ".Jpeg", ".ä", ".x y", "."]
_CONTENT_TYPES = ["", "", "", "image/png", "text/plain; charset=utf-8", "application/json", "Weird/Type"]
_TEXTS = ["", "", "", "alpha beta gamma", "Beta: gamma; AlphaBeta.", "日本 words | of ^ content $", "a" * 70]
_TAGS: list[Mapping[str, str]] = [{}, {}, {"Project": "Alpha"}, {"project": "beta", "n": "1"}, {"ä ": "Ä  b"}]


def entry(
    number: int,
    path: str,
    *,
    workspace: int = 1,
    folders: tuple[int, ...] | None = None,
    size: int = 1,
    modified: int = 1_700_000_000_000_000,
    etag: str = "",
    content_type: str = "",
    user: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
    text: str = "",
) -> Entry:
    return Entry(
        id=number,
        workspace_id=workspace,
        folder_ids=folders or tuple(range(100, 101 + path.count("/"))),
        path=path,
        size=size,
        modified=modified,
        etag=etag,
        content_type=content_type,
        user=user or {},
        tags=tags or {},
        facts=facts or {},
        text=text,
    )


def fields(each: Entry) -> EntryFields:
    return EntryFields(
        workspace_id=each.workspace_id,
        folder_ids=each.folder_ids,
        path=each.path,
        size=each.size,
        modified=each.modified,
        content_type=each.content_type,
        user=each.user,
        tags=each.tags,
        facts=each.facts,
        text=each.text,
    )


def random_entries(random: Random, count: int, *, first_id: int = 1, values: int = 50) -> list[Entry]:
    """`values`: how many different sizes and times they have."""
    return [_random_entry(random, first_id + at, values) for at in range(count)]


def _random_entry(random: Random, number: int, values: int) -> Entry:
    workspace = random.randrange(1, 5)
    depth = random.choice((0, 1, 1, 2, 3))
    chosen = [random.randrange(3) for _ in range(depth)]
    folders = [workspace * 1000]
    names = []
    for level, choice in enumerate(chosen, 1):
        folders.append(folders[-1] * 3 + choice + level)
        names.append(("alpha", "Beta_gamma", "ä *?")[choice])
    name = "".join(random.choices(_PARTS, k=random.choice((1, 1, 2, 3, 5)))) + random.choice(_EXTENSIONS)
    if random.random() < 0.05:
        name = ""
    return entry(
        number,
        "/".join([*names, name]),
        workspace=workspace,
        folders=tuple(folders),
        size=random.randrange(values) * 1000,
        modified=(random.randrange(values) - values // 10) * 10**13,
        content_type=random.choice(_CONTENT_TYPES),
        user=random.choice(_TAGS),
        tags=random.choice(_TAGS),
        text=random.choice(_TEXTS),
    )


class Change:
    """Of what an order depends on."""

    @staticmethod
    def of(each: Entry, random: Random) -> Entry:
        other = _random_entry(random, each.id, 3)
        return each._replace(path=other.path, size=other.size, modified=other.modified, text=other.text)


def random_query(random: Random, entries: list[Entry], *, depth: int) -> Query:
    """About something that some entry has, more often than not."""
    if depth and random.random() < 0.6:
        parts = tuple(random_query(random, entries, depth=depth - 1) for _ in range(random.choice((1, 2, 3))))
        return random.choice((AllOf(parts), AnyOf(parts), Not(parts[0])))
    each = random.choice(entries)
    kind = random.randrange(12)
    match kind:
        case 0 | 1:
            return Words(_phrase(random, each.path if random.random() < 0.8 else each.text))
        case 2 | 3:
            return NameMatches(_pattern(random, name_of(each.path)))
        case 4 | 5:
            return PathMatches(_pattern(random, each.path))
        case 6:
            return HasExtension(extension_of(each.path))
        case 7:
            media = media_type(each.content_type)
            return OfType(media if media and random.random() < 0.5 else type_of(each.path, each.content_type))
        case 8:
            return SizeBetween(random.choice((None, each.size)), random.choice((None, each.size + 5000)))
        case 9:
            return ModifiedBetween(random.choice((None, each.modified)), random.choice((None, each.modified)))
        case 10:
            key, value = random.choice([*each.tags.items(), ("project", "alpha")])
            return HasTag(key, random.choice((None, value)))
        case _:
            sight = (
                Workspaces(frozenset([each.workspace_id])),
                Folders(frozenset([random.choice(each.folder_ids)])),
            )
            return random.choice((*sight, AnyOf(sight), Everything()))


def _phrase(random: Random, text: str) -> tuple[str, ...]:
    words = random.choice(word_groups(text)) or ["alpha"]
    begin = random.randrange(len(words))
    return tuple(words[begin : begin + random.choice((1, 1, 2, 3))])


def _pattern(random: Random, text: str) -> str:
    """A part of the text, with some of it replaced by wildcards."""
    begin = random.randrange(len(text) + 1)
    end = random.randrange(begin, len(text) + 1)
    pieces = [literal_pattern(text[begin:end])]
    if random.random() < 0.7:
        pieces = [random.choice(("", "*", "**", "?", "**/")), *pieces, random.choice(("", "*", "**", "?"))]
        middle = random.randrange(begin, end + 1)
        if random.random() < 0.4:
            skipped = min(end, middle + random.randrange(3))
            inner = random.choice(("*", "**", "?" * (skipped - middle)))
            pieces[1:2] = [literal_pattern(text[begin:middle]), inner, literal_pattern(text[skipped:end])]
    return fold_pattern("".join(pieces))
