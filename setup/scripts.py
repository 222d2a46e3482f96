#!/usr/bin/env python3
"""Check the scripts of the web UI: their types, and that vendored files are those of their npm packages.

usage: scripts.py           check types with TypeScript
       scripts.py --vendor  compare the vendored files with the packages
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/web"))

import npm  # noqa: E402

ASSETS = ROOT / "serve/src/assets"
TYPESCRIPT = ("typescript@5.9.3", "10e108c9cf7d5f2879053dff18515fb405abf2ccef63eaaf017d9c571687a1d3")
# Package with its SHA-256, and its vendored files by their names in the package.
VENDORED = {
    ("preact@11.2.0", "3c4456766bd32b6b534d52bf4e9c2a29b33e7eedf6e96ed479300ba1a7888ebf"): {"dist/preact.mjs": "preact.mjs", "LICENSE": "preact.LICENSE"},
    ("htm@3.1.1", "2425b9bee11409177bcabc7f32e319926fc6690c1701c0b257c88bdff2d5ba90"): {"dist/htm.mjs": "htm.mjs", "LICENSE": "htm.LICENSE"},
    ("@preact/signals-core@1.14.5", "94c421ac996214c94f532fb4c43d8ede048a16df0cd9538ffb965174dbe8daba"): {
        "dist/signals-core.mjs": "signals-core.mjs",
        "LICENSE": "signals-core.LICENSE",
    },
}


def check_types():
    node = shutil.which("node")
    if not node:
        sys.exit("error: node is not installed; install Node.js, which checks the types of scripts")
    folder = ROOT / ".toolchain/typescript"
    if not (folder / "package").exists():
        with tempfile.TemporaryDirectory(dir=ROOT / ".toolchain") as scratch:
            npm.fetch(*TYPESCRIPT, scratch, "install npm").extractall(scratch, filter="data")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (Path(scratch) / "package").rename(folder / "package")
    sys.exit(subprocess.run([node, folder / "package/bin/tsc", "--project", ASSETS]).returncode)


def check_vendored():
    known = {name for files in VENDORED.values() for name in files.values()}
    # Declarations of types are our own.
    there = {path.name for path in (ASSETS / "vendor").iterdir() if not path.name.endswith(".d.mts")}
    if known != there:
        sys.exit(f"error: serve/src/assets/vendor contains {sorted(there ^ known)}, or lacks it")
    for (package, sha256), files in VENDORED.items():
        with tempfile.TemporaryDirectory() as scratch:
            archive = npm.fetch(package, sha256, scratch, "install npm")
            for member, name in files.items():
                published = archive.extractfile(f"package/{member}").read()
                vendored = (ASSETS / "vendor" / name).read_bytes()
                if published != vendored:
                    sys.exit(f"error: serve/src/assets/vendor/{name} differs from {member} of {package}")
                print(f"{name} is {member} of {package}")


if __name__ == "__main__":
    check_vendored() if sys.argv[1:] == ["--vendor"] else check_types()
