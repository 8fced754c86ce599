"""Broken and hostile files of real kinds, read by the real extractors: a sentence at worst, and quickly."""

from __future__ import annotations

import io
import pickle
import random
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache

import pytest

from index.extraction import samples
from index.extraction.children import Looker, looking
from index.extraction.test_kinds import CASES
from workspacesio.index.extraction.protocol import LIMITS, Limits

QUICK = Limits(seconds=8.0, processor_seconds=4)
SEED = 20261123


@pytest.fixture(scope="module")
def look() -> Iterator[Looker]:
    with looking(limits=QUICK) as looker:
        yield looker


def office(part: str, content: bytes, make: bytes) -> bytes:
    """A real document with one part replaced."""
    with zipfile.ZipFile(io.BytesIO(make)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert part in members
    return samples.zipped({**members, part: content})


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a0 "laugh">'
    + b"".join(b'<!ENTITY a%d "%s">' % (number, b"&a%d;" % (number - 1) * 10) for number in range(1, 12))
    + b"]><z>&a11;</z>"
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a SYSTEM "file:///etc/passwd">]><z>&a;</z>'
DEEP = b"<z>" * 200_000 + b"</z>" * 200_000


@cache
def zip_bomb() -> bytes:
    return samples.zipped({"[Content_Types].xml": b"", "word/document.xml": bytes(260 << 20)})


def quoted_bomb() -> bytes:
    """Many names for the same few bytes, each said to be large."""
    out = io.BytesIO(samples.zipped({"[Content_Types].xml": b"", "word/x": bytes(64 << 20)}))
    with zipfile.ZipFile(out, "a") as archive:
        for number in range(5):
            info = archive.infolist()[1]
            archive.filelist.append(info)
            archive.NameToInfo[f"word/{number}"] = info
        archive._didModify = True  # type: ignore[attr-defined]
    return out.getvalue()


def pdf_loop() -> bytes:
    return (
        samples.pdf().replace(b"/Kids [ 3 0 R ]", b"/Kids [ 2 0 R ]").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")
    )


def pdf_bomb() -> bytes:
    """A page whose content unpacks to 200 MiB, packed twice."""
    packed = zlib.compress(zlib.compress(bytes(200 << 20), 1), 9)
    head = (
        b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\n"
    )
    head += b"endobj\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>\nendobj\n4 0 obj\n"
    head += b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>\nstream\n" % len(packed)
    return head + packed + b"\nendstream\nendobj\ntrailer\n<</Root 1 0 R>>\n"


def tiff_loop() -> bytes:
    """A directory of one entry whose successor is itself (TIFF 6.0, section 2)."""
    entries = ((256, 4, 1, 10), (257, 4, 1, 10), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 1))
    return (
        struct.pack("<2sHIH", b"II", 42, 8, len(entries))
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + struct.pack("<I", 8)
    )


def endless_png() -> bytes:
    """Two thousand million pixels of nothing."""
    head = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND")
    )


def text_bomb_png() -> bytes:
    text = b"Comment\0\0" + zlib.compress(bytes(100 << 20), 1)
    head = struct.pack(">IIBBBBB", 1, 1, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"zTXt", text) + chunk(b"IEND")


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def hdf5_loop() -> bytes:
    def tie(file: object) -> None:
        import h5py

        assert isinstance(file, h5py.File)
        file["raw/again"] = file["/"]
        file["raw/outside"] = h5py.ExternalLink("/etc/passwd", "/")
        file["raw/soft"] = h5py.SoftLink("/raw/soft")

    return samples.hdf5(fill=tie)


def huge_netcdf() -> bytes:
    """A header that promises 2^31 dimensions (NetCDF classic format specification)."""
    return b"CDF\x01" + struct.pack(">III", 0, 10, 0x7FFFFFFF) + bytes(100)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("open('/tmp/unpickled', 'w')",)


