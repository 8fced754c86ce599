"""The suite that every driver passes: `NodeDriver` as its docstrings promise it.

A driver's test module makes a class from `DriverContract` and gives it a `harness` fixture.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from workspacesio.nodes.driver import NodeDriver
from workspacesio.nodes.errors import (
    InvalidPart,
    InvalidPartOrder,
    KeyNotPossible,
    NodeError,
    NoSuchBucket,
    NoSuchObject,
    NoSuchUpload,
    ObjectChanged,
    PartTooSmall,
    PreconditionFailed,
    RangeNotSatisfiable,
)
from workspacesio.nodes.values import (
    NO_PRECONDITIONS,
    ByteRange,
    ListRequest,
    ObjectAddress,
    ObjectMetadata,
    Preconditions,
    Published,
    RequestedPart,
    Scope,
    UploadInfo,
    UploadMarker,
)

T = TypeVar("T")
MIB = 1 << 20
PART = 5 * MIB


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@dataclass
class Harness:
    """A driver with an empty bucket, and what a test does with it again and again."""

    driver: NodeDriver
    bucket: str
    boundary: str = ""

    def at(self, key: str) -> ObjectAddress:
        return ObjectAddress(self.bucket, self.boundary + key, self.boundary)

    async def put(
        self,
        key: str,
        data: bytes,
        metadata: ObjectMetadata | None = None,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        chunk: int = 1 << 16,
        announced: bool = True,
    ) -> Published:
        hasher = hashlib.md5()
        size = len(data) if announced else None
        staged = await self.driver.stage(self.at(key), expected_size=size, hashers=[hasher])
        try:
            for start in range(0, len(data), chunk):
                await staged.write(data[start : start + chunk])
            await staged.finish()
            assert staged.size == len(data)
            assert hasher.hexdigest() == md5(data)
            metadata = metadata or ObjectMetadata()
            return await staged.publish(replace(metadata, etag=hasher.hexdigest()), preconditions)
        finally:
            await staged.discard()

    async def get(self, key: str, byte_range: ByteRange | None = None) -> bytes:
        opened = await self.driver.open(self.at(key), byte_range)
        try:
            small = opened.small()
            data = b"".join([chunk async for chunk in opened.chunks()])
            assert small is None or small == data
            assert len(data) == opened.size_to_send
            return data
        finally:
            await opened.close()

    async def exists(self, key: str) -> bool:
        try:
            await self.driver.head(self.at(key))
        except NoSuchObject:
            return False
        return True

    async def begin(self, key: str, metadata: ObjectMetadata | None = None) -> UploadInfo:
        return await self.driver.create_upload(
            self.at(key),
            metadata or ObjectMetadata(headers={"content-type": "text/x-part"}),
            initiator_id=7,
            checksum_algorithm=None,
            checksum_type=None,
        )

    async def part(self, upload: UploadInfo, number: int, data: bytes) -> RequestedPart:
        address = ObjectAddress(self.bucket, upload.key, self.boundary)
        staged = await self.driver.stage_part(
            address, upload.upload_id, number, expected_size=len(data), hashers=[]
        )
        try:
            for start in range(0, len(data), 300_000):
                await staged.write(data[start : start + 300_000])
            await staged.finish()
            info = await staged.publish(md5(data), {})
        finally:
            await staged.discard()
        assert (info.number, info.size, info.etag) == (number, len(data), md5(data))
        return RequestedPart(number, info.etag)

    async def complete(
        self, upload: UploadInfo, parts: list[RequestedPart], preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Published:
        address = ObjectAddress(self.bucket, upload.key, self.boundary)
        staged = await self.driver.complete_upload(address, upload.upload_id, parts)
        try:
            await staged.finish()
            return await staged.publish(ObjectMetadata(), preconditions)
        finally:
            await staged.discard()

    async def keys(self) -> list[str]:
        page = await self.driver.list_objects(
            Scope(self.bucket, self.boundary), ListRequest(self.boundary, max_keys=1000)
        )
        return [shown.key.removeprefix(self.boundary) for shown in page.objects]


async def put_at(driver: NodeDriver, address: ObjectAddress, data: bytes) -> Published:
    staged = await driver.stage(address, expected_size=len(data), hashers=[])
    try:
        await staged.write(data)
        await staged.finish()
        return await staged.publish(ObjectMetadata(etag=md5(data)))
    finally:
        await staged.discard()


Scenario = Callable[[Harness], Awaitable[Any]]


def full_metadata() -> ObjectMetadata:
    return ObjectMetadata(
        headers={"content-type": "text/csv", "cache-control": "no-cache", "content-language": "fr"},
        user={"colour": "blau-grün", "empty": ""},
        tags={"project": "a b", "": "x"},
        checksums={"CRC32": "AAAAAA=="},
        checksum_type="FULL_OBJECT",
    )


class DriverContract:
    """Each test gets an empty bucket from the fixture `run`, which runs a scenario on it."""

    @pytest.fixture
    def run(self) -> Callable[[Scenario], Any]:
        raise NotImplementedError

    # --- objects --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 1024, 256 << 10, (256 << 10) + 1, MIB, MIB + 1, 3 * MIB + 77])
    @pytest.mark.parametrize("announced", [True, False])
    def test_what_was_put_is_got(self, run: Any, size: int, announced: bool) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(size)
            published = await h.put("a/b/c.bin", data, announced=announced)
            assert published.replaced_size is None
            assert (published.info.size, published.info.etag) == (size, md5(data))
            assert await h.get("a/b/c.bin") == data
            assert (await h.driver.head(h.at("a/b/c.bin"))).etag == md5(data)

        run(scenario)

    def test_metadata_comes_back_whole(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("k", b"x", full_metadata())
            info = await h.driver.head(h.at("k"))
            assert info.metadata == replace(full_metadata(), etag=md5(b"x"))
            opened = await h.driver.open(h.at("k"))
            assert opened.info == info
            await opened.close()

        run(scenario)

    def test_metadata_of_many_kilobytes_comes_back_whole(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            big = replace(full_metadata(), user={f"name-{i}": "v" * 200 for i in range(500)})
            await h.put("k", b"x", big)
            assert (await h.driver.head(h.at("k"))).metadata == replace(big, etag=md5(b"x"))
            assert await h.keys() == ["k"]
            await h.put("k", b"y")
            assert (await h.driver.head(h.at("k"))).metadata.user == {}

        run(scenario)

    def test_overwriting_tells_the_size_that_was_replaced(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("k", b"12345")
            staged = await h.driver.stage(h.at("k"), expected_size=2, hashers=[])
            assert await staged.current_size() == 5
            await staged.write(b"ab")
            await staged.finish()
            published = await staged.publish(ObjectMetadata(etag=md5(b"ab")))
            assert published.replaced_size == 5
            assert await staged.publish(ObjectMetadata(etag="other")) == published
            await staged.discard()
            assert await h.get("k") == b"ab"

        run(scenario)

    @pytest.mark.parametrize(
        ("byte_range", "expected"),
        [
            (ByteRange(0, 0), b"0"),
            (ByteRange(2, 4), b"234"),
            (ByteRange(7, None), b"789"),
            (ByteRange(7, 99), b"789"),
            (ByteRange(None, 3), b"789"),
            (ByteRange(None, 99), b"0123456789"),
        ],
    )
    def test_ranges(self, run: Any, byte_range: ByteRange, expected: bytes) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("k", b"0123456789")
            assert await h.get("k", byte_range) == expected
            opened = await h.driver.open(h.at("k"), byte_range)
            assert opened.first_byte == b"0123456789".index(expected)
            assert opened.info.size == 10
            await opened.close()

        run(scenario)

    @pytest.mark.parametrize("byte_range", [ByteRange(10, None), ByteRange(10, 12), ByteRange(None, 0)])
    def test_ranges_that_hold_nothing(self, run: Any, byte_range: ByteRange) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("k", b"0123456789")
            with pytest.raises(RangeNotSatisfiable) as caught:
                await h.driver.open(h.at("k"), byte_range)
            assert caught.value.size == 10

        run(scenario)

    def test_ranges_of_big_objects(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(4 * MIB)
            await h.put("k", data)
            assert await h.get("k", ByteRange(MIB - 3, 3 * MIB + 5)) == data[MIB - 3 : 3 * MIB + 6]
            assert await h.get("k", ByteRange(None, MIB)) == data[-MIB:]

        run(scenario)

    def test_what_is_not_there(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("a/b", b"x")
            for key in ("none", "a", "a/", "a/c", "a/b/c", "a/b/"):
                with pytest.raises(NoSuchObject):
                    await h.driver.head(h.at(key))
                with pytest.raises(NoSuchObject):
                    await h.driver.open(h.at(key))
                assert await h.driver.delete(h.at(key)) is None
            elsewhere = ObjectAddress("no-such-bucket", "k", "")
            with pytest.raises(NoSuchBucket):
                await h.driver.head(elsewhere)
            staged = await h.driver.stage(elsewhere, expected_size=0, hashers=[])
            with pytest.raises(NoSuchBucket):
                await staged.publish(ObjectMetadata(etag=md5(b"")))

        run(scenario)

    def test_a_discarded_body_leaves_nothing(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            for size in (10, 5 * MIB):
                staged = await h.driver.stage(h.at("k"), expected_size=size, hashers=[hashlib.md5()])
                await staged.write(b"x" * size)
                await staged.discard()
                await staged.discard()
                with pytest.raises(NodeError):
                    await staged.publish(ObjectMetadata(etag="e"))
            assert await h.keys() == []

        run(scenario)

    def test_more_bytes_than_announced_are_refused(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            staged = await h.driver.stage(h.at("k"), expected_size=3, hashers=[])
            with pytest.raises(NodeError):
                await staged.write(b"1234")
            await staged.discard()
            assert await h.keys() == []

        run(scenario)

    def test_a_buffer_may_be_reused_after_write(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            staged = await h.driver.stage(h.at("k"), expected_size=None, hashers=[])
            buffer = bytearray(1 << 18)
            for number in range(16):
                buffer[:] = bytes([number]) * len(buffer)
                await staged.write(memoryview(buffer))
            await staged.finish()
            await staged.publish(ObjectMetadata(etag="e"))
            await staged.discard()
            assert await h.get("k") == b"".join(bytes([n]) * (1 << 18) for n in range(16))

        run(scenario)

    def test_a_cancelled_write_leaves_nothing(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            async def client() -> None:
                staged = await h.driver.stage(h.at("k"), expected_size=None, hashers=[hashlib.md5()])
                try:
                    while True:
                        await staged.write(b"x" * 700_000)
                        await asyncio.sleep(0)
                finally:
                    await staged.discard()

            for wait in (0.0, 0.001, 0.01, 0.05):
                task = asyncio.create_task(client())
                await asyncio.sleep(wait)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await h.keys() == []
            assert await h.driver.clear_abandoned(0) == 0

        run(scenario)

    # --- preconditions --------------------------------------------------------------------------------------

    def test_if_none_match(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            none_there = Preconditions(if_none_match=True)
            await h.put("k", b"1", preconditions=none_there)
            with pytest.raises(PreconditionFailed):
                await h.put("k", b"2", preconditions=none_there)
            assert await h.get("k") == b"1"
            await h.driver.delete(h.at("k"))
            await h.put("k", b"3", preconditions=none_there)
            assert await h.get("k") == b"3"

        run(scenario)

    def test_if_match(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            with pytest.raises(NoSuchObject):
                await h.put("k", b"1", preconditions=Preconditions(if_match=md5(b"1")))
            await h.put("k", b"1")
            with pytest.raises(PreconditionFailed):
                await h.put("k", b"2", preconditions=Preconditions(if_match=md5(b"0")))
            await h.put("k", b"2", preconditions=Preconditions(if_match=md5(b"1")))
            await h.put("k", b"3", preconditions=Preconditions(if_match="*"))
            with pytest.raises(PreconditionFailed):
                await h.driver.delete(h.at("k"), Preconditions(if_match=md5(b"2")))
            deleted = await h.driver.delete(h.at("k"), Preconditions(if_match=md5(b"3")))
            assert deleted is not None
            assert (deleted.size, deleted.etag) == (1, md5(b"3"))
            with pytest.raises(NoSuchObject):
                await h.driver.delete(h.at("k"), Preconditions(if_match="*"))

        run(scenario)

    def test_one_of_many_creators_wins(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            async def create(number: int) -> bool:
                try:
                    await h.put("a/k", b"%d" % number, preconditions=Preconditions(if_none_match=True))
                except PreconditionFailed:
                    return False
                return True

            for _ in range(20):
                won = await asyncio.gather(*(create(number) for number in range(12)))
                assert won.count(True) == 1
                assert await h.get("a/k") == b"%d" % won.index(True)
                await h.driver.delete(h.at("a/k"))

        run(scenario)

    def test_no_update_under_a_condition_is_lost(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("n", b"0")

            async def count() -> None:
                for _ in range(10):
                    while True:
                        value = await h.get("n")
                        condition = Preconditions(if_match=md5(value))
                        try:
                            await h.put("n", b"%d" % (int(value) + 1), preconditions=condition)
                        except PreconditionFailed:
                            continue
                        break

            await asyncio.gather(*(count() for _ in range(6)))
            assert await h.get("n") == b"60"

        run(scenario)

    # --- names ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "key",
        [
            "plain",
            "with space",
            "ünï/cödé",
            "e\u0301",
            "quote'\"",
            "a*b?[c]",
            "${aws:username}",
            "new\nline",
            "-",
            "a" * 255,
            "/".join(["d" * 100] * 10),
            "%2F",
            "back\\slash",
            "~tilde",
            ".hidden",
            "tab\t",
            "\u202e",
        ],
    )
    def test_keys_of_every_kind(self, run: Any, key: str) -> None:
        async def scenario(h: Harness) -> None:
            await h.put(key, b"content")
            assert await h.get(key) == b"content"
            assert await h.keys() == [key]
            assert await h.driver.delete(h.at(key)) is not None
            assert await h.keys() == []

        run(scenario)

    def test_keys_that_differ_little_are_different(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            keys = ["a", "A", "a ", "a-b", "a.b", "é", "e\u0301", "a0"]
            for key in keys:
                await h.put(key, key.encode())
            for key in keys:
                assert await h.get(key) == key.encode()
            assert await h.keys() == sorted(keys, key=str.encode)

        run(scenario)

    # --- metadata -------------------------------------------------------------------------------------------

    def test_what_is_at_keys_is_what_a_listing_shows(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            keys = ["k", "a/k", "a/b/k", "a-b/k", "ä/ö", "a/b/"]
            for key in keys:
                await h.put(key, b"" if key.endswith("/") else key.encode())
            absent = ["", "x", "a", "a/", "a/b", "a/b/k/", "a/b/k/y", "k/", "no/such"]
            absent += ["../k", "a//k", "a/\0", "\udcff"]
            scope = Scope(h.bucket, h.boundary)
            asked = [h.boundary + key for key in [*absent, *keys, *keys]]
            told = await h.driver.stat_objects(scope, asked)
            page = await h.driver.list_objects(scope, ListRequest(h.boundary))
            shown = {one.key: (one.size, one.etag) for one in page.objects}
            assert told[: len(absent)] == [None] * len(absent)
            found = {one.key: (one.size, one.etag) for one in told if one is not None}
            assert found == shown
            assert len(found) == len(keys)
            times = {one.key: one.modified for one in page.objects}
            assert all(abs(times[one.key] - one.modified / 1e6) < 1 for one in told if one is not None)
            assert told[len(absent) :] == [*told[len(absent) : len(absent) + len(keys)]] * 2

        run(scenario)

    def test_a_stamp_changes_with_the_object(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            async def stamp() -> int:
                (found,) = await h.driver.stat_objects(Scope(h.bucket, h.boundary), [h.boundary + "k"])
                assert found is not None
                return found.stamp

            stamps = []
            for data in (b"one", b"two", b"three"):
                await h.put("k", data)
                stamps.append(await stamp())
            assert await stamp() == stamps[-1]
            assert len({*stamps, 0}) == 4

        run(scenario)

    def test_nothing_is_told_of_a_missing_bucket(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            with pytest.raises(NoSuchBucket):
                await h.driver.stat_objects(Scope("no-such-bucket", ""), ["k"])

        run(scenario)

    def test_set_metadata(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("k", b"data", full_metadata())
            before = await h.driver.head(h.at("k"))
            changed = replace(before.metadata, tags={"new": "tag"}, headers={"content-type": "a/b"})
            info = await h.driver.set_metadata(h.at("k"), changed, expected=before)
            assert info.metadata == changed
            assert await h.driver.head(h.at("k")) == replace(before, metadata=changed)
            assert await h.get("k") == b"data"
            with pytest.raises(NoSuchObject):
                await h.driver.set_metadata(h.at("none"), changed, expected=before)

        run(scenario)

    @pytest.mark.parametrize("key", ["k", "folder/"])
    def test_metadata_that_were_changed_meanwhile_are_not_replaced(self, run: Any, key: str) -> None:
        """Neither where the bytes are others nor where only the metadata are."""

        async def scenario(h: Harness) -> None:
            await h.put(key, b"", full_metadata())
            before = await h.driver.head(h.at(key))
            tagged = replace(before.metadata, tags={"new": "tag"})
            copied = replace(before.metadata, user={"of": "a copy onto itself"})
            after = await h.driver.set_metadata(h.at(key), copied, expected=before)
            assert after.etag == before.etag
            with pytest.raises(ObjectChanged):
                await h.driver.set_metadata(h.at(key), tagged, expected=before)
            assert await h.driver.head(h.at(key)) == after
            await h.put(key, b"", full_metadata())
            with pytest.raises(ObjectChanged):
                await h.driver.set_metadata(h.at(key), tagged, expected=after)

        run(scenario)

    def test_set_metadata_from_small_to_big_to_small(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("k", b"data")
            etag = md5(b"data")
            for count in (1, 400, 1, 400, 0):
                wanted = ObjectMetadata(etag=etag, user={f"n{i}": "v" * 100 for i in range(count)})
                await h.driver.set_metadata(h.at("k"), wanted, expected=await h.driver.head(h.at("k")))
                assert (await h.driver.head(h.at("k"))).metadata.user == wanted.user

        run(scenario)

    # --- copies ---------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1000, 3 * MIB + 1])
    @pytest.mark.parametrize("hashed", [True, False])
    def test_copy(self, run: Any, size: int, hashed: bool) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(size)
            await h.put("from/it", data, full_metadata())
            source = await h.driver.head(h.at("from/it"))
            hasher = hashlib.md5()
            staged = await h.driver.stage_copy(
                h.at("from/it"), h.at("to/it"), source_etag=source.etag, hashers=[hasher] if hashed else []
            )
            assert staged.size == size
            assert not hashed or hasher.hexdigest() == md5(data)
            await staged.finish()
            published = await staged.publish(source.metadata)
            await staged.discard()
            assert published.info.metadata == source.metadata
            assert await h.get("to/it") == data
            assert await h.get("from/it") == data

        run(scenario)

    def test_copy_of_another_version_is_refused(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("a", b"new")
            with pytest.raises(ObjectChanged):
                await h.driver.stage_copy(h.at("a"), h.at("b"), source_etag=md5(b"old"), hashers=[])
            with pytest.raises(NoSuchObject):
                await h.driver.stage_copy(h.at("none"), h.at("b"), source_etag=None, hashers=[])
            assert await h.keys() == ["a"]

        run(scenario)

    def test_copy_onto_itself(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(2 * MIB)
            await h.put("a", data)
            staged = await h.driver.stage_copy(h.at("a"), h.at("a"), source_etag=md5(data), hashers=[])
            published = await staged.publish(replace(full_metadata(), etag=md5(data)))
            await staged.discard()
            assert published.replaced_size == len(data)
            assert await h.get("a") == data
            assert (await h.driver.head(h.at("a"))).metadata.user == full_metadata().user

        run(scenario)

    # --- reading beside writing -----------------------------------------------------------------------------

    def test_an_opened_object_stays_whole_when_it_is_replaced_or_deleted(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            for end in ("replace", "delete"):
                data = os.urandom(4 * MIB)
                await h.put("k", data)
                opened = await h.driver.open(h.at("k"))
                chunks = opened.chunks()
                got = [await anext(chunks)]
                if end == "replace":
                    await h.put("k", b"other")
                else:
                    await h.driver.delete(h.at("k"))
                got += [chunk async for chunk in chunks]
                await opened.close()
                assert b"".join(got) == data

        run(scenario)

    def test_readers_see_one_version(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            size = 600_000
            await h.put("k", bytes([0]) * size)
            stop = asyncio.Event()

            async def write() -> None:
                for number in range(1, 30):
                    await h.put("k", bytes([number]) * size)
                stop.set()

            async def read() -> int:
                count = 0
                while not stop.is_set():
                    assert len(set(await h.get("k"))) == 1
                    count += 1
                    await asyncio.sleep(0)
                return count

            _, *counts = await asyncio.gather(write(), read(), read())
            assert all(counts)

        run(scenario)

    # --- multipart ------------------------------------------------------------------------------------------

    def test_multipart(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(2 * PART + 12345)
            upload = await h.begin("big/file")
            assert await h.driver.upload(h.at("big/file"), upload.upload_id) == upload
            parts = [
                await h.part(upload, 1, data[:PART]),
                await h.part(upload, 2, data[PART : 2 * PART]),
                await h.part(upload, 3, data[2 * PART :]),
            ]
            listed, more = await h.driver.parts(h.at("big/file"), upload.upload_id)
            assert [part.number for part in listed] == [1, 2, 3]
            assert not more
            listed, more = await h.driver.parts(h.at("big/file"), upload.upload_id, after=1, max_parts=1)
            assert ([part.number for part in listed], more) == ([2], True)
            assert not await h.exists("big/file")
            assert await h.driver.uploads(Scope(h.bucket, h.boundary), h.boundary) == ([upload], False)
            published = await h.complete(upload, parts)
            digests = b"".join(bytes.fromhex(part.etag) for part in parts)
            assert published.info.etag == f"{md5(digests)}-3"
            assert published.info.metadata.headers == {"content-type": "text/x-part"}
            assert [part.size for part in published.info.metadata.parts] == [PART, PART, 12345]
            assert await h.get("big/file") == data
            assert await h.driver.uploads(Scope(h.bucket, h.boundary), h.boundary) == ([], False)

        run(scenario)

    def test_parts_in_any_order_at_once(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(6 * PART + 5)
            upload = await h.begin("k")
            pieces = [data[start : start + PART] for start in range(0, len(data), PART)]
            order = [4, 2, 7, 1, 6, 3, 5]
            parts = await asyncio.gather(*(h.part(upload, n, pieces[n - 1]) for n in order))
            await h.complete(upload, sorted(parts, key=lambda part: part.number))
            assert await h.get("k") == data

        run(scenario)

    @pytest.mark.parametrize("sizes", [[PART + 1, PART, PART + 2, 3], [PART, PART + 9, 1], [7], [PART], [0]])
    def test_parts_of_any_size(self, run: Any, sizes: list[int]) -> None:
        async def scenario(h: Harness) -> None:
            pieces = [os.urandom(size) for size in sizes]
            upload = await h.begin("k")
            parts = [await h.part(upload, n, piece) for n, piece in enumerate(pieces, 1)]
            await h.complete(upload, parts)
            assert await h.get("k") == b"".join(pieces)

        run(scenario)

    def test_the_list_decides_what_is_in_the_object(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            pieces = {number: os.urandom(PART) for number in (1, 2, 5, 9)}
            for wanted in ([1, 2], [2, 5], [9], [1, 2, 5, 9]):
                upload = await h.begin("k")
                sent = {n: await h.part(upload, n, piece) for n, piece in pieces.items()}
                await h.complete(upload, [sent[n] for n in wanted])
                assert await h.get("k") == b"".join(pieces[n] for n in wanted)

        run(scenario)

    def test_a_part_sent_again_replaces_the_first(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            old, new, last = os.urandom(PART), os.urandom(PART), os.urandom(10)
            upload = await h.begin("k")
            first = await h.part(upload, 1, old)
            two = await h.part(upload, 2, last)
            again = await h.part(upload, 1, new)
            with pytest.raises(InvalidPart):
                await h.complete(upload, [first, two])
            await h.complete(upload, [again, two])
            assert await h.get("k") == new + last

        run(scenario)

    def test_a_part_that_fails_leaves_the_acknowledged_one(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            good = os.urandom(PART)
            upload = await h.begin("k")
            one = await h.part(upload, 1, good)
            staged = await h.driver.stage_part(h.at("k"), upload.upload_id, 1, expected_size=PART, hashers=[])
            await staged.write(b"x" * (PART - 1))
            await staged.discard()
            half = await h.driver.stage_part(h.at("k"), upload.upload_id, 1, expected_size=PART, hashers=[])
            await half.write(b"y" * (2 * MIB))
            await h.complete(upload, [one])
            await half.discard()
            assert await h.get("k") == good

        run(scenario)

    def test_a_slow_writer_of_a_part_cannot_touch_the_object(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            pieces = [os.urandom(PART), os.urandom(PART)]
            upload = await h.begin("k")
            one = await h.part(upload, 1, pieces[0])
            slow = await h.driver.stage_part(h.at("k"), upload.upload_id, 2, expected_size=PART, hashers=[])
            await slow.write(b"z" * (2 * MIB))
            two = await h.part(upload, 2, pieces[1])
            await h.complete(upload, [one, two])
            await slow.write(b"z" * (2 * MIB))
            with pytest.raises(NoSuchUpload):
                await slow.publish("0" * 32, {})
            await slow.discard()
            assert await h.get("k") == b"".join(pieces)

        run(scenario)

    def test_lists_that_are_wrong(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            one = await h.part(upload, 1, b"1" * PART)
            two = await h.part(upload, 2, b"2" * PART)
            small = await h.part(upload, 3, b"3" * 100)
            for wrong in ([two, one], [one, one], [one, two, two]):
                with pytest.raises(InvalidPartOrder):
                    await h.complete(upload, wrong)
            for wrong in ([], [one, RequestedPart(7, one.etag)], [replace(one, etag=two.etag)]):
                with pytest.raises(InvalidPart):
                    await h.complete(upload, wrong)
            with pytest.raises(InvalidPart):
                await h.complete(upload, [replace(one, checksums={"CRC32": "AAAAAA=="}), two])
            four = await h.part(upload, 4, b"4" * PART)
            with pytest.raises(PartTooSmall):
                await h.complete(upload, [one, small, four])
            assert not await h.exists("k")
            await h.complete(upload, [one, two, small])
            assert await h.get("k") == b"1" * PART + b"2" * PART + b"3" * 100

        run(scenario)

    def test_completing_again_answers_the_same(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            parts = [await h.part(upload, 1, b"1" * PART), await h.part(upload, 2, b"2")]
            with pytest.raises(NoSuchUpload):
                await h.driver.completed_upload(h.at("k"), upload.upload_id, parts)
            first = await h.complete(upload, parts)
            with pytest.raises(NoSuchUpload):
                await h.complete(upload, parts)
            assert await h.driver.completed_upload(h.at("k"), upload.upload_id, parts) == first.info
            with pytest.raises(NoSuchUpload):
                await h.driver.completed_upload(h.at("k"), upload.upload_id, parts[:1])
            with pytest.raises(NoSuchUpload):
                await h.driver.completed_upload(h.at("other"), upload.upload_id, parts)
            await h.put("k", b"later")
            assert await h.driver.completed_upload(h.at("k"), upload.upload_id, parts) == first.info
            assert await h.get("k") == b"later"

        run(scenario)

    def test_completing_twice_at_once(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            parts = [await h.part(upload, 1, b"1" * PART), await h.part(upload, 2, b"2")]
            attempts = (h.complete(upload, parts) for _ in range(4))
            answers = await asyncio.gather(*attempts, return_exceptions=True)
            (published,) = [answer for answer in answers if isinstance(answer, Published)]
            assert [type(answer) for answer in answers].count(NoSuchUpload) == 3
            info = await h.driver.completed_upload(h.at("k"), upload.upload_id, parts)
            assert info == published.info
            assert await h.get("k") == b"1" * PART + b"2"

        run(scenario)

    def test_one_alone_ends_an_upload(self, run: Any) -> None:
        """Completions and abortions at once: one succeeds, and the object is there exactly if a completion did."""

        async def scenario(h: Harness) -> None:
            for number in range(6):
                key = f"k{number}"
                upload = await h.begin(key)
                parts = [await h.part(upload, 1, b"1" * PART), await h.part(upload, 2, b"2")]
                attempts: list[Any] = [h.complete(upload, parts), h.complete(upload, parts)]
                attempts[number % 3 : number % 3] = [
                    h.driver.abort_upload(h.at(key), upload.upload_id) for _ in range(2)
                ]
                answers = await asyncio.gather(*attempts, return_exceptions=True)
                assert [type(answer) for answer in answers].count(NoSuchUpload) == 3, answers
                completed = any(isinstance(answer, Published) for answer in answers)
                assert await h.exists(key) == completed

        run(scenario)

    def test_completion_that_fails_can_be_tried_again(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            parts = [await h.part(upload, 1, b"1" * PART), await h.part(upload, 2, b"2")]
            await h.put("k", b"there")
            with pytest.raises(PreconditionFailed):
                await h.complete(upload, parts, Preconditions(if_none_match=True))
            assert await h.get("k") == b"there"
            staged = await h.driver.complete_upload(h.at("k"), upload.upload_id, parts)
            await staged.discard()
            published = await h.complete(upload, parts, Preconditions(if_match=md5(b"there")))
            assert published.replaced_size == 5
            assert await h.get("k") == b"1" * PART + b"2"

        run(scenario)

    def test_abort(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            one = await h.part(upload, 1, b"1" * PART)
            await h.driver.abort_upload(h.at("k"), upload.upload_id)
            for attempt in (
                h.driver.upload(h.at("k"), upload.upload_id),
                h.driver.parts(h.at("k"), upload.upload_id),
                h.driver.abort_upload(h.at("k"), upload.upload_id),
                h.complete(upload, [one]),
                h.part(upload, 2, b"x"),
            ):
                with pytest.raises(NoSuchUpload):
                    await attempt
            assert await h.keys() == []

        run(scenario)

    def test_an_upload_belongs_to_its_key(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            for key, upload_id in (("other", upload.upload_id), ("k", "0" * 32), ("k", "../x"), ("k", "")):
                with pytest.raises(NoSuchUpload):
                    await h.driver.upload(h.at(key), upload_id)
                with pytest.raises(NoSuchUpload):
                    await h.driver.complete_upload(h.at(key), upload_id, [])

        run(scenario)

    def test_uploads_are_listed_by_key_and_start(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            begun = [await h.begin(key) for key in ("b", "a/2", "a/1", "a/2", "ab")]
            b, two, one, two_again, ab = begun
            scope = Scope(h.bucket, h.boundary)
            ordered = [one, two, two_again, ab, b]
            assert await h.driver.uploads(scope, h.boundary) == (ordered, False)
            assert await h.driver.uploads(scope, h.boundary + "a/") == ([one, two, two_again], False)
            for number, upload in enumerate(ordered, 1):
                behind = UploadMarker(upload.key, upload.upload_id)
                assert await h.driver.uploads(scope, h.boundary, after=behind) == (ordered[number:], False)
                page = await h.driver.uploads(scope, h.boundary, max_uploads=number)
                assert page == (ordered[:number], number < len(ordered))
            behind_key = UploadMarker(two.key)
            assert await h.driver.uploads(scope, h.boundary, after=behind_key) == ([ab, b], False)
            behind_gone = UploadMarker(two.key, two.upload_id)
            await h.driver.abort_upload(h.at("a/2"), two.upload_id)
            assert await h.driver.uploads(scope, h.boundary, after=behind_gone) == ([two_again, ab, b], False)

        run(scenario)

    def test_part_copy(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(2 * PART + 99)
            await h.put("from", data)
            upload = await h.begin("to")
            parts = []
            spans = [(0, PART - 1), (PART, 2 * PART - 1), (2 * PART, len(data) - 1)]
            for number, (first, last) in enumerate(spans, 1):
                hasher = hashlib.md5()
                staged = await h.driver.stage_part_copy(
                    h.at("from"),
                    h.at("to"),
                    upload.upload_id,
                    number,
                    ByteRange(first, last),
                    source_etag=md5(data),
                    hashers=[hasher] if number != 2 else [],
                )
                assert staged.size == last - first + 1
                await staged.finish()
                etag = hasher.hexdigest() if number != 2 else md5(data[first : last + 1])
                assert etag == md5(data[first : last + 1])
                await staged.publish(etag, {})
                await staged.discard()
                parts.append(RequestedPart(number, etag))
            await h.complete(upload, parts)
            assert await h.get("to") == data

        run(scenario)

    def test_old_uploads_are_cleared_and_young_ones_kept(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            upload = await h.begin("k")
            await h.part(upload, 1, b"1" * PART)
            assert await h.driver.clear_abandoned(3600) == 0
            await h.driver.upload(h.at("k"), upload.upload_id)
            await asyncio.sleep(0.05)
            assert await h.driver.clear_abandoned(0.01) == 1
            with pytest.raises(NoSuchUpload):
                await h.driver.upload(h.at("k"), upload.upload_id)

        run(scenario)

    def test_clearing_does_not_touch_what_is_being_written(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            data = os.urandom(3 * MIB)
            staged = await h.driver.stage(h.at("k"), expected_size=len(data), hashers=[])
            await staged.write(data)
            assert await h.driver.clear_abandoned(3600) == 0
            await staged.finish()
            assert await h.driver.clear_abandoned(3600) == 0
            await staged.publish(ObjectMetadata(etag=md5(data)))
            await staged.discard()
            assert await h.get("k") == data

        run(scenario)


class FolderKeysContract(DriverContract):
    """What drivers over folders promise besides: a key is a path."""

    def test_a_file_where_a_folder_must_be_and_the_reverse(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("file", b"x")
            await h.put("folder/below", b"x")
            for key in ("file/below", "file/", "folder", "file/a/b"):
                with pytest.raises(KeyNotPossible):
                    await h.put(key, b"")
            assert await h.keys() == ["file", "folder/below"]
            with pytest.raises(KeyNotPossible):
                await h.begin("folder")

        run(scenario)

    @pytest.mark.parametrize("size", [1, 3 * MIB])
    @pytest.mark.parametrize("hashed", [True, False])
    def test_a_folder_takes_no_content_by_a_copy(self, run: Any, size: int, hashed: bool) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("file", b"x" * size)
            await h.put("empty", b"")
            hashers = [hashlib.md5()] if hashed else []
            with pytest.raises(KeyNotPossible):
                await h.driver.stage_copy(h.at("file"), h.at("folder/"), source_etag=None, hashers=hashers)
            staged = await h.driver.stage_copy(h.at("empty"), h.at("marker/"), source_etag=None, hashers=hashers)
            await staged.publish(ObjectMetadata())
            await staged.discard()
            assert await h.keys() == ["empty", "file", "marker/"]

        run(scenario)

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/lead",
            "a//b",
            "a/../b",
            "..",
            ".",
            "a/.",
            "nul\0",
            "a" * 256,
            "x/" * 600 + "x",
            "\udcff",
            ".workspacesio/new/x",
            "a/.zfs/x",
            ".snapshot",
            "lost+found/x",
        ],
    )
    def test_keys_that_no_path_can_spell(self, run: Any, key: str) -> None:
        async def scenario(h: Harness) -> None:
            address = ObjectAddress(h.bucket, h.boundary + key, h.boundary)
            with pytest.raises(KeyNotPossible):
                await put_at(h.driver, address, b"x")
            with pytest.raises(KeyNotPossible):
                await h.driver.create_upload(
                    address, ObjectMetadata(), initiator_id=1, checksum_algorithm=None, checksum_type=None
                )
            with pytest.raises(NoSuchObject):
                await h.driver.head(address)
            with pytest.raises(NoSuchObject):
                await h.driver.open(address)

        run(scenario)

    def test_a_folder_as_an_object(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("a/b/", b"", full_metadata())
            info = await h.driver.head(h.at("a/b/"))
            assert (info.size, info.etag) == (0, md5(b""))
            assert info.metadata == replace(full_metadata(), etag=md5(b""))
            assert await h.get("a/b/") == b""
            assert await h.keys() == ["a/b/"]
            await h.put("a/b/c", b"x")
            await h.driver.delete(h.at("a/b/c"))
            assert await h.keys() == ["a/b/"]
            with pytest.raises(PreconditionFailed):
                await h.put("a/b/", b"", preconditions=Preconditions(if_none_match=True))
            await h.driver.set_metadata(h.at("a/b/"), ObjectMetadata(tags={"t": "1"}), expected=info)
            assert (await h.driver.head(h.at("a/b/"))).metadata.tags == {"t": "1"}
            assert await h.driver.delete(h.at("a/b/")) is not None
            assert await h.keys() == []
            with pytest.raises(KeyNotPossible):
                await h.put("a/b/", b"content")
            assert not await h.exists("a/")

        run(scenario)

    def test_nothing_leaves_the_workspace(self, run: Any) -> None:
        async def scenario(h: Harness) -> None:
            await h.put("ws/in", b"in")
            await h.put("wsx/out", b"out")
            for key in ("wsx/out", "ws", "w"):
                address = ObjectAddress(h.bucket, h.boundary + key, h.boundary + "ws/")
                with pytest.raises(NoSuchObject):
                    await h.driver.head(address)
                with pytest.raises(KeyNotPossible):
                    await put_at(h.driver, address, b"")
            assert await h.get("wsx/out") == b"out"

        run(scenario)
