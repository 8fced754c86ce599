"""The files of a tantivy index: whether they are whole, and how much they take.

    meta.json                the last commit: which segments it has. It is replaced as the last step of each commit
    {segment}.{kind}         a part of a segment, never changed. It ends with a footer: JSON with the CRC-32 of all
                             that comes before, its length, and a number that marks it (tantivy, footer.rs)
    {segment}.{number}.del   which entries of a segment are removed
    .tmp{letters}            what is about to become meta.json or .managed.json
    wio-version              which fields the index has: `tantivy_schema.VERSION`

Files of no segment are left over from a commit that was cut short. tantivy goes on from the last commit with the
same numbers, and fails for ever where it meets a file that it is about to make: they are removed before it writes.
So is what never became another file, for nobody else ever would.
"""

import fcntl
import json
import os
import struct
import zlib
from pathlib import Path

from workspacesio.index.tantivy_schema import VERSION

META = "meta.json"
MANAGED = ".managed.json"
LOCK = ".tantivy-writer.lock"
VERSION_FILE = "wio-version"
_KINDS = ("idx", "pos", "term", "fast", "fieldnorm", "store")
_DELETES = "del"
_UNFINISHED = ".tmp"
_MAGIC = 1337
_PIECE = 4 * 2**20


def damage(folder: Path) -> str | None:
    """Why the index must be made anew, or None. Reads every byte of it: 1 s for 2 GB that are in memory."""
    try:
        version = (folder / VERSION_FILE).read_text()
        json.loads((folder / MANAGED).read_bytes())
        for name in _committed(folder):
            if (problem := _file_damage(folder / name)) is not None:
                return f"{name} {problem}."
    except FileNotFoundError as missing:
        return f"{Path(missing.filename).name} is missing."
    except OSError as error:
        return f"{Path(error.filename or folder).name} can't be read: {error.strerror}."
    except (ValueError, KeyError, TypeError, struct.error):
        return f"{META} or {MANAGED} is damaged."
    if version != str(VERSION):
        return f"It was made by another version of WorkspacesIO ({version}, not {VERSION})."
    return None


def sweep(folder: Path) -> None:
    """Removes what no commit names, unless somebody writes. Raises OSError, and ValueError for a damaged META."""
    with (folder / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        kinds = {*_KINDS, _DELETES} if (folder / META).exists() else set()
        committed = set(_committed(folder)) if kinds else set()
        for path in folder.iterdir():
            of_no_commit = path.suffix.removeprefix(".") in kinds and path.name not in committed
            if of_no_commit or path.name.startswith(_UNFINISHED):
                path.unlink()


def size_bytes(folder: Path) -> int:
    total = 0
    try:
        with os.scandir(folder) as files:
            for file in files:
                try:
                    total += file.stat().st_size
                except FileNotFoundError:  # Merged away in between.
                    continue
    except FileNotFoundError:
        return 0
    return total


def _committed(folder: Path) -> list[str]:
    """The names of the files of the last commit."""
    segments = json.loads((folder / META).read_bytes())["segments"]
    return [name for segment in segments for name in _files(segment)]


def _files(segment: dict[str, object]) -> list[str]:
    name = str(segment["segment_id"]).replace("-", "")
    files = [f"{name}.{kind}" for kind in _KINDS]
    deletes = segment["deletes"]
    if isinstance(deletes, dict):
        files.append(f"{name}.{deletes['opstamp']}.{_DELETES}")
    return files


def _file_damage(path: Path) -> str | None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            return "is cut off"
        file.seek(size - 8)
        length, magic = struct.unpack("<II", file.read(8))
        body = size - 8 - length
        if magic != _MAGIC or body < 0:
            return "is cut off"
        file.seek(body)
        expected = json.loads(file.read(length))["crc"]
        file.seek(0)
        found = 0
        while body > 0 and (piece := file.read(min(_PIECE, body))):
            found = zlib.crc32(piece, found)
            body -= len(piece)
    return None if found == expected else "is damaged"
