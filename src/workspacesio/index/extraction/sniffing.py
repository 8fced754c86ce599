"""The content type of a file by its content; its name decides only between formats that share their first bytes.

`puremagic` is asked last and only about what is no text: it knows many formats, few of those of research.
"""

import codecs
import importlib
import importlib.util
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

from workspacesio.index.extraction.signatures import (
    DOCX,
    HDF5,
    HDF5_EXTENSIONS,
    ISO_BRANDS,
    NOTEBOOK,
    OLE,
    OLE_EXTENSIONS,
    OPEN_DOCUMENT,
    PPTX,
    RIFF,
    SIGNATURES,
    TYPE_OF_TEXT,
    XLSX,
    ZIP,
    ZIP_EXTENSIONS,
)

HEAD_BYTES = 8192
UNKNOWN = ""

_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_IN_TEXT = bytes(sorted({*range(32), 127} - {*b"\t\n\r\f\b\x1b"}))
_OFFICE = ((b"word/", DOCX), (b"xl/", XLSX), (b"ppt/", PPTX))
_MOST_ENTRIES = 10_000


def content_type_of(name: str, head: bytes, stream: BinaryIO, size: int) -> str:
    """`head` is the first HEAD_BYTES; `stream` is read only for zip archives that may be documents.

    '' where nothing is known: then the header that was stored with the object counts, or its name.
    """
    if not head:
        return UNKNOWN
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    marked = head.startswith(_BYTE_ORDER_MARKS)  # FF FE could be sound
    if not marked and (found := _by_signature(extension, head, stream)):
        return found
    if is_text(head, whole=size <= len(head)):
        return _text_type(extension, head)
    return _asked(head)


def _by_signature(extension: str, head: bytes, stream: BinaryIO) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(extension, head, stream)
    if head.startswith(b"RIFF"):
        return RIFF.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return ISO_BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head.startswith(b"OggS"):
        return "video/ogg" if b"theora" in head[:256] else "audio/ogg"
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/x-aiff"
    if head.startswith(b"BM") and head[6:10] == bytes(4) and len(head) > 26:
        return "image/bmp"
    if head[0] == 0xFF and len(head) > 2 and _is_mpeg_audio(head):
        return "audio/mpeg" if head[1] & 0x06 else "audio/aac"
    for place, signature, content_type in SIGNATURES:
        if head.startswith(signature, place):
            return _refined(content_type, extension)
    return UNKNOWN


def _is_mpeg_audio(head: bytes) -> bool:
    """A frame header of ISO 11172-3 or 13818-3, or ADTS (13818-7), with values that are not reserved."""
    if head[1] & 0xF6 == 0xF0:
        return True
    return head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08 and head[1] & 0x06 != 0 and head[2] & 0xF0 != 0xF0


def _refined(content_type: str, extension: str) -> str:
    shared: Mapping[str, Mapping[str, str]] = {OLE: OLE_EXTENSIONS, HDF5: HDF5_EXTENSIONS}
    return shared.get(content_type, {}).get(extension, content_type)


def _zip_type(extension: str, head: bytes, stream: BinaryIO) -> str:
    if head[30:38] == b"mimetype":
        kind = head[38:160]
        if kind.startswith(b"application/epub+zip"):
            return "application/epub+zip"
        for variant in ("text", "spreadsheet", "presentation", "graphics"):
            if kind.startswith((OPEN_DOCUMENT + variant).encode()):
                return OPEN_DOCUMENT + variant
    if b"[Content_Types].xml" in head or extension in ("docx", "docm", "xlsx", "xlsm", "pptx", "pptm"):
        return _office_type(stream)
    return ZIP_EXTENSIONS.get(extension, ZIP)


def _office_type(stream: BinaryIO) -> str:
    """Office Open XML by the folders in the archive (ECMA-376 part 2). A damaged one is a zip archive."""
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            names = {info.filename.partition("/")[0] + "/" for info in archive.infolist()[:_MOST_ENTRIES]}
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):  # the last for newer kinds of zip
        return ZIP
    return next((content_type for folder, content_type in _OFFICE if folder.decode() in names), ZIP)


def is_text(head: bytes, *, whole: bool) -> bool:
    """UTF-8 or UTF-16 with its mark, or a single-byte text: no control characters, few bytes beyond ASCII."""
    if head.startswith(_BYTE_ORDER_MARKS):
        return True
    if len(head.translate(None, _NOT_IN_TEXT)) != len(head):
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, final=whole)
    except UnicodeDecodeError:
        return sum(byte > 127 for byte in head) * 3 < len(head)
    return True


def _text_type(extension: str, head: bytes) -> str:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:2048]
    folded = start.lower()
    if folded.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if folded.startswith((b"<?xml", b"<!doctype")):
        return "image/svg+xml" if b"<svg" in folded else TYPE_OF_TEXT.get(extension, "application/xml")
    if folded.startswith(b"<svg"):
        return "image/svg+xml"
    by_name = TYPE_OF_TEXT.get(extension)
    if by_name in ("application/json", NOTEBOOK) and not start.startswith((b"{", b"[")):
        return "text/plain"
    if by_name is not None:
        return by_name
    if start.startswith(b"#!"):
        first = start.partition(b"\n")[0]
        return "text/x-python" if b"python" in first else "text/x-shellscript"
    return "text/plain"


def _asked(head: bytes) -> str:
    if importlib.util.find_spec("puremagic") is None:
        return UNKNOWN
    puremagic = importlib.import_module("puremagic")
    try:
        guesses = puremagic.magic_string(head)
    except puremagic.PureError:
        return UNKNOWN
    named = [guess for guess in guesses if guess.mime_type and guess.confidence >= 0.4]
    return str(named[0].mime_type).lower() if named else UNKNOWN
