"""Contents that say of themselves whether they are whole.

A version is a row of blocks of 1 KiB. Every block begins and ends with the version's name and says its number and
how many there are, so that no mixture of two versions, and no part of one, can be taken for a whole one.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets

BLOCK = 1024
_BLOCK = re.compile(rb"([a-z]+-[0-9a-f]{12}) (\d{8})/(\d{8}) x+ ([a-z]+-[0-9a-f]{12})\n")


class Torn(AssertionError):
    """Bytes that are no version."""


def new_name(maker: str) -> str:
    """A name for a version that nobody else has: who made it, and twelve digits."""
    return f"{maker}-{secrets.token_hex(6)}"


def content(name: str, blocks: int) -> bytes:
    """The whole version `name`."""
    return part(name, blocks, 0, blocks)


def part(name: str, blocks: int, first: int, last: int) -> bytes:
    """The version's blocks from `first` to before `last`."""
    filling = "x" * (BLOCK - 2 * len(name) - 21)
    return "".join(
        f"{name} {number:08d}/{blocks:08d} {filling} {name}\n" for number in range(first, last)
    ).encode()


@functools.lru_cache(maxsize=64)
def md5(name: str, blocks: int) -> str:
    return hashlib.md5(content(name, blocks)).hexdigest()


def name_of(data: bytes, *, first: int = 0) -> tuple[str, int]:
    """The version of which `data` are blocks from `first` on, and its number of blocks. Raises Torn."""
    found = _BLOCK.match(data)
    if found is None:
        raise Torn(f"{len(data)} bytes that begin with {data[:80]!r}")
    name, blocks = found[1].decode(), int(found[3])
    if data != part(name, blocks, first, first + len(data) // BLOCK):
        raise Torn(f"{len(data)} bytes of {_names(data)}, beginning as {name} of {blocks} blocks")
    return name, blocks


def whole(data: bytes) -> tuple[str, int]:
    """The version that `data` is all of. Raises Torn."""
    name, blocks = name_of(data)
    if len(data) != blocks * BLOCK:
        raise Torn(f"{len(data) // BLOCK} blocks of the {blocks} of {name}")
    return name, blocks


def _names(data: bytes) -> list[str]:
    return sorted({found[1].decode() for found in _BLOCK.finditer(data)})


def echo(name: str) -> str:
    """A line that is a block by itself, for `echo` to append to a version."""
    return part(name, 0, 0, 1).decode().rstrip("\n")


def with_echoes(data: bytes) -> None:
    """Raises Torn unless `data` is one whole version with whole lines of `echo` after it."""
    found = _BLOCK.match(data)
    end = int(found[3]) * BLOCK if found else 0
    whole(data[:end])
    for start in range(end, len(data), BLOCK):
        name_of(data[start : start + BLOCK])
        if len(data) - start < BLOCK:
            raise Torn(f"{len(data) - start} bytes of an appended line")
