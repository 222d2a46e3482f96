"""Verdicts of curators on the rows of a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import CallsheetError

if TYPE_CHECKING:
    from .job import Job


def excluded(job: Job, name: str) -> set[Any]:
    """Returns the keys of the excluded rows, as integers if the key column contains integers.

    Raises:
        CallsheetError: a key is not an integer although the key column contains integers.
    """
    integers = _has_integers(job, name)
    keys: set[Any] = set()
    files = job.inputs[name] or []
    for file in files if isinstance(files, list) else [files]:
        try:
            excluded = list(_excluded(Path(file.path)))
        except (KeyError, UnicodeDecodeError, OSError) as error:
            raise CallsheetError(
                f"{file.path} is not a file of verdicts",
                "name an input of kind `files` with verdicts, as `callsheet curate` writes them",
            ) from error
        keys.update(_integer(key, file.path) if integers else key for key in excluded)
    return keys


def _excluded(path: Path) -> Iterator[str]:
    """Yields the keys of excluded rows in a file, which the engine has checked."""
    with open(path, encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines):
            if line["verdict"].strip() == "exclude":
                yield line["key"]


def _has_integers(job: Job, name: str) -> bool:
    declared = job.request.get("declared", {})
    on = declared.get("inputs", {}).get(name, {}).get("verdicts")
    if not on:
        return False
    output = declared["outputs"].get(on["table"])
    if output is not None:
        kind = output.get("columns", {}).get(on["key"], "")
    else:
        schema = job.inputs[on["table"]].schema
        kind = str(schema.field(on["key"]).type) if on["key"] in schema.names else ""
    return str(kind).startswith("int")


def _integer(key: str, path: Any) -> int:
    try:
        return int(key)
    except ValueError:
        raise CallsheetError(
            f"{path}: `{key}` is not an integer, but the rows have integers as keys",
            "correct the key, or remove the line",
        ) from None
