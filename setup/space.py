#!/usr/bin/env python3
"""After a build that failed: say so if the disk is full, which compilers report in many ways.

usage: space.py [FOLDER]
"""

import shutil
import sys
from pathlib import Path

# A compiler that finds less than this often removes its partial output, so that the disk is not at zero afterwards.
LEAST = 200 << 20
# What a build from nothing leaves in `target`.
NEEDED = "3 GB"


def message(folder, free):
    """The message for a disk with `free` bytes; empty if there is enough."""
    if free >= LEAST:
        return ""
    return (f"error: the disk of {folder} is full ({free >> 20} MB are free), so the build cannot be completed\n"
            f"  free {NEEDED} and run the same command again; what was built is kept")


def main(arguments):
    folder = Path(arguments[0] if arguments else ".").resolve()
    found = message(folder, shutil.disk_usage(folder).free)
    if found:
        sys.exit(found)


if __name__ == "__main__":
    main(sys.argv[1:])
