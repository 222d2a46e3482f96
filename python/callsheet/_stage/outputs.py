"""Outputs of a stage: each is written once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import CallsheetError
from .._packages import need

if TYPE_CHECKING:
    import pyarrow


class Output:
    """An output that the stage writes.

    Attributes:
        path: Absolute path at which the engine expects the file or folder.
        name: Declared name.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._is_written = False
        # True if a write failed and left rows that the engine keeps; then the output may be written again.
        self._has_part = False

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<callsheet output {self.name}>"

    @property
    def is_written(self) -> bool:
        """True after the output was written, with a method of this object or at its path."""
        return self.path.exists()

    def _begin(self) -> None:
        """Refuses to write twice: the second table would replace the first unnoticed."""
        if self._is_written or (self.path.exists() and not self._has_part):
            raise CallsheetError(
                f"the output `{self.name}` was written twice",
                "write it once; to write a table in parts, pass a generator that yields the parts",
            )
        self._is_written = True


class FileOutput(Output):
    """An output of kind `file`."""

    def write(self, content: Any) -> None:
        """Writes the file.

        Args:
            content: Text, bytes, a PIL image or a figure of matplotlib (in the format of the file's name), or the
                path of a file that is copied.
        """
        self._begin()
        if isinstance(content, str):
            self.path.write_text(content, encoding="utf-8")
        elif isinstance(content, (bytes, bytearray, memoryview)):
            self.path.write_bytes(content)
        elif isinstance(content, PathLike):
            from shutil import copyfile

            copyfile(content, self.path)
        elif hasattr(content, "savefig"):
            content.savefig(self.path)
        elif hasattr(content, "save"):
            content.save(self.path)
        else:
            raise CallsheetError(
                f"the file `{self.name}` cannot be written from a `{type(content).__name__}`",
                f"pass text, bytes, a PIL image, a figure or a path, or write to `job.outputs.{self.name}.path`",
            )


class FolderOutput(Output):
    """An output of kind `directory`. The folder exists from the start."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name, path)
        path.mkdir(parents=True, exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.path / name


class TableOutput(Output):
    """An output of kind `table`."""

    def __init__(
        self, name: str, path: Path, declared: Mapping[str, Any], footer: Mapping[str, str], is_json: bool
    ) -> None:
        super().__init__(name, path)
        self._columns: Mapping[str, str] = declared.get("columns", {})
        self._is_row_wise: bool = declared.get("row_wise", False)
        self._footer = footer
        self._is_json = is_json

    def write(self, data: Any) -> None:
        """Writes the table.

        Args:
            data: DataFrame of pandas or polars, `pyarrow.Table`, dictionary of columns, or list of dictionaries; or a
                generator that yields such parts or single rows as dictionaries, for a table larger than the memory.
                Numbers are converted to the declared types if no value changes; PIL images are written as PNG.

        Raises:
            CallsheetError: the columns differ from the declared ones, or the table was written before.
        """
        from .._data.convert import chunks

        self._begin()
        try:
            parts = chunks(data, self._columns, self.name)
            if self._is_json:
                self._write_lines(parts)
            elif self._is_row_wise and isinstance(data, Iterator):
                self._write_folder(parts)
            else:
                self._write_parquet(parts)
        except Exception:
            # Complete rows of a row-wise stage are kept: the next run does not compute them again.
            if self._is_row_wise:
                self._has_part = True
            else:
                self.path.unlink(missing_ok=True)
            self._is_written = False
            raise

    def _write_folder(self, parts: Iterable[pyarrow.Table]) -> None:
        """Writes each part to a file of its own, so that the engine keeps complete files if this process is killed."""
        import shutil

        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        count = 0
        for part in parts:
            if part.num_columns == 0:
                continue
            draft = self.path / f"{count:06}.draft"
            self._write_parquet(iter([part]), draft)
            draft.rename(draft.with_suffix(".parquet"))
            count += 1
        if count == 0:
            self.path.rmdir()
            self._write_empty()

    def _write_parquet(self, parts: Iterable[pyarrow.Table], path: Path | None = None) -> None:
        writer, schema = None, None
        try:
            for part in parts:
                part = part.replace_schema_metadata(None)
                if part.num_columns == 0:
                    continue
                if writer is None:
                    schema = part.schema
                    footer = {**self._footer, **_features(self._columns)}
                    writer = need("pyarrow.parquet", "a table").ParquetWriter(
                        path or self.path, schema.with_metadata(footer), compression="zstd"
                    )
                elif part.schema != schema:
                    part = self._same(part, schema)
                writer.write_table(part)
            if writer is None:
                self._write_empty()
        finally:
            if writer is not None:
                writer.close()

    def _same(self, part: pyarrow.Table, schema: pyarrow.Schema) -> pyarrow.Table:
        """Returns a later part of a table with the columns and types of its first part."""
        if sorted(part.column_names) != sorted(schema.names):
            raise CallsheetError(
                f"two parts of the table `{self.name}` have different columns: {', '.join(schema.names)}, then "
                f"{', '.join(part.column_names)}"
            )
        try:
            return part.select(schema.names).cast(schema)
        except ValueError as error:
            raise CallsheetError(
                f"two parts of the table `{self.name}` have different types: {error}",
                f"declare the types as `columns` under [outputs.{self.name}] in stage.toml",
            ) from error

    def _write_empty(self) -> None:
        """Writes a table without rows, of the declared columns."""
        from .._data.convert import to_arrow

        if not self._columns:
            raise CallsheetError(
                f"the table `{self.name}` has no rows, and stage.toml does not declare its columns",
                f"declare `columns` under [outputs.{self.name}] in stage.toml",
            )
        self._write_parquet(iter([to_arrow({name: [] for name in self._columns}, self._columns, self.name)]))

    def _write_lines(self, parts: Iterable[pyarrow.Table]) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            for part in parts:
                file.flush()  # the rows of earlier parts survive if this process is killed
                for row in part.to_pylist():
                    try:
                        print(json.dumps(row), file=file)
                    except TypeError as error:
                        raise CallsheetError(
                            f"a row of `{self.name}` cannot be written as JSON: {error}",
                            'remove `format = "json"` from the output in stage.toml to write Parquet',
                        ) from error


def _features(columns: Mapping[str, str]) -> dict[str, str]:
    """Returns the metadata by which `datasets` of Hugging Face recognises columns of pictures."""
    images = {name: {"_type": "Image"} for name, kind in columns.items() if kind == "image"}
    return {"huggingface": json.dumps({"info": {"features": images}})} if images else {}
