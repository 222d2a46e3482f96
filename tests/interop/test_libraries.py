"""Every library opens every table, and finds the rows, columns and values that callsheet published."""

import io
import itertools
import json
import unittest

import duckdb
import numpy as np
import pandas
import PIL.Image
import polars
import pyarrow.parquet as pq

from libraries import LIBRARIES, Datasets, Pandas, Pyarrow, datasets
from project import for_each, project, tables


def sizes(table):
    """Width and height of the images of each row, from the table's columns or parameters instead of the pixels."""
    if "width" in table.columns:
        return list(zip(*pq.read_table(table.path, columns=["width", "height"]).to_pydict().values()))
    parameters = json.loads(pq.read_metadata(table.files[0]).metadata[b"callsheet.parameters"])
    side = parameters["thumbnail"] if "thumbnail" in table.columns else parameters["side"]
    return [(side, side)] * table.rows


def with_images():
    return [table for table in tables() if table.of_type("image")]


def each(of):
    pairs = itertools.product(of(), LIBRARIES.items())
    # `datasets` cannot load a table without rows, regardless of its writer.
    can = [(table, name, library) for table, (name, library) in pairs if table.rows or library is not Datasets]
    return [(f"{table.artifact} in {name}", (table, library)) for table, name, library in can]


def openers(table):
    """Ways to open a table by the name that the documentation gives, each with the number of rows that it finds."""
    path = str(table.path)
    if table.path.is_dir():
        # A large row-wise table is a folder `NAME` of files.
        files = f"{path}/*.parquet"
        return {
            "pyarrow.parquet.ParquetFile": lambda: sum(pq.ParquetFile(file).metadata.num_rows for file in table.files),
            "pyarrow.parquet.read_table": lambda: pq.read_table(path, columns=[]).num_rows,
            "datasets.load_dataset": lambda: datasets.load_dataset("parquet", data_files=files, split="train").num_rows,
            "duckdb": lambda: duckdb.sql(f"select count(*) from '{files}'").fetchall()[0][0],
            "polars": lambda: polars.scan_parquet(files).select(polars.len()).collect().item(),
            "pandas": lambda: len(pandas.read_parquet(path, columns=[next(iter(table.columns))])),
        }
    return {
        "pyarrow.parquet.ParquetFile": lambda: pq.ParquetFile(path).metadata.num_rows,
        "datasets.Dataset.from_parquet": lambda: datasets.Dataset.from_parquet(path).num_rows,
        "datasets.load_dataset": lambda: datasets.load_dataset("parquet", data_files=path, split="train").num_rows,
        "duckdb": lambda: duckdb.sql(f"select count(*) from '{path}'").fetchall()[0][0],
        "polars": lambda: len(polars.read_parquet(path)),
        "pandas": lambda: len(pandas.read_parquet(path)),
    }


class ByName(unittest.TestCase):
    @for_each(lambda: [(table.artifact, (table,)) for table in tables() if table.rows])
    def test_a_table_opens_by_its_name_in_data_out(self, table):
        out = project().folder / "data/out/synthesis/space_needle" / project().profile
        self.assertTrue(table.path.is_relative_to(out), f"{table.path} is not in {out}")
        self.assertEqual(table.path.suffix == ".parquet", table.path.is_file(), table.path)
        for name, count in openers(table).items():
            self.assertEqual(count(), table.rows, name)

    def test_small_tables_are_files_and_large_ones_are_folders(self):
        kinds = {table.artifact: table.path.is_dir() for table in tables()}
        self.assertFalse(kinds["extract_frames.frames"])
        self.assertTrue(kinds["gram_features.grams"])


class EveryLibrary(unittest.TestCase):
    @for_each(lambda: each(tables))
    def test_finds_the_rows_that_callsheet_counts(self, table, library):
        self.assertEqual(library(table).rows(), table.rows)

    @for_each(lambda: each(tables))
    def test_finds_the_columns_and_types_that_the_stage_declares(self, table, library):
        self.assertEqual(library(table).types(), table.columns)

    @for_each(lambda: each(tables))
    def test_finds_the_values_that_pyarrow_finds(self, table, library):
        reference, values = Pyarrow(table).values(), library(table).values()
        self.assertEqual(values.keys(), reference.keys())
        for column, wanted in reference.items():
            if column in table.vectors:
                self.assertTrue(np.array_equal(values[column], wanted), column)
            elif values[column] != wanted:
                # NaN does not equal itself, and pandas represents null as NaN.
                wanted = [None if library is Pandas and value != value else value for value in wanted]
                np.testing.assert_equal(values[column], wanted, column)

    @for_each(lambda: each(with_images))
    def test_hands_out_image_bytes_that_pillow_opens(self, table, library):
        values = library(table).values()
        for column in table.of_type("image"):
            opened = [PIL.Image.open(io.BytesIO(value["bytes"])) for value in values[column]]
            self.assertEqual([image.size for image in opened], sizes(table))


class HuggingFaceDatasets(unittest.TestCase):
    @for_each(lambda: [(f"{table.artifact} {how}", (table, how == "streamed"))
                       for table in with_images() for how in ["loaded", "streamed"]])
    def test_hands_out_images_without_any_cast(self, table, streaming):
        rows = list(Datasets(table, streaming).data)
        for column in table.of_type("image"):
            self.assertEqual({isinstance(row[column], PIL.Image.Image) for row in rows}, {True}, column)
            self.assertEqual([row[column].size for row in rows], sizes(table))


class Tables(unittest.TestCase):
    def test_cover_every_type_that_a_library_could_get_wrong(self):
        found = {declared for table in tables() for declared in table.columns.values()}
        self.assertLessEqual({"string", "bool", "int32", "int64", "float32", "float64", "image", "float32[8]", "list<string>"}, found)
        self.assertTrue(any(table.path.is_dir() for table in tables()), "a table of several files")


if __name__ == "__main__":
    unittest.main()
