"""Pictures in columns: PIL images in Python, encoded bytes in Parquet."""

from __future__ import annotations

from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import CallsheetError
from .._packages import need

if TYPE_CHECKING:
    from PIL.Image import Image


def open_image(source: Path | bytes) -> Image:
    """Returns the decoded picture of a file or of encoded bytes.

    Raises:
        CallsheetError: Pillow cannot decode it.
    """
    try:
        picture: Image = need("PIL.Image", "a picture", "pillow").open(
            BytesIO(source) if isinstance(source, bytes) else source
        )
        picture.load()
    except (OSError, SyntaxError, ValueError) as error:
        what = "the bytes" if isinstance(source, bytes) else f"{source}"
        # Pillow names an object of Python in place of bytes.
        reason = "" if isinstance(source, bytes) and "BytesIO" in str(error) else f": {error}"
        raise CallsheetError(f"{what} cannot be decoded as a picture{reason}") from error
    return picture


def encode_png(picture: Image) -> bytes:
    """Returns the picture as PNG, without loss."""
    buffer = BytesIO()
    try:
        picture.save(buffer, format="PNG")
    except (OSError, ValueError) as error:
        raise CallsheetError(
            f"a picture of mode {picture.mode} cannot be written as PNG: {error}", 'convert it: `.convert("RGB")`'
        ) from error
    return buffer.getvalue()


def image_cell(value: Any) -> dict[str, Any] | None:
    """Returns the value of an `image` column for a PIL image, encoded bytes, a path, or such a value.

    Raises:
        CallsheetError: the value is of another type.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        if "bytes" not in value or not value.keys() <= {"bytes", "path"}:
            raise CallsheetError(f"a picture has the keys `bytes` and `path`, not {', '.join(map(repr, value))}")
        return {"path": None, **value}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(value), "path": None}
    if isinstance(value, (str, PathLike)):
        path = Path(value)
        return {"bytes": path.read_bytes(), "path": path.name}
    if hasattr(value, "save") and hasattr(value, "getbands"):
        return {"bytes": encode_png(value), "path": None}
    raise CallsheetError(
        f"a value of type `{type(value).__name__}` is not a picture",
        "use a PIL image, its encoded bytes, or the path of its file; `PIL.Image.fromarray` converts an array",
    )
