#!/usr/bin/env python3
"""Create a virtual environment and install a requirements file; remove the environment if the installation fails.

usage: make_venv.py FOLDER REQUIREMENTS
"""

import shutil
import subprocess
import sys
from pathlib import Path


class VenvError(Exception):
    """An error with a remedy in its message."""


def reason(printed):
    """Returns the lines that name an error, or the last lines."""
    lines = printed.strip().splitlines() or ["no reason was printed"]
    named = [line for line in lines if "rror" in line or "not available" in line]
    return "\n".join(f"    {line}" for line in (named or lines)[-3:])


def run(command, help):
    """Runs a command; a failure raises an error with the reason that the command printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise VenvError(f"`{' '.join(map(str, command[:4]))} ..` failed:\n{reason(done.stdout)}\n  {help}")


def make(folder, requirements):
    """Creates the environment in `folder`. The file `installed` in the folder marks a complete environment."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", folder],
            "install python3's venv (python3-venv on Debian and Ubuntu) and run the same command again")
        run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
            "check that the network (or the mirror of pip) is reachable, and run the same command again")
        (folder / "installed").touch()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: make_venv.py FOLDER REQUIREMENTS")
    try:
        make(Path(arguments[0]), Path(arguments[1]))
    except (VenvError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
