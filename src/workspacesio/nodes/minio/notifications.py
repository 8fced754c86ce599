"""What a MinIO server sends to a webhook, read with distrust: JSON with `EventName`, `Key` and `Records`.

Each record is an S3 event ("Event message structure" in the Amazon S3 user guide), its key encoded by Go's
`url.QueryEscape`: '+' is a space, everything else but letters, digits and `-_.~` is %XX of its UTF-8 bytes. The
message's own `Key` is not encoded and has lost bytes that are not UTF-8, so it isn't read.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_to_bytes

MAX_RECORDS = 1000
MAX_BUCKET_CHARACTERS = 63
MAX_KEY_BYTES = 1024
MAX_ETAG_CHARACTERS = 128
MAX_SIZE = 2**63 - 1

_NAME = re.compile(r"s3:Object(?:Created|Removed):[A-Za-z]{1,40}\Z")
_SEQUENCER = re.compile(r"[0-9A-Fa-f]{1,64}\Z")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ABSENT: dict[str, Any] = {}


class MalformedNotification(Exception):
    """No message of a MinIO server. The text is one sentence."""


@dataclass(frozen=True, slots=True)
class Notified:
    """One thing that happened. `principal` is the server's user who did it; `digest` is the same if told again."""

    name: str
    at: datetime
    bucket: str
    key: str
    principal: str
    size: int | None
    etag: str | None
    sequencer: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Notification:
    """`unnameable`: how many records were of objects whose names nothing here can hold (not UTF-8, too long)."""

    records: tuple[Notified, ...]
    unnameable: int


def read_notification(body: bytes) -> Notification:
    """What happened, in the order told; records of other kinds than creating and removing objects are left out.

    Raises MalformedNotification for what no server sends, since a server repeats what is refused for ever.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedNotification("The body is no JSON.") from None
    found = message.get("Records") if isinstance(message, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise MalformedNotification("The body has no list Records, as a MinIO server's has.")
    if len(found) > MAX_RECORDS:
        raise MalformedNotification(f"The body has more than {MAX_RECORDS} records.")
    records, unnameable = [], 0
    for one in found:
        name = _text(one, "eventName")
        if not _NAME.match(name):
            continue
        notified = _record(name, one)
        if notified is None:
            unnameable += 1
        else:
            records.append(notified)
    return Notification(tuple(records), unnameable)


def _record(name: str, record: dict[str, Any]) -> Notified | None:
    s3 = _part(record, "s3")
    stored = _part(s3, "object")
    bucket, encoded = _text(_part(s3, "bucket"), "name"), _text(stored, "key")
    if not bucket or not encoded:
        raise MalformedNotification("A record names no bucket or no object.")
    key = _decoded(encoded)
    if key is None or len(bucket) > MAX_BUCKET_CHARACTERS or "\0" in bucket or not _is_utf8(bucket):
        return None
    created = name.startswith("s3:ObjectCreated:")
    etag = _text(stored, "eTag")
    return Notified(
        name,
        _instant(_text(record, "eventTime")),
        bucket,
        key,
        _text(_part(record, "userIdentity"), "principalId"),
        _size(stored.get("size", 0)) if created else None,
        etag if created and etag and len(etag) <= MAX_ETAG_CHARACTERS and etag.isprintable() else None,
        _sequencer(_text(stored, "sequencer")),
        _digest(name, bucket, encoded, record, stored),
    )


def _decoded(encoded: str) -> str | None:
    """The key, or None for one that nothing here can hold. Raises MalformedNotification."""
    if len(encoded) > 3 * MAX_KEY_BYTES:
        return None
    if _PERCENT.search(encoded):
        raise MalformedNotification("A record's key is not encoded as a MinIO server encodes keys.")
    try:
        raw = unquote_to_bytes(encoded.replace("+", " "))
        key = raw.decode()
    except UnicodeError:
        return None
    return None if len(raw) > MAX_KEY_BYTES or "\0" in key else key


def _digest(name: str, bucket: str, encoded: str, record: dict[str, Any], stored: dict[str, Any]) -> bytes:
    """Of what makes a record this one: two writes of one key differ in their request, times and version."""
    request = _text(_part(record, "responseElements"), "x-amz-request-id")
    parts = [name, bucket, encoded, _text(stored, "versionId"), _text(stored, "sequencer")]
    parts += [_text(record, "eventTime"), request]
    return sha256(json.dumps(parts).encode()).digest()


def _sequencer(text: str) -> str | None:
    """Of equal length for all, so that they compare as text: the server's are nanoseconds in 16 digits."""
    return text.upper().rjust(16, "0") if _SEQUENCER.match(text) else None


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE else None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedNotification("A record has no time.") from None


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else _ABSENT


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
