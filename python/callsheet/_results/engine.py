"""The program `callsheet`: where it is, and how to call it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Union

from .._errors import CallsheetError

# Version of the JSON that this package reads; see docs/formats.md.
_JSON_VERSION = 1

# Reading the paths of this environment is not safe in several threads.
_LOCK = threading.Lock()

Folder = Union[str, "PathLike[str]", None]
"""A folder in the project, or None for the current folder."""


def program() -> str:
    """Returns the path of the engine: the one that the variable `CALLSHEET` names, that of this environment, or the
    first one on the PATH.

    Raises:
        CallsheetError: there is none.
    """
    named = os.environ.get("CALLSHEET")
    if named:
        return named
    with _LOCK:
        return _find()


def _find() -> str:
    """Returns the path of the engine of this environment, or of the PATH."""
    # A notebook may run in an environment that is not activated.
    folders = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    if sys.platform != "win32":
        folders.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    for folder in folders:
        path = Path(folder, "callsheet")
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    found = shutil.which("callsheet")
    if found is None:
        raise CallsheetError(
            "the program `callsheet` was not found",
            f"install it: {sys.executable} -m pip install callsheet; or set CALLSHEET to its path",
        )
    return found


def start(arguments: Iterable[str], project: Folder, **options: Any) -> subprocess.Popen[str]:
    """Starts the engine in a folder of a project."""
    command = [program(), *arguments]
    environment = {**os.environ, "CALLSHEET_ERRORS": "json"}
    try:
        return subprocess.Popen(command, cwd=project, env=environment, text=True, encoding="utf-8", **options)
    except OSError as error:
        place = f" in the folder {project}" if project is not None else ""
        raise CallsheetError(f"`{command[0]}` cannot be started{place}: {error.strerror}") from error


def ask(arguments: Iterable[str], project: Folder) -> dict[str, Any]:
    """Returns what a command prints with `--json`.

    Raises:
        CallsheetError: the command failed; its message and remedy.
    """
    command, *rest = arguments
    process = start([command, "--json", *rest], project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed, errors = process.communicate()
    if process.returncode != 0:
        raise error_of(errors, process.returncode)
    content: dict[str, Any] = json.loads(printed)
    check_version(content)
    return content


def check_version(content: Mapping[str, Any]) -> None:
    """Checks that this package knows the version of an output."""
    if content.get("version", 0) > _JSON_VERSION:
        raise CallsheetError(
            f"`{program()}` is newer than this package",
            f"upgrade the package: {sys.executable} -m pip install --upgrade callsheet",
        )


def error_of(printed: str, code: int) -> CallsheetError:
    """Returns the error that the engine printed to stderr."""
    for line in reversed(printed.splitlines()):
        if line.startswith('{"message":'):
            error = json.loads(line, strict=False)  # messages may contain control characters
            message, file = error["message"], error.get("filename", "")
            message = message if message.startswith(file) else f"{file}: {message}"
            return CallsheetError(message, error.get("help", ""), error.get("code", ""))
    text = printed.strip() or f"`{program()}` ended with exit code {code} and printed nothing"
    return CallsheetError(text)


def target(pipeline: str | None, dataset: str | None, profile: str | None, set: Mapping[str, Any] | None) -> list[str]:
    """Returns the arguments that select a pipeline, a dataset, a profile and changed parameters."""
    named = {"--pipeline": pipeline, "--dataset": dataset, "--profile": profile}
    chosen = [word for name, value in named.items() if value is not None for word in (name, value)]
    changed = [f"--set={name}={_value(value)}" for name, value in (set or {}).items()]
    return [*chosen, *changed]


def _value(value: Any) -> str:
    """Returns a value as TOML, which `--set` reads."""
    if hasattr(value, "tolist"):  # a number or an array of numpy
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str):
        # TOML has neither the pairs of escapes that JSON uses for other planes of Unicode, nor an unescaped DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    raise CallsheetError(
        f"`{value!r}` cannot be the value of a parameter", "use a number, a text, True, False or a list"
    )
