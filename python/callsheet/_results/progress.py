"""Progress of a run: a table in a notebook, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from html import escape
from typing import Any

# Seconds between two updates of a notebook.
_PAUSE = 0.5


class Progress:
    """Display of a run's events."""

    def __init__(self) -> None:
        self._stages: dict[str, str] = {}
        self._total = 0
        self._done = 0
        self._shown = 0.0
        self._display = _notebook_display()

    def report(self, event: Mapping[str, Any]) -> None:
        """Shows an event."""
        kind = event["event"]
        if kind == "run_started":
            self._total = event["stages"]
        if kind in ("cached", "finished"):
            self._done += 1
        text = _text(event)
        if text is None:
            return
        if self._display is None:
            if kind not in ("worker", "cached"):
                print(f"{event['stage']}: {text}", file=sys.stderr)
            return
        self._stages[event["stage"]] = text
        if kind == "failed" or time.monotonic() - self._shown > _PAUSE:
            self._draw()

    def close(self) -> None:
        """Shows the last state."""
        if self._display is not None:
            self._draw()

    def _draw(self) -> None:
        self._shown = time.monotonic()
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(stage)}</td><td style='text-align:left'>{escape(text)}</td></tr>"
            for stage, text in self._stages.items()
        )
        bar = f"<progress value='{self._done}' max='{max(self._total, 1)}'></progress>"
        self._display.update(_Html(f"{bar} {self._done} of {self._total} stages<table>{rows}</table>"))


class _Html:
    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "progress of a run"


def _notebook_display() -> Any:
    """Returns an updatable cell output; None outside of a notebook."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython.display import display

    show: Any = display  # it has no types
    return show(_Html(""), display_id=True)


def _text(event: Mapping[str, Any]) -> str | None:
    """Returns the state of a stage after an event; None if the event changes no state."""
    kind = event["event"]
    if kind == "started":
        reasons = "; ".join(event["reasons"])
        return f"started ({reasons})" if reasons else "started"
    if kind == "rows":
        return f"computes {event['compute']} of {event['of']} rows"
    if kind == "worker" and "progress" in event["said"]:
        progress = event["said"]["progress"]
        return f"{progress['done']} of {progress['total']} {progress['unit']}"
    if kind == "finished":
        return f"done in {event['seconds']:.1f} s"
    if kind == "failed":
        return f"failed: {event['message']}"
    texts = {"cached": "cached", "blocked": f"not started, because {event.get('by')} failed", "stopped": "stopped"}
    return texts.get(kind)
