"""Types and values of a table in each library; types have their names in stage.toml.

Values are plain: one NumPy array of all elements for vectors, and a list for any other column. An image is a dict of
bytes and path. pandas and DuckDB cannot distinguish a vector from a list whose rows happen to have equal lengths.
They therefore receive the names of the columns that are declared to be vectors.
"""

import os
import tempfile

_SCRATCH = tempfile.TemporaryDirectory(prefix="callsheet-datasets-")
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": _SCRATCH.name, "HF_HUB_DISABLE_TELEMETRY": "1"}

import datasets  # noqa: E402 (reads the variables)
import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

datasets.disable_progress_bars()

IMAGE = {"bytes": "binary", "path": "string"}


def struct(fields):
    """Name of a struct type with these fields."""
    return "image" if dict(fields) == IMAGE else f"struct{dict(fields)}"


def from_arrow(table, vectors):
    """The plain values of an Arrow table, some of whose columns are vectors."""

    def plain(name, column):
        return column.combine_chunks().flatten().to_numpy() if name in vectors else column.to_pylist()

    return {name: plain(name, column) for name, column in zip(table.column_names, table.columns)}


class Pyarrow:
    def __init__(self, table):
        self.table, self.vectors = pq.read_table(table.path), table.vectors

    def types(self):
        return {field.name: self.name_of(field.type) for field in self.table.schema}

    def name_of(self, kind):
        if pa.types.is_fixed_size_list(kind):
            return f"{self.name_of(kind.value_type)}[{kind.list_size}]"
        if pa.types.is_list(kind):
            return f"list<{self.name_of(kind.value_type)}>"
        if pa.types.is_struct(kind):
            return struct((field.name, self.name_of(field.type)) for field in kind)
        return {"float": "float32", "double": "float64"}.get(str(kind), str(kind))

    def rows(self):
        return self.table.num_rows

    def values(self):
        return from_arrow(self.table, self.vectors)


class Pandas:
    """pandas with its default types: a type that NumPy lacks is an object, and NaN represents null."""

    def __init__(self, table):
        self.frame, self.vectors = pd.read_parquet(table.path), table.vectors

    def types(self):
        return {name: self.name_of(self.frame[name]) for name in self.frame}

    def name_of(self, column):
        if column.dtype == object:
            vector = column.name in self.vectors
            return " or ".join(sorted({self.name_of_value(value, vector) for value in column}))
        return {"str": "string"}.get(str(column.dtype), str(column.dtype))

    def name_of_value(self, value, vector=False):
        if isinstance(value, np.ndarray):
            if value.dtype != object:
                return f"{value.dtype}[{len(value)}]" if vector else f"list<{value.dtype}>"
            return f"list<{' or '.join(sorted({self.name_of_value(part) for part in value}))}>"
        if isinstance(value, dict):
            return struct((name, self.name_of_value(part)) for name, part in value.items())
        return {bytes: "binary", str: "string"}[type(value)]

    def rows(self):
        return len(self.frame)

    def values(self):
        return {name: self.plain(self.frame[name]) for name in self.frame}

    def plain(self, column):
        if column.dtype != object:
            return [None if value != value else value for value in column.tolist()]
        values = list(column)
        if not values or not isinstance(values[0], np.ndarray):
            return values
        return np.concatenate(values) if column.name in self.vectors else [value.tolist() for value in values]


class Polars:
    def __init__(self, table):
        self.frame, self.vectors = pl.read_parquet(table.pattern), table.vectors

    def types(self):
        return {name: self.name_of(kind) for name, kind in self.frame.schema.items()}

    def name_of(self, kind):
        if isinstance(kind, pl.Array):
            return f"{self.name_of(kind.inner)}[{kind.size}]"
        if isinstance(kind, pl.List):
            return f"list<{self.name_of(kind.inner)}>"
        if isinstance(kind, pl.Struct):
            return struct((field.name, self.name_of(field.dtype)) for field in kind.fields)
        return {"boolean": "bool"}.get(str(kind).lower(), str(kind).lower())

    def rows(self):
        return self.frame.height

    def values(self):
        return from_arrow(self.frame.to_arrow(), self.vectors)


class DuckDB:
    """DuckDB with Parquet's types, which have lists of any length only: a vector is a FLOAT[] with rows of equal
    length. `::FLOAT[n]` converts it to an array if n is within DuckDB's limit."""

    NAMES = {"VARCHAR": "string", "BLOB": "binary", "BOOLEAN": "bool", "INTEGER": "int32", "BIGINT": "int64",
             "FLOAT": "float32", "DOUBLE": "float64"}
    LONGEST_ARRAY = 100_000

    def __init__(self, table):
        self.database = duckdb.connect()
        self.database.from_parquet(table.pattern).create_view("t")
        self.columns = list(zip(self.database.table("t").columns, self.database.table("t").types))
        self.vectors = table.vectors

    def types(self):
        return {name: self.name_of(kind, name) for name, kind in self.columns}

    def name_of(self, kind, column):
        if column in self.vectors:
            return f"{self.name_of(kind.child, None)}[{' or '.join(map(str, self.lengths(column)))}]"
        if kind.id == "list":
            return f"list<{self.name_of(kind.child, column)}>"
        if kind.id == "struct":
            return struct((name, self.name_of(part, column)) for name, part in kind.children)
        return self.NAMES.get(str(kind), str(kind))

    def lengths(self, column):
        found = self.database.sql(f'select distinct len("{column}") as n from t order by n')
        return [length for length, in found.fetchall()]

    def rows(self):
        return self.database.sql("select count(*) from t").fetchall()[0][0]

    def values(self):
        chosen = ", ".join(self.chosen(name, kind) for name, kind in self.columns)
        return from_arrow(self.database.sql(f"select {chosen} from t").to_arrow_table(), self.vectors)

    def chosen(self, name, kind):
        lengths = self.lengths(name) if name in self.vectors else []
        if len(lengths) == 1 and lengths[0] <= self.LONGEST_ARRAY:
            return f'"{name}"::{kind.child}[{lengths[0]}] as "{name}"'
        return f'"{name}"'


class Datasets:
    """Hugging Face `datasets`, which receives the paths of the files only."""

    def __init__(self, table, streaming=False):
        self.data = datasets.load_dataset(
            "parquet", data_files=table.pattern, split="train", streaming=streaming, cache_dir=_SCRATCH.name
        )
        self.vectors = table.vectors

    def types(self):
        return {name: self.name_of(feature) for name, feature in self.data.features.items()}

    def name_of(self, feature):
        if isinstance(feature, datasets.List):
            inner = self.name_of(feature.feature)
            return f"{inner}[{feature.length}]" if feature.length >= 0 else f"list<{inner}>"
        if isinstance(feature, dict):
            parts = ", ".join(f"{name}: {self.name_of(part)}" for name, part in feature.items())
            return f"a dict of {parts} instead of an Image"
        return "image" if isinstance(feature, datasets.Image) else feature.dtype

    def rows(self):
        return len(self.data)

    def values(self):
        return from_arrow(self.data.with_format("arrow")[:], self.vectors)


LIBRARIES = {"pyarrow": Pyarrow, "pandas": Pandas, "polars": Polars, "DuckDB": DuckDB, "datasets": Datasets}
