#!/usr/bin/env python3
"""Print a message after a failed build if the disk is full, which compilers report with many different messages.

usage: space.py [FOLDER]
"""

import shutil
import sys
import tempfile
from pathlib import Path

# Bytes below which the disk counts as full. Compilers often remove their partial output, so some space is free again.
LEAST = 200 << 20
# Disk space that a complete build needs in `target`.
NEEDED = "3 GB"


def message(folder, free):
    """Returns the message for a disk with `free` bytes, or an empty text if the space is sufficient."""
    if free >= LEAST:
        return ""
    return (f"the build failed, and only {free >> 20} MB are free on the disk of {folder}\n"
            f"  if the error above is about space, free {NEEDED} and run the same command again; finished parts stay")


def main(arguments):
    folders = [Path(arguments[0] if arguments else ".").resolve(), Path(tempfile.gettempdir())]
    found = [message(folder, shutil.disk_usage(folder).free) for folder in folders]
    if any(found):
        sys.exit(next(filter(None, found)))


if __name__ == "__main__":
    main(sys.argv[1:])
