"""PDF (ISO 32000), by pypdf: number of pages, what its information dictionary says, and the words."""

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        try:
            return _read(PdfReader(stream), file.text_characters)
        except PyPdfError as error:
            raise Unreadable("It is damaged: it is no readable PDF.") from error


def _read(reader: PdfReader, most: int) -> Extracted:
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("Its content is not read: it is encrypted with a password.")
    described = reader.metadata
    facts = present(
        pages=len(reader.pages),
        title=described and described.title,
        author=described and described.author,
        subject=described and described.subject,
        created_with=described and described.creator,
    )
    text = Text(most)
    problem = ""
    for number, page in enumerate(reader.pages, start=1):
        try:
            if not text.add(page.extract_text()):
                break
        except (MemoryError, RecursionError):
            raise
        except Exception:  # one page that the library can't read doesn't hide the others
            problem = problem or f"The words of page {number} could not be read."
    return Extracted(facts, str(text), problem=problem)
