"""Runs: `callsheet.run`."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._errors import CallsheetError
from .engine import Folder, check_version, error_of, start, target
from .progress import Progress

# Exit codes of `callsheet run`: done, a stage failed, stopped by Ctrl-C.
_DONE, _FAILED, _STOPPED = 0, 1, 130


class RunResult(NamedTuple):
    """Result of a run that succeeded."""

    run: str
    """Id of the run. A run that found every result has an id that is not in the list of runs."""
    ran: int
    """Number of stages that ran."""
    cached: int
    """Number of stages whose results were in the store."""
    seconds: float
    """Duration in seconds."""


def run(
    *stages: str,
    pipeline: str | None = None,
    dataset: str | None = None,
    profile: str | None = None,
    set: Mapping[str, Any] | None = None,
    force: str | Sequence[str] = (),
    jobs: int | None = None,
    project: Folder = None,
) -> RunResult:
    """Runs a pipeline: every stage whose result is not in the store. Shows progress.

    Args:
        stages: Stages to run, with the stages that they depend on. Default: all.
        pipeline, dataset, profile, set, project: see `load`.
        force: Stages to run even if their results are in the store. Default: none.
        jobs: Number of CPUs that all stages together may use. Default: all.

    Raises:
        CallsheetError: a declaration is invalid, or a stage failed; the message names every failed stage.
        KeyboardInterrupt: the run was interrupted. Complete results are kept.
    """
    forced = [force] if isinstance(force, str) else force
    arguments = [*target(pipeline, dataset, profile, set), *(f"--force={stage}" for stage in forced)]
    if jobs is not None:
        arguments.append(f"--jobs={jobs}")
    arguments += ["--", *stages]
    # A session of its own: the terminal's Ctrl-C would reach the engine a second time, which kills its stages.
    process = start(
        ["run", "--json", *arguments],
        project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    printed: list[str] = []
    with process:
        errors = threading.Thread(target=lambda: printed.extend(process.stderr or ()), daemon=True)
        errors.start()
        finished, failures = _follow(process, Progress())
        errors.join()
    if process.returncode == _STOPPED:
        raise KeyboardInterrupt
    if failures:
        first = failures[0]
        others = "".join(f"\nstage `{other['stage']}` failed: {other['message']}" for other in failures[1:])
        message = f"stage `{first['stage']}` failed: {first['message']}{others}"
        raise CallsheetError(message, first["help"], first.get("code", ""))
    if process.returncode != _DONE or finished is None:
        raise error_of("".join(printed), process.returncode)
    return RunResult(finished["run"], finished["ran"], finished["cached"], finished["seconds"])


def _follow(
    process: subprocess.Popen[str], progress: Progress
) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    """Reads the events until the run ends; returns the last one, and those of stages that failed."""
    finished, failures = None, []
    assert process.stdout is not None
    while True:
        try:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "run_started":
                    check_version(event)
                elif event["event"] == "run_finished":
                    finished = event
                elif event["event"] == "failed":
                    failures.append(event)
                progress.report(event)
            break
        except KeyboardInterrupt:
            # The first one stops stages cleanly, the second one kills them.
            process.send_signal(signal.SIGINT)
    process.wait()
    progress.close()
    return finished, failures
