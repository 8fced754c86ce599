"""HDF5, by h5py: groups, datasets with shapes and types, and attributes; no data is read.

Links to other files are not followed, and each object is visited once, however many links lead to it.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO

import h5py

from workspacesio.index.extraction.kinds.gathering import Text, listed, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable

MOST_OBJECTS = 20_000
MOST_ATTRIBUTES = 200
"""Of an object."""
MOST_ATTRIBUTE_BYTES = 16 << 10
ROOT_ATTRIBUTES_AS_FACTS = 40


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        return structure(stream, file.text_characters)


def structure(stream: BinaryIO, most: int) -> Extracted:
    """Of an HDF5 file, NetCDF-4 included. Raises Unreadable."""
    try:
        opened = h5py.File(stream, "r")
    except (OSError, RuntimeError, ValueError) as error:
        raise Unreadable("It is damaged: it is no readable HDF5 file.") from error
    with opened:
        text = Text(most)
        facts = dict(list(_attributes(opened))[:ROOT_ATTRIBUTES_AS_FACTS])
        _add(text, facts.items())
        datasets: list[str] = []
        groups = 0
        for path, found in _objects(opened):
            if isinstance(found, h5py.Dataset):
                datasets.append(f"{path} {_shape(found.shape)} {found.dtype}")
            else:
                groups += 1
            text.add(path)
            if text.full:
                break
            _add(text, _attributes(found))
        facts.update(present(groups=groups, dataset_count=len(datasets), datasets=listed(datasets)))
        return Extracted(facts, str(text))


def _objects(top: Any) -> Iterator[tuple[str, Any]]:
    """Every group and dataset below, breadth first, by hard links only."""
    waiting = deque([("", top)])
    seen = {_address(top)}
    left = MOST_OBJECTS
    while waiting:
        base, group = waiting.popleft()
        for name in group:
            left -= 1
            if left < 0:
                return
            found = _linked(group, name)
            if found is None or (address := _address(found)) in seen:
                continue
            seen.add(address)
            path = f"{base}/{name}"
            yield path, found
            if isinstance(found, h5py.Group):
                waiting.append((path, found))


def _linked(group: Any, name: str) -> Any:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    try:
        found = group[name]
    except (OSError, RuntimeError, KeyError, ValueError):
        return None
    return found if isinstance(found, h5py.Group | h5py.Dataset) else None


def _address(found: Any) -> int:
    return int(h5py.h5o.get_info(found.id).addr)


def _attributes(found: Any) -> Iterator[tuple[str, str]]:
    for number, name in enumerate(found.attrs):
        if number >= MOST_ATTRIBUTES:
            return
        try:
            if found.attrs.get_id(name).get_storage_size() <= MOST_ATTRIBUTE_BYTES and name[:1] != "_":
                yield name, _spelled(found.attrs[name])
        except (OSError, RuntimeError, KeyError, TypeError, ValueError):
            continue


def _spelled(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if getattr(value, "shape", ()) and getattr(value, "size", 0) <= 20:
        return " ".join(_spelled(one) for one in value.flat)
    return f"{_shape(value.shape)} {value.dtype}" if getattr(value, "shape", ()) else str(value)


def _shape(shape: Any) -> str:
    return "empty" if shape is None else "x".join(map(str, shape)) or "scalar"


def _add(text: Text, attributes: Any) -> None:
    for name, value in attributes:
        text.add(f"{name} {value}")
