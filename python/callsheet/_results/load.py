"""Results: `callsheet.load`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._data.files import File
from .._data.files import Folder as FolderArtifact
from .._data.table import Table
from .._errors import CallsheetError, suggest
from .engine import Folder, ask, target


def load(
    artifact: str,
    *,
    run: str | None = None,
    pipeline: str | None = None,
    dataset: str | None = None,
    profile: str | None = None,
    set: Mapping[str, Any] | None = None,
    project: Folder = None,
) -> Table | File | FolderArtifact:
    """Returns an artifact. The rows of a table are read when a method asks for them.

    Args:
        artifact: `stage.output`, or the name of a stage with one output.
        run: Run whose result to load: its id, a prefix of it, `latest`, or `latest~1` for the run before the latest.
            Default: the result of the declared values, whichever run computed it.
        pipeline: Name of the pipeline. Default: that of callsheet.toml.
        dataset: Name of the dataset. Default: that of callsheet.toml.
        profile: Name of the profile. Default: that of callsheet.toml.
        set: Changed parameters by name: `{"train.rate": 0.2}`. Default: none.
        project: A folder in the project. Default: the current folder.

    Returns:
        A `Table`, a `File` or a `Folder`.

    Raises:
        CallsheetError: the artifact is unknown, or is not in the store.
    """
    selected = target(pipeline, dataset, profile, set)
    if run is not None:
        if selected:
            raise CallsheetError("`run` excludes `pipeline`, `dataset`, `profile` and `set`", "a run has its own")
        found = _of_run(artifact, run, project)
        name, path, kind = found["artifact"], found["path"], found["kind"]
    else:
        shown = ask(["show", *selected, "--", artifact], project)
        name, path, kind = shown["artifact"], shown["path"], shown["object"]["kind"]
    if kind == "table":
        return Table(Path(path), name)
    return FolderArtifact(Path(path), name) if kind == "directory" else File(Path(path), name)


def _of_run(artifact: str, run: str, project: Folder) -> dict[str, Any]:
    listed = ask(["ls", "--run", run], project)["artifacts"]
    matching = [row for row in listed if artifact in (row["artifact"], row["artifact"].rsplit(".", 1)[0])]
    if len(matching) > 1:
        names = ", ".join(row["artifact"] for row in matching)
        raise CallsheetError(f"stage `{artifact}` has {len(matching)} outputs", f"use one of: {names}")
    if not matching:
        known = [row["artifact"] for row in listed]
        raise CallsheetError(f"the run `{run}` has no artifact `{artifact}`", suggest(artifact, known))
    found: dict[str, Any] = matching[0]
    if found["path"] is None:
        raise CallsheetError(
            f"`{artifact}` of the run `{run}` is not in the store: {found.get('lacks') or 'it was removed'}",
            "compute it again with `callsheet run`",
        )
    return found
