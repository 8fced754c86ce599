"""What drivers are given and give back: places, objects as they are stored, listings, uploads, conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Durability(StrEnum):
    """What an acknowledged write survives. FULL: a power failure. PROCESS: the death of every process."""

    FULL = "full"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kind of node can do. Code asks these, never the node's type.

    What each means is said in docs/abilities.md; `tests/conformance` shows each of them, and the lack of it.
    """

    creates_buckets: bool
    immediate_revocation: bool
    one_credential_for_all: bool
    ends_single_credentials: bool
    lists_uploads: bool
    streams_events: bool
    enforces_quotas: bool
    hides_names: bool
    refuses_uploads_under_way: bool
    shares_any_name: bool


@dataclass(frozen=True, slots=True)
class BucketInfo:
    name: str
    created_at: float
    """POSIX seconds."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A bucket and the prefix ('' or 'a/b/') that must not be left: a workspace's."""

    bucket: str
    boundary: str


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """`key` is whole, from the bucket's root, and begins with `boundary`."""

    bucket: str
    key: str
    boundary: str

    @property
    def scope(self) -> Scope:
        return Scope(self.bucket, self.boundary)


@dataclass(frozen=True, slots=True)
class PartInfo:
    """An acknowledged part of an upload. `checksums` by S3's names of algorithms; `modified` in POSIX seconds."""

    number: int
    size: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    modified: float = 0.0


CONTENT_HEADERS = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
)
DEFAULT_CONTENT_TYPE = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class ObjectMetadata:
    """What is stored with an object besides its bytes.

    `headers` are those of `CONTENT_HEADERS` that were given. `user` has the names after `x-amz-meta-`, lower case.
    `checksums` maps S3's algorithm names (`CRC32`) to base64 values; `checksum_type` is `FULL_OBJECT` or
    `COMPOSITE`. ETags have no quotes.
    """

    etag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    user: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str | None = None
    parts: tuple[PartInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object. `modified` is in POSIX seconds. `metadata.etag` is always set."""

    key: str
    size: int
    modified: float
    metadata: ObjectMetadata

    @property
    def etag(self) -> str:
        return self.metadata.etag


class ObjectSummary(NamedTuple):
    """An object as a listing shows it. Made by the thousand, so of the kind that is made quickest."""

    key: str
    size: int
    modified: float
    etag: str
    checksum_algorithm: str | None = None


class StoredObject(NamedTuple):
    """What a listing would show of one key, as the index keeps it.

    `modified`: microseconds since 1970 UTC, on servers in whole seconds, since HEAD tells no more. `stamp`: of 64
    bits, signed, never 0; it changes with every change of the object (`stamps.py`).
    """

    key: str
    size: int
    modified: int
    etag: str
    stamp: int


@dataclass(frozen=True, slots=True)
class ListRequest:
    """`after` is exclusive: the listing goes on behind this key or common prefix ('' begins at the start)."""

    prefix: str
    delimiter: str = ""
    after: str = ""
    max_keys: int = 1000


@dataclass(frozen=True, slots=True)
class ListPage:
    """Objects and common prefixes, each in byte order. `next_after` is None when nothing follows."""

    objects: tuple[ObjectSummary, ...]
    common_prefixes: tuple[str, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`first` and `last` inclusive, as in RFC 9110 14.1.2. first None: the last `last` bytes."""

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Preconditions:
    """For writes. `if_match`: this ETag must be there now. `if_none_match`: no object may be there."""

    if_match: str | None = None
    if_none_match: bool = False


NO_PRECONDITIONS = Preconditions()


@dataclass(frozen=True, slots=True)
class Published:
    """`replaced_size` is the size of the object that was there, or None. `parts_bytes`: what the parts of its
    upload had when that ended, with those that weren't listed and those that arrived meanwhile."""

    info: ObjectInfo
    replaced_size: int | None
    parts_bytes: int = 0


@dataclass(frozen=True, slots=True)
class UploadInfo:
    """A multipart upload that was begun. `initiator_id` is the user who did."""

    upload_id: str
    key: str
    initiated: float
    initiator_id: int
    metadata: ObjectMetadata
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


class UploadMarker(NamedTuple):
    """A place in the listing of uploads: behind the upload `upload_id` of `key`, or with '' behind all of them."""

    key: str
    upload_id: str = ""


FIRST_UPLOAD = UploadMarker("")


@dataclass(frozen=True, slots=True)
class RequestedPart:
    """A part as completion names it. Checksums are compared where they are given."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)
