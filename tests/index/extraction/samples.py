"""Small real files of every kind that is read, made by the libraries that people make them with."""

from __future__ import annotations

import io
import json
import wave
import zipfile
from collections.abc import Callable
from typing import Any

WORD = "xylophone"
"""In the content of every sample that has words."""


def pdf(text: str = WORD, *, password: str = "") -> bytes:
    from pypdf import PdfReader, PdfWriter

    content = f"BT /F1 24 Tf 50 700 Td ({text}) Tj ET".encode()
    font = b"<< /F1 5 0 R >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font %s >> >>" % font,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(bytes(out))))
    writer.add_metadata({"/Title": "A paper", "/Author": "Ada"})
    if password:
        writer.encrypt(password, algorithm="AES-256")
    return _written(writer.write)


def docx() -> bytes:
    import docx as library

    document = library.Document()
    document.core_properties.title = "A letter"
    document.core_properties.author = "Ada"
    document.add_paragraph(f"A {WORD} for you")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    return _written(document.save)


def xlsx() -> bytes:
    import openpyxl

    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Samples"
    for row in (["sample", "mass"], [WORD, 3.5]):
        sheet.append(row)
    return _written(workbook.save)


def pptx() -> bytes:
    import pptx as library

    presentation = library.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "A talk"
    slide.placeholders[1].text = WORD  # type: ignore[attr-defined]
    assert slide.notes_slide.notes_text_frame is not None
    slide.notes_slide.notes_text_frame.text = "say it slowly"
    return _written(presentation.save)


def odt() -> bytes:
    office = 'xmlns:office="o" xmlns:text="t" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return zipped(
        {
            "mimetype": b"application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:d {office}><text:p>a {WORD}</text:p></office:d>".encode(),
            "meta.xml": f"<office:d {office}><dc:title>An essay</dc:title></office:d>".encode(),
        }
    )


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            kind = zipfile.ZIP_STORED if name == "mimetype" else compression
            archive.writestr(name, content, kind)
    return out.getvalue()


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", WORD]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"output_type": "stream", "text": ["printed"]}]},
    ]
    return json.dumps({"cells": cells, "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4}).encode()


def parquet() -> bytes:
    import pyarrow.parquet

    table = pyarrow.table({WORD: [1, 2, 3], "mass": [0.5, 1.5, None]})
    out = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata({"campaign": "alpine"}), out)
    return out.getvalue()


def arrow() -> bytes:
    import pyarrow

    table = pyarrow.table({WORD: ["a", "b"]})
    out = io.BytesIO()
    with pyarrow.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def hdf5(*, fill: Callable[[Any], None] | None = None) -> bytes:
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["campaign"] = "alpine"
        dataset = file.create_dataset(f"raw/{WORD}", shape=(100, 20), dtype="f4")
        dataset.attrs["units"] = "kelvin"
        if fill is not None:
            fill(file)
    return out.getvalue()


def netcdf(kind: str = "NETCDF3_CLASSIC") -> bytes:
    import netCDF4

    dataset = netCDF4.Dataset("x.nc", "w", format=kind, memory=1024)  # type: ignore[arg-type]
    dataset.title = "An atlas"
    dataset.createDimension("time", None)
    dataset.createDimension("x", 5)
    variable = dataset.createVariable(WORD, "f4", ("time", "x"))
    variable.units = "kelvin"
    variable[0:3] = 1.0
    return bytes(dataset.close())  # type: ignore[arg-type, func-returns-value]


def image(kind: str = "PNG", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, (200, 10, 10)).save(out, kind, **options)
    return out.getvalue()


def photograph() -> bytes:
    from PIL import ExifTags, Image

    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Leitz"
    exif[ExifTags.Base.Model] = "M3"
    exif[ExifTags.Base.Artist] = WORD
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:01:02 03:04:05"
    return image("JPEG", exif=exif)


def ome_tiff() -> bytes:
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    pixels = '<Pixels SizeX="40" SizeY="30" SizeZ="7" SizeC="3"/>'
    tags[270] = f'<?xml version="1.0"?><OME><Image Name="{WORD}">{pixels}</Image></OME>'
    return image("TIFF", tiffinfo=tags)


def wav() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000 * 4))
    return out.getvalue()


def flac() -> bytes:
    """One without sound: the header says how long it would be; with a comment (FLAC format, METADATA_BLOCK_…)."""
    rate, channels, bits, samples = 44100, 2, 16, 44100 * 3
    packed = (rate << 44) | ((channels - 1) << 41) | ((bits - 1) << 36) | samples
    info = (4096).to_bytes(2, "big") * 2 + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    vendor, comment = b"x", f"TITLE={WORD}".encode()
    comments = len(vendor).to_bytes(4, "little") + vendor + (1).to_bytes(4, "little")
    comments += len(comment).to_bytes(4, "little") + comment
    return (
        b"fLaC\x00" + len(info).to_bytes(3, "big") + info + b"\x84" + len(comments).to_bytes(3, "big") + comments
    )


def mp4(kind: str = "mp4") -> bytes:
    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        container.metadata["title"] = WORD
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def csv(rows: int = 5) -> bytes:
    lines = [f"sample,{WORD},when", *(f"s{number},{number}.5,2026-01-0{number % 9 + 1}" for number in range(rows))]
    return "\n".join(lines).encode() + b"\n"


def _written(save: Callable[[Any], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()
