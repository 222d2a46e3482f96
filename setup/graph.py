"""Write the pipeline's graph, as `callsheet graph` draws it, into pipelines/README.md."""

import pathlib
import re
import subprocess
import sys

README = pathlib.Path(__file__).parent.parent / "pipelines/README.md"


def main(engine):
    graph = subprocess.run([engine, "graph"], capture_output=True, check=True, text=True, cwd=README.parent.parent).stdout
    text = README.read_text(encoding="utf-8")
    written, count = re.subn(r"```mermaid\n.*?```", lambda _: f"```mermaid\n{graph}```", text, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"error: {README.name} has {count} Mermaid graphs instead of one")
    README.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
