"""`python -m callsheet`: the program `callsheet` of this environment."""

import os
import sys

from ._errors import CallsheetError
from ._results.engine import program


def main() -> None:
    """Replaces this process by the engine, with the same arguments."""
    try:
        path = program()
    except CallsheetError as error:
        sys.exit(f"error: {error}")
    os.execv(path, [path, *sys.argv[1:]])


if __name__ == "__main__":
    main()
