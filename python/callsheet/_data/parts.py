"""Rows of several files, each sorted by a key, in the order of the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .._packages import need

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile


def merged(parts: Sequence[ParquetFile], key: str, names: Sequence[str], rows: int) -> Iterator[pyarrow.RecordBatch]:
    """Yields batches of at most `rows` rows of the columns `names`. Only the keys are read at once."""
    readers = [_Reader(part, names, rows) for part in parts]
    for part, count in _runs(parts, key):
        left = count
        while left > 0:
            batch = readers[part].take(min(left, rows))
            left -= batch.num_rows
            yield plain(batch.select(names))


def plain(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Returns a batch whose columns may contain nulls, because parts may differ in this property of a column."""
    pyarrow = need("pyarrow", "a table")
    return pyarrow.RecordBatch.from_arrays(batch.columns, names=batch.schema.names)


def joined(tables: Sequence[pyarrow.Table]) -> pyarrow.Table:
    """Returns the rows of several tables with equal columns."""
    pyarrow = need("pyarrow", "a table")
    return pyarrow.concat_tables([pyarrow.table(table.columns, names=table.column_names) for table in tables])


def _runs(parts: Sequence[ParquetFile], key: str) -> Iterator[tuple[int, int]]:
    """Yields the part of the next rows, and their number, in the order of the key."""
    pyarrow = need("pyarrow", "a table")
    tables = [part.read(columns=[key]) for part in parts]
    numbers = [number for number, table in enumerate(tables) for _ in range(table.num_rows)]
    whole = joined(tables).append_column("the part", pyarrow.array(numbers, pyarrow.int32()))
    order = whole.sort_by([(key, "ascending")]).column("the part").to_pylist()
    start = 0
    for at in range(1, len(order) + 1):
        if at == len(order) or order[at] != order[start]:
            yield order[start], at - start
            start = at


class _Reader:
    """Reads the rows of one file from its beginning."""

    def __init__(self, part: ParquetFile, names: Sequence[str], rows: int) -> None:
        self._batches = part.iter_batches(batch_size=rows, columns=list(names))
        self._batch: pyarrow.RecordBatch | None = None

    def take(self, count: int) -> pyarrow.RecordBatch:
        """Returns the next rows, at least one and at most `count`."""
        if self._batch is None or self._batch.num_rows == 0:
            self._batch = next(self._batches)
        taken = self._batch.slice(0, count)
        self._batch = self._batch.slice(taken.num_rows)
        return taken
