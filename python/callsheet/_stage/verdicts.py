"""Verdicts of curators on the rows of a table."""

from __future__ import annotations

import csv
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
        with open(file.path, encoding="utf-8", newline="") as lines:
            for line in csv.DictReader(lines):
                if line["verdict"] == "exclude":
                    keys.add(_integer(line["key"], file.path) if integers else line["key"])
    return keys


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
