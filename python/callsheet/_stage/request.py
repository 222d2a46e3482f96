"""The request: what the engine asks a stage to compute."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Union

from .._errors import CallsheetError

# Highest version of the request that this package can read.
_PROTOCOL = 1
_FILE = "request.json"

Source = Union[str, "PathLike[str]", Mapping[str, Any], None]
"""Path of a request, its content, or None for the request among the arguments of this program."""


def read_request(source: Source) -> dict[str, Any]:
    """Returns the content of a request, with every field.

    Raises:
        CallsheetError: there is no request, it is malformed, or this package is too old to read it.
    """
    if isinstance(source, Mapping):
        return _complete(dict(source))
    path = Path(source) if source is not None else _of_arguments()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CallsheetError(f"the request {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CallsheetError(f"the request {path} is not JSON: {error}") from error
    return _complete(content)


def _of_arguments() -> Path:
    """Returns the request in the arguments that the engine gives to a stage's command."""
    for argument in sys.argv[1:]:
        if Path(argument).name == _FILE:
            return Path(argument)
    raise CallsheetError(
        "this stage was started without a request",
        "run it with `callsheet run STAGE`; `callsheet debug STAGE` prints a command that starts it by hand",
    )


def _complete(request: dict[str, Any]) -> dict[str, Any]:
    protocol = request.get("protocol", 1)
    if protocol > _PROTOCOL:
        from .. import __version__

        raise CallsheetError(
            f"the engine sends requests of version {protocol}, but callsheet {__version__} for Python reads at most "
            f"version {_PROTOCOL}",
            f"upgrade the package of this environment: {sys.executable} -m pip install --upgrade callsheet",
        )
    defaults = {"stage": "", "inputs": {}, "params": {}, "outputs": {}, "scratch": "", "cpus": 1, "labels": []}
    return {**defaults, "footer": {}, **request}
