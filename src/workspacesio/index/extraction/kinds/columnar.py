"""Parquet and Arrow (Feather 2) files, by pyarrow: schema, rows and what their writers said; no data is read."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet

from workspacesio.index.extraction.kinds.gathering import Text, listed, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable
from workspacesio.index.extraction.signatures import PARQUET

_INTERNAL = frozenset({b"ARROW:schema", b"pandas", b"org.apache.spark.sql.parquet.row.metadata"})
_MOST_SAID = 20
_MOST_COLUMNS = 10_000


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        try:
            return _parquet(stream, file) if file.content_type == PARQUET else _arrow(stream, file)
        except pa.ArrowInvalid as error:
            raise Unreadable("It is damaged: its schema can't be read.") from error


def _parquet(stream: object, file: GivenFile) -> Extracted:
    metadata = pa.parquet.ParquetFile(stream, pre_buffer=False).metadata
    facts = present(rows=metadata.num_rows, row_groups=metadata.num_row_groups, created_with=metadata.created_by)
    return _described(metadata.schema.to_arrow_schema(), metadata.metadata or {}, facts, file)


def _arrow(stream: object, file: GivenFile) -> Extracted:
    reader = pa.ipc.open_file(pa.PythonFile(stream, mode="r"))
    facts = present(record_batches=reader.num_record_batches)
    return _described(reader.schema, reader.schema.metadata or {}, facts, file)


def _described(
    schema: pa.Schema, said: Mapping[bytes, bytes], facts: dict[str, str], file: GivenFile
) -> Extracted:
    text = Text(file.text_characters)
    for name in schema.names[:_MOST_COLUMNS]:
        text.add(name)
    facts["columns"] = listed(f"{column.name} ({column.type})" for column in schema)
    facts["column_count"] = str(len(schema.names))
    for key, value in list(said.items())[:_MOST_SAID]:
        if key not in _INTERNAL:
            name, words = key.decode(errors="replace"), value.decode(errors="replace")
            text.add(f"{name} {words}")
            facts.setdefault(name, words)
    return Extracted(facts, str(text))
