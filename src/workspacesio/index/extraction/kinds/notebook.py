"""Jupyter notebooks (nbformat 3 and 4): what people wrote in the cells, and texts among the outputs."""

import json
from collections.abc import Iterator
from typing import Any

from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import MEBIBYTE, Extracted, GivenFile, Unreadable

_MOST_BYTES = 64 * MEBIBYTE


def extract(file: GivenFile) -> Extracted:
    if file.size > _MOST_BYTES:
        raise Unreadable(f"Its content is not read: notebooks of more than {_MOST_BYTES // MEBIBYTE} MiB are not.")
    with file.open() as stream:
        try:
            notebook = json.loads(stream.read())
        except ValueError as error:
            raise Unreadable("It is no readable notebook: its JSON is damaged.") from error
    cells = list(_cells(notebook))
    text = Text(file.text_characters)
    for cell in cells:
        text.add(_joined(cell.get("source", cell.get("input"))))
        for output in _dictionaries(cell.get("outputs")):
            text.add(_joined(output.get("text")))
    described = _dictionary(_dictionary(notebook).get("metadata"))
    language = _dictionary(described.get("kernelspec")).get("language") or _dictionary(
        described.get("language_info")
    ).get("name")
    return Extracted(present(cells=len(cells), language=language, title=described.get("title")), str(text))


def _cells(notebook: object) -> Iterator[dict[str, Any]]:
    yield from _dictionaries(_dictionary(notebook).get("cells"))
    for sheet in _dictionaries(_dictionary(notebook).get("worksheets")):
        yield from _dictionaries(sheet.get("cells"))


def _dictionary(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dictionaries(value: object) -> Iterator[dict[str, Any]]:
    return (one for one in (value if isinstance(value, list) else []) if isinstance(one, dict))


def _joined(source: object) -> str:
    if isinstance(source, list):
        return "".join(str(line) for line in source)
    return source if isinstance(source, str) else ""
