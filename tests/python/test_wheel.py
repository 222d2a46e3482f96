"""The wheel in a fresh environment without cargo: README, guide, and the notebook."""

import os
import re
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import wheel
from pages import Page
from project import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]


class Wheel(unittest.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="callsheet-page-")
        self.addCleanup(folder.cleanup)
        return Path(folder.name).resolve()

    def test_1_a_user_is_done_with_the_tour_and_the_notebook_within_two_minutes(self):
        wheel.wheel()  # users download it
        began = time.monotonic()
        wheel.installed()
        self.assertEqual(self.call("command -v cargo || echo none"), "none\n")
        folder = self.folder()
        Page(ROOT / "README.md", folder).run()
        self.notebook(folder)
        self.assertLess(time.monotonic() - began, 120)

    def notebook(self, folder):
        """Executes the notebook of the guide in the project of the README."""
        code = (
            "import nbformat, sys\nfrom nbclient import NotebookClient\n"
            "notebook = nbformat.read(sys.argv[1], as_version=4)\n"
            "NotebookClient(notebook, kernel_name='python3', timeout=100).execute()\n"
            "print(*(output for cell in notebook.cells for output in cell.get('outputs', [])), sep='\\n')\n"
        )
        notebook = ROOT / "docs/guide/results.ipynb"
        # The kernel is that of the environment, which is not activated.
        variables = {**wheel.variables(), "PATH": "/usr/bin:/bin"}
        self.assertIn("<progress", self.run_in(folder, variables, wheel.python(), "-c", code, notebook))

    def run_in(self, folder, variables, *command):
        """Runs a command that must succeed; returns what it printed."""
        done = subprocess.run(
            command, cwd=folder, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def call(self, command, folder=None):
        """Runs a command of a shell in the environment; returns what it printed."""
        return self.run_in(folder, wheel.variables(), "bash", "-c", command)

    def test_every_example_of_the_guide_works_as_written(self):
        for page in PAGES[1:]:
            with self.subTest(page.name):
                Page(page, self.folder()).run()

    def test_links_of_the_readme_and_the_guide_lead_to_files_and_headings(self):
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for target in re.findall(r"\]\((?!\w+:)([^)]+)\)", text):
                name, _, heading = target.partition("#")
                found = (page.parent / name).resolve() if name else page
                with self.subTest(page=page.name, link=target):
                    self.assertTrue(found.exists())
                    if heading:
                        lines = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.M)
                        names = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}
                        self.assertIn(heading, names)

    def test_the_readme_has_at_most_150_lines(self):
        self.assertLessEqual(len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()), 150)

    def test_a_new_stage_in_python_runs_and_passes_its_own_test(self):
        folder = self.folder()
        (folder / "callsheet.toml").touch()
        steps = "callsheet new stage count_words && callsheet run && python3 -m unittest discover stages/count_words"
        self.call(steps, folder)
        self.assertIn("import callsheet", (folder / "stages/count_words/stage.py").read_text())

    def test_an_engine_of_an_environment_that_is_not_activated_uses_its_python(self):
        folder = self.folder()
        engine = f"{wheel.installed()}/bin/callsheet"
        variables = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}
        for command in ("init", "run"):
            self.run_in(folder, variables, engine, command)
        self.assertIn("sum_orders", "".join(os.listdir(folder / "data/out/shop")))

    def test_the_module_starts_the_engine(self):
        self.assertEqual(self.call("python -m callsheet --version"), self.call("callsheet --version"))


if __name__ == "__main__":
    unittest.main()
