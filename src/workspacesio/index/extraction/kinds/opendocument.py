"""OpenDocument texts, sheets and slides (ISO/IEC 26300): the words of content.xml, and what meta.xml says.

Read event by event with the standard library's expat, which refuses documents that grow by their entities; and
declarations of entities, which no office program writes, end the reading here.
"""

import zipfile
from xml.parsers.expat import ExpatError, ParserCreate

from workspacesio.index.extraction.kinds.archives import opened_archive
from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable

_PIECE = 64 << 10
_FACTS = {"dc:title": "title", "dc:creator": "author", "dc:subject": "subject", "meta:keyword": "keywords"}
_BLOCKS = frozenset({"text:p", "text:h", "table:table-cell", *_FACTS})


def extract(file: GivenFile) -> Extracted:
    with opened_archive(file) as stream, zipfile.ZipFile(stream) as archive:
        if "content.xml" not in archive.namelist():
            raise Unreadable("It is damaged: there is no content in it.")
        facts: dict[str, str] = {}
        if "meta.xml" in archive.namelist():
            facts = _Reading(Text(file.text_characters)).read(archive, "meta.xml").facts
        content = _Reading(Text(file.text_characters)).read(archive, "content.xml")
        return Extracted(present(**facts), str(content.text))


class _Reading:
    """The text of each paragraph, and of the elements that are facts."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.facts: dict[str, str] = {}
        self._block: list[str] = []

    def read(self, archive: zipfile.ZipFile, member: str) -> "_Reading":
        parser = ParserCreate()
        parser.buffer_text = True
        parser.CharacterDataHandler = self._block.append
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = _refuse_entity
        try:
            with archive.open(member) as stream:
                while not self.text.full and (piece := stream.read(_PIECE)):
                    parser.Parse(piece, False)
        except ExpatError as error:
            raise Unreadable("It is damaged: its XML can't be read.") from error
        return self

    def _end(self, name: str) -> None:
        if name in _BLOCKS:
            said = "".join(self._block).strip()
            self._block.clear()
            self.text.add(said)
            if name in _FACTS and said:
                self.facts.setdefault(_FACTS[name], said)


def _refuse_entity(*_declared: object) -> None:
    raise Unreadable("Its content is not read: its XML declares entities.")
