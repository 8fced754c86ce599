"""Excel workbooks (Office Open XML), by openpyxl: the sheets, the first row of each, and the words in cells."""

import warnings
from typing import Any

import openpyxl

from workspacesio.index.extraction.kinds.archives import opened_archive
from workspacesio.index.extraction.kinds.gathering import Text, listed, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile

_MOST_ROWS = 20_000
_MOST_CELLS = 1000
"""Of a row."""


def extract(file: GivenFile) -> Extracted:
    warnings.simplefilter("ignore")  # of parts of the format that it leaves out
    with opened_archive(file) as stream:
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        text = Text(file.text_characters)
        facts = present(
            sheets=listed(workbook.sheetnames),
            title=workbook.properties.title,
            author=workbook.properties.creator,
        )
        for name in workbook.sheetnames:
            text.add(name)
        for sheet in workbook.worksheets:
            first = _add_words(sheet, text)
            if first and "columns" not in facts:
                facts["columns"] = listed(first)
            if text.full:
                break
        return Extracted(facts, str(text))


def _add_words(sheet: Any, text: Text) -> list[str]:
    """Returns the first row, if it is all names."""
    first: list[str] = []
    rows = sheet.iter_rows(values_only=True, max_row=_MOST_ROWS, max_col=_MOST_CELLS)
    for number, row in enumerate(rows):
        cells = [cell for cell in row if cell is not None]
        if number == 0 and cells and all(isinstance(cell, str) for cell in cells):
            first = [str(cell) for cell in cells]
        if not text.add(" ".join(str(cell) for cell in cells if not isinstance(cell, float))):
            break
    return first
