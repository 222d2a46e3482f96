"""A fresh environment with the wheel, as a user has it: without cargo, and without this checkout."""

import functools
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from project import ROOT

# Folders that are removed when the tests end.
_FOLDERS = []

# Packages that the guide asks its readers to install.
EXTRAS = ["pandas", "polars", "pillow", "nbclient", "ipykernel"]


@functools.cache
def wheel():
    """Returns the path of the wheel: the one in CALLSHEET_WHEEL, or a quick build of this checkout."""
    named = os.environ.get("CALLSHEET_WHEEL")
    if named:
        return Path(named).resolve()
    out = _folder("callsheet-wheel-")
    command = ["maturin", "build", "--profile", "dev", "--locked", "--compatibility", "linux", "--out", out]
    tools = ROOT / ".toolchain/wheel/bin"
    variables = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "CARGO_INCREMENTAL": "0"}
    subprocess.run(command, cwd=ROOT / "python", env=variables, check=True, stdout=subprocess.DEVNULL)
    (found,) = out.glob("*.whl")
    return found


@functools.cache
def installed():
    """Returns the folder of a new environment with the wheel and the extras."""
    folder = _folder("callsheet-user-")
    venv.create(folder, with_pip=True)
    pinned = ROOT / "tests/python/requirements.txt"
    command = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--constraint", pinned, wheel(), *EXTRAS], check=True)
    return folder


def _folder(prefix):
    """Returns a new folder."""
    _FOLDERS.append(tempfile.TemporaryDirectory(prefix=prefix))
    return Path(_FOLDERS[-1].name).resolve()


def variables(**more):
    """Environment of a user who activated the environment; it has no cargo."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PATH": f"{installed()}/bin:/usr/bin:/bin", "VIRTUAL_ENV": str(installed()), **more}


def python():
    """Returns the path of the environment's interpreter."""
    return Path(installed(), "bin/python")


if __name__ == "__main__":
    print(wheel(), file=sys.stdout)
