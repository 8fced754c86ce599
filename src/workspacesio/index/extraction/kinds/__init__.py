"""The extractors that come with WorkspacesIO."""

from workspacesio.index.extraction.protocol import Extractor
from workspacesio.index.extraction.signatures import (
    ARROW,
    CODE_EXTENSIONS,
    DOCX,
    HDF5,
    NETCDF,
    NOTEBOOK,
    OPEN_DOCUMENT,
    PARQUET,
    PPTX,
    XLSX,
)

_HERE = __name__
_PLAIN = (
    "text/plain",
    "text/markdown",
    "text/x-rst",
    "text/x-tex",
    "text/x-bibtex",
    "text/x-log",
    "text/vtt",
    "message/rfc822",
    "application/json",
    "application/x-ndjson",
    "application/yaml",
    "application/toml",
    *CODE_EXTENSIONS,
)
_OPEN_DOCUMENTS = tuple(OPEN_DOCUMENT + kind for kind in ("text", "spreadsheet", "presentation", "graphics"))

BUILT_IN = (
    Extractor("text", 1, (*_PLAIN, "text/*"), f"{_HERE}.plain_text:extract"),
    Extractor("markup", 1, ("text/html", "application/xml", "image/svg+xml"), f"{_HERE}.markup:extract"),
    Extractor("notebook", 1, (NOTEBOOK,), f"{_HERE}.notebook:extract"),
    Extractor("table", 1, ("text/csv", "text/tab-separated-values"), f"{_HERE}.table:extract"),
    Extractor("pdf", 1, ("application/pdf",), f"{_HERE}.pdf:extract", ("pypdf",)),
    Extractor("docx", 1, (DOCX,), f"{_HERE}.word_document:extract", ("docx",)),
    Extractor("xlsx", 1, (XLSX,), f"{_HERE}.workbook:extract", ("openpyxl",)),
    Extractor("pptx", 1, (PPTX,), f"{_HERE}.slides:extract", ("pptx",)),
    Extractor("opendocument", 1, _OPEN_DOCUMENTS, f"{_HERE}.opendocument:extract"),
    Extractor("columnar", 1, (PARQUET, ARROW), f"{_HERE}.columnar:extract", ("pyarrow",)),
    Extractor("hdf5", 1, (HDF5,), f"{_HERE}.hdf5:extract", ("h5py",)),
    Extractor("netcdf", 1, (NETCDF,), f"{_HERE}.netcdf:extract", ("netCDF4", "h5py")),
    Extractor("image", 1, ("image/*",), f"{_HERE}.image:extract", ("PIL",)),
    Extractor("audio", 1, ("audio/*",), f"{_HERE}.audio:extract", ("mutagen",)),
    Extractor("video", 1, ("video/*",), f"{_HERE}.video:extract", ("av",)),
)
