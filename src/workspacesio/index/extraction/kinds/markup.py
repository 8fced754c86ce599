"""The words of HTML, XML and SVG. XML is read as text between tags: no entity is defined or expanded."""

from html.parser import HTMLParser

from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.kinds.plain_text import decoded
from workspacesio.index.extraction.protocol import Extracted, GivenFile

_UNSEEN = frozenset({"script", "style"})
_BYTES_OF_MARKUP = 4
"""Read so many characters for one of text."""


def extract(file: GivenFile) -> Extracted:
    words = Words(Text(file.text_characters))
    words.feed(decoded(file, _BYTES_OF_MARKUP * file.text_characters))
    words.close()
    return Extracted(present(title=" ".join(words.title.split())[:300]), str(words.text))


class Words(HTMLParser):
    """`feed` it; then `text` and `title`."""

    def __init__(self, text: Text) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.title = ""
        self._inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN or (tag == "title" and not self.title):
            self._inside = tag
        for name, value in attrs:
            if value and ((name == "content" and tag == "meta") or name == "alt"):
                self.text.add(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        if self._inside not in _UNSEEN:
            self.text.add(data)
