"""What a confined child does: look at one file after the other, and answer what it found.

parent -> child   {"name", "size", "content": bool} and, for a file in a folder, its descriptor
child -> parent   {"read": [offset, length]}   answered by a byte 1 and the bytes, or by nothing if they fail
                  {"found": {…}}               one for each file
"""

import errno
import importlib
import os
import re
import socket
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from workspacesio.index.extraction.protocol import (
    MEBIBYTE,
    Extracted,
    Extractor,
    GivenFile,
    Limits,
    ReadTooMuch,
    Unreadable,
)
from workspacesio.index.extraction.reading import Budget, by_asking, by_descriptor, opened
from workspacesio.index.extraction.registry import Registry
from workspacesio.index.extraction.sniffing import HEAD_BYTES, content_type_of
from workspacesio.index.extraction.wire import receive_json, send_json

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\s]+")


def look_at_files(stream: socket.socket, wanted: dict[str, Any]) -> None:
    """Until the parent closes its end."""
    limits = Limits(**wanted["limits"])
    registry = Registry([Extractor(*fields) for fields in wanted["extractors"]])
    while (received := receive_json(stream)) is not None:
        message, fd = received
        read_at = by_asking(stream) if fd is None else by_descriptor(fd)
        open_file = partial(opened, read_at, message["size"], Budget(limits.most_read))
        found = look_at(
            message["name"], message["size"], open_file, registry if message["content"] else None, limits
        )
        if fd is not None:
            os.close(fd)
        send_json(stream, {"found": found})


def look_at(
    name: str, size: int, open_file: Callable[[], BinaryIO], registry: Registry | None, limits: Limits
) -> dict[str, Any]:
    """The content type and, with a registry, what its extractor finds. Whatever is wrong becomes its `problem`."""
    extractor: Extractor | None = None
    found = Extracted()
    content_type = ""
    try:
        with open_file() as stream:
            content_type = content_type_of(name, stream.read(HEAD_BYTES), stream, size)
        extractor = registry.choose(content_type, name) if registry else None
        if registry and extractor and size:
            found = _extracted(
                extractor, registry, GivenFile(name, size, content_type, open_file, limits.text_characters)
            )
    except Exception as error:  # any library may raise anything about a hostile file
        found.problem = problem_of(error, limits)
    facts = list(found.facts.items())[: limits.facts]
    return {
        "content_type": str(found.content_type or content_type)[: limits.fact_characters],
        "extractor": extractor.name if extractor else "",
        "facts": {
            str(name)[: limits.fact_characters]: str(value)[: limits.fact_characters] for name, value in facts
        },
        "text": str(found.text)[: limits.text_characters],
        "problem": str(found.problem)[: limits.fact_characters],
    }


def _extracted(extractor: Extractor, registry: Registry, file: GivenFile) -> Extracted:
    if missing := registry.missing(extractor):
        needed = " and ".join(missing)
        raise Unreadable(f"Its content is not read: {extractor.install} on the server adds {needed}.")
    module, _, function = extractor.function.partition(":")
    extract = getattr(importlib.import_module(module), function)
    found = extract(file)
    if not isinstance(found, Extracted):
        raise Unreadable(f"The extractor {extractor.name} gave no answer.")
    return found


def problem_of(error: BaseException, limits: Limits) -> str:
    """One sentence for people."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, ReadTooMuch) or isinstance(error.__context__, ReadTooMuch):
        return f"Its content is not read: that takes more than {limits.most_read // MEBIBYTE} MiB of it."
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return f"Its content is not read: that takes more than {limits.memory // MEBIBYTE} MiB of memory."
    if isinstance(error, RecursionError):
        return "Its content is not read: it is nested too deep."
    if isinstance(error, zipfile.BadZipFile):
        return "It is damaged: it is no whole zip archive."
    said = _UNPRINTABLE.sub(" ", str(error)).strip()[:150].rstrip(".")
    return f"Its content can't be read ({type(error).__name__}{': ' + said if said else ''})."
