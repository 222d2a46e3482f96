"""Failures of virtual environments and full disks: one clear message, and no partial installation."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "setup"))

import make_venv
import space


class Environments(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.requirements = self.folder / "requirements.txt"

    def python(self, script):
        """A stand-in for python3 that runs `script`."""
        path = self.folder / "python3"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return mock.patch.object(sys, "executable", str(path))

    def test_a_python_without_venv_is_named_with_the_package_to_install(self):
        printed = "not created successfully because ensurepip is not available.\\n\\nFailing command: python3"
        with self.python(f'printf "{printed}"; exit 1'):
            with self.assertRaises(make_venv.VenvError) as raised:
                make_venv.make(self.folder / "made", self.requirements)
        self.assertIn("ensurepip is not available", str(raised.exception))
        self.assertIn("python3-venv", str(raised.exception))
        self.assertFalse((self.folder / "made").exists())

    def test_a_requirement_that_cannot_be_installed_leaves_no_folder(self):
        pip = '"$3/bin/python"'
        script = f'mkdir -p "$3/bin"; printf "#!/bin/sh\\necho no network; exit 1\\n" > {pip}; chmod +x {pip}'
        with self.python(script):
            with self.assertRaises(make_venv.VenvError) as raised:
                make_venv.make(self.folder / "made", self.requirements)
        self.assertIn("no network", str(raised.exception))
        self.assertIn("reachable", str(raised.exception))
        self.assertFalse((self.folder / "made").exists())

    def test_a_complete_environment_is_marked_and_an_incomplete_one_is_made_again(self):
        made = self.folder / "made"
        made.mkdir()
        (made / "leftover").touch()
        with self.python('mkdir -p "$3/bin"; ln -s /bin/true "$3/bin/python"'):
            make_venv.make(made, self.requirements)
        self.assertTrue((made / "installed").exists())
        self.assertFalse((made / "leftover").exists())


class Space(unittest.TestCase):
    def test_a_full_disk_is_named_with_the_space_to_free(self):
        said = space.message(Path("/project"), 3 << 20)
        self.assertIn("only 3 MB are free on the disk of /project", said)
        self.assertIn("run the same command again", said)

    def test_another_failure_is_not_blamed_on_the_disk(self):
        self.assertEqual(space.message(Path("/project"), 5 << 30), "")


if __name__ == "__main__":
    unittest.main()
