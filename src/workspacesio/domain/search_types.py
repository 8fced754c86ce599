"""What an entry is to a search: name, extension, type, year and tags. The same rules for engines and reference."""

from collections.abc import Mapping

from workspacesio.domain.search_words import fold

MAX_EXTENSION_CHARACTERS = 16
MAX_TAG_CHARACTERS = 256
"""Of a key, and of a value; S3 takes 128 and 256."""

_MICROSECONDS_A_DAY = 86_400_000_000


def name_of(path: str) -> str:
    """What follows the last slash; '' for a folder's own entry (`a/b/`)."""
    return path[path.rfind("/") + 1 :]


def extension_of(path: str) -> str:
    """Folded, without its dot: what follows the last dot of the name.

    '' if nothing comes before the dot, or what follows is longer than 16 characters or holds white space.
    """
    stem, dot, extension = name_of(path).rpartition(".")
    if not dot or not extension or not stem.strip("."):
        return ""
    extension = fold(extension)
    if len(extension) > MAX_EXTENSION_CHARACTERS or any(character.isspace() for character in extension):
        return ""
    return extension


def media_type(content_type: str) -> str:
    """`Image/TIFF; q=1` is `image/tiff`."""
    return content_type.partition(";")[0].strip().lower()


def year_of(modified: int) -> int:
    """The year (UTC, proleptic Gregorian) of microseconds since 1970, for any number.

    Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    days = modified // _MICROSECONDS_A_DAY + 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    # Its years begin in March: the last 60 days of one are January and February of the next.
    return year_of_era + era * 400 + (1 if day_of_year >= 306 else 0)


def tag_term(key: str, value: str | None) -> str:
    """What an engine is asked for `tag:key=value`, or for `tag:key`."""
    shown = _tag_part(key)
    return shown if value is None else f"{shown}\t{_tag_part(value)}"


def tag_terms(*labels: Mapping[str, str]) -> frozenset[str]:
    """What an engine is fed of an entry's tags, user metadata and facts: `tag:` finds them all."""
    found = set()
    for label in labels:
        for key, value in label.items():
            found.add(tag_term(key, None))
            found.add(tag_term(key, value))
    return frozenset(found)


def _tag_part(text: str) -> str:
    return fold(" ".join(text.split()))[:MAX_TAG_CHARACTERS]


OTHER = "other"

_EXTENSIONS = {
    "image": (
        "avif bmp cr2 cr3 czi dcm dng emf exr gif heic heif ico jfif jp2 jpe jpeg jpg jxl lif lsm mrxs ndpi nef "
        "orf pbm pcx pgm png pnm ppm psd raf rw2 scn sgi svg svs tga tif tiff vsi webp wmf xcf"
    ),
    "video": "3gp asf avi f4v flv m2ts m2v m4v mkv mov mp4 mpe mpeg mpg mts mxf ogv qt rm rmvb vob webm wmv",
    "audio": "aac aif aifc aiff amr ape au caf flac m4a m4b mid midi mka mp2 mp3 oga ogg opus ra wav wma wv",
    "document": (
        "djvu doc docm docx dot dotx dvi eml epub fodt key mobi msg odg odp odt oxps pages pdf pot potx pps ppsx "
        "ppt pptm pptx ps rtf sxw tex vsd vsdx wpd xps"
    ),
    "text": "adoc asciidoc bib log markdown md mdown nfo org readme rst srt sub text txt vtt",
    "table": "arrow csv dbf dif feather fods numbers ods orc parquet psv sas7bdat sav tab tsv xls xlsb xlsm xlsx",
    "data": (
        "avro bam bcf bed bigwig bin bson bw cbor cdf cif cram db db3 dta edf fa fasta fastq ff fits fna fq "
        "geojson gff gff3 gpkg gpx grb grb2 grib grib2 gtf h4 h5 h5ad hdf hdf4 hdf5 he5 ini joblib json jsonl "
        "jsonld kml kmz las laz loom mat mdb mgf mgh mgz msgpack mzml mzxml nc nc4 ndjson ndpa netcdf nii npy npz "
        "nrrd onnx pb pcap pdb pickle pkl plist proto pt pth rda rdata rdf rds root safetensors sam sdf sgy segy "
        "shp sqlite sqlite3 tfrecord toml ttl vcf vtk vtu wig xdf xml xsd yaml yml zarr"
    ),
    "code": (
        "ada asm awk bash bat c cc clj cljs cmake cmd coffee cpp cs css cu cxx d dart diff ejs el erl ex exs f "
        "f03 f08 f77 f90 f95 fish for fs go gradle groovy h hh hpp hs htm html hxx ipynb java jl js jsx kt kts "
        "less lisp lua m4 make mjs mk ml mli nim nix pas patch php pl pm ps1 pxd py pyi pyx qml r rb rmd rs sas "
        "sass scala scm scss sh sql svelte swift tcl tf ts tsx v vb vbs vhd vhdl vim vue wasm xhtml xsl xslt zig "
        "zsh"
    ),
    "archive": (
        "7z ace ar arj br bz bz2 cab cpio deb gz img iso jar lha lz lz4 lzh lzma lzo rar rpm qcow2 rz sit sitx "
        "snap squashfs tar taz tbz tbz2 tgz tlz txz tzst vdi vmdk war whl xar xz z zip zipx zst"
    ),
    "font": "eot otf pfb pfm ttc ttf woff woff2",
    "model": (
        "3dm 3ds 3mf blend c4d dae dwg dxf fbx glb gltf iges igs max mtl obj off ply skp step stl stp usd usda "
        "usdz x3d"
    ),
    "program": "apk app class com dex dll dmg dylib elf exe ko lib msi o obb pyc pyd pyo so sys",
}
_TYPE_OF_EXTENSION = {extension: kind for kind, listed in _EXTENSIONS.items() for extension in listed.split()}

