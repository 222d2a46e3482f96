"""Properties of every Parquet file: traceable, readable in part, and identical in every project."""

import hashlib
import io
import json
import unittest

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from project import Project, for_each, project, tables

PREFIX = "callsheet."

# Target size of a row group in the writer, plus the row that exceeds it.
GROUP_BYTES = (64 << 20) + (8 << 20)
GROUP_ROWS = 1 << 17


def files():
    return [(f"{table.artifact}, {file.name}", (table, file)) for table in tables() for file in table.files]


def each_table():
    return [(table.artifact, (table,)) for table in tables()]


def footer(file):
    pairs = pq.read_metadata(file).metadata
    return {name.decode(): value.decode() for name, value in pairs.items() if name != b"ARROW:schema"}


def row_groups(file):
    metadata = pq.read_metadata(file)
    return [metadata.row_group(number) for number in range(metadata.num_row_groups)]


def chunks(file):
    return [group.column(number) for group in row_groups(file) for number in range(group.num_columns)]


class Counting(io.RawIOBase):
    """A file that counts the bytes read from it."""

    def __init__(self, path):
        self.file, self.read_bytes = open(path, "rb"), 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return self.file.seek(offset, whence)

    def tell(self):
        return self.file.tell()

    def readinto(self, buffer):
        count = self.file.readinto(buffer)
        self.read_bytes += count
        return count

    def close(self):
        self.file.close()
        super().close()


class EveryFile(unittest.TestCase):
    @for_each(files)
    def test_names_its_action_and_the_inputs_of_the_action(self, table, file):
        said, made = footer(file), project().show(table.artifact)
        key = made["made_from"]
        self.assertEqual(said[PREFIX + "action_key"], made["key"])
        self.assertEqual(said[PREFIX + "stage"], key["stage"])
        self.assertEqual(said[PREFIX + "stage_version"], str(key["version"]))
        self.assertEqual(json.loads(said[PREFIX + "parameters"]), key["params"])
        self.assertEqual(json.loads(said[PREFIX + "parents"]), key["inputs"])
        self.assertEqual(said[PREFIX + "based_on"], ", ".join(key["labels"]))
        self.assertRegex(said[PREFIX + "schema_version"], r"^\d+$")

    @for_each(files)
    def test_has_an_equal_footer_in_duckdb(self, table, file):
        pairs = duckdb.sql(f"select key, value from parquet_kv_metadata('{file}')").fetchall()
        said = {name.decode(): value.decode() for name, value in pairs if name != b"ARROW:schema"}
        self.assertEqual(said, footer(file))

    @for_each(files)
    def test_has_an_arrow_schema_that_does_not_contradict_its_footer(self, table, file):
        said = {name.decode(): value.decode() for name, value in (pq.read_schema(file).metadata or {}).items()}
        said = {name: value for name, value in said.items() if name.startswith(PREFIX)}
        self.assertEqual(said, {name: footer(file).get(name) for name in said})

    @for_each(files)
    def test_has_a_page_index(self, table, file):
        for column in chunks(file):
            self.assertTrue(column.has_offset_index, column.path_in_schema)
            # Bounds of encoded images are useless.
            image = column.path_in_schema.split(".")[0] in table.of_type("image")
            self.assertTrue(column.has_column_index or image, column.path_in_schema)

    @for_each(files)
    def test_has_bounds_of_every_column_without_nested_values(self, table, file):
        for column in chunks(file):
            # pyarrow ignores bounds of floats in IEEE 754's total order, which parquet-rs writes.
            if "." not in column.path_in_schema and column.physical_type not in ("FLOAT", "DOUBLE"):
                known = column.is_stats_set and column.statistics.has_min_max
                empty = column.is_stats_set and column.statistics.null_count == column.num_values
                self.assertTrue(known or empty, column.path_in_schema)
        unbounded = duckdb.sql(f"""select path_in_schema from parquet_metadata('{file}') where stats_min_value is null
            and stats_null_count < num_values and not contains(path_in_schema, ',')""").fetchall()
        # NaN has no order, so a column of NaN has no bounds.
        values = pq.read_table(file, columns=[name for name, in unbounded]).to_pydict().values()
        self.assertTrue(all(np.isnan(column).all() for column in values), unbounded)

    @for_each(files)
    def test_has_row_groups_that_can_be_read_alone(self, table, file):
        for group in row_groups(file):
            self.assertLessEqual(group.total_byte_size, GROUP_BYTES)
            self.assertLessEqual(group.num_rows, GROUP_ROWS)

    @for_each(files)
    def test_groups_the_bytes_of_vectors_and_compresses_all_but_images(self, table, file):
        for column in chunks(file):
            if column.path_in_schema.split(".")[0] in table.vectors:
                self.assertIn("BYTE_STREAM_SPLIT", column.encodings)
            encoded = column.path_in_schema in [f"{image}.bytes" for image in table.of_type("image")]
            self.assertEqual(column.compression, "UNCOMPRESSED" if encoded else "ZSTD", column.path_in_schema)


class EveryTable(unittest.TestCase):
    @for_each(each_table)
    def test_of_many_bytes_has_several_row_groups(self, table):
        groups = [group for file in table.files for group in row_groups(file)]
        if sum(group.total_byte_size for group in groups) > GROUP_BYTES:
            self.assertGreater(len(groups), 1)

    @for_each(each_table)
    def test_of_several_files_has_each_sorted_by_the_key_that_it_names(self, table):
        for file in table.files if table.path.is_dir() else []:
            key = footer(file)[PREFIX + "key"]
            keys = pq.read_table(file, columns=[key])[key].to_pylist()
            self.assertEqual(keys, sorted(set(keys)))


class WideTables(unittest.TestCase):
    def test_are_read_in_part(self):
        wide = [file for _, (table, file) in files() if table.vectors and file.stat().st_size >= 8 << 20]
        self.assertTrue(wide, "no table is wide")
        for file in wide:
            counting = Counting(file)
            ids = pq.ParquetFile(pa.PythonFile(counting, "r")).read(columns=["image_id"])
            self.assertEqual(ids.num_rows, pq.read_metadata(file).num_rows)
            self.assertLess(counting.read_bytes, file.stat().st_size / 50)


class TheSameAction(unittest.TestCase):
    def test_makes_the_same_bytes_in_another_project(self):
        other = Project()
        other.callsheet("run", "sample_triplets")
        again = {table.artifact: digests(table) for table in other.tables()}
        self.assertIn("gram_features.grams", again)
        for table in tables():
            if table.artifact in again:
                with self.subTest(table.artifact):
                    self.assertEqual(digests(table), again[table.artifact])


def digests(table):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in table.files}


if __name__ == "__main__":
    unittest.main()