FILES = {
    "bomb.docx": zip_bomb,
    "quoted.docx": quoted_bomb,
    "laughs.docx": lambda: office("word/document.xml", LAUGHS, samples.docx()),
    "laughs.xlsx": lambda: office("xl/worksheets/sheet1.xml", LAUGHS, samples.xlsx()),
    "laughs.pptx": lambda: office("ppt/presentation.xml", LAUGHS, samples.pptx()),
    "laughs.odt": lambda: office("content.xml", LAUGHS, samples.odt()),
    "laughs.svg": lambda: LAUGHS.replace(b"<z>", b"<svg>"),
    "outside.docx": lambda: office("word/document.xml", OUTSIDE, samples.docx()),
    "outside.xlsx": lambda: office("xl/workbook.xml", OUTSIDE, samples.xlsx()),
    "outside.odt": lambda: office("content.xml", OUTSIDE, samples.odt()),
    "deep.docx": lambda: office("word/document.xml", DEEP, samples.docx()),
    "deep.odt": lambda: office("content.xml", DEEP, samples.odt()),
    "deep.xml": lambda: b"<?xml version='1.0'?>" + DEEP,
    "deep.json": lambda: b"[" * 500_000,
    "deep.ipynb": lambda: b'{"cells":' + b"[" * 500_000,
    "wide.csv": lambda: b",".join(b"c" for _ in range(500_000)),
    "quote.csv": lambda: b'"' + b"a,\n" * 500_000,
    "long.txt": lambda: b"a" * (20 << 20),
    "loop.pdf": pdf_loop,
    "bomb.pdf": pdf_bomb,
    "loop.tif": tiff_loop,
    "endless.png": endless_png,
    "text.png": text_bomb_png,
    "loop.h5": hdf5_loop,
    "huge.nc": huge_netcdf,
    "model.pkl": lambda: pickle.dumps(Evil()),
    "playlist.m3u8": lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\nhttp://127.0.0.1:9/x\n",
    "playlist.mp4": lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_costs_its_own_entry(name: str, look: Looker) -> None:
    content = FILES[name]()
    began = time.monotonic()
    found = look(name, content)
    assert time.monotonic() - began < QUICK.seconds + 4
    assert "root:" not in found.text
    assert "laughlaugh" not in found.text
    assert "\n" not in found.problem
    assert look("after.txt", b"still here").text == "still here"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "bomb.docx",
            "Its content is not read: it unpacks to 260 MiB in 2 parts, and at most 256 MiB in 20000 are",
        ),
        ("laughs.odt", "Its content is not read: its XML declares entities."),
        ("loop.pdf", "It is damaged: it is no readable PDF."),
        ("huge.nc", "It is damaged: its NetCDF header can't be read."),
        ("deep.ipynb", "Its content is not read: it is nested too deep."),
    ],
)
def test_its_entry_says_why(name: str, says: str, look: Looker) -> None:
    assert look(name, FILES[name]()).problem.startswith(says)


def test_links_that_lead_in_circles_and_outside_are_not_followed(look: Looker) -> None:
    found = look("loop.h5", hdf5_loop())
    assert found.problem == ""
    assert found.facts["groups"] == "1"
    assert "passwd" not in found.text


def test_the_size_of_an_image_is_told_without_decoding_it(look: Looker) -> None:
    found = look("endless.png", endless_png())
    assert (found.facts["width"], found.problem) == (str(2**31 - 1), "")


BINARY = [
    case for case in CASES if case[0].rpartition(".")[2] not in ("txt", "md", "py", "html", "svg", "csv", "tsv")
]


@pytest.mark.parametrize("case", BINARY, ids=[case[0] for case in BINARY])
def test_truncated_and_mutated_files_of_every_kind(case: tuple[str, object, str, object], look: Looker) -> None:
    name, make, _, _ = case
    whole: bytes = make()  # type: ignore[operator]
    chance = random.Random(SEED)
    lengths = [0, 1, 7, 12, 100, len(whole) // 4, len(whole) // 2, len(whole) - 7, len(whole) - 1]
    for cut in lengths:
        check(look, name, whole[: max(0, cut)])
    for _ in range(8):
        mutated = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            place = chance.randrange(len(mutated))
            mutated[place] = chance.choice((0, 255, 127, chance.randrange(256)))
        check(look, name, bytes(mutated))
    for _ in range(4):
        start = chance.randrange(len(whole))
        stop = min(len(whole), start + chance.randrange(1, 200))
        check(look, name, whole[:start] + whole[stop:] + whole[start:stop])


def check(look: Looker, name: str, content: bytes) -> None:
    found = look(name, content)
    assert len(found.facts) <= LIMITS.facts
    assert found.problem.isprintable()
    assert "takes more than 8 seconds" not in found.problem
