"""What is at some keys of a server now: by HEAD, or by pages of a listing where these keys lie close together.

HEAD takes about a millisecond for each key, a page of a thousand keys about twenty: so a burst of events in one
folder costs some pages, and keys that are far apart one request each. HEAD tells times in whole seconds, and so do
pages here.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from minio import Minio
from minio.error import ServerError

from workspacesio.nodes.errors import NoSuchBucket
from workspacesio.nodes.minio.failures import NotPermitted, RequestRefused, failures
from workspacesio.nodes.minio.listing_pages import MOST_BYTES, KeyPage, ListedObject, list_keys
from workspacesio.nodes.stamps import object_stamp, whole_seconds
from workspacesio.nodes.values import StoredObject

MANY = 100
"""Keys from which on it is tried whether they lie close together."""

WORTH = 30
"""Keys that a page must hold to be quicker than asking for each."""


def require_bucket(s3: Minio, bucket: str) -> None:
    """HEAD of a key says no more than 404 where the bucket is missing. Raises NoSuchBucket."""
    with failures():
        there = s3.bucket_exists(bucket)
    if not there:
        raise NoSuchBucket("There is no such bucket.")


def stat_by_pages(s3: Minio, bucket: str, keys: Sequence[str]) -> tuple[dict[str, StoredObject], list[str]]:
    """What pages tell of these keys, and the keys of which they don't, since it would not be worth it.

    `keys` are sorted, each once. Keys that no page shows are in neither.
    """
    found: dict[str, StoredObject] = {}
    alone: list[str] = []
    first = 0
    while len(keys) - first >= WORTH:
        near = keys[first : first + MANY]
        folder = _common_folder(near[0], near[-1])
        page = _page(s3, bucket, folder, start_after=near[0][:-1])
        end = first
        last = page.objects[-1].key if page.token is not None and page.objects else None
        while end < len(keys) and keys[end].startswith(folder) and (last is None or keys[end] <= last):
            end += 1
        if end - first < WORTH:
            alone += near
            first += len(near)
            continue
        shown = {one.key: one for one in page.objects}
        found |= {key: _listed(shown[key]) for key in keys[first:end] if key in shown}
        first = end
    return found, [*alone, *keys[first:]]


def stat_object(s3: Minio, bucket: str, key: str) -> StoredObject | None:
    """By HEAD, which on MinIO also tells of an object `a/b` that no listing shows beside an object `a`."""
    if not {".", ".."}.isdisjoint(key.split("/")):  # which the library asks for in listings only
        return stat_by_listing(s3, bucket, key)
    try:
        with failures(), _refused_heads():
            found = s3.stat_object(bucket, key)
    except RequestRefused as error:
        return None if error.code == "NoSuchKey" else stat_by_listing(s3, bucket, key)
    except NotPermitted:  # to read objects: keys may be listed all the same
        return stat_by_listing(s3, bucket, key)
    modified = whole_seconds(found.last_modified.timestamp() if found.last_modified else 0.0)
    return _stored(key, found.size or 0, modified, (found.etag or "").strip('"'))


def stat_by_listing(s3: Minio, bucket: str, key: str) -> StoredObject | None:
    """Where the server refuses the HEAD: of what is encrypted with a customer's key, or to who may list only."""
    try:
        page = list_keys(s3, bucket, key)
    except RequestRefused:  # no object can be called so
        return None
    if not page.objects or page.objects[0].key != key:
        return None
    return _listed(page.objects[0])


def _page(s3: Minio, bucket: str, folder: str, *, start_after: str) -> KeyPage:
    try:
        return list_keys(s3, bucket, folder, start_after=start_after)
    except RequestRefused as error:
        if error.code == "NoSuchBucket":
            raise NoSuchBucket("There is no such bucket.") from error
        raise


def _common_folder(first: str, last: str) -> str:
    """In which these keys lie, and all that are sorted between them."""
    end = 0
    while (slash := first.find("/", end)) >= 0 and last.startswith(first[: slash + 1]):
        end = slash + 1
    return first[:end]


def may_read(s3: Minio, bucket: str) -> bool:
    """Whether objects may be read, by asking for one that isn't there: who may read is told that.

    Raises NodeErrors.
    """
    try:
        with failures():
            s3.stat_object(bucket, f"wio-{secrets.token_hex(16)}")
    except NotPermitted:
        return False
    except RequestRefused:
        pass
    return True


@contextmanager
def _refused_heads() -> Iterator[None]:
    """An answer to HEAD has no body that could say why."""
    try:
        yield
    except ServerError as error:
        if error.status_code != 400:
            raise
        raise RequestRefused("The server refuses to tell of this object.", "BadRequest") from error


def _listed(one: ListedObject) -> StoredObject:
    return _stored(one.key, one.size, whole_seconds(one.modified), one.etag)


def _stored(key: str, size: int, modified: int, etag: str) -> StoredObject:
    size = min(size, MOST_BYTES)
    return StoredObject(key, size, modified, etag, object_stamp(size, modified, etag))
