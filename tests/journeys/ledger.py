"""A client with a ledger: what was acknowledged for each of its keys, and what was asked for without an answer.

After any accident a key must hold what was acknowledged last, or one of the things that were asked for since:
whole, with the metadata and the ETag of the very same version.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions

from journeys import versions
from journeys.chunked import put_chunked
from journeys.places import Place

Version = tuple[str, int]
"""Name and number of blocks; None stands for no object."""

PART_BYTES = 5 << 20
BIG_BLOCKS = (64 << 20) // versions.BLOCK

_BROKEN = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
    http.client.HTTPException,
    OSError,
)


class Interrupted(Exception):
    """The service went away in the middle of a request."""


@dataclass
class Entry:
    now: Version | None = None
    maybe: list[Version | None] = field(default_factory=list)


class Client:
    """Writes to keys of its own. `acknowledged` counts what was answered, by kind."""

    def __init__(self, place: Place, name: str, *, keys: int, big: bool = False, seed: int = 0) -> None:
        self.place = place
        self.entries = {place.key(f"{name}/{number % 3}/key-{number}"): Entry() for number in range(keys)}
        self.acknowledged: dict[str, int] = {}
        self.interrupted = 0
        self._s3 = place.client()
        self._random = random.Random(seed)
        self._kinds: list[Callable[[], None]] = [self._put, self._copy, self._delete]
        if big:
            self._kinds += [self._put_big, self._multipart, self._multipart]
        else:
            self._kinds += [self._put, self._put_chunked, self._delete_several]

    # --- writing --------------------------------------------------------------------------------------------

    def work(self, stopped: Callable[[], bool], *, settle: bool) -> None:
        """Writes at random until `stopped()`; after an interruption it settles and goes on, or ends."""
        while not stopped():
            kind = self._random.choice(self._kinds)
            try:
                kind()
            except Interrupted:
                self.interrupted += 1
                if not settle:
                    return
                self.settle()
            else:
                name = kind.__name__.strip("_")
                self.acknowledged[name] = self.acknowledged.get(name, 0) + 1

    def _ask(self, wanted: dict[str, Version | None], call: Callable[[], Any]) -> None:
        for key, version in wanted.items():
            self.entries[key].maybe.append(version)
        _uninterrupted(call)
        for key, version in wanted.items():
            self.entries[key] = Entry(version)

    def _any_key(self) -> str:
        return self._random.choice(list(self.entries))

    def _put(self) -> None:
        self._put_version((versions.new_name("put"), self._random.randint(1, 1500)))

    def _put_big(self) -> None:
        self._put_version((versions.new_name("big"), BIG_BLOCKS))

    def _put_version(self, version: Version) -> None:
        key, data = self._any_key(), versions.content(*version)
        self._ask(
            {key: version},
            lambda: self._s3.put_object(
                Bucket=self.place.bucket, Key=key, Body=data, Metadata={"version": version[0]}
            ),
        )

    def _put_chunked(self) -> None:
        key, version = self._any_key(), (versions.new_name("chunked"), self._random.randint(1, 3000))
        data = versions.content(*version)
        headers = {"x-amz-meta-version": version[0]}
        self._ask({key: version}, lambda: put_chunked(self.place, key, data, headers))

    def _multipart(self) -> None:
        blocks = 2 * PART_BYTES // versions.BLOCK + self._random.randint(1, 1000)
        key, version = self._any_key(), (versions.new_name("parts"), blocks)
        data = versions.content(*version)
        named = {"Bucket": self.place.bucket, "Key": key}
        begun = _uninterrupted(lambda: self._s3.create_multipart_upload(**named, Metadata={"version": version[0]}))
        named["UploadId"] = begun["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(data), PART_BYTES), 1):
            piece = data[start : start + PART_BYTES]
            done = _uninterrupted(
                lambda number=number, piece=piece: self._s3.upload_part(**named, PartNumber=number, Body=piece)
            )
            parts.append({"PartNumber": number, "ETag": done["ETag"]})
        self._ask(
            {key: version},
            lambda: self._s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}),
        )

    def _copy(self) -> None:
        source, target = self._random.sample(list(self.entries), 2)
        version = self.entries[source].now
        if version is None:
            return
        where = {"Bucket": self.place.bucket, "Key": source}
        self._ask(
            {target: version},
            lambda: self._s3.copy_object(Bucket=self.place.bucket, Key=target, CopySource=where),
        )

    def _delete(self) -> None:
        key = self._any_key()
        self._ask({key: None}, lambda: self._s3.delete_object(Bucket=self.place.bucket, Key=key))

    def _delete_several(self) -> None:
        keys = self._random.sample(list(self.entries), 3)
        document = {"Objects": [{"Key": key} for key in keys]}
        self._ask(dict.fromkeys(keys), lambda: self._delete_document(document))

    def _delete_document(self, document: Any) -> None:
        answer = self._s3.delete_objects(Bucket=self.place.bucket, Delete=document)
        if any(error["Code"] in ("ServiceUnavailable", "InternalError") for error in answer.get("Errors", ())):
            raise Interrupted
        assert not answer.get("Errors"), answer["Errors"]

    # --- looking --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Looks at every key that is in doubt, and takes what is there for acknowledged if it may be there."""
        for key, entry in self.entries.items():
            if entry.maybe:
                self._look(key)

    def check_all(self) -> dict[str, tuple[int, str]]:
        """Looks at every key. Returns size and ETag of the objects that are there."""
        found = {}
        for key in self.entries:
            seen = self._look(key)
            if seen is not None:
                found[key] = seen
        return found

    def _look(self, key: str) -> tuple[int, str] | None:
        entry = self.entries[key]
        answer, data = _patiently(lambda: self._get(key))
        version = versions.whole(data) if data is not None else None
        allowed = [entry.now, *entry.maybe]
        assert version in allowed, f"{key} holds {version} and may hold {allowed}"
        self.entries[key] = Entry(version)
        if version is None or data is None:
            return None
        etag = answer["ETag"].strip('"')
        assert answer["Metadata"] == {"version": version[0]}, key
        assert etag == versions.md5(*version) or "-" in etag, key
        return len(data), etag

    def _get(self, key: str) -> tuple[Any, bytes | None]:
        try:
            answer = self._s3.get_object(Bucket=self.place.bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return None, None
        return answer, answer["Body"].read()


def _uninterrupted(call: Callable[[], Any]) -> Any:
    """What `call` returns. Raises Interrupted where the service went away; a refusal passes."""
    try:
        return call()
    except _BROKEN as error:
        raise Interrupted from error
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        raise Interrupted from error


def _patiently(call: Callable[[], Any]) -> Any:
    """`call` again and again until the service answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return _uninterrupted(call)
        except Interrupted:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
