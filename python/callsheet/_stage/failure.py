"""Report of an exception: its type, its text and the user's own lines."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback

from .._errors import CallsheetError

# Number of lines that a report shows, the innermost ones.
_MOST = 5
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def describe(error: BaseException) -> tuple[str, str]:
    """Returns the message and the remedy of an exception for the engine."""
    lines = "\n".join(f"  {_shown(name)}:{line}: {code}" for name, line, code in own_lines(error))
    if isinstance(error, CallsheetError):
        message, remedy = error.message, error.help
    else:
        kind, text = type(error).__qualname__, f"{error}{_suggestion(error)}"
        notes = getattr(error, "__notes__", [])
        message, remedy = "\n".join([f"{kind}: {text}" if text else kind, *notes]), ""
    return (f"{message}\n{lines}" if lines else message), remedy


def _suggestion(error: BaseException) -> str:
    """Returns the nearest attribute for a misspelt one, which Python itself only prints at the end of a program."""
    name, owner = getattr(error, "name", None), getattr(error, "obj", None)
    if not isinstance(error, AttributeError) or not name or owner is None:
        return ""
    from difflib import get_close_matches

    nearest = get_close_matches(str(name), [known for known in dir(owner) if not known.startswith("_")], n=1)
    return f". Did you mean: '{nearest[0]}'?" if nearest else ""


def own_lines(error: BaseException) -> list[tuple[str, int, str]]:
    """Returns file, line number and code of the user's lines that lead to the error; of all files if there is none."""
    frames = [
        (frame.filename, frame.lineno or 0, frame.line or "") for frame in traceback.extract_tb(error.__traceback__)
    ]
    own = [frame for frame in frames if not _is_library(frame[0])]
    return (own or frames)[-_MOST:]


def _shown(file: str) -> str:
    """Returns a path relative to the folder of the stage's script, unless the file is far from it."""
    relative = os.path.relpath(file, os.path.dirname(os.path.abspath(sys.argv[0])))
    return file if relative.startswith(os.path.join(*[os.pardir] * 4)) else relative


def _is_library(file: str) -> bool:
    path = os.path.abspath(file)
    if not os.path.exists(path):  # compiled into a library
        return True
    if {"site-packages", "dist-packages"} & set(path.split(os.sep)):
        return True
    libraries = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), _PACKAGE}
    return any(path.startswith(f"{folder}{os.sep}") for folder in libraries)


def print_error(error: BaseException) -> None:
    """Prints an exception with its traceback to the log."""
    if isinstance(error, CallsheetError):
        message, remedy = describe(error)
        print(f"error: {message}" + (f"\nhelp: {remedy}" if remedy else ""), file=sys.stderr)
    else:
        traceback.print_exception(type(error), error, error.__traceback__)
