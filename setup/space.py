#!/usr/bin/env python3
"""After a build that failed: say so if the disk is full, which compilers report in many ways.

usage: space.py [FOLDER]
"""

import shutil
import sys
import tempfile
from pathlib import Path

# A compiler that finds less than this often removes its partial output, so that the disk is not at zero afterwards.
LEAST = 200 << 20
# What a build from nothing leaves in `target`.
NEEDED = "3 GB"


def message(folder, free):
    """The message for a disk with `free` bytes; empty if there is enough."""
    if free >= LEAST:
        return ""
    return (f"the build failed, and only {free >> 20} MB are free on the disk of {folder}\n"
            f"  if the error above is about space, free {NEEDED} and run the same command again; what was built is kept")


def main(arguments):
    folders = [Path(arguments[0] if arguments else ".").resolve(), Path(tempfile.gettempdir())]
    found = [message(folder, shutil.disk_usage(folder).free) for folder in folders]
    if any(found):
        sys.exit(next(filter(None, found)))


if __name__ == "__main__":
    main(sys.argv[1:])
