"""Errors that name the problem and the remedy."""

from __future__ import annotations

from collections.abc import Iterable


class CallsheetError(Exception):
    """An error of callsheet.

    Attributes:
        message: The problem, with values in backticks.
        help: The remedy; may be empty.
        code: Kind of an error of the engine, e.g. `callsheet::unknown_name`; else empty.
    """

    def __init__(self, message: str, help: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}\nhelp: {self.help}" if self.help else self.message


class UnknownNameError(CallsheetError, AttributeError, KeyError):
    """A name that a declaration does not contain. `hasattr` and `get` treat it as missing."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Returns the remedy for an unknown name: the nearest known name, or all of them."""
    from difflib import get_close_matches

    names = list(known)
    nearest = get_close_matches(name, names, n=1)
    if nearest:
        return f"did you mean `{nearest[0]}`?"
    return f"use one of: {', '.join(names)}" if names else "none is declared"
