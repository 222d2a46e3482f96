"""Artifacts that are a file or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image


class File:
    """A file that can be read.

    Attributes:
        path: Its absolute path.
        name: Its name. The name of a raw file is its path below the folder of its source.
        values: `foreach` values of the stage instance that wrote it; empty otherwise.
    """

    def __init__(self, path: str | Path, name: str = "", values: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        self.values = dict(values or {})

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<callsheet.{type(self).__name__} {self.name}>"

    def read_bytes(self) -> bytes:
        """Returns the content."""
        return self.path.read_bytes()

    def read_text(self, encoding: str = "utf-8") -> str:
        """Returns the content as text."""
        return self.path.read_text(encoding=encoding)

    def to_image(self) -> Image:
        """Returns the picture in the file, decoded by Pillow."""
        from .images import open_image

        return open_image(self.path)


class Folder(File):
    """A folder that can be read. Iteration yields its files at any depth, sorted by path."""

    def __iter__(self) -> Iterator[File]:
        for path in sorted(path for path in self.path.rglob("*") if path.is_file()):
            yield File(path, path.relative_to(self.path).as_posix())

    def __truediv__(self, name: str) -> Path:
        return self.path / name
