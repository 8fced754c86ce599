"""Listing uploads costs memory for one page, however many there are of one's own and of others."""

import asyncio
import json
import tracemalloc
from pathlib import Path

import pytest

from nodes.contract import Harness
from nodes.folder_node import FolderNodeUnderTest
from workspacesio.nodes.folder.upload_folder import describe, new_upload_id
from workspacesio.nodes.values import FIRST_UPLOAD, ObjectAddress, ObjectMetadata, Scope, UploadInfo, UploadMarker

OTHERS = 10_000
OWN = 2500
USER = {"note": "n" * 1500}


@pytest.fixture
def node(tmp_path: Path) -> FolderNodeUnderTest:
    return FolderNodeUnderTest(tmp_path)


def abandon(node: FolderNodeUnderTest, key: str) -> str:
    """An upload as a client leaves it that never came back."""
    upload = UploadInfo(new_upload_id(), key, 1.0, 7, ObjectMetadata(user=USER))
    folder = node / f".workspacesio/uploads/{upload.upload_id}"
    folder.mkdir(parents=True)
    (folder / "upload.json").write_text(json.dumps(describe(upload, "data")))
    return upload.upload_id


def test_memory_is_that_of_a_page(node: FolderNodeUnderTest) -> None:
    for number in range(OTHERS):
        abandon(node, f"theirs/{number}")
    own = sorted((f"mine/{number % 50}", abandon(node, f"mine/{number % 50}")) for number in range(OWN))

    async def scenario(h: Harness) -> None:
        scope = Scope(h.bucket, "mine/")
        tracemalloc.start()
        try:
            listed = []
            after, more = FIRST_UPLOAD, True
            while more:
                page, more = await h.driver.uploads(scope, "mine/", after=after, max_uploads=100)
                assert len(page) == 100
                after = UploadMarker(page[-1].key, page[-1].upload_id)
                listed += [(upload.key, upload.upload_id) for upload in page]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert listed == own
        assert peak < 10 << 20, "the metadata alone of all of them have 20 MiB"

    node.run(scenario)


def test_uploads_that_come_and_go_meanwhile_neither_hide_nor_repeat_others(node: FolderNodeUnderTest) -> None:
    async def scenario(h: Harness) -> None:
        staying = [(await h.begin(f"k{number}")).upload_id for number in range(30)]
        listed: list[str] = []
        after, more = FIRST_UPLOAD, True

        async def come_and_go() -> None:
            for _ in range(40):
                upload = await h.begin("k1")
                other = await h.begin("k9")
                for one in (upload, other):
                    await h.driver.abort_upload(ObjectAddress(h.bucket, one.key, ""), one.upload_id)

        coming = asyncio.ensure_future(come_and_go())
        while more:
            page, more = await h.driver.uploads(Scope(h.bucket, ""), "", after=after, max_uploads=3)
            assert page or not more
            if page:
                after = UploadMarker(page[-1].key, page[-1].upload_id)
            listed += [upload.upload_id for upload in page]
        await coming
        assert len(listed) == len(set(listed))
        assert set(staying) <= set(listed)

    node.run(scenario)
