"""Checkpoints: what a long stage needs to resume after it was killed."""

from __future__ import annotations

import operator
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from .._errors import CallsheetError

_PREFIX = "step-"
# Beginning of the names of folders that are being written or removed, with the id of the process.
_HIDDEN = ".unfinished-"


class Checkpoints:
    """Checkpoints of a stage, each a folder that is complete or absent.

    They survive a killed stage, and the run that resumes it finds them. A change of an input or a parameter begins
    without checkpoints. A stage has checkpoints if it declares a parameter with `role = "budget"`, such as the number
    of its steps: a larger budget resumes, too.

    Attributes:
        folder: Folder that contains the checkpoints.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self.folder = folder
        self._stage = stage

    def latest(self) -> Path | None:
        """Returns the folder of the checkpoint with the highest step, or None if there is none."""
        steps = self.steps()
        return self._path(steps[-1]) if steps else None

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints, in rising order."""
        names = (path.name for path in self.folder.glob(f"{_PREFIX}*")) if self.folder.is_dir() else ()
        numbers = (name[len(_PREFIX) :] for name in names)
        return sorted(int(number) for number in numbers if number.isdecimal())

    @contextmanager
    def save(self, step: int, keep: int = 2) -> Iterator[Path]:
        """Yields an empty folder. Its content becomes the checkpoint when the `with` block ends.

        Args:
            step: Number of the step, 0 or more. A checkpoint of this step is replaced.
            keep: Number of checkpoints to keep: this one, and those with the highest steps.
        """
        step, keep = operator.index(step), operator.index(keep)
        if step < 0 or keep < 1:
            raise CallsheetError(
                f"a checkpoint needs a step of at least 0 and `keep` of at least 1, not {step}, {keep}"
            )
        if not self.folder.is_dir():
            raise CallsheetError(
                f"stage `{self._stage}` has no folder for checkpoints",
                'declare a parameter with `role = "budget"` in stage.toml, such as the number of steps',
            )
        self._remove_leftovers()
        unfinished = self._hidden()
        try:
            yield unfinished
            _sync(unfinished)
            self._discard(self._path(step))
            unfinished.rename(self._path(step))
            _sync_folder(self.folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        others = [other for other in self.steps() if other != step]
        for old in others[: len(others) - (keep - 1)]:
            self._discard(self._path(old))

    def _path(self, step: int) -> Path:
        return self.folder / f"{_PREFIX}{step:09}"

    def _hidden(self) -> Path:
        """Returns a new folder that is not a checkpoint."""
        return Path(mkdtemp(prefix=f"{_HIDDEN}{os.getpid()}-", dir=self.folder))

    def _discard(self, path: Path) -> None:
        """Removes a checkpoint. It disappears at once, so a killed process leaves no half of it."""
        if path.exists():
            hidden = self._hidden()
            path.rename(hidden / path.name)
            shutil.rmtree(hidden, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        """Removes the folders that killed processes left."""
        for path in self.folder.glob(f"{_HIDDEN}*"):
            if not path.name.startswith(f"{_HIDDEN}{os.getpid()}-"):
                shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Writes a folder to the disk, so that a crash of the machine leaves no half of a checkpoint."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_file() or path.is_dir():
            _sync_folder(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
