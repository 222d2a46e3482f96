"""Packages that are imported when they are first needed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ._errors import CallsheetError


def need(module: str, purpose: str, package: str = "") -> Any:
    """Returns an imported module.

    Args:
        module: Name of the module.
        purpose: What needs it, for the error.
        package: Name of its package on PyPI, if it differs from the module's first name.

    Raises:
        CallsheetError: this Python environment lacks the package.
    """
    root = module.split(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != root:
            raise
        raise CallsheetError(
            f"{purpose} needs the package {package or root}, which this Python environment lacks",
            f"install it: {sys.executable} -m pip install {package or root}",
        ) from None
