"""The index on the search server: its settings and fields, and an entry as the JSON that it takes.

One shard, so that counts of facets and sums are exact. Fields that are text hold words (and groups) that
`domain/search_words.py` made, divided at spaces; nothing is left to the server's own rules of language.

    id                 the last word in every order
    workspace          the caller's sight; facet
    folders, parent    every folder that holds it, and the one that it lies right in
    levels, depth      its folder at each depth as `3:0…017`, and how many there are, for the facet
    path               to sort by and to show
    folder_path        folded, with its last slash; there are few of them, so regular expressions are quick
    name               folded, if that differs; compared by a script where grams don't say everything
    grams              three characters of `/name//` folded, at every place: substrings are phrases
    words, name_words  `indexed_text` of the path, and of the name
    content            `indexed_text` of the content
    size_low, _high    the size's last 26 bits and the others: sums are floating-point numbers, exact below 2^53;
                       a single one would be wrong from 9 petabytes on
    size, modified, year, extension, type, media, tags
    shown, text        what only a hit shows: JSON of its own, and the content for its highlights

Text is folded and cut to at most 8,191 characters where a field holds it as a whole: Lucene takes no term of more
than 32,766 bytes.
"""

from typing import Any

import orjson

from workspacesio.domain.search_types import extension_of, media_type, name_of, tag_terms, type_of, year_of
from workspacesio.domain.search_words import fold, indexed_text
from workspacesio.index.engine import Entry

VERSION = 1
"""Raise it with every change of the fields or of what is put into them: an index of another version is rebuilt."""

GRAM = 3
NAME_END = "/"
"""Stands before a name in its grams, and twice behind it; no name has a slash."""

LOW_BITS = 26
MOST_HITS = 10_000
"""Entries on one page."""
SHOWN = "shown"
TEXT = "text"
"""Neither is looked at by the server, whatever names and values are in them."""

_KEYWORD: dict[str, object] = {"type": "keyword", "ignore_above": 8191}
_FILTER: dict[str, object] = {**_KEYWORD, "doc_values": False}
_COLUMN: dict[str, object] = {**_KEYWORD, "index": False}
_WORDS: dict[str, object] = {
    "type": "text",
    "analyzer": "whitespace",
    "norms": False,
    "index_options": "positions",
}
_NUMBER: dict[str, object] = {"type": "long"}
_FIELDS: dict[str, dict[str, object]] = {
    "id": {**_NUMBER, "index": False},
    "workspace": _KEYWORD,
    "folders": _FILTER,
    "parent": _FILTER,
    "levels": _COLUMN,
    "depth": {"type": "integer", "doc_values": False},
    "path": _COLUMN,
    "folder_path": _FILTER,
    "name": _COLUMN,
    "grams": {**_WORDS, "analyzer": "wio_grams"},
    "words": _WORDS,
    "name_words": _WORDS,
    "content": _WORDS,
    "size": _NUMBER,
    "size_low": {"type": "integer", "index": False},
    "size_high": {**_NUMBER, "index": False},
    "modified": _NUMBER,
    "year": {"type": "integer", "index": False},
    "extension": _KEYWORD,
    "type": _KEYWORD,
    "media": _FILTER,
    "tags": _FILTER,
}

_CACHED_FOLDERS = 10_000


def definition(owner: str, *, whole_segments: bool) -> dict[str, object]:
    """What an index is made with. `whole_segments`: the server (OpenSearch 2.17 and newer) divides searches among
    threads, each of which would keep its own best buckets of a facet, and counts would be estimates."""
    settings: dict[str, object] = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        # Entries are seen when the writer says so.
        "refresh_interval": "-1",
        "codec": "best_compression",
        "max_regex_length": 10_000,
        "max_result_window": MOST_HITS + 1,
        "analysis": {
            "tokenizer": {"wio_grams": {"type": "ngram", "min_gram": GRAM, "max_gram": GRAM}},
            "analyzer": {"wio_grams": {"type": "custom", "tokenizer": "wio_grams"}},
        },
    }
    if whole_segments:
        settings["search.concurrent_segment_search.mode"] = "none"
    return {
        "settings": {"index": settings},
        "mappings": {
            "dynamic": False,
            "_meta": {"version": VERSION, "owner": owner},
            "_source": {"includes": [SHOWN, TEXT]},
            "properties": _FIELDS,
        },
    }


class EntryDocuments:
    """Turns entries into lines of a bulk request. Keeps what is the same for all entries of a folder."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, tuple[int, ...]], dict[str, object]] = {}

    def put(self, entry: Entry) -> bytes:
        slash = entry.path.rfind("/") + 1
        key = (entry.path[:slash], entry.folder_ids)
        folder = self._folders.get(key)
        if folder is None:
            if len(self._folders) >= _CACHED_FOLDERS:
                self._folders.clear()
            folder = self._folders[key] = _folder_part(*key)
        return b'{"index":{"_id":"%d"}}\n%b\n' % (entry.id, orjson.dumps(_document(entry, folder)))


def in_order(number: int) -> str:
    """A number as text whose order is that of numbers; buckets of equal counts are ordered by it."""
    return f"{number:019d}"


def remove(entry_id: int) -> bytes:
    return b'{"delete":{"_id":"%d"}}\n' % entry_id


def grams_text(folded: str) -> str:
    """What the server divides into grams; of '' that is one, which no other name has."""
    return f"{NAME_END}{folded}{NAME_END}{NAME_END}"


def _folder_part(path: str, folder_ids: tuple[int, ...]) -> dict[str, object]:
    return {
        "folders": [str(number) for number in folder_ids],
        "parent": str(folder_ids[-1]),
        "levels": [f"{depth}:{in_order(number)}" for depth, number in enumerate(folder_ids) if depth],
        "depth": len(folder_ids) - 1,
        "folder_path": fold(path),
    }


def _document(entry: Entry, folder: dict[str, object]) -> dict[str, Any]:
    name = name_of(entry.path)
    folded = fold(name)
    fields: dict[str, Any] = {
        **folder,
        "id": entry.id,
        "workspace": in_order(entry.workspace_id),
        "path": entry.path,
        "grams": grams_text(folded),
        "words": indexed_text(entry.path),
        "name_words": indexed_text(name),
        "size": entry.size,
        "size_low": entry.size & (1 << LOW_BITS) - 1,
        "size_high": entry.size >> LOW_BITS,
        "modified": entry.modified,
        "year": year_of(entry.modified),
        "extension": extension_of(name),
        "type": type_of(name, entry.content_type),
    }
    if folded != name:
        fields["name"] = folded
    if entry.content_type:
        fields["media"] = media_type(entry.content_type)
    if entry.user or entry.tags or entry.facts:
        fields["tags"] = sorted(tag_terms(entry.user, entry.tags, entry.facts))
    if entry.text:
        fields[TEXT] = entry.text
        fields["content"] = indexed_text(entry.text)
    shown = {
        "etag": entry.etag,
        "content_type": entry.content_type,
        "facts": dict(entry.facts),
        "tags": dict(entry.tags),
        "problem": entry.problem,
    }
    shown = {name: value for name, value in shown.items() if value}
    if shown:
        fields[SHOWN] = orjson.dumps(shown).decode()
    return fields
