"""A study of toy models, computed once by the real pipeline, and the tally of its answers."""

import functools
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pages import PROGRAMS, ROOT


@dataclass(frozen=True)
class Study:
    """A page and its key in a folder that is deleted when the program ends."""

    scratch: tempfile.TemporaryDirectory
    page: Path
    key_path: Path

    @property
    def key(self):
        return json.loads(self.key_path.read_text())

    def callsheet(self, *arguments):
        """Output of a command, which must succeed."""
        command = [PROGRAMS / "callsheet", *arguments]
        done = subprocess.run(command, cwd=self.scratch.name, capture_output=True, text=True)
        assert done.returncode == 0, f"callsheet {arguments}:\n{done.stderr[-4000:]}"
        return done.stdout

    def tally(self, *answers):
        return json.loads(self.callsheet("study", "tally", self.key_path, *answers, "--json"))


@functools.cache
def study():
    """Study that all tests read."""
    scratch = tempfile.TemporaryDirectory(prefix="callsheet-")
    folder = Path(scratch.name)
    (folder / "callsheet.toml").write_text(
        f'stages = "{ROOT}/stages"\npath = ["{ROOT}/.toolchain/bin"]\n'
        '[defaults]\npipeline = "study"\ndataset = "any"\nprofile = "any"\n'
        f'[programs]\ncallsheet-stages = "{PROGRAMS}/callsheet-stages"\n'
        '[commands]\nstudy = { program = "callsheet-stages", summary = "Count answers" }\n'
    )
    (folder / "data").mkdir()
    (folder / "data/weights").symlink_to(ROOT / "data/weights")
    for part in ["datasets", "profiles"]:
        (folder / "pipelines" / part).mkdir(parents=True)
        (folder / "pipelines" / part / "any.toml").write_text('summary = "As it is"\n')
    (folder / "pipelines/objectives").symlink_to(ROOT / "pipelines/objectives")
    (folder / "pipelines/study.toml").write_text((ROOT / "tests/web/study.toml").read_text())
    made = folder / "data/out/study/any/any/user_study"
    study = Study(scratch, made / "page/study.html", made / "key.json")
    study.callsheet("run")
    return study
