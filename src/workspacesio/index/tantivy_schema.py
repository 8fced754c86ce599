"""The fields of a tantivy index, and an entry as the JSON that its writer takes.

Bytes an entry, of 1,000,000 with names of 25 characters that are all different (`benchmarks/search.py` measures):
docs/decisions/0016-stable-pages-and-grams.md says how each field was chosen.

    id               fast, indexed       replaced and removed by it; the last word in every order
    workspace        fast, indexed       the caller's sight; facet
    folders          indexed             every folder that holds it: shares of folders, removal of whole folders
    parent           indexed             the folder that it lies right in
    size, modified   fast                ranges need no more
    year             fast
    path             fast                to sort by and to show; a dictionary of it is smaller than a store
    depth1, depth2…  fast                the folder at each depth up to `DEPTHS`, for the facet
    columns          fast                for facets, too: `extension`, `type`, and the folder at each depth beyond
                                         `DEPTHS`: a column each, however deep, of text, which is half as quick
    terms            indexed             what is asked for as a whole, with a `Kind` before it: folded name, folded
                                         folder (few, so regular expressions are quick), extension, …
    grams            indexed, positions  three characters of `/name/` folded, at each place: substrings are phrases
    folder_words,    indexed, positions  `indexed_text` of both parts. `END` ends the words of the folder, `BEGIN`
    name_words                           begins those of the name: a phrase across the slash is two phrases
    content          indexed, positions  `indexed_text` of the content
    etag, extra,     stored              what only a hit shows; `text` for its highlights
    text

Numbers are signed, since the deletion of a term takes every Python number for one. tantivy writes an index, and a
byte an entry for its length, for each text field: so there are few. Columns that nobody asks for by word get the
tokenizer `UNINDEXED`, which gives no word to the index and the value to the column.
"""

import json
from binascii import b2a_base64
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from json.encoder import encode_basestring as _quoted

import tantivy

from workspacesio.domain.search_types import extension_of, media_type, tag_terms, type_of, year_of
from workspacesio.domain.search_words import GROUP, fold, indexed_text
from workspacesio.index.engine import Entry
from workspacesio.index.packing import pack_etag
from workspacesio.index.tantivy_grams import Spelled, in_json, spelled

VERSION = 3
"""Raise it with every change of the fields or of what is put into them: an index of another version is rebuilt."""

WORDS = "wio_words"
UNINDEXED = "wio_unindexed"
BEGIN = "^"
END = "$"
DEPTHS = 32

_CACHED = 10_000
_DAY = 86_400_000_000
"""In microseconds."""


class Kind(StrEnum):
    """Of a term: what comes before it in `terms`."""

    NAME = "n:"
    FOLDER = "d:"
    EXTENSION = "e:"
    TYPE = "t:"
    CONTENT_TYPE = "c:"
    TAG = "g:"


def schema() -> tantivy.Schema:
    fields = tantivy.SchemaBuilder()
    for name in ("id", "workspace"):
        fields.add_integer_field(name, indexed=True, fast=True)
    for name in ("folders", "parent"):
        fields.add_integer_field(name, indexed=True)
    for name in ("size", "modified", "year", *map(depth_column, range(1, DEPTHS + 1))):
        fields.add_integer_field(name, fast=True)
    fields.add_text_field("path", fast=True, tokenizer_name=UNINDEXED, index_option="basic")
    fields.add_json_field("columns", fast=True, tokenizer_name=UNINDEXED, index_option="basic")
    fields.add_text_field("terms", tokenizer_name="raw", index_option="basic")
    for name in ("grams", "folder_words", "name_words", "content"):
        fields.add_text_field(name, tokenizer_name=WORDS, index_option="position")
    for name in ("etag", "extra", "text"):
        fields.add_bytes_field(name, stored=True)
    return fields.build()


def depth_column(depth: int) -> str:
    """Of the folders at this depth; 1: right in the workspace."""
    return f"depth{depth}" if depth <= DEPTHS else f"columns.{depth}"


def register_tokenizers(index: tantivy.Index) -> None:
    """Has to be done for every opened index, before it is written or asked."""
    raw = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    index.register_tokenizer(WORDS, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    index.register_tokenizer(UNINDEXED, raw.filter(tantivy.Filter.remove_long(1)).build())
    index.register_fast_field_tokenizer(UNINDEXED, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).build())


