"""S3 servers that lie: about what there is, how long it is, which version and which bytes they give."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import zlib
from collections import deque
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from servers.scripted_server import answering, storage, whole
from workspacesio.client import objects, reading
from workspacesio.client.checksums import spelled
from workspacesio.client.comparing import pairs
from workspacesio.client.copy_plan import Patterns
from workspacesio.client.downloads import download, part_path
from workspacesio.client.errors import CommandError
from workspacesio.client.http_exchange import Exchange
from workspacesio.client.places import Place
from workspacesio.client.references import Located
from workspacesio.client.s3_requests import NodeStorage
from workspacesio.client.signature import Request

T = "2026-01-01T00:00:00Z"


def listing(*keys: str, more: str = "<EncodingType>url</EncodingType>", modified: str = T) -> bytes:
    rest = f"<Size>1</Size><LastModified>{modified}</LastModified>"
    listed = "".join(f"<Contents><Key>{key}</Key>{rest}</Contents>" for key in keys)
    return whole("200 OK", f"<ListBucketResult>{more}{listed}</ListBucketResult>".encode())


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {one} "{f"&{before};" * 10}">' for before, one in pairwise("abcdefghijk"))
    + "]><ListBucketResult><Prefix>&k;</Prefix></ListBucketResult>"
)


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (listing("in/a", more="<IsTruncated>true</IsTruncated>"), "doesn't tell where"),
        (listing("in/a", more="<NextContinuationToken>t</NextContinuationToken>"), "goes on where it is"),
        (listing("in/a", "other/b"), "'other/b' doesn't begin with 'in/'"),
        (listing("in/a", more="<CommonPrefixes><Prefix>i/</Prefix></CommonPrefixes>"), "'i/' doesn't begin"),
        (listing("in/a", modified="yesterday"), "yesterday"),
        (whole("200 OK", BOMB.encode()), "amplification"),
        (whole("200 OK", b"<ListBucketResult><Contents><Key>in/a</K"), "no XML"),
    ],
)
def test_listings_that_cannot_be_believed(answered: bytes, said: str) -> None:
    """What is missing in them would be deleted on the other side, and what is too much here."""
    with answering(lambda _: answered) as endpoint, storage(endpoint, []) as node:
        found = objects.below(node, "bucket", "in/")
        with pytest.raises(CommandError, match=said):
            deque(islice(found, 10))


def test_names_are_decoded_where_the_server_has_encoded_them() -> None:
    for more, name in (("", "in/1+1%20"), ("<EncodingType>url</EncodingType>", "in/1 1 ")):
        answered = listing("in/1+1%20", more=more)
        with answering(lambda _, answered=answered: answered) as endpoint, storage(endpoint, []) as node:
            assert [one.key for one in objects.below(node, "bucket", "in/")] == [name]


def test_a_listing_out_of_order_is_not_compared(tmp_path: Path) -> None:
    with answering(lambda _: listing("w/b", "w/a")) as endpoint, storage(endpoint, []) as node:
        compared = pairs(place(node, ""), str(tmp_path), Patterns())
        with pytest.raises(CommandError, match="order"):
            list(compared)


def place(node: NodeStorage, path: str) -> Place:
    workspace = {"bucket": "bucket", "prefix": "w/", "owner": "ada", "name": "w", "level": "owner", "folders": []}
    return Place(Located(workspace, "w", path), node)


def download_of(node: NodeStorage, target: Path) -> str:
    return download(place(node, "one"), str(target), size=5, etag="x", told=lambda *_, **__: None)


def test_another_version_or_other_bytes_than_were_asked_for() -> None:
    for etag, span, said in (
        ('ETag: "y"', "Content-Range: bytes 5-9/10", "replaced"),
        ('ETag: "x"', "Content-Range: bytes 0-4/10", "other bytes"),
        ('ETag: "x"', "X-Other: 1", "other bytes"),
    ):
        answered = whole("206 Partial Content", b"01234", etag, span)
        with answering(lambda _, answered=answered: answered) as endpoint, storage(endpoint, []) as node:
            with pytest.raises(CommandError, match=said):
                list(objects.content(node, "bucket", "key", begin=5, first=10, etag="x"))
            with pytest.raises(CommandError, match=said):
                reading.read(place(node, "one"), 5, 10, etag="x")


def test_a_part_whose_whole_is_not_told_is_not_taken_for_it() -> None:
    answered = whole("206 Partial Content", b"01234", 'ETag: "x"', "Content-Range: bytes 0-4/*")
    with answering(lambda _: answered) as endpoint, storage(endpoint, []) as node:
        one = place(node, "one")
        with pytest.raises(CommandError, match="which bytes"):
            reading.opened(one)


def test_a_bit_that_turned_is_noticed_by_who_reads_all() -> None:
    etag = f'ETag: "{hashlib.md5(b"01234").hexdigest()}"'
    for body, checksum in ((b"01235", ""), (b"01234", spelled(zlib.crc32(b"01235")))):
        headers = [etag, f"x-amz-checksum-crc32: {checksum}"] if checksum else [etag]
        answered = whole("200 OK", body, *headers)
        with answering(lambda _, answered=answered: answered) as endpoint, storage(endpoint, []) as node:
            one = place(node, "one")
            with pytest.raises(CommandError, match="did not come as it is stored"):
                list(one.content())
            assert b"".join(one.content(first=3)) == b"012"


def test_a_body_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    """It fills neither the memory nor the disk."""
    came = 0

    def serve(listener: socket.socket) -> None:
        nonlocal came
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(10_000)
                    connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 99999999999\r\n\r\n')
                    while came < 1 << 30:
                        connection.sendall(bytes(1 << 16))
                        came += 1 << 16

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with storage(endpoint, []) as node, pytest.raises(CommandError, match="did not come as it is stored"):
            download_of(node, tmp_path / "one")
        listener.shutdown(socket.SHUT_RDWR)
    assert came < 1 << 26
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "answered",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        whole("200 OK", b"01234", 'ETag: "x"', "x-amz-checksum-crc32: a"),
    ],
)
def test_answers_that_are_none_end_in_a_sentence(answered: bytes, tmp_path: Path) -> None:
    with answering(lambda _: answered) as endpoint, storage(endpoint, []) as node, pytest.raises(CommandError):
        download_of(node, tmp_path / "one")


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """As whoever may would replace /dev/null."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    answered = whole("200 OK", b"01234", 'ETag: "x"')
    with answering(lambda _: answered) as endpoint, storage(endpoint, []) as node:
        for target in (pipe, link):
            with pytest.raises(CommandError, match="device, pipe or socket"):
                download_of(node, target)
        download_of(node, tmp_path / "file")
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_file_that_has_another_name_is_not_written_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(b"kept")
    answered = whole("200 OK", b"01234", 'ETag: "x"')
    with answering(lambda _: answered) as endpoint, storage(endpoint, []) as node:
        planted = Path(part_path(place(node, "one"), str(tmp_path / "one"), 5, "x"))
        planted.hardlink_to(kept)
        with pytest.raises(CommandError, match="another name"):
            download_of(node, tmp_path / "one")
        assert kept.read_bytes() == b"kept"
        planted.unlink()
        planted.symlink_to(kept)
        with pytest.raises(CommandError, match="can't be written"):
            download_of(node, tmp_path / "one")
        assert kept.read_bytes() == b"kept"


def test_half_a_request_is_no_part_of_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """^C in the middle of an answer: what is asked next isn't answered by its rest."""
    ask = Exchange.ask
    with answering(lambda head: whole("200 OK", head.split()[1])) as endpoint, storage(endpoint, []) as node:

        def interrupted(exchange: Exchange, *given: Any) -> Any:
            monkeypatch.setattr(Exchange, "ask", ask)
            exchange._connection.sendall(b"GET /bucket/first HTTP/1.1\r\n\r\n")
            raise KeyboardInterrupt

        monkeypatch.setattr(Exchange, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            node.read(Request("GET", "bucket", "first"))
        assert node.read(Request("GET", "bucket", "second"))[1] == b"/bucket/second"
