"""The job of a stage: inputs, parameters, outputs, and reports to the engine."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._errors import CallsheetError
from .events import Events, number
from .inputs import read_inputs
from .names import Names
from .outputs import FileOutput, FolderOutput, Output, TableOutput
from .request import Source, read_request
from .stopping import StopSignal

if TYPE_CHECKING:
    from .checkpoints import Checkpoints

T = TypeVar("T")

# Seconds between two reports of progress.
_PAUSE = 0.1


def stage(request: Source = None) -> Job:
    """Returns the job of this stage, to be used in a `with` statement.

    The block computes the outputs. An exception in it fails the stage, and `callsheet run` shows its message with the
    lines of your files. A declared output that the block did not write is an error as well.

    Args:
        request: Path of a `request.json`, or its content as a dictionary, for tests and notebooks: `inputs` (paths by
            name), `params` and `outputs` (paths by name). Default: the request in the arguments that the engine passes.

    Raises:
        CallsheetError: the program was started without a request, or the request is from a newer engine.
    """
    return Job(read_request(request))


class Job:
    """The job of a stage.

    Attributes:
        name: Name of the stage: the name of its folder.
        inputs: Inputs by name: `Table`, `File`, `Folder`, a list of these, or None for an optional input that the
            pipeline does not wire. The input table of a row-wise stage contains only rows that must be computed.
        params: Values of the parameters by name.
        outputs: Outputs by name, each with `write` and `path`.
        cpus: Number of CPUs that the stage may use.
        labels: Labels of stand-ins for raw data on which the inputs are based.
        request: Content of `request.json`.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.request = request
        self.name: str = request["stage"]
        place = "stage.toml declares" if "declared" in request else "the request of this test contains"
        self.inputs = Names("input", read_inputs(request), place)
        self.params = Names("parameter", request["params"], place)
        self.outputs = Names("output", {name: _output(request, name) for name in request["outputs"]}, place)
        self.cpus: int = request["cpus"]
        self.labels: list[str] = request["labels"]
        self._events = Events()
        self._signal: StopSignal | None = None

    def __repr__(self) -> str:
        return f"<callsheet.Job {self.name}>"

    def __enter__(self) -> Job:
        if self._events.reach_the_engine:
            self._signal = StopSignal()
            # A crash in a library shows the lines of Python that led to it.
            faulthandler.enable()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        failure = self._unwritten() if error is None else error
        if not isinstance(failure, Exception):
            return
        if self._events.reach_the_engine:
            self._fail(failure)
        if failure is not error:
            raise failure

    def progress(self, done: int, total: int, unit: str = "rows") -> None:
        """Reports progress: `done` of `total`, counted in `unit`."""
        self._events.write("progress", {"done": int(done), "total": int(total), "unit": unit})

    def track(self, items: Iterable[T], total: int | None = None, unit: str = "rows") -> Iterator[T]:
        """Yields the items, and reports progress from time to time.

        Args:
            items: Items to work on.
            total: Number of items. Default: the length of `items`, if it has one.
            unit: Name of the items, such as `files`.
        """
        count = total if total is not None else len(items) if isinstance(items, Sized) else 0
        done, last = 0, 0.0
        for item in items:
            yield item
            done += 1
            if time.monotonic() - last >= _PAUSE:
                self.progress(done, count, unit)
                last = time.monotonic()
        self.progress(done, count or done, unit)

    def metric(self, name: str, value: Any, step: int = 0) -> None:
        """Reports a measured value. Values at several steps form a curve in reports.

        Args:
            name: Name, such as `loss/train`. `held_out/..` means the quality on data that is not used for training.
            value: A number, or a tensor or array with one element.
            step: Step at which the value was measured.
        """
        if not str(name):
            raise CallsheetError("a metric has no name", 'name it, e.g. `job.metric("loss/train", loss)`')
        try:
            measured = number(value)
        except (TypeError, ValueError) as error:
            raise CallsheetError(
                f"the value of the metric `{name}` is not a number: {value!r}",
                "pass a number, or a tensor or array with one element",
            ) from error
        self._events.write("metric", {"name": str(name), "step": int(step), "value": measured})

    def image(self, name: str, picture: Any, step: int = 0) -> None:
        """Reports a picture, to be viewed while the stage runs and in reports.

        Args:
            name: Name, such as `samples`.
            picture: A PIL image, a figure of matplotlib, or the path of a PNG file.
            step: Step at which the picture was drawn.
        """
        path = Path(picture) if isinstance(picture, (str, PathLike)) else self._save_picture(name, picture, step)
        self._events.write("image", {"name": str(name), "step": int(step), "path": str(path.absolute())})

    def info(self, message: str) -> None:
        """Writes a message to the log of the run."""
        self._events.write("log", {"level": "info", "message": str(message)})

    def warn(self, message: str) -> None:
        """Reports a warning, which is shown while the stage runs."""
        self._events.write("log", {"level": "warning", "message": str(message)})

    def excluded(self, name: str = "verdicts") -> set[Any]:
        """Returns the keys of the rows that curators excluded, as `callsheet curate` writes them.

        Args:
            name: Name of the input of kind `files` that declares `verdicts` in stage.toml. The keys have the type of
                the key column that it declares: texts or integers.

        Raises:
            CallsheetError: a key is not an integer although the key column has this type.
        """
        from .verdicts import excluded

        return excluded(self, name)

    @property
    def checkpoints(self) -> Checkpoints:
        """Checkpoints from which the stage resumes after it was killed."""
        from .checkpoints import Checkpoints

        return Checkpoints(Path(self.request["scratch"]), self.name)

    @property
    def stopping(self) -> bool:
        """True after Ctrl-C. The stage should then save a checkpoint and leave the `with` block soon.

        A stage that never reads this attribute is ended at once, and so is any stage after a second Ctrl-C.
        """
        return self._signal is not None and self._signal.poll()

    def _save_picture(self, name: str, picture: Any, step: int) -> Path:
        path = Path(f"{name.replace('%', '%25').replace('/', '%2F')}-{step}.png")
        if hasattr(picture, "savefig"):
            picture.savefig(path)
        elif hasattr(picture, "save"):
            picture.save(path)
        else:
            raise CallsheetError(
                f"the picture `{name}` cannot be written from a `{type(picture).__name__}`",
                "pass a PIL image, a figure of matplotlib or a path; `PIL.Image.fromarray` converts an array",
            )
        return path

    def _unwritten(self) -> CallsheetError | None:
        """Returns the error of an output that the block did not write."""
        name = next((name for name in self.outputs if not self.outputs[name].is_written), None)
        if name is None:
            return None
        if self._signal is not None:
            self._signal.leave()
        return CallsheetError(
            f"stage `{self.name}` ended without writing its output `{name}`",
            f"call `job.outputs.{name}.write(..)` before the `with` block ends",
        )

    def _fail(self, error: Exception) -> NoReturn:
        """Reports an error to the engine, and ends this process."""
        from .failure import describe, print_error

        print_error(error)
        message, remedy = describe(error)
        self._events.write("error", {"message": message, "help": remedy})
        raise SystemExit(1) from None


def _output(request: Mapping[str, Any], name: str) -> Output:
    path = Path(request["outputs"][name])
    declared = request.get("declared", {}).get("outputs", {}).get(name, {})
    kind = declared.get("kind") or ("table" if path.suffix in (".parquet", ".ndjson") else "file")
    if kind == "table":
        is_json = declared.get("format") == "json" or path.suffix == ".ndjson"
        return TableOutput(name, path, declared, request["footer"], is_json)
    return FolderOutput(name, path) if kind == "directory" else FileOutput(name, path)
