"""What is kept with an object, as JSON with one-letter names, and what is said of a file without a record.

RECORD: `e` etag, `h` headers, `u` user metadata, `t` tags, `c` checksums, `k` checksum type,
`p` parts as [number, size, etag, checksums, modified]. A file's is shorter: `file_record.py`.

FOLDER RECORD, an attribute of the same name: `i` inode (it is ignored where that differs), `n` 1 when the folder
was made here, so that it goes with its last object, and `o` the RECORD of the object `key/`, with `w` the time of
its writing, if there is one.
"""

import hashlib
import mimetypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

import orjson

from workspacesio.nodes.stamps import EARLIEST, LATEST
from workspacesio.nodes.values import CONTENT_HEADERS, DEFAULT_CONTENT_TYPE, ObjectMetadata, PartInfo

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"

MAX_ETAG_CHARACTERS = 255
"""The longest that a file's record can hold."""

_HEADERS = frozenset(CONTENT_HEADERS)
"""Any other, such as `content-length` or `set-cookie`, was written by hand."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What must not get into a header of an answer."""

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FolderRecord:
    """What is known of a folder: whether it was made here, and the object `key/` if it is one."""

    made: bool = False
    marker: ObjectMetadata | None = None
    modified: float = 0.0


PLAIN_FOLDER = FolderRecord()


def derived_etag(found: os.stat_result) -> str:
    """The ETag of a file without a record. No MD5 (it has a dash) and no multipart ETag (none has 0 parts)."""
    described = b"%d %d %d" % (found.st_size, found.st_mtime_ns, found.st_ino)
    return hashlib.blake2b(described, digest_size=16).hexdigest() + "-0"


def guessed_content_type(name: str) -> str:
    """RFC 2046 type by the name's extension; S3's own default where that tells nothing."""
    extensions = name.rpartition("/")[2].lstrip(".").rsplit(".", 2)[1:]
    return _type_of("x." + ".".join(extensions)) if extensions else DEFAULT_CONTENT_TYPE


@lru_cache(maxsize=1024)
def _type_of(name: str) -> str:
    kind, encoding = mimetypes.guess_type("x/" + name, strict=False)
    return kind if kind is not None and encoding is None else DEFAULT_CONTENT_TYPE


def is_etag(value: object) -> bool:
    """Whoever may write a file may write any attribute to it: what goes into a header is looked at first."""
    return (
        isinstance(value, str)
        and len(value) <= MAX_ETAG_CHARACTERS
        and value.isascii()
        and value.isprintable()
        and '"' not in value
    )


def folder_record(raw: Raw, found: os.stat_result) -> FolderRecord:
    """What a folder's record says, if it describes this folder."""
    if raw.get("i") != found.st_ino:
        return PLAIN_FOLDER
    described = raw.get("o")
    marker = metadata_of(described) if isinstance(described, dict) else None
    if marker is None or not isinstance(described, dict):
        return FolderRecord(made=raw.get("n") == 1)
    modified = described.get("w")
    return FolderRecord(
        made=raw.get("n") == 1,
        marker=marker,
        modified=modified if _is_time(modified) else found.st_mtime,
    )


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and EARLIEST <= value * 1_000_000 <= LATEST


def raw_folder_record(inode: int, record: FolderRecord) -> Raw:
    raw: Raw = {"i": inode}
    if record.made:
        raw["n"] = 1
    if record.marker is not None:
        raw["o"] = {"e": record.marker.etag, "w": record.modified, **details_of(record.marker)}
    return raw


def metadata_of(raw: Raw) -> ObjectMetadata | None:
    """None when it isn't of our making: whoever may write a file may write any attribute to it."""
    if "x" in raw:
        return None
    texts = [raw.get(name, {}) for name in "hutc"]
    if not all(_is_text_map(value) for value in texts) or not is_etag(raw.get("e")):
        return None
    kind = raw.get("k")
    headers, user, tags, checksums = texts
    parts = _parts_of(raw["p"]) if "p" in raw else ()
    if parts is None or not headers.keys() <= _HEADERS:
        return None
    return ObjectMetadata(
        etag=raw["e"],
        headers=headers,
        user=user,
        tags=tags,
        checksums=checksums,
        checksum_type=kind if isinstance(kind, str) else None,
        parts=parts,
    )


def _parts_of(raw: object) -> tuple[PartInfo, ...] | None:
    """None when they aren't of our making."""
    try:
        parts = tuple(PartInfo(*part) for part in raw)  # type: ignore[attr-defined]
    except TypeError:
        return None
    return parts if all(map(_is_part, parts)) else None


def _is_part(part: PartInfo) -> bool:
    return (
        isinstance(part.number, int)
        and isinstance(part.size, int)
        and part.size >= 0
        and isinstance(part.etag, str)
        and _is_text_map(part.checksums)
        and isinstance(part.modified, int | float)
    )


def _is_text_map(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(text, str) and _CONTROL.search(name + text) is None for name, text in value.items()
    )


def details_of(metadata: ObjectMetadata) -> Raw:
    """Everything but the ETag, as RECORD has it; `metadata_of` reads it."""
    details: Mapping[str, object] = {
        "h": dict(metadata.headers),
        "u": dict(metadata.user),
        "t": dict(metadata.tags),
        "c": dict(metadata.checksums),
        "k": metadata.checksum_type,
        "p": [[part.number, part.size, part.etag, dict(part.checksums), part.modified] for part in metadata.parts],
    }
    return {name: value for name, value in details.items() if value}


def parsed(value: bytes) -> Raw | None:
    """JSON of ours, or None: anybody may write an attribute of this name."""
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return raw if isinstance(raw, dict) else None
