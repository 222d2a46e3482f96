"""Ctrl-C in a stage: the engine sends SIGTERM, and kills the stage after a second Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

# Exit code of a program that SIGTERM ended, as shells write it.
_EXIT_CODE = 128 + signal.SIGTERM


class StopSignal:
    """Handler of SIGTERM. A stage that asks for the signal ends by itself; any other ends at once."""

    def __init__(self) -> None:
        self._received = False
        self._is_polled = False
        # Python delivers signals to the main thread only.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._receive)
            # A child process must end at SIGTERM, as always.
            os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        is_second = self._received
        self._received = True
        if is_second or not self._is_polled:
            raise SystemExit(_EXIT_CODE)

    def poll(self) -> bool:
        """Returns true after the run was stopped."""
        self._is_polled = True
        return self._received

    def leave(self) -> None:
        """Ends the stage if the run was stopped."""
        if self._received:
            raise SystemExit(_EXIT_CODE)
