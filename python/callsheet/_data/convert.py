"""Data of other libraries as Arrow tables with the declared columns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._errors import CallsheetError, suggest
from .._packages import need
from .images import image_cell

if TYPE_CHECKING:
    import pyarrow

Columns = Mapping[str, str]
"""Declared types of columns by name, as in stage.toml: `float32`, `list<string>`, `float32[512]`, `image`."""

_SCALARS = {
    "string": "string",
    "binary": "binary",
    "bool": "bool_",
    "int32": "int32",
    "int64": "int64",
    "float32": "float32",
    "float64": "float64",
}

# Largest number of rows of a generator that are written at once.
_ROWS = 1024

# Seconds after which rows of a slow generator are written.
_SECONDS = 5.0

_ACCEPTED = "use a DataFrame of pandas or polars, a pyarrow.Table, a dictionary of columns, or a list of dictionaries"


def to_arrow(data: Any, columns: Columns, name: str) -> pyarrow.Table:
    """Returns `data` as a table.

    Args:
        data: DataFrame of pandas or polars, Arrow table or batch, dictionary of columns, or list of dictionaries.
        columns: Declared types; the result has exactly these columns, in the order of `data`. Empty: any columns.
        name: Name of the output, for errors.

    Raises:
        CallsheetError: the data has another type, lacks a column, or has values of another type.
    """
    table = _table(data, columns)
    if table is None:
        raise CallsheetError(f"`{name}` cannot be written from a `{type(data).__name__}`", _ACCEPTED)
    if not columns:
        return table
    _check_names(table.column_names, columns, name)
    return _cast(table, columns, name)


def from_json(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pyarrow.Table:
    """Returns rows of JSON lines as a table of these types, in which binary values are hexadecimal text."""
    names = columns or dict.fromkeys(name for row in rows for name in row)
    return to_arrow({name: [_of_json(row.get(name), columns.get(name)) for row in rows] for name in names}, columns, "")


def _of_json(value: Any, kind: str | None) -> Any:
    if value is not None and kind == "binary":
        return bytes.fromhex(value)
    if value is not None and kind == "image":
        return {**value, "bytes": bytes.fromhex(value["bytes"])}
    return value


def chunks(data: Any, columns: Columns, name: str) -> Iterator[pyarrow.Table]:
    """Yields the tables of `data`: a value that `to_arrow` accepts, or an iterator of such values and of rows.

    A row is a dictionary of the values of one row. Rows are collected into tables of at most 1024 rows, for up to five
    seconds. If the iterator fails, the rows before are yielded first.
    """
    if type(data).__module__.startswith("pyarrow") and hasattr(data, "read_next_batch"):
        data = iter(data)
    if not isinstance(data, Iterator):
        yield to_arrow(data, columns, name)
        return
    rows: list[Mapping[str, Any]] = []
    began = time.monotonic()
    failure: BaseException | None = None
    while True:
        try:
            item = next(data)
        except StopIteration:
            break
        except BaseException as error:  # also Ctrl-C
            failure = error
            break
        is_row = isinstance(item, Mapping)
        if is_row:
            rows.append(item)
        is_due = len(rows) == _ROWS or time.monotonic() - began > _SECONDS
        if rows and (is_due or not is_row):
            yield to_arrow(rows, columns, name)
            rows, began = [], time.monotonic()
        if not is_row:
            yield to_arrow(item, columns, name)
    if rows:
        yield to_arrow(rows, columns, name)
    if failure is not None:
        raise failure


def _table(data: Any, columns: Columns) -> pyarrow.Table | None:
    """Returns `data` as a table of any types; none if its type is not supported."""
    pyarrow = need("pyarrow", "a table")
    library = type(data).__module__.split(".")[0]
    if isinstance(data, pyarrow.Table):
        return data
    if isinstance(data, pyarrow.RecordBatch):
        return pyarrow.Table.from_batches([data])
    if library == "polars":
        frame = data.collect() if hasattr(data, "collect") else data
        return frame.to_arrow() if hasattr(frame, "get_columns") else None
    if library == "pandas" and hasattr(data, "columns"):
        # Names of an index, e.g. of groupby, are columns; the numbers of rows are not.
        named = [level for level in data.index.names if level is not None]
        data = data.reset_index(level=named) if named else data
        labels = [str(column) for column in data.columns]
        twice = {name for name in labels if labels.count(name) > 1}
        if twice:
            raise CallsheetError(f"several columns have the name {_quoted(sorted(twice))}", "rename them")
        return _from_columns({name: data.iloc[:, at] for at, name in enumerate(labels)}, columns)
    if isinstance(data, Mapping):
        return _from_columns(data, columns)
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        if not all(isinstance(row, Mapping) for row in data):
            return None
        names = dict.fromkeys(name for row in data for name in row) or dict.fromkeys(columns)
        return _from_columns({name: [row.get(name) for row in data] for name in names}, columns)
    return None


def _from_columns(data: Mapping[str, Any], columns: Columns) -> pyarrow.Table:
    import pyarrow

    arrays = {name: _array(name, values, columns.get(name)) for name, values in data.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"`{name}` {length}" for name, length in lengths.items())
        raise CallsheetError(f"a table cannot have columns of different lengths: {found}")
    return pyarrow.table(arrays)


def _array(name: str, values: Any, kind: str | None) -> pyarrow.Array:
    """Returns one column. `kind` is its declared type, which is applied later, with a check of every value."""
    import pyarrow

    if isinstance(values, (str, bytes)):
        raise CallsheetError(
            f"the column `{name}` is a single text, not a list of values", "pass one value for each row"
        )
    try:
        if kind == "image":
            return pyarrow.array([image_cell(value) for value in values], type=arrow_type(kind))
        if isinstance(values, (pyarrow.Array, pyarrow.ChunkedArray)):
            return values
        if hasattr(values, "to_arrow"):  # polars
            return values.to_arrow()
        if kind is not None and kind.endswith((">", "]")):
            return pyarrow.array(list(values))
        if hasattr(values, "__array__") and not hasattr(values, "isna"):  # numpy, torch, jax
            values = need("numpy", "an array").asarray(values)
        # NaN of pandas means a missing value.
        return pyarrow.array(values, from_pandas=hasattr(values, "isna"))
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, CallsheetError):
            raise
        declared = f" as `{kind}`" if kind else ""
        reason = _odd_value(values) or str(error)
        raise CallsheetError(f"the column `{name}` cannot be written{declared}: {reason}") from error


def _odd_value(values: Any) -> str | None:
    """Returns which value of a column does not fit the values before it; none if this is not known."""
    first: Any = None
    for row, value in enumerate(values if isinstance(values, (list, tuple)) else (), 1):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return f"`{value}` in row {row} exceeds the range of int64"
        if value is None or type(value) is type(first) or {type(value), type(first)} == {int, float}:
            continue
        if first is not None:
            return (
                f"`{value}` in row {row} is of type {type(value).__name__}, "
                f"but the rows before contain {type(first).__name__}"
            )
        first = value
    return None


def arrow_type(kind: str) -> pyarrow.DataType:
    """Returns the Arrow type of a declared type."""
    import pyarrow

    if kind.endswith("]"):
        item, length = kind[:-1].rsplit("[", 1)
        return pyarrow.list_(pyarrow.field("element", arrow_type(item), nullable=False), int(length))
    if kind.startswith("list<"):
        return pyarrow.list_(pyarrow.field("element", arrow_type(kind[5:-1]), nullable=False))
    if kind == "image":
        return pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    if kind not in _SCALARS:
        raise CallsheetError(f"unknown type `{kind}` of a column", suggest(kind, [*_SCALARS, "image"]))
    return getattr(pyarrow, _SCALARS[kind])()


def type_name(kind: pyarrow.DataType) -> str:
    """Returns the name of an Arrow type in stage.toml, for errors."""
    names = {"double": "float64", "float": "float32", "large_string": "string", "string_view": "string"}
    return names.get(str(kind), str(kind))


def _check_names(found: list[str], columns: Columns, name: str) -> None:
    missing = [column for column in columns if column not in found]
    surplus = [column for column in found if column not in columns]
    if missing or surplus:
        parts = [f"lacks {_quoted(missing)}"] if missing else []
        parts += [f"has {_quoted(surplus)}, which stage.toml does not declare"] if surplus else []
        raise CallsheetError(f"the table `{name}` {' and '.join(parts)}", f"declared columns: {', '.join(columns)}")


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cast(table: pyarrow.Table, columns: Columns, name: str) -> pyarrow.Table:
    import pyarrow

    for at, column in enumerate(table.column_names):
        wanted = arrow_type(columns[column])
        values = table.column(column)
        if values.type.equals(wanted):
            continue
        problem: object = "the types are of different kinds"
        try:
            cast = _checked(values, wanted) if _fits(values.type, wanted) else None
        except (pyarrow.ArrowException, ValueError) as error:
            cast, problem = None, error
        if cast is None:
            raise CallsheetError(
                f"the column `{column}` of `{name}` is declared as `{columns[column]}`, but contains "
                f"{type_name(values.type)}: {problem}",
                f"convert the column, or declare another type under [outputs.{name}] in stage.toml",
            )
        table = table.set_column(at, column, cast)
    return table


def _checked(values: pyarrow.ChunkedArray, wanted: pyarrow.DataType) -> pyarrow.ChunkedArray:
    """Returns the values as the wanted type. Only a conversion of float64 to float32 may round, but not overflow."""
    from pyarrow import compute, types

    cast = values.cast(wanted, safe=not _only_rounds(values.type, wanted))
    if _is_list(wanted) and compute.list_flatten(cast).null_count:
        raise ValueError("a list has a missing item")
    if types.is_floating(wanted):
        overflows = compute.and_(compute.is_inf(cast), compute.invert(compute.is_inf(values.cast("float64"))))
        if compute.any(overflows).as_py():
            raise ValueError("a number is too large for float32")
    return cast


def _only_rounds(found: pyarrow.DataType, wanted: pyarrow.DataType) -> bool:
    """Returns true for float64 in place of float32, also in lists, for which safe casts refuse to round."""
    from pyarrow import types

    while _is_list(found) and _is_list(wanted):
        found, wanted = found.value_type, wanted.value_type
    return bool(types.is_float64(found) and types.is_float32(wanted))


def _fits(found: pyarrow.DataType, wanted: pyarrow.DataType) -> bool:
    """Returns true if values of one type can be values of the other: numbers of numbers, texts of texts, .."""
    from pyarrow import types

    if types.is_null(found):
        return True
    if types.is_dictionary(found):
        return _fits(found.value_type, wanted)
    if _is_list(wanted):
        return _is_list(found) and _fits(found.value_type, wanted.value_type)

    def is_number(kind: pyarrow.DataType) -> bool:
        return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))

    def is_text(kind: pyarrow.DataType) -> bool:
        return bool(types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view")

    def is_bytes(kind: pyarrow.DataType) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))

    families = (is_number, is_text, is_bytes, types.is_boolean, types.is_struct)
    return any(family(found) and family(wanted) for family in families)


def _is_list(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
