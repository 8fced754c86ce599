"""The first bytes by which formats are known, and the extensions that tell texts apart.

From the formats' own specifications, and from file(1)'s database where there is none.
"""

HDF5 = "application/x-hdf5"
NETCDF = "application/x-netcdf"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.file"
NOTEBOOK = "application/x-ipynb+json"
OLE = "application/x-ole-storage"
ZIP = "application/zip"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument."

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0\x08\0\0\0", "image/tiff"),
    (0, b"MM\0+\0\x08\0\0", "image/tiff"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"8BPS\0\x01", "image/vnd.adobe.photoshop"),
    (0, b"DDS ", "image/vnd.ms-dds"),
    (0, b"AT&TFORM", "image/vnd.djvu"),
    (0, b"SIMPLE  =", "image/fits"),
    (128, b"DICM", "application/dicom"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"{\\rtf", "text/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (512, b"\x89HDF\r\n\x1a\n", HDF5),
    (0, b"CDF\x01", NETCDF),
    (0, b"CDF\x02", NETCDF),
    (0, b"CDF\x05", NETCDF),
    (0, b"\x0e\x03\x13\x01", "application/x-hdf"),
    (0, b"PAR1", PARQUET),
    (0, b"PARE", PARQUET),
    (0, b"ARROW1\0\0", ARROW),
    (0, b"FEA1", "application/x-feather"),
    (0, b"ORC", "application/x-orc"),
    (0, b"Obj\x01", "application/avro"),
    (0, b"\x93NUMPY", "application/x-npy"),
    (0, b"MATLAB 5.0 MAT-file", "application/x-matlab-data"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"GRIB", "application/x-grib"),
    (0, b"BAM\x01", "application/x-bam"),
    (0, b"CRAM", "application/x-cram"),
    (0, b"BCF\x02", "application/x-bcf"),
    (0, b"RDX2\n", "application/x-rdata"),
    (0, b"RDX3\n", "application/x-rdata"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"MThd", "audio/midi"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"MAC ", "audio/ape"),
    (0, b"wvpk", "audio/x-wavpack"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video/mpeg"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "video/x-ms-asf"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\0\x01\0\0\0", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"glTF", "model/gltf-binary"),
)
"""(place, bytes, content type); the first that fits counts. Containers (RIFF, ISO media, EBML, Ogg, zip) are told
apart in `sniffing`."""

RIFF = {b"WAVE": "audio/x-wav", b"AVI ": "video/x-msvideo", b"WEBP": "image/webp"}
ISO_BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
}
OLE_EXTENSIONS = {
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
}
HDF5_EXTENSIONS = {"nc": NETCDF, "nc4": NETCDF, "cdf": NETCDF}
ZIP_EXTENSIONS = {
    "jar": "application/java-archive",
    "npz": "application/x-npz",
    "kmz": "application/vnd.google-earth.kmz",
    "apk": "application/vnd.android.package-archive",
}

CODE_EXTENSIONS = {
    "text/x-python": "py pyi pyx pxd",
    "text/x-c": "c cc cpp cxx h hh hpp hxx cu",
    "text/x-java": "java",
    "text/x-rsrc": "r rmd",
    "text/x-shellscript": "sh bash zsh fish ksh",
    "text/javascript": "js mjs cjs jsx",
    "text/x-typescript": "ts tsx",
    "text/x-fortran": "f f77 f90 f95 f03 f08 for",
    "text/x-matlab": "m",
    "text/x-julia": "jl",
    "text/x-rust": "rs",
    "text/x-go": "go",
    "text/x-perl": "pl pm",
    "text/x-ruby": "rb",
    "text/x-lua": "lua",
    "text/x-scala": "scala",
    "text/x-kotlin": "kt kts",
    "text/x-csharp": "cs",
    "text/x-php": "php",
    "text/x-swift": "swift",
    "text/x-haskell": "hs",
    "text/x-sql": "sql",
    "text/x-makefile": "mk cmake",
    "text/css": "css scss less",
}
TEXT_EXTENSIONS = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv tab",
    "text/markdown": "md markdown mdown",
    "text/html": "html htm xhtml",
    "text/x-rst": "rst",
    "text/x-tex": "tex ltx sty",
    "text/x-bibtex": "bib",
    "text/x-log": "log",
    "text/vtt": "vtt",
    "text/x-fasta": "fa fasta fna faa",
    "text/x-fastq": "fq fastq",
    "text/x-vcf": "vcf",
    "text/x-sam": "sam",
    "text/x-pdb": "pdb",
    "application/json": "json geojson",
    "application/x-ndjson": "jsonl ndjson",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "application/xml": "xml xsd xsl xslt",
    "image/svg+xml": "svg",
    NOTEBOOK: "ipynb",
    "message/rfc822": "eml",
    **CODE_EXTENSIONS,
}
TYPE_OF_TEXT = {
    extension: content_type for content_type, listed in TEXT_EXTENSIONS.items() for extension in listed.split()
}
