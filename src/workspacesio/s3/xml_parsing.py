"""Reading the XML documents that clients send: without entities, document types or surprises.

A document that declares a DOCTYPE is refused before anything in it is looked at, so that no entity can be defined,
expanded or fetched. Depth and number of elements are limited; whoever read the body limited its bytes.
"""

import re
from itertools import islice
from xml.parsers.expat import ExpatError, ParserCreate

from workspacesio.s3.error_codes import ErrorCode, S3Error

MAX_DEPTH = 8
MAX_ELEMENTS = 100_000
"""A completion names up to 10,000 parts, each with its number, ETag and checksums."""

MAX_ATTRIBUTES = 10_000
"""S3's documents have next to none, but for a namespace. What may be one is counted before the parser sees it: to
take a tag with hundreds of thousands apart, it holds up the process for seconds."""

_ATTRIBUTE = re.compile(rb"=[ \t\r\n]*[\"']")


class Element:
    """An element by its local name: namespaces and attributes are not looked at, as S3 doesn't."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> "list[Element]":
        """The children of this name, in order."""
        return [child for child in self.children if child.name == name]

    def find(self, name: str) -> str | None:
        """The text of the only child of this name, or None. Raises S3Error MalformedXML where there are more."""
        found = self.all(name)
        if len(found) > 1:
            raise S3Error(ErrorCode.MalformedXML)
        return found[0].text if found else None

    def required(self, name: str) -> str:
        """The text of the only child of this name. Raises S3Error MalformedXML."""
        text = self.find(name)
        if text is None:
            raise S3Error(ErrorCode.MalformedXML)
        return text


class _Builder:
    """Builds the tree from expat's calls."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[str] = []
        self._count = 0

    def start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise S3Error(ErrorCode.MalformedXML)
        element = Element(name.rpartition("}")[2])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.clear()

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if not element.children:
            element.text = "".join(self._text)
        self._text.clear()

    def characters(self, text: str) -> None:
        self._text.append(text)


def _refuse(*_: object) -> None:
    raise S3Error(ErrorCode.MalformedXML)


def _attributes(body: bytes) -> int:
    """How many attributes there may be in the document, as far as that matters."""
    return sum(1 for _ in islice(_ATTRIBUTE.finditer(body), MAX_ATTRIBUTES + 1))


def parse_xml(body: bytes, root: str) -> Element:
    """The document's root element, which must have the name `root`. Raises S3Error MalformedXML."""
    if b"\0" in body or _attributes(body) > MAX_ATTRIBUTES:  # a NUL: UTF-16, which no client sends
        raise S3Error(ErrorCode.MalformedXML)
    parser = ParserCreate(namespace_separator="}")
    builder = _Builder()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except (ExpatError, ValueError, LookupError):
        raise S3Error(ErrorCode.MalformedXML) from None
    if builder.root is None or builder.root.name != root:
        raise S3Error(ErrorCode.MalformedXML)
    return builder.root
