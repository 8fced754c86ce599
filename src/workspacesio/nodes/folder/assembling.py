"""From parts to one file, with as little copying as can be.

If the parts listed are 1 to N, all of the grid's width but the last, the grid is the object: only parts lying in
files of their own are copied into their slots. Otherwise all are copied one after the other into a new file.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from workspacesio.nodes.errors import InvalidPart, InvalidPartOrder, PartTooSmall
from workspacesio.nodes.folder import upload_folder
from workspacesio.nodes.folder.copying import copy_bytes
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.staging import StagedFile
from workspacesio.nodes.folder.upload_folder import StoredPart, UploadFolder
from workspacesio.nodes.values import RequestedPart

_STEP_BYTES = 64 << 20
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def listed_parts(folder: UploadFolder, requested: Sequence[RequestedPart]) -> tuple[StoredPart, ...]:
    """The acknowledged parts that the list names. Raises InvalidPartOrder, InvalidPart, PartTooSmall."""
    numbers = [part.number for part in requested]
    if not numbers:
        raise InvalidPart("The list names no part.")
    if numbers != sorted(set(numbers)):
        raise InvalidPartOrder("The parts are not in ascending order, or one is listed twice.")
    parts = tuple(_listed(folder, part) for part in requested)
    for part in parts[:-1]:
        if part.info.size < upload_folder.MIN_PART_BYTES:
            raise PartTooSmall(f"Part {part.info.number} has under 5 MiB and is not the last.")
    return parts


def _listed(folder: UploadFolder, requested: RequestedPart) -> StoredPart:
    stored = folder.part(requested.number)
    if stored is None or stored.info.etag != requested.etag.strip('"'):
        raise InvalidPart(f"Part {requested.number} is missing or has another ETag.")
    for algorithm, value in requested.checksums.items():
        if stored.info.checksums.get(algorithm) != value:
            raise InvalidPart(f"Part {requested.number} has another {algorithm}.")
    return stored


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that still have to be copied: from the file of this name, to this offset."""

    file: str
    source: int
    target: int
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`target` becomes the object once the pieces are copied into it and it is cut to `size`."""

    target: StagedFile
    pieces: tuple[Piece, ...]
    size: int


def plan(folder: UploadFolder, parts: tuple[StoredPart, ...]) -> Plan:
    """Decide how to assemble. Blocking; whoever calls discards the target."""
    size = sum(part.info.size for part in parts)
    width = folder.grid_size() or 0
    if _fits_grid(folder, parts, width):
        grid_fd = _open_grid_alone(folder)
        if grid_fd is not None:
            pieces = [
                Piece(part.file, 0, (part.info.number - 1) * width, part.info.size) for part in parts if part.file
            ]
            target = StagedFile(os.dup(folder.fd), upload_folder.GRID, grid_fd, kept=True)
            return Plan(target, tuple(pieces), size)
    pieces = []
    offset = 0
    for part in parts:
        source = 0 if part.file else (part.info.number - 1) * width
        pieces.append(Piece(part.file or upload_folder.GRID.decode(), source, offset, part.info.size))
        offset += part.info.size
    name = b"assembled-" + secrets.token_hex(8).encode()
    fd = os.open(name, _CREATE, 0o600, dir_fd=folder.fd)
    return Plan(StagedFile(os.dup(folder.fd), name, fd), tuple(pieces), size)


def _fits_grid(folder: UploadFolder, parts: tuple[StoredPart, ...], width: int) -> bool:
    """Also: some part lies in the grid, and none that isn't listed would be cut off."""
    last = len(parts)
    if not width or [part.info.number for part in parts] != list(range(1, last + 1)):
        return False
    if any(part.info.size != width for part in parts[:-1]) or parts[-1].info.size > width:
        return False
    if all(part.file for part in parts):
        return False
    beyond = (folder.part(number) for number in folder.part_numbers() if number > last)
    return not any(part is not None and not part.file for part in beyond)


def _open_grid_alone(folder: UploadFolder) -> int | None:
    """The grid, if nobody has it open for writing; while it is held so, nobody else gets to."""
    fd = os.open(upload_folder.GRID, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder.fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


async def assemble(node: FolderNode, folder: UploadFolder, planned: Plan) -> None:
    """Copy the pieces, step by step so that a cancelled caller is noticed. Raises InvalidPart."""
    for piece in planned.pieces:
        for start in range(0, piece.size, _STEP_BYTES):
            await node.in_thread(_copy, folder, planned.target, piece, start)
    await node.in_thread(planned.target.truncate, planned.size)


def _copy(folder: UploadFolder, target: StagedFile, piece: Piece, start: int) -> None:
    try:
        source_fd = os.open(piece.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.fd)
    except FileNotFoundError as error:
        raise InvalidPart("A part was sent again meanwhile.") from error
    try:
        with target.use() as fd:
            size = min(_STEP_BYTES, piece.size - start)
            copy_bytes(source_fd, fd, piece.source + start, piece.target + start, size)
    finally:
        os.close(source_fd)
