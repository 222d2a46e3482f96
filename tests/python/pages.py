"""Runs the examples of a Markdown page as its reader would, in a new folder, from top to bottom.

| block | meaning |
|---|---|
| ```` ```console ```` | lines after `$ ` are commands, the other lines their output; `...` stands for any lines |
| ```` ```sh ```` | commands without shown output |
| ```` ```python ```` | a script; a ```` ```text ```` block right after it is its output |
| any block after `<!-- file: NAME -->` | content of a file |
| `<!-- run: COMMAND -->` | a command that readers do in their editor |
| any block after `<!-- skip -->` | not run |

Times, sizes, ids of runs and the folder are replaced before outputs are compared. With UPDATE_DOCS=1, outputs in the
page are replaced by the present ones.
"""

import os
import re
import subprocess
from pathlib import Path

import wheel

_BLOCK = re.compile(
    r"<!-- (?P<hint>file|skip|run)(: (?P<argument>.*?))? -->|^```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S
)
_VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\dT[\d-]+\.\d+Z-[\w.-]+-[0-9a-f]{6}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "DATE"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min)\b( \d+ s\b)?"), "TIME"),
    # An estimate is one duration or a range, by what earlier runs took.
    (re.compile(r"about TIME to TIME|up to TIME"), "about TIME"),
    (re.compile(r"\b\d+(\.\d+)? (B|kB|MB)\b"), "SIZE"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "DIGEST"),
    (re.compile(r" +$", re.M), ""),
    (re.compile(r"  +"), "  "),
]


class Mismatch(AssertionError):
    """An output differs from the one that the page shows."""


class Page:
    """A page, and the folder in which its examples run."""

    def __init__(self, path, folder):
        self.path = Path(path)
        self.folder = Path(folder)

    def run(self):
        """Runs all examples. Raises `Mismatch` if an output differs."""
        text = self.path.read_text(encoding="utf-8")
        update = os.environ.get("UPDATE_DOCS") == "1"
        written, end, hint, output = [], 0, (None, None), None
        for block in _BLOCK.finditer(text):
            written.append(text[end : block.start()])
            end = block.end()
            shown = block.group()
            if block["hint"] == "run":
                self._shell(block["argument"])
            elif block["hint"]:
                hint = (block["hint"], block["argument"])
            else:
                shown, output = self._block(block, hint, output, update)
                hint = (None, None)
            written.append(shown)
        if update:
            self.path.write_text("".join([*written, text[end:]]), encoding="utf-8")

    def _block(self, block, hint, output, update):
        """Performs a block. Returns its text, and the output of a script for the block after it."""
        kind, text, shown = block["kind"], block["text"], block.group()
        if hint[0] == "file":
            path = self.folder / hint[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif hint[0] == "skip":
            pass
        elif kind == "console":
            shown = f"```console\n{self._console(text, update)}```"
        elif kind == "sh":
            self._shell(text)
        elif kind == "python":
            return shown, self._call([wheel.python(), "-c", text])
        elif kind == "text" and output is not None:
            if update:
                shown = f"```text\n{output}```"
            else:
                self._compare("the script", text, output)
        return shown, None

    def _console(self, text, update):
        """Runs the commands of a console block. Returns the block with the present outputs."""
        parts = re.split(r"^\$ (.*\n)", text, flags=re.M)[1:]
        written = []
        for command, shown in zip(parts[::2], parts[1::2]):
            output = self._shell(command)
            if not update:
                self._compare(command.strip(), shown, output)
            written.append(f"$ {command}{shown if '...' in shown else output}")
        return "".join(written)

    def _compare(self, command, shown, output):
        pattern = re.escape(self._plain(shown)).replace(re.escape("...\n"), r"(.*\n)*?")
        if not re.fullmatch(pattern, self._plain(output)):
            raise Mismatch(f"{self.path.name}: {command}\n--- the page shows\n{shown}--- printed was\n{output}")

    def _plain(self, text):
        text = text.replace(str(self.folder), "FOLDER")
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
        return text

    def _shell(self, command):
        return self._call(["bash", "-e", "-c", command])

    def _call(self, command):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=wheel.variables(COLUMNS="100"),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != 0 and "fails here" not in str(command[-1]):
            raise Mismatch(f"{self.path.name}: {command[-1]} failed:\n{done.stdout}")
        return done.stdout.replace(f"{self.folder}/", "")