class EntryDocuments:
    """Turns entries into JSON. Keeps what is the same for all entries of a folder."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, tuple[int, ...]], tuple[str, str, str, str]] = {}
        self._kinds: dict[tuple[str, bool, str], tuple[str, str]] = {}
        self._years: dict[int, int] = {}

    def documents(self, entries: Sequence[Entry]) -> Iterator[str]:
        names = [entry.path[entry.path.rfind("/") + 1 :] for entry in entries]
        return map(self._document, entries, spelled(names))

    def _document(self, entry: Entry, name_spelled: Spelled) -> str:
        number, workspace, ids, path, size, modified, etag, content_type, user, tags, facts, text, problem = entry
        slash = path.rfind("/") + 1
        name, folded, words, grams = name_spelled
        folder, folder_term, fields, depths = self._folder(path[:slash], ids)
        kind_terms, kind_columns = self._kind(path[slash:], content_type)
        read = _read(entry) if content_type or tags or facts or text or problem else ""
        return (
            f'{{"id":{number},"workspace":{workspace},"size":{size},"modified":{modified},'
            f'"year":{self._year(modified // _DAY)},"path":"{folder}{name}",'
            f'"terms":["n:{folded}",{folder_term},{kind_terms}{_tags(user, tags, facts)}],'
            f'"columns":{{{kind_columns}{depths}}},"name_words":"{BEGIN} {words}","grams":"{grams}"'
            f"{fields}{_stored_etag(etag)}{read}}}"
        )

    def _year(self, day: int) -> int:
        year = self._years.get(day)
        if year is None:
            if len(self._years) >= _CACHED:
                self._years.clear()
            year = self._years[day] = year_of(day * _DAY)
        return year

    def _folder(self, path: str, folder_ids: tuple[int, ...]) -> tuple[str, str, str, str]:
        """Its path, its term, fields, and columns."""
        known = self._folders.get((path, folder_ids))
        if known is None:
            if len(self._folders) >= _CACHED:
                self._folders.clear()
            fields = (
                f',"folders":{list(folder_ids)},"parent":{folder_ids[-1]},'
                f'"folder_words":{_quoted(_ended(indexed_text(path)))}'
            )
            fields += "".join(
                [f',"depth{depth}":{number}' for depth, number in enumerate(folder_ids[: DEPTHS + 1])][1:]
            )
            deeper = enumerate(folder_ids[DEPTHS + 1 :], DEPTHS + 1)
            depths = "".join([f',"{depth}":"{number}"' for depth, number in deeper])
            term = _quoted(Kind.FOLDER + fold(path))
            known = self._folders[path, folder_ids] = (in_json(path), term, fields, depths)
        return known

    def _kind(self, name: str, content_type: str) -> tuple[str, str]:
        """Terms and columns."""
        stem, _, suffix = name.rpartition(".")
        key = (suffix, bool(stem.strip(".")), content_type)
        known = self._kinds.get(key)
        if known is None:
            if len(self._kinds) >= _CACHED:
                self._kinds.clear()
            extension, kind = extension_of(name), type_of(name, content_type)
            terms = [Kind.EXTENSION + extension, Kind.TYPE + kind]
            if content_type:
                terms.append(Kind.CONTENT_TYPE + media_type(content_type))
            columns = f'"extension":{_quoted(extension)},"type":{_quoted(kind)}'
            known = self._kinds[key] = (",".join(map(_quoted, terms)), columns)
        return known


def _ended(indexed: str) -> str:
    """`END` after the words, before the groups of their pieces."""
    words, bar, pieces = indexed.partition(f" {GROUP} ")
    return f"{words} {END}{bar}{pieces}"


def _tags(user: Mapping[str, str], tags: Mapping[str, str], facts: Mapping[str, str]) -> str:
    if not (user or tags or facts):
        return ""
    terms = sorted(tag_terms(user, tags, facts))
    return "".join(["," + _quoted(Kind.TAG + term) for term in terms])


def _stored_etag(etag: str) -> str:
    return f',"etag":{_stored(pack_etag(etag))}' if etag else ""


def _read(entry: Entry) -> str:
    """What was read of it."""
    _, _, _, _, _, _, _, content_type, _, tags, facts, text, problem = entry
    fields = ""
    if content_type or tags or facts or problem:
        extra = (content_type, dict(tags), dict(facts), problem)
        fields = f',"extra":{_stored(json.dumps(extra).encode())}'
    if text:
        fields += f',"text":{_stored(text.encode())},"content":{_quoted(indexed_text(text))}'
    return fields


def _stored(value: bytes) -> str:
    return f'"{b2a_base64(value, newline=False).decode()}"'
