"""Tables: Parquet files, read when a method asks for rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import CallsheetError, suggest
from .._packages import need
from .files import File
from .parts import joined, merged, plain

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from PIL.Image import Image
    from pyarrow.parquet import ParquetFile

# Name in the footer of a table: the column by which its rows are sorted.
_KEY = b"callsheet.key"


class Table(File):
    """A table. Its rows are read when a method asks for them; the length and the columns come from its footer.

    Attributes:
        path: Absolute path of a Parquet file, of a folder of Parquet files, or of a file of JSON lines.
        name: Name of the artifact or file.
        values: `foreach` values of the stage instance that wrote it; empty otherwise.
    """

    def __init__(
        self,
        path: str | Path,
        name: str = "",
        values: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, name, values)
        self._declared = columns or {}

    @cached_property
    def _parts(self) -> list[ParquetFile] | None:
        """Parquet files of the table; none if the file contains JSON lines."""
        if self.path.suffix in (".ndjson", ".jsonl"):
            return None
        parquet = need("pyarrow.parquet", "a table")
        paths = sorted(self.path.glob("*.parquet")) if self.path.is_dir() else [self.path]
        try:
            return [parquet.ParquetFile(path) for path in paths]
        except (OSError, ValueError) as error:
            raise CallsheetError(f"{self.path} cannot be read as a table: {error}") from error

    @cached_property
    def _lines(self) -> pyarrow.Table:
        """Rows of a file of JSON lines."""
        from .convert import from_json

        with open(self.path, encoding="utf-8") as lines:
            return from_json([json.loads(line) for line in lines if line.strip()], self._declared)

    @cached_property
    def schema(self) -> pyarrow.Schema:
        """Names and types of the columns, without metadata."""
        if self._parts is None:
            return self._lines.schema
        if not self._parts:
            return need("pyarrow", "a table").schema([])
        return self._parts[0].schema_arrow.remove_metadata()

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.names)

    def __len__(self) -> int:
        if self._parts is None:
            return int(self._lines.num_rows)
        return sum(part.metadata.num_rows for part in self._parts)

    def __getitem__(self, column: object) -> Any:
        raise CallsheetError(
            f"a callsheet.Table has no columns by index (`[{column!r}]`)",
            f"read it first: `.to_pandas()[{column!r}]`, `.to_polars()[..]` or `.to_arrow()[..]`",
        )

    def __iter__(self) -> Any:
        raise CallsheetError("a callsheet.Table cannot be iterated", "use `.rows()` for rows, or `.columns` for names")

    def __bool__(self) -> bool:
        """True even without rows, so that an optional input can be tested for None."""
        return True

    def __repr__(self) -> str:
        columns = ", ".join(f"{field.name}: {field.type}" for field in self.schema)
        return f"<callsheet.Table {self.name}: {len(self)} rows; {columns}>"

    def to_arrow(self, columns: Sequence[str] | None = None) -> pyarrow.Table:
        """Returns the rows as a pyarrow.Table.

        Args:
            columns: Names of the columns to read. Default: all.

        Raises:
            CallsheetError: the table lacks a column, or cannot be read.
        """
        pyarrow = need("pyarrow", "a table")
        names = self._check(columns)
        if self._parts is None:
            return self._lines.select(names)
        key = self._key if len(self._parts) > 1 else None
        read = names if key is None or key in names else [*names, key]
        tables = [part.read(columns=read) for part in self._parts]
        if not tables:
            return pyarrow.table({})
        whole = joined(tables)
        # Each part is sorted by the key, but keys of two parts may alternate.
        whole = whole if key is None else whole.sort_by(key)
        return whole.select(names)

    def to_pandas(self, columns: Sequence[str] | None = None) -> pandas.DataFrame:
        """Returns the rows as a pandas.DataFrame. Arguments and errors: see `to_arrow`."""
        need("pandas", "to_pandas()")
        return self.to_arrow(columns).to_pandas()

    def to_polars(self, columns: Sequence[str] | None = None) -> polars.DataFrame:
        """Returns the rows as a polars.DataFrame. Arguments and errors: see `to_arrow`."""
        frame: polars.DataFrame = need("polars", "to_polars()").from_arrow(self.to_arrow(columns))
        return frame

    def batches(self, columns: Sequence[str] | None = None, rows: int = 1024) -> Iterator[pyarrow.RecordBatch]:
        """Yields the rows in batches, so that a table larger than the memory can be read.

        Args:
            columns: Names of the columns to read. Default: all.
            rows: Largest number of rows of a batch.
        """
        names = self._check(columns)
        if self._parts is None:
            return iter(self._lines.select(names).to_batches(max_chunksize=rows))
        key = self._key if len(self._parts) > 1 else None
        if key is not None:
            return merged(self._parts, key, names, rows)
        each = (part.iter_batches(batch_size=rows, columns=names) for part in self._parts)
        return (plain(batch.select(names)) for batch in chain.from_iterable(each))

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yields each row as a dictionary, in batches of the memory of 1024 rows."""
        for batch in self.batches(columns):
            yield from batch.to_pylist()

    def images(self, column: str | None = None) -> Iterator[Image | None]:
        """Yields the picture of each row, decoded by Pillow; None where the table has none.

        Args:
            column: Name of a column of type `image`, or of encoded bytes. Default: the first column of type `image`.
        """
        from .images import open_image

        column = column if column is not None else self._image_column()
        rows = chain.from_iterable(batch.to_pylist() for batch in self.batches([column], rows=16))
        for number, row in enumerate(rows, 1):
            cell = row[column]
            encoded = cell.get("bytes") if isinstance(cell, dict) else cell
            if encoded is not None and not isinstance(encoded, bytes):
                raise CallsheetError(
                    f"the column `{column}` of {self.name} contains no pictures, but {self.schema.field(column).type}",
                    "name a column of type `image`",
                )
            try:
                picture = None if encoded is None else open_image(encoded)
            except CallsheetError as error:
                path = f" ({cell['path']})" if isinstance(cell, dict) and cell.get("path") else ""
                raise CallsheetError(f"row {number} of {self.name}{path}: {error.message}", error.help) from error
            yield picture

    def _image_column(self) -> str:
        """Returns the first column of type `image`."""
        import pyarrow

        for field in self.schema:
            if pyarrow.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
                return str(field.name)
        raise CallsheetError(f"{self.name} has no column of type `image`", f"its columns: {', '.join(self.columns)}")

    @property
    def _key(self) -> str | None:
        """Column by which the rows of each part are sorted."""
        pairs = self._parts[0].metadata.metadata if self._parts else None
        key = (pairs or {}).get(_KEY)
        return key.decode() if key else None

    def _check(self, columns: Sequence[str] | None) -> list[str]:
        """Returns the names of the columns to read."""
        if columns is None:
            return self.columns
        names = [columns] if isinstance(columns, str) else list(columns)
        for name in names:
            if name not in self.columns:
                raise CallsheetError(f"{self.name} has no column `{name}`", suggest(name, self.columns))
        return names