_CONTENT_TYPES = {
    "document": (
        "application/epub+zip application/msword application/pdf application/postscript application/rtf "
        "application/vnd.ms-powerpoint application/vnd.oasis.opendocument.presentation "
        "application/vnd.oasis.opendocument.text application/x-dvi application/x-tex image/vnd.djvu "
        "message/rfc822 application/vnd.openxmlformats-officedocument.presentationml.presentation "
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document text/rtf text/x-tex"
    ),
    "table": (
        "application/vnd.apache.arrow.file application/vnd.apache.parquet application/vnd.ms-excel "
        "application/vnd.oasis.opendocument.spreadsheet text/csv text/tab-separated-values "
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ),
    "data": (
        "application/cbor application/geo+json application/json application/netcdf application/toml "
        "application/vnd.sqlite3 application/x-hdf application/x-hdf5 application/x-netcdf application/x-ndjson "
        "application/x-sqlite3 application/yaml"
    ),
    "code": (
        "application/javascript application/sql application/wasm application/x-httpd-php application/x-ipynb+json "
        "application/x-sh application/xhtml+xml text/css text/html text/javascript text/x-c text/x-java "
        "text/x-python text/x-script.python text/x-shellscript"
    ),
    "archive": (
        "application/java-archive application/vnd.rar application/x-7z-compressed application/x-bzip "
        "application/x-bzip2 application/x-iso9660-image application/x-rar-compressed application/x-tar "
        "application/x-xz application/zstd"
    ),
    "font": "application/font-woff application/vnd.ms-fontobject",
    "program": (
        "application/vnd.microsoft.portable-executable application/x-dosexec application/x-executable "
        "application/x-mach-binary application/x-sharedlib"
    ),
}
_TYPE_OF_CONTENT = {content: kind for kind, listed in _CONTENT_TYPES.items() for content in listed.split()}
_TYPE_OF_MAJOR = {kind: kind for kind in ("image", "video", "audio", "text", "font", "model")}
_GENERIC = {
    "text/plain": "text",
    "application/zip": "archive",
    "application/gzip": "archive",
    "application/x-gzip": "archive",
    "application/xml": "data",
    "text/xml": "data",
}
"""What the content looks like to whoever sees its beginning: speaks only where the extension says nothing."""

TYPES = (*_EXTENSIONS, OTHER)

EXTENSIONS = tuple(_TYPE_OF_EXTENSION)
"""Those that tell a type."""


def extensions_of(kind: str) -> tuple[str, ...]:
    """Those that tell this type; none do `other`."""
    return tuple(extension for extension, told in _TYPE_OF_EXTENSION.items() if told == kind)


def type_of(path: str, content_type: str = "") -> str:
    """One of TYPES: what the content type says, else what the extension says, else `other`."""
    content = media_type(content_type)
    if content and content not in _GENERIC:
        kind = _TYPE_OF_CONTENT.get(content) or _TYPE_OF_MAJOR.get(content.partition("/")[0])
        if kind is not None:
            return kind
    return _TYPE_OF_EXTENSION.get(extension_of(path)) or _GENERIC.get(content, OTHER)
