#!/usr/bin/env python3
"""Make a virtual environment and install what a requirements file lists; nothing half-installed stays.

usage: venv.py FOLDER REQUIREMENTS
"""

import shutil
import subprocess
import sys
from pathlib import Path


class VenvError(Exception):
    """Something the user can act on; the message says how."""


def run(command, help):
    """Run a command; a failure shows the last line that it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise VenvError(f"`{' '.join(map(str, command[:4]))} ..` failed: {last}\n  {help}")


def make(folder, requirements):
    """Make the environment in `folder`. The file `installed` in it marks one that is complete."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", folder],
            "install python3's venv (python3-venv on Debian and Ubuntu) and run the same command again")
        run([folder / "bin/python", "-m", "pip", "install", "--quiet", "-r", requirements],
            "is the network (or the mirror in pip's configuration) reachable? Run the same command again")
        (folder / "installed").touch()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: venv.py FOLDER REQUIREMENTS")
    try:
        make(Path(arguments[0]), Path(arguments[1]))
    except (VenvError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
