"""NetCDF: the classic formats by netCDF4 from the header, which comes first; NetCDF-4, which is HDF5, by h5py.

No data is read: the library is given the beginning of the file, in memory.
"""

from typing import Any

import netCDF4

from workspacesio.index.extraction.kinds.gathering import Text, listed, present
from workspacesio.index.extraction.kinds.hdf5 import ROOT_ATTRIBUTES_AS_FACTS, structure
from workspacesio.index.extraction.protocol import MEBIBYTE, Extracted, GivenFile, Unreadable

HEADER_BYTES = 8 * MEBIBYTE


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        header = stream.read(HEADER_BYTES)
        if not header.startswith(b"CDF"):
            stream.seek(0)
            return structure(stream, file.text_characters)
    try:
        opened = netCDF4.Dataset("header", memory=header)
    except (OSError, RuntimeError, ValueError) as error:
        raise Unreadable("It is damaged: its NetCDF header can't be read.") from error
    with opened:
        return _described(opened, Text(file.text_characters))


def _described(opened: Any, text: Text) -> Extracted:
    facts = {name: str(opened.getncattr(name)) for name in opened.ncattrs()[:ROOT_ATTRIBUTES_AS_FACTS]}
    for name, value in facts.items():
        text.add(f"{name} {value}")
    for variable in opened.variables.values():
        text.add(variable.name)
        for name in variable.ncattrs():
            text.add(f"{name} {variable.getncattr(name)}")
    facts.update(
        present(
            format=opened.data_model,
            dimensions=listed(f"{name} {len(one)}" for name, one in opened.dimensions.items()),
            variables=listed(
                f"{one.name} {'x'.join(map(str, one.shape)) or 'scalar'} {one.dtype}"
                for one in opened.variables.values()
            ),
        )
    )
    return Extracted(facts, str(text))
