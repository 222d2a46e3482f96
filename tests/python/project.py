"""Projects in temporary folders, run by the real engine with this Python."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / os.environ.get("CALLSHEET_PROGRAMS", "target/release")
ENGINE = PROGRAMS / "callsheet"

STAGE = """
summary = "A stage of a test"
version = 1
command = ["python3", "stage.py"]
"""


def environment(**more):
    """Environment in which `python3` is this interpreter, and `callsheet` the package of this checkout."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "CALLSHEET": str(ENGINE), "PYTHONPATH": str(ROOT / "python"), **more}


class ProjectTest(unittest.TestCase):
    """A test with a project of its own, which is the current folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="callsheet-test-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        # Workers get the variables that the project names.
        self.write("callsheet.toml", 'environment = ["PYTHONPATH"]\n')
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        known = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(known)))
        os.environ.update(environment())
        # In the background, a shell starts programs that ignore Ctrl-C, and their children ignore it, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def stage(self, name, declaration, code):
        """Writes a stage in Python."""
        self.write(f"stages/{name}/stage.toml", STAGE + textwrap.dedent(declaration))
        self.write(f"stages/{name}/stage.py", code)

    def pipeline(self, text):
        self.write("pipelines/shop.toml", 'summary = "A pipeline of a test"\n' + textwrap.dedent(text))

    def callsheet(self, *arguments, code=0, **options):
        """Runs the engine; returns what it printed to stdout and stderr."""
        done = subprocess.run(
            [ENGINE, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
        )
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def one_stage(self, code, declaration=None):
        """Writes a pipeline of one stage `price` with the output table `priced`."""
        self.stage("price", declaration or PRICED, code)
        self.pipeline("[stages.price]\n")


PRICED = """
[outputs.priced]
kind = "table"
path = "priced.parquet"
columns = { order_id = "string", total = "float64" }
doc = "Orders with their totals"
"""
