"""Text as it is: prose, code, logs, JSON and the like."""

import codecs
import re

from workspacesio.index.extraction.protocol import Extracted, GivenFile

_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)


def extract(file: GivenFile) -> Extracted:
    text = decoded(file)
    facts = {}
    if file.content_type == "text/markdown" and (heading := _HEADING.search(text)):
        facts["title"] = heading[1].strip()
    if len(text) < file.text_characters:
        facts["lines"] = str(len(text.splitlines()))
    return Extracted(facts, text)


def decoded(file: GivenFile, characters: int | None = None) -> str:
    """The first characters of a text: UTF-8, UTF-16 with its mark, else ISO 8859-1, which fits any bytes."""
    most = characters or file.text_characters
    with file.open() as stream:
        raw = stream.read(4 * most)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")[:most]
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(raw, final=len(raw) < 4 * most - 3)
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text[:most]
