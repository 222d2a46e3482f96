"""Projects with this repository's stages, pipelines and weights, and with their own data and tables."""

import functools
import json
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

@dataclass(frozen=True)
class Table:
    """One table artifact, as `callsheet ls` lists it and its stage declares it."""

    artifact: str
    path: Path
    rows: int
    columns: dict

    @property
    def files(self):
        """Parquet files: the artifact, or the files of its folder in the order of their names."""
        return sorted(self.path.glob("*.parquet")) if self.path.is_dir() else [self.path]

    @property
    def pattern(self):
        """Path or pattern of the files, for libraries that accept both."""
        return f"{self.path}/*.parquet" if self.path.is_dir() else str(self.path)

    def of_type(self, name):
        """Columns that are declared to be of a type."""
        return [column for column, declared in self.columns.items() if declared == name]

    @property
    def vectors(self):
        return [column for column, declared in self.columns.items() if declared.endswith("]")]


class Project:
    """A project in a temporary folder, which is deleted when the program ends."""

    def __init__(self, profile="test"):
        self.profile = profile
        self.scratch = tempfile.TemporaryDirectory(prefix="callsheet-")
        self.folder = Path(self.scratch.name)
        (self.folder / "callsheet.toml").write_text(
            f'stages = "{ROOT}/stages"\npipelines = "{ROOT}/pipelines"\npath = ["{ROOT}/.toolchain/bin"]\n'
            '[defaults]\npipeline = "synthesis"\ndataset = "space_needle"\n'
            f'[programs]\ncallsheet-stages = "{ROOT}/target/release/callsheet-stages"\n'
        )
        (self.folder / "data").mkdir()
        (self.folder / "data/weights").symlink_to(ROOT / "data/weights")
        (self.folder / "pipelines").mkdir()
        (self.folder / "pipelines/objectives").symlink_to(ROOT / "pipelines/objectives")

    def callsheet(self, *arguments):
        """Output of a command in this profile; the command must succeed."""
        return self.callsheet_plain(*arguments, "--profile", self.profile)

    def callsheet_plain(self, *arguments):
        """Output of a command, which must succeed."""
        command = [ROOT / "target/release/callsheet", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"callsheet {' '.join(arguments)}:\n{done.stderr[-4000:]}"
        return done.stdout

    def show(self, artifact):
        return json.loads(self.callsheet("show", artifact, "--json"))

    def tables(self):
        """All published tables."""
        found = [row for row in json.loads(self.callsheet("ls", "--json"))["artifacts"] if row["kind"] == "table" and row["path"]]
        return [
            Table(row["artifact"], self.folder / row["path"], row["rows"], declared(row["artifact"])) for row in found
        ]


def declared(artifact):
    """Columns and types of an artifact, from the stage.toml of its stage."""
    stage, output = artifact.rsplit(".", 1)
    stage = stage.split("@")[0]
    layers = ["imports/video", "synthesis", "datasets/space_needle"]
    layers = [tomllib.loads((ROOT / f"pipelines/{layer}.toml").read_text())["stages"] for layer in layers]
    used = next((layer[stage]["use"] for layer in layers if "use" in layer.get(stage, {})), stage)
    return tomllib.loads((ROOT / f"stages/{used}/stage.toml").read_text())["outputs"][output]["columns"]


def for_each(cases):
    """Turns the test of a case into a test of every case; `cases` returns (name, arguments) of each."""

    def decorate(test):
        @functools.wraps(test)
        def run(self):
            for name, arguments in cases():
                with self.subTest(name):
                    test(self, *arguments)

        return run

    return decorate


@functools.cache
def project():
    """Project that all tests read, which runs once."""
    made = Project()
    made.callsheet("run")
    return made


@functools.cache
def tables():
    return project().tables()
