"""Inputs of a stage, by the kind that stage.toml declares."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from .._data.files import File, Folder

_KINDS = {"file": File, "files": File, "directory": Folder}


def read_inputs(request: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the inputs by name.

    An input of kind `table` is a `Table`, `file` a `File`, `directory` a `Folder`. An input of kind `files`, or with
    `many = true`, is a list. An optional input that the pipeline does not wire is None.
    """
    declared: Mapping[str, Any] = request.get("declared", {}).get("inputs", {})
    names = dict.fromkeys([*declared, *request["inputs"]])
    return {name: _input(name, declared.get(name, {}), request["inputs"].get(name)) for name in names}


def _input(name: str, declared: Mapping[str, Any], given: Any) -> Any:
    if given is None:
        return None
    is_list = False
    if not isinstance(given, Mapping):  # a path or a list of paths, in a test of a stage
        is_list = not isinstance(given, (str, PathLike))
        several = list(given) if is_list else [given]
        given = {"paths": several, "names": [Path(path).name for path in several]}
    found = [Path(path) for path in given["paths"]]
    kind = declared.get("kind") or _kind_of(found)
    values = given.get("values") or [{}] * len(found)
    names = given.get("names") or [""] * len(found)
    if kind == "table":
        columns = declared.get("columns", {})
        artifacts: list[File] = [_table(name, path, of, columns) for path, of in zip(found, values)]
    else:
        artifacts = [_KINDS[kind](*parts) for parts in zip(found, names, values)]
    is_list = is_list or kind == "files" or declared.get("many", False) or len(artifacts) != 1
    return artifacts if is_list else artifacts[0]


def _table(name: str, path: Path, values: Mapping[str, Any], columns: Mapping[str, str]) -> File:
    from .._data.table import Table

    return Table(path, name, values, columns)


def _kind_of(paths: list[Path]) -> str:
    """Returns the kind of an input of a request that does not declare it, e.g. in a test of a stage."""
    if len(paths) != 1:
        return "files"
    if paths[0].suffix in (".parquet", ".ndjson"):
        return "table"
    return "directory" if paths[0].is_dir() else "file"
