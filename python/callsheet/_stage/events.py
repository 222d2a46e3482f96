"""Events of a stage: one JSON object per line, in the file that the engine names."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

_VARIABLE = "CALLSHEET_EVENTS"
# Number of characters of a message; the engine drops events of more than a megabyte.
_LONGEST = 100_000


class Events:
    """Writer of events. It drops them if the engine did not start this process."""

    def __init__(self) -> None:
        path = os.environ.get(_VARIABLE)
        # Appends of one write do not mix with those of other processes of the stage.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND) if path else None

    @property
    def reach_the_engine(self) -> bool:
        """True if the engine started this process."""
        return self._file is not None

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Writes an event. An engine that no longer reads it does not stop the stage."""
        if self._file is None:
            return
        fields = {name: _plain(value) if isinstance(value, str) else value for name, value in fields.items()}
        try:
            os.write(self._file, json.dumps({kind: fields}).encode() + b"\n")
        except OSError:
            self._file = None


def _plain(text: str) -> str:
    """Returns a text that the engine accepts: valid Unicode, and not too long."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} .."
    return cut.encode("utf-8", "replace").decode()


def number(value: Any) -> float | str:
    """Returns a number as JSON allows it; also of numpy, torch and others with one element."""
    plain = float(value.item() if hasattr(value, "item") else value)
    if math.isfinite(plain):
        return plain
    return "NaN" if math.isnan(plain) else "Infinity" if plain > 0 else "-Infinity"
