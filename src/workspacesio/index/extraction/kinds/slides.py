"""PowerPoint presentations (Office Open XML), by python-pptx: the words of slides, tables and notes."""

from collections.abc import Iterable, Iterator
from typing import Any

import pptx

from workspacesio.index.extraction.kinds.archives import opened_archive
from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile

_MOST_NESTED = 20


def extract(file: GivenFile) -> Extracted:
    with opened_archive(file) as stream:
        presentation = pptx.Presentation(stream)
        said = presentation.core_properties
        facts = present(slides=len(presentation.slides), title=said.title, author=said.author)
        text = Text(file.text_characters)
        for slide in presentation.slides:
            for words in _words(slide.shapes, 0):
                text.add(words)
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                text.add(slide.notes_slide.notes_text_frame.text)
            if text.full:
                break
        return Extracted(facts, str(text))


def _words(shapes: Iterable[Any], depth: int) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " ".join(cell.text for cell in row.cells)
        elif hasattr(shape, "shapes") and depth < _MOST_NESTED:
            yield from _words(shape.shapes, depth + 1)
