"""Which extractor a file goes to, and how those of other packages come in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from index.extraction.children import looking
from workspacesio.index.extraction.kinds import BUILT_IN
from workspacesio.index.extraction.missing import FILES, missing_libraries
from workspacesio.index.extraction.protocol import Extractor
from workspacesio.index.extraction.registry import METADATA_STAMP, Registry, installed


def extractor(
    name: str, *types: str, extensions: tuple[str, ...] = (), version: int = 1, **more: object
) -> Extractor:
    return Extractor(name, version, types, "m:f", extensions=extensions, **more)  # type: ignore[arg-type]


def test_exact_types_go_before_extensions_and_those_before_kinds() -> None:
    registry = Registry(
        [
            extractor("first", "image/png"),
            extractor("second", "image/png", "image/*"),
            extractor("third", extensions=("png", "czi")),
        ]
    )

    def chosen(content_type: str, name: str) -> str | None:
        found = registry.choose(content_type, name)
        return found.name if found else None

    assert chosen("image/png", "a.png") == "first"
    assert chosen("image/gif", "a.gif") == "second"
    assert chosen("image/gif", "a.PNG") == "third"
    assert chosen("", "a.czi") == "third"
    assert chosen("", "a.xyz") is None


def test_stamps_change_with_what_would_be_found() -> None:
    one, two = extractor("one", "a/b"), extractor("two", "c/d")
    registry = Registry([one])
    assert registry.content_stamps == {"1:one/1", registry.stamp(None)}
    assert METADATA_STAMP not in registry.content_stamps
    assert Registry([extractor("one", "a/b", version=2)]).stamp(registry.extractors[0]) == "1:one/1"
    assert Registry([one, two]).stamp(None) != registry.stamp(None)
    lacking = extractor("one", "a/b", libraries=("no_such_library",))
    assert Registry([lacking]).stamp(lacking) == "1:one/1-"
    assert Registry([lacking]).missing(lacking) == ("no_such_library",)


def test_the_built_in_ones_can_all_be_loaded_and_have_names_of_their_own() -> None:
    assert len({one.name for one in BUILT_IN}) == len(BUILT_IN)
    registry = Registry(BUILT_IN)
    assert [one.name for one in BUILT_IN if registry.missing(one)] == []


PACKAGE = """
from workspacesio.index.extraction.protocol import Extracted, Extractor, GivenFile, Unreadable

CZI = Extractor("czi", 4, ("image/x-zeiss-czi",), "czi_reader:extract", extensions=("czi",))
NOT_ONE = "something else"

def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        head = stream.read(10)
    if not head.startswith(b"ZISRAW"):
        raise Unreadable("It is no CZI file.")
    return Extracted(facts={"bytes": str(file.size)}, text="seen by a plug-in", content_type="image/x-zeiss-czi")
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as pip installs it."""
    (tmp_path / "czi_reader.py").write_text(PACKAGE)
    metadata = tmp_path / "czi_reader-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: czi-reader\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[workspacesio.extractors]\nczi = czi_reader:CZI\nbroken = czi_reader:absent\nother = czi_reader:NOT_ONE\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "czi_reader", raising=False)


@pytest.mark.usefixtures("plug_in")
def test_extractors_of_other_packages_come_by_their_entry_points() -> None:
    registry = installed()
    assert [one.name for one in registry.extractors] == ["czi", *(one.name for one in BUILT_IN)]
    with looking(registry) as look:
        found = look("a.czi", b"ZISRAWFILE\x00\x00")
        assert (found.extractor, found.facts, found.text) == ("czi", {"bytes": "12"}, "seen by a plug-in")
        assert found.content_type == "image/x-zeiss-czi"
        assert look("b.czi", b"\x00\x01other").problem == "It is no CZI file."
        assert look("c.txt", b"text").extractor == "text"


def test_a_missing_library_is_named_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = [
        Extractor(one.name, one.version, one.content_types, one.function, ("no_such_library",))
        if one.name == "pdf"
        else one
        for one in BUILT_IN
    ]
    with looking(Registry(lacking)) as look:
        assert look("a.pdf", b"%PDF-1.7\n").problem == (
            "Its content is not read: pip install 'workspacesio[extract]' on the server adds no_such_library."
        )


def test_what_is_missing_is_said_with_what_brings_it() -> None:
    assert missing_libraries(Registry([extractor("pdf"), extractor("czi", libraries=("json",))])) == []
    registry = Registry(
        [
            extractor("docx", libraries=("docx_is_not_there",)),
            extractor("netcdf", libraries=("no_netcdf", "json")),
            extractor("czi", libraries=("no_czi",)),
        ]
    )
    [note] = missing_libraries(registry)
    assert note.sentence == (
        "Contents of some files stay unread: Word, NetCDF: `pip install 'workspacesio[extract]'` on the server "
        "brings docx_is_not_there, no_netcdf; czi: install no_czi on the server. Then start the service again."
    )


def test_every_built_in_extractor_that_needs_a_library_is_called_by_what_people_know() -> None:
    assert {one.name for one in BUILT_IN if one.libraries} == set(FILES)
