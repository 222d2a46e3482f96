"""Stages and results of callsheet in Python.

A stage reads its request, computes, and writes its outputs::

    import callsheet

    with callsheet.stage() as job:
        orders = job.inputs.orders.to_pandas()
        orders["total"] = orders["price"] * (1 + job.params.tax)
        job.outputs.priced.write(orders[["order_id", "total"]])

A notebook or a script reads results and runs pipelines::

    callsheet.load("price_orders.priced").to_pandas()
    callsheet.run(set={"price_orders.tax": 0.2})
    callsheet.metrics()

Functions for results start the program `callsheet` of this installation and read its JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import CallsheetError as CallsheetError

if TYPE_CHECKING:
    from ._data.files import File as File
    from ._data.files import Folder as Folder
    from ._data.table import Table as Table
    from ._results.history import metrics as metrics
    from ._results.history import runs as runs
    from ._results.load import load as load
    from ._results.plan import Plan as Plan
    from ._results.plan import PlannedStage as PlannedStage
    from ._results.plan import plan as plan
    from ._results.run import RunResult as RunResult
    from ._results.run import run as run
    from ._stage.checkpoints import Checkpoints as Checkpoints
    from ._stage.job import Job as Job
    from ._stage.job import stage as stage
    from ._version import __version__ as __version__

# Modules are imported when a name is first used: a stage starts as fast as a plain script.
_MODULES = {
    "Checkpoints": "_stage.checkpoints",
    "File": "_data.files",
    "Folder": "_data.files",
    "Job": "_stage.job",
    "Plan": "_results.plan",
    "PlannedStage": "_results.plan",
    "RunResult": "_results.run",
    "Table": "_data.table",
    "__version__": "_version",
    "load": "_results.load",
    "metrics": "_results.history",
    "plan": "_results.plan",
    "run": "_results.run",
    "runs": "_results.history",
    "stage": "_stage.job",
}

__all__ = ["CallsheetError", *sorted(name for name in _MODULES if name != "__version__")]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        from ._errors import UnknownNameError, suggest

        raise UnknownNameError(f"the module callsheet has no attribute `{name}`", suggest(name, __all__))
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
