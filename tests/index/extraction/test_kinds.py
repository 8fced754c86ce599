"""What is found in files of every kind that is read, by real children, by descriptor and by ranges."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from index.extraction import samples
from index.extraction.children import Looker
from index.extraction.samples import WORD

Case = tuple[str, Callable[[], bytes], str, dict[str, str]]

DOCUMENT = "application/vnd.openxmlformats-officedocument."


def given(content: bytes) -> Callable[[], bytes]:
    return lambda: content


CASES: tuple[Case, ...] = (
    ("paper.pdf", samples.pdf, "application/pdf", {"pages": "1", "title": "A paper", "author": "Ada"}),
    ("letter.docx", samples.docx, DOCUMENT + "wordprocessingml.document", {"title": "A letter", "author": "Ada"}),
    (
        "list.xlsx",
        samples.xlsx,
        DOCUMENT + "spreadsheetml.sheet",
        {"sheets": "Samples", "columns": "sample, mass"},
    ),
    ("talk.pptx", samples.pptx, DOCUMENT + "presentationml.presentation", {"slides": "1"}),
    ("essay.odt", samples.odt, "application/vnd.oasis.opendocument.text", {"title": "An essay"}),
    ("a.ipynb", samples.notebook, "application/x-ipynb+json", {"cells": "2", "language": "python"}),
    (
        "t.csv",
        samples.csv,
        "text/csv",
        {"columns": f"sample (text), {WORD} (number), when (date)", "rows": "5", "column_count": "3"},
    ),
    (
        "t.tsv",
        lambda: samples.csv().replace(b",", b"\t"),
        "text/tab-separated-values",
        {"column_count": "3", "delimiter": "tab"},
    ),
    (
        "t.parquet",
        samples.parquet,
        "application/vnd.apache.parquet",
        {"rows": "3", "columns": f"{WORD} (int64), mass (double)", "campaign": "alpine"},
    ),
    ("t.arrow", samples.arrow, "application/vnd.apache.arrow.file", {"columns": f"{WORD} (string)"}),
    (
        "d.h5",
        samples.hdf5,
        "application/x-hdf5",
        {"campaign": "alpine", "datasets": f"/raw/{WORD} 100x20 float32", "groups": "1", "dataset_count": "1"},
    ),
    (
        "d.nc",
        samples.netcdf,
        "application/x-netcdf",
        {"title": "An atlas", "dimensions": "time 3, x 5", "variables": f"{WORD} 3x5 float32"},
    ),
    ("d4.nc", lambda: samples.netcdf("NETCDF4"), "application/x-netcdf", {"title": "An atlas"}),
    ("i.png", samples.image, "image/png", {"width": "40", "height": "30", "bands": "3", "format": "PNG"}),
    (
        "i.jpg",
        samples.photograph,
        "image/jpeg",
        {"width": "40", "camera": "Leitz M3", "taken": "2026:01:02 03:04:05", "artist": WORD},
    ),
    ("i.ome.tiff", samples.ome_tiff, "image/tiff", {"width": "40", "SizeX": "40", "SizeZ": "7", "SizeC": "3"}),
    ("s.wav", samples.wav, "audio/x-wav", {"seconds": "1", "sample_rate": "8000", "channels": "2"}),
    ("s.flac", samples.flac, "audio/flac", {"seconds": "3", "sample_rate": "44100", "title": WORD}),
    (
        "v.mp4",
        samples.mp4,
        "video/mp4",
        {"seconds": "1", "width": "64", "height": "48", "video_codec": "mpeg4", "frames_per_second": "10"},
    ),
    ("v.mkv", lambda: samples.mp4("matroska"), "video/x-matroska", {"width": "64"}),
    ("r.md", given(f"# A heading\n\n{WORD}\n".encode()), "text/markdown", {"title": "A heading", "lines": "3"}),
    ("n.txt", given(f"{WORD} grüße\n".encode("latin-1") * 3), "text/plain", {"lines": "3"}),
    ("u.txt", given(f"{WORD} grüße".encode("utf-16")), "text/plain", {}),
    ("c.py", given(f"def {WORD}():\n    pass\n".encode()), "text/x-python", {"lines": "2"}),
    (
        "p.html",
        given(f"<!DOCTYPE html><title>A page</title><script>hidden()</script><p>{WORD}".encode()),
        "text/html",
        {"title": "A page"},
    ),
    ("c.json", given(f'{{"key": "{WORD}"}}'.encode()), "application/json", {}),
    ("d.svg", given(f"<svg><title>A drawing</title><text>{WORD}</text></svg>".encode()), "image/svg+xml", {}),
)
WORDLESS = ("d4.nc", "i.png", "s.wav", "v.mkv")


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_what_is_found(case: Case, look: Looker) -> None:
    name, make, content_type, facts = case
    content = make()
    found = look(name, content)
    assert found.problem == ""
    assert found.content_type == content_type
    assert {key: found.facts.get(key) for key in facts} == facts
    if name not in WORDLESS:
        assert WORD in found.text
    assert "hidden" not in found.text
    asked = look.by_ranges(name, content)
    assert (asked.content_type, asked.facts, asked.text) == (found.content_type, found.facts, found.text)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_content_type_alone_is_found_without_reading_more(case: Case, look: Looker) -> None:
    name, make, content_type, _ = case
    found = look(name, make(), extract=False)
    assert (found.content_type, found.facts, found.text, found.extractor) == (content_type, {}, "", "")


def test_the_content_says_what_it_is_not_the_name(look: Looker) -> None:
    assert look("picture.txt", samples.image()).content_type == "image/png"
    assert look("table.png", b"a,b\n1,2\n").content_type == "text/plain"
    assert look("archive.docx", samples.zipped({"a.txt": b"x"})).content_type == "application/zip"
    assert look("data.json", bytes(range(256)) * 8).content_type == ""
    assert look("empty.pdf", b"").content_type == ""


def test_a_csv_without_a_header_has_numbered_columns(look: Looker) -> None:
    found = look("a.csv", b"1;2.5;\n3;4;x\n")
    assert found.facts["columns"] == "column 1 (integer), column 2 (number), column 3 (text)"
    assert (found.facts["rows"], found.facts["delimiter"]) == ("2", "semicolon")


def test_an_encrypted_pdf_says_so(look: Looker) -> None:
    assert look("a.pdf", samples.pdf(password="secret")).problem == (
        "Its content is not read: it is encrypted with a password."
    )


def test_a_long_text_is_cut_and_a_long_fact_too(look: Looker) -> None:
    found = look("a.md", b"# " + b"t" * 5000 + b"\n" + "grüße ".encode() * 400_000)
    assert len(found.text) <= 200_000
    assert len(found.text.encode()) <= 256 << 10
    assert len(found.facts["title"]) == 500


def test_little_is_read_of_a_large_file_on_a_server(look: Looker) -> None:
    import h5py

    def large(file: h5py.File) -> None:
        file.create_dataset("big", data=[0] * (3 << 20))

    content = samples.hdf5(fill=large)
    found = look.by_ranges("d.h5", content)
    assert found.facts["dataset_count"] == "2"
    assert 0 < found.bytes_asked < len(content) / 2
