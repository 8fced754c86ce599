"""`wio pipe`: standard input becomes an object."""

from __future__ import annotations

import argparse
import sys

from workspacesio.cli.arguments import add_path
from workspacesio.client import sign_in
from workspacesio.client.errors import UsageError
from workspacesio.client.multipart import Assembly, growing_part_size
from workspacesio.client.places import places
from workspacesio.client.references import WRITE, Resolver
from workspacesio.client.s3_requests import S3Refused
from workspacesio.client.signature import Request
from workspacesio.client.uploads import SINGLE_BYTES, content_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from workspacesio.client.places import Place


def pipe_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser, "path", metavar="WORKSPACE/PATH", help="the object, which is there when all has come")


def pipe(arguments: argparse.Namespace) -> None:
    """`wio pipe`: of any length; nothing is visible before its end."""
    located = Resolver(sign_in.current(), exists=lambda _: False, believes=False).locate(arguments.path, WRITE)
    if located is None or not located.path or located.path.endswith("/"):
        raise UsageError(f"{arguments.path!r} names no object; write it like NAME/PATH.")
    (place,) = places(sign_in.current(), [located], read_only=False)
    headers = content_type(place.path)
    try:
        with place.storage:
            _send(place, headers)
    except S3Refused as refused:
        raise place.refusal(refused, writes=True) from refused


def _send(place: Place, headers: dict[str, str]) -> None:
    first = sys.stdin.buffer.read(SINGLE_BYTES)
    if len(first) < SINGLE_BYTES:
        place.storage.read(Request("PUT", place.bucket, place.key(), headers=headers, body=first))
        return
    with Assembly(place, headers) as assembly:
        for body in _bodies(first):
            assembly.add(body)


def _bodies(first: bytes) -> Iterator[bytes]:
    number, body = 1, first
    while body:
        yield body
        number += 1
        body = sys.stdin.buffer.read(growing_part_size(number))
