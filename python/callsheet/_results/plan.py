"""Plans: which stages would run, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from .._packages import need
from .engine import Folder, ask, target

if TYPE_CHECKING:
    import pandas


class PlannedStage(NamedTuple):
    """A stage of a plan."""

    stage: str
    """Name of the stage instance."""
    state: str
    """`cached`, `run`, `maybe` (only if the stages in `after` compute new content) or `fails`."""
    reasons: list[str]
    """Reasons why it would run or fail."""
    after: list[str]
    """Stages that must run first before its state is known."""
    seconds: float | None
    """Seconds that it took the last time; None if it never ran."""
    rows: str
    """Rows that it would compute, such as `240 of 744`; empty if it is not row-wise or they are unknown."""


class Plan(Sequence[PlannedStage]):
    """Stages of a pipeline, in an order in which they can run. In a notebook it is shown as a table."""

    def __init__(self, stages: Sequence[PlannedStage]) -> None:
        self._stages = list(stages)

    @overload
    def __getitem__(self, at: int) -> PlannedStage: ...
    @overload
    def __getitem__(self, at: slice) -> Plan: ...
    def __getitem__(self, at: int | slice) -> PlannedStage | Plan:
        return Plan(self._stages[at]) if isinstance(at, slice) else self._stages[at]

    def __len__(self) -> int:
        return len(self._stages)

    def __iter__(self) -> Iterator[PlannedStage]:
        return iter(self._stages)

    @property
    def to_run(self) -> list[str]:
        """Names of the stages that would run, or may run."""
        return [stage.stage for stage in self if stage.state in ("run", "maybe")]

    def to_pandas(self) -> pandas.DataFrame:
        """Returns the plan as a data frame with the fields of `PlannedStage` as columns."""
        columns = list(PlannedStage._fields)
        frame: pandas.DataFrame = need("pandas", "a data frame").DataFrame(self._stages, columns=columns)
        return frame

    def __repr__(self) -> str:
        counts = Counter(stage.state for stage in self)
        lines = [f"{stage.state:<6} {stage.stage}: {_why(stage)}" for stage in self if stage.state != "cached"]
        return "\n".join([f"<callsheet.Plan {', '.join(f'{n} {state}' for state, n in counts.items())}>", *lines])

    def _repr_html_(self) -> str:
        cells = ((stage.state, stage.stage, _why(stage), stage.rows, _seconds(stage.seconds)) for stage in self)
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
        heads = "".join(f"<th>{head}</th>" for head in ("state", "stage", "reason", "computes rows", "took"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def plan(
    *stages: str,
    pipeline: str | None = None,
    dataset: str | None = None,
    profile: str | None = None,
    set: Mapping[str, Any] | None = None,
    project: Folder = None,
) -> Plan:
    """Returns which stages would run, and why.

    Args:
        stages: Stages to plan, with the stages that they depend on. Default: all.
        pipeline, dataset, profile, set, project: see `load`.

    Raises:
        CallsheetError: a declaration is invalid.
    """
    listed = ask(["plan", *target(pipeline, dataset, profile, set), "--", *stages], project)["stages"]
    return Plan([_planned(stage) for stage in listed])


def _planned(stage: Mapping[str, Any]) -> PlannedStage:
    reasons = stage.get("reasons") or [stage[name] for name in ("reason", "problem") if stage.get(name)]
    return PlannedStage(
        stage=stage["stage"],
        state=stage["state"],
        reasons=list(reasons),
        after=list(stage.get("after", [])),
        seconds=stage.get("seconds"),
        rows=_rows(stage.get("compute")),
    )


def _rows(compute: Mapping[str, int] | None) -> str:
    if compute is None:
        return ""
    least, most = compute["rows"], compute["rows"] + compute.get("open", 0)
    return f"{least} of {compute['of']}" if least == most else f"{least} to {most} of {compute['of']}"


def _why(stage: PlannedStage) -> str:
    after = f"after {', '.join(stage.after)}" if stage.after else ""
    return "; ".join(part for part in (after, *stage.reasons) if part)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
