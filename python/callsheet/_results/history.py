"""Runs and their metrics as data frames."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .._packages import need
from .engine import Folder, ask

if TYPE_CHECKING:
    import pandas


def runs(project: Folder = None) -> pandas.DataFrame:
    """Returns the runs of a project, the latest first.

    Args:
        project: A folder in the project. Default: the current folder.

    Returns:
        One row for each run, with the columns `run`, `pipeline`, `dataset`, `profile`, `set` (a list of changed
        parameters), `end` (`done`, `failed`, ..), `seconds`, and `ran`, `cached` and `not_done` (numbers of stages).
    """
    rows = []
    for run in ask(["runs"], project)["runs"]:
        states = Counter(stage["state"] for stage in run["stages"].values())
        rows.append(
            {
                "run": run["id"],
                **{name: run[name] for name in ("pipeline", "dataset", "profile", "set", "end")},
                "seconds": run.get("seconds"),
                **{state.replace(" ", "_"): states[state] for state in ("ran", "cached", "not done")},
            }
        )
    columns = ["run", "pipeline", "dataset", "profile", "set", "end", "seconds", "ran", "cached", "not_done"]
    return _frame(rows, columns)


def metrics(
    *runs: str, stage: str | None = None, metric: str | None = None, project: Folder = None
) -> pandas.DataFrame:
    """Returns the metrics that stages reported.

    Args:
        runs: Runs: their ids, prefixes of them, `latest` or `latest~1`. Default: the latest run.
        stage: Only stages with this name or pattern, such as `train@*`. Default: all.
        metric: Only metrics with this name or pattern, such as `loss/*`. Default: all.
        project: A folder in the project. Default: the current folder.

    Returns:
        One row for each value, with the columns `run`, `stage`, `metric`, `step` and `value`. A curve is
        `metrics().pivot(index="step", columns="metric", values="value").plot()`.
    """
    patterns = {"--stage": stage, "--metric": metric}
    options = [f"{name}={pattern}" for name, pattern in patterns.items() if pattern is not None]
    rows = []
    for run in ask(["metrics", *options, "--", *runs], project)["runs"]:
        for stage, series in run["stages"].items():
            for metric, values in series.items():
                for step, value in values.items():
                    row = {"run": run["run"], "stage": stage, "metric": metric, "step": int(step)}
                    rows.append({**row, "value": _number(value)})
    return _frame(rows, ["run", "stage", "metric", "step", "value"])


def _number(value: float | None) -> float:
    """Returns a value of JSON, in which null is a number that is not finite."""
    return float("nan") if value is None else float(value)


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pandas.DataFrame:
    frame: pandas.DataFrame = need("pandas", "a data frame").DataFrame(rows, columns=columns)
    return frame
