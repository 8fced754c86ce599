"""pandas, pyarrow, dask, xarray and zarr on `wio://`, as they are, with one shared folder."""

from __future__ import annotations

import dask.dataframe
import fsspec
import numpy
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest
import xarray
import zarr

from filesystem.conftest import Shelf

pytestmark = pytest.mark.usefixtures("signed_in_as_ben")
TABLE = pandas.DataFrame({"plate": [1, 2, 3, 4] * 50, "value": numpy.arange(200) + 0.5, "name": ["a", "b"] * 100})


@pytest.fixture
def folder(shelf: Shelf, request: pytest.FixtureRequest) -> str:
    return f"wio://{shelf.folder}/{request.node.originalname}"


def test_pandas(folder: str) -> None:
    TABLE.to_parquet(f"{folder}/one.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(f"{folder}/one.parquet"), TABLE)
    TABLE.to_parquet(f"{folder}/parted", partition_cols=["plate"])
    found = pandas.read_parquet(f"{folder}/parted", filters=[("plate", "==", 3)])
    assert len(found) == 50
    for name in ("t.csv", "t.csv.gz", "t.json", "t.csv.xz"):
        if "json" in name:
            TABLE.to_json(f"{folder}/{name}")
            again = pandas.read_json(f"{folder}/{name}")
        else:
            TABLE.to_csv(f"{folder}/{name}", index=False)
            again = pandas.read_csv(f"{folder}/{name}")
        pandas.testing.assert_frame_equal(again, TABLE)


def test_pyarrow(folder: str) -> None:
    table = pyarrow.Table.from_pandas(TABLE)
    fs, path = fsspec.url_to_fs(folder)
    pyarrow.dataset.write_dataset(table, path, format="parquet", filesystem=fs, partitioning=["plate"])
    found = pyarrow.dataset.dataset(path, format="parquet", filesystem=fs, partitioning=["plate"])
    assert found.count_rows() == 200
    assert found.to_table(filter=pyarrow.dataset.field("plate") == 2, columns=["value"]).num_rows == 50
    pyarrow.parquet.write_table(table, f"{path}/whole.parquet", filesystem=fs)
    assert pyarrow.parquet.read_table(f"{path}/whole.parquet", filesystem=fs).equals(table)
    with fs.open(f"{path}/x.arrow", "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with fs.open(f"{path}/x.arrow") as file:
        assert pyarrow.ipc.open_file(file).read_all().equals(table)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # dask's own use of pandas
def test_dask(folder: str) -> None:
    parts = dask.dataframe.from_pandas(TABLE, npartitions=4)
    parts.to_parquet(folder)
    for scheduler in ("threads", "processes"):
        again = dask.dataframe.read_parquet(folder).compute(scheduler=scheduler)
        assert sorted(again["value"]) == sorted(TABLE["value"])
    parts.to_csv(f"{folder}/csv/part-*.csv", index=False)
    assert len(dask.dataframe.read_csv(f"{folder}/csv/*.csv").compute(scheduler="threads")) == 200


@pytest.mark.parametrize("version", [2, 3])
def test_zarr(folder: str, version: int) -> None:
    group = zarr.open_group(f"{folder}/{version}", mode="w", zarr_format=version)
    array = group.create_array("a", shape=(100, 100), chunks=(30, 30), dtype="f8")
    array[:] = numpy.arange(10_000.0).reshape(100, 100)
    array.attrs["unit"] = "mm"
    again = zarr.open_group(f"{folder}/{version}", mode="r")
    assert again["a"].attrs["unit"] == "mm"
    assert (again["a"][10:40, 5] == numpy.arange(10_000.0).reshape(100, 100)[10:40, 5]).all()
    assert list(again.array_keys()) == ["a"]
    if version == 2:
        zarr.consolidate_metadata(f"{folder}/{version}")
    del zarr.open_group(f"{folder}/{version}", mode="a")["a"]
    assert list(zarr.open_group(f"{folder}/{version}", mode="r", use_consolidated=False).array_keys()) == []


def test_xarray(folder: str) -> None:
    data = xarray.Dataset({"t": (("x", "y"), numpy.random.rand(40, 30))}, coords={"x": numpy.arange(40)})
    data.to_zarr(f"{folder}/d.zarr", mode="w", consolidated=False)
    with xarray.open_zarr(f"{folder}/d.zarr", consolidated=False) as again:
        xarray.testing.assert_equal(again.load(), data)
    data.to_zarr(f"{folder}/d.zarr", append_dim="x", consolidated=False)
    with xarray.open_zarr(f"{folder}/d.zarr", consolidated=False) as again:
        assert again.sizes["x"] == 80
