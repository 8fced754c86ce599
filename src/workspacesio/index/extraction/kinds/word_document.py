"""Word documents (Office Open XML), by python-docx: paragraphs, tables and what the properties say."""

import docx
from docx.document import Document
from docx.table import Table

from workspacesio.index.extraction.kinds.archives import opened_archive
from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile


def extract(file: GivenFile) -> Extracted:
    with opened_archive(file) as stream:
        document = docx.Document(stream)
        said = document.core_properties
        facts = present(title=said.title, author=said.author, subject=said.subject, keywords=said.keywords)
        return Extracted(facts, _words(document, file.text_characters))


def _words(document: Document, most: int) -> str:
    text = Text(most)
    for block in document.iter_inner_content():
        if text.full:
            break
        if isinstance(block, Table):
            for row in block.rows:
                if not text.add(" ".join(cell.text for cell in row.cells)):
                    break
        else:
            text.add(block.text)
    return str(text)
