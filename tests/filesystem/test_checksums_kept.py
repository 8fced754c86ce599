"""What is sent in parts carries one checksum of all of it, whichever way it goes, and leaves no parts behind."""

from __future__ import annotations

import os
import random
import zlib

import pytest

from filesystem.conftest import Shelf
from workspacesio import Client
from workspacesio.client import objects
from workspacesio.client.checksums import spelled
from workspacesio.client.filesystem import FileSystem
from workspacesio.client.multipart import Assembly
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request

BODY = random.Random(4).randbytes(21_000_000)


@pytest.mark.usefixtures("signed_in_as_ben")
def test_every_way_of_sending_parts(shelf: Shelf, shelves: dict[str, Shelf]) -> None:
    ben = shelf.guest
    with open(os.path.join(ben.home, "body"), "wb") as file:
        file.write(BODY)
    (other,) = (one for one in shelves.values() if one is not shelf)
    ben.wio("cp", "./body", f"{other.folder}/body")
    ben.shell("sh", "-c", f"wio pipe {shelf.folder}/piped < body").check_returncode()
    ben.wio("cp", "--yes", f"{other.folder}/body", f"{shelf.folder}/from-another-node")
    ben.wio("cp", "./body", f"{shelf.folder}/sent")
    fs = FileSystem(skip_instance_cache=True)
    with fs.open(f"wio://{shelf.folder}/opened", "wb", block_size=8 << 20) as opened:
        opened.write(BODY)
    with Client() as client:
        workspace = client.workspace(f"ada/{shelf.name}")
        workspace.write_bytes("open/written", BODY)
        workspace.write_bytes("open/new", BODY, overwrite=False)
        for name in ("piped", "from-another-node", "sent", "opened", "written", "new"):
            with workspace._at(f"open/{name}") as place:
                details = objects.details(place.storage, place.bucket, place.key(), checksums=True)
            assert (name, details.size, details.checksums) == (
                name,
                len(BODY),
                {"crc32": spelled(zlib.crc32(BODY))},
            )
            workspace.delete(f"open/{name}")
    ben.wio("rm", "--yes", f"{other.folder}/body")
    os.unlink(os.path.join(ben.home, "body"))


@pytest.mark.usefixtures("signed_in_as_ben")
def test_what_may_not_be_made_leaves_no_parts(shelf: Shelf) -> None:
    """Somebody was quicker, and theirs isn't to be overwritten."""
    with Client() as client:
        workspace = client.workspace(f"ada/{shelf.name}")
        workspace.write_bytes("open/theirs", b"theirs")
        with workspace._at("open/theirs", writes=True) as place:
            with (
                pytest.raises(S3Refused) as refused,
                Assembly(place, {}, condition={"If-None-Match": "*"}) as assembly,
            ):
                assembly.add(b"ours")
            assert refused.value.status == 412
            left = Request("GET", place.bucket, place.key(), query=[("uploadId", assembly._id)])
            with pytest.raises(S3Refused) as gone:
                place.storage.read(left)
            assert gone.value.code == "NoSuchUpload"
        assert workspace.read_bytes("open/theirs") == b"theirs"
        workspace.delete("open/theirs")
