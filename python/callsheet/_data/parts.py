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
            yield batch.select(names).replace_schema_metadata(None)


def _runs(parts: Sequence[ParquetFile], key: str) -> Iterator[tuple[int, int]]:
    """Yields the part of the next rows, and their number, in the order of the key."""
    pyarrow = need("pyarrow", "a table")
    tables = [part.read(columns=[key]).replace_schema_metadata(None) for part in parts]
    numbers = [number for number, table in enumerate(tables) for _ in range(table.num_rows)]
    whole = pyarrow.concat_tables(tables).append_column("the part", pyarrow.array(numbers, pyarrow.int32()))
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
