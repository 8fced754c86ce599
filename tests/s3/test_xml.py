"""XML in both directions: what is written can be read back, and what clients send can't do harm."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspacesio.nodes.values import ObjectSummary
from workspacesio.s3 import xml_documents as xml
from workspacesio.s3.error_codes import S3Error
from workspacesio.s3.xml_parsing import parse_xml

# Characters that XML 1.0 can carry (section 2.2), and therefore every parser has to give back.
_XML_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t\n\r")
)


@given(_XML_TEXT)
def test_texts_come_back(text: str) -> None:
    assert (ET.fromstring(xml.element("Key", text)).text or "") == text


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_no_text_leaves_its_element(text: str) -> None:
    written = xml.escaped(text)
    assert not set("<>\"'") & set(written)
    assert all(ord(character) >= 32 and ord(character) != 127 for character in written)


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_url_encoding_comes_back(text: str) -> None:
    from urllib.parse import unquote, unquote_plus

    written = xml.url_encoded(text)
    assert unquote(written) == unquote_plus(written) == text
    assert xml.escaped(written) == written


def test_a_document_is_parsed() -> None:
    root = parse_xml(
        b'<?xml version="1.0"?><D xmlns="http://s3.amazonaws.com/"> <O><K>a&amp;b\n</K></O> <O/></D>',
        "D",
    )
    assert [child.find("K") for child in root.all("O")] == ["a&b\n", None]


BOMB = b'<!DOCTYPE D [<!ENTITY a "xx"><!ENTITY b "&a;&a;">]><D>&b;</D>'


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<D>",
        b"<D></E>",
        b"<E></E>",
        b"not xml",
        BOMB,
        b'<!DOCTYPE D SYSTEM "file:///etc/passwd"><D/>',
        b'<!DOCTYPE D [<!ENTITY x SYSTEM "file:///etc/passwd">]><D>&x;</D>',
        b"<!DOCTYPE D><D/>",
        b"<D>&x;</D>",
        b"<D/><D/>",
        b"<D>\xff</D>",
        b"<D>\x00</D>",
        b'<?xml version="1.0" encoding="no-such"?><D/>',
        b"<D>" + b"<a>" * 50 + b"</a>" * 50 + b"</D>",
        b"<D>" + b"<a/>" * 200_001 + b"</D>",
    ],
)
def test_what_is_not_the_document_is_malformed(document: bytes) -> None:
    with pytest.raises(S3Error) as raised:
        parse_xml(document, "D")
    assert raised.value.code.name == "MalformedXML"


@given(st.binary(max_size=200))
def test_no_body_does_worse_than_malformed(body: bytes) -> None:
    for document in (body, b"<D>" + body + b"</D>"):
        with suppress(S3Error):
            parse_xml(document, "D")


def test_a_page_of_a_thousand_costs_little() -> None:
    page = [ObjectSummary(f"project/run-{n:05}/image é.tif", n, 1.8e9 + n, f"{n:032x}") for n in range(1000)]
    for encode in (xml.escaped, xml.url_encoded):
        best = min(_seconds(page, encode) for _ in range(7))
        assert best < 0.02, f"{best * 1000:.1f} ms"


def _seconds(page: list[ObjectSummary], encode: xml.Encoding) -> float:
    begun = time.perf_counter()
    xml.entries(page, encode, owner=False)
    return time.perf_counter() - begun
