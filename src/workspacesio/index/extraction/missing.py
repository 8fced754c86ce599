"""Which files stay unread for want of a library, and what to do about it."""

from collections.abc import Iterable

from workspacesio.index.extraction.registry import Registry
from workspacesio.index.notes import Note

_DISTRIBUTIONS = {"docx": "python-docx", "pptx": "python-pptx", "PIL": "Pillow", "av": "av"}
"""What is installed, where it isn't called as what is imported."""

FILES = {
    "pdf": "PDF",
    "docx": "Word",
    "xlsx": "Excel",
    "pptx": "PowerPoint",
    "columnar": "Parquet and Arrow",
    "hdf5": "HDF5",
    "netcdf": "NetCDF",
    "image": "images",
    "audio": "sound",
    "video": "films",
}
"""What built-in extractors read; others are called by their names."""


def missing_libraries(registry: Registry) -> list[Note]:
    """None where all are installed."""
    lacking = {one.name: registry.missing(one) for one in registry.extractors if registry.missing(one)}
    if not lacking:
        return []
    own = [name for name in lacking if name in FILES]
    others = [name for name in lacking if name not in FILES]
    said = []
    if own:
        said.append(
            f"{_listed(FILES[name] for name in own)}: `pip install 'workspacesio[extract]'` on the server brings "
            f"{_listed(_distributions(lacking[name] for name in own))}"
        )
    said += [f"{name}: install {_listed(_distributions([lacking[name]]))} on the server" for name in others]
    sentence = f"Contents of some files stay unread: {'; '.join(said)}. Then start the service again."
    return [Note("libraries_missing", sentence)]


def _distributions(libraries: Iterable[Iterable[str]]) -> Iterable[str]:
    return dict.fromkeys(_DISTRIBUTIONS.get(name, name) for names in libraries for name in names)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
