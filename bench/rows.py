"""Measure the cost of one changed row of a table: callsheet recomputes the row, other tools the whole table.

A stage in Python reads a CSV file and spends a fixed time on each row. All tools run the same function on equal files,
in turn. The two last columns are the rows that the function computed.

usage: rows.py [--rows N] [--milliseconds MS] [--tools a,b,..]
Tools are fetched from PyPI into .toolchain/bench. The package callsheet is that of this checkout.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cpu import cpu_name
from engine import ROOT, install, timed

COMPUTE = """
import time

def compute(value):
    with open({log!r}, "a") as log:
        log.write("x")
    time.sleep({seconds})
    return value * 2
"""
WHOLE = """
import csv
from compute import compute

with open("raw.csv") as source, open("out.csv", "w") as out:
    print("id,double", file=out)
    for row in csv.DictReader(source):
        print(row["id"], compute(int(row["value"])), sep=",", file=out)
"""
ROW_WISE = """
import sys
sys.path.insert(0, {folder!r})
import callsheet
from compute import compute

with callsheet.stage() as job:
    job.outputs.doubles.write({{"id": row["id"], "double": compute(row["value"])}} for row in job.inputs.values.rows())
"""
STAGE = """
summary = "Doubles values"
version = 1
command = ["python3", "stage.py"]
[inputs.values]
kind = "table"
doc = "Values"
[outputs.doubles]
kind = "table"
path = "doubles.parquet"
columns = { id = "int64", double = "int64" }
doc = "Doubled values"
[rows]
key = "id"
input = "values"
output = "doubles"
"""


def write_whole(folder):
    (folder / "stage.py").write_text(WHOLE)


def write_make(folder):
    write_whole(folder)
    (folder / "Makefile").write_text("out.csv: raw.csv stage.py\n\t@python3 stage.py\n")
    return ["make", "-s"]


def write_snakemake(folder):
    write_whole(folder)
    (folder / "Snakefile").write_text("rule all:\n  input: 'raw.csv'\n  output: 'out.csv'\n  shell: 'python3 stage.py'\n")
    return ["snakemake", "--cores", "2", "--quiet", "all"]


def write_dvc(folder):
    write_whole(folder)
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    text = "stages:\n  double:\n    cmd: python3 stage.py\n    deps: [raw.csv, stage.py]\n    outs: [out.csv]\n"
    (folder / "dvc.yaml").write_text(text)
    return ["dvc", "repro", "--quiet"]


def write_callsheet(folder):
    stage = folder / "stages/double"
    stage.mkdir(parents=True)
    (stage / "stage.toml").write_text(STAGE)
    (stage / "stage.py").write_text(ROW_WISE.format(folder=str(folder)))
    (folder / "pipelines").mkdir()
    (folder / "pipelines/rows.toml").write_text(
        'summary = "Doubles values"\n[sources.values]\npath = "raw.csv"\n[stages.double]\ninputs.values = "values"\n'
    )
    (folder / "callsheet.toml").write_text('environment = ["PYTHONPATH"]\nsandbox = "off"\n')
    return [str(ROOT / "target/release/callsheet"), "run"]


TOOLS = {"callsheet": write_callsheet, "make": write_make, "snakemake": write_snakemake, "dvc": write_dvc}


def prepare(tool, arguments, scratch):
    folder = Path(tempfile.mkdtemp(prefix=f"{tool}-", dir=scratch))
    log = folder / "rows.log"
    log.touch()
    (folder / "compute.py").write_text(COMPUTE.format(log=str(log), seconds=arguments.milliseconds / 1000))
    write_rows(folder, arguments.rows, {})
    return folder, TOOLS[tool](folder)


def write_rows(folder, count, changed):
    lines = (f"{n},{changed.get(n, n)}\n" for n in range(count))
    (folder / "raw.csv").write_text("id,value\n" + "".join(lines))


def computed(folder):
    """Returns the number of rows that were computed since the last call."""
    log = folder / "rows.log"
    count = log.stat().st_size
    log.write_text("")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--milliseconds", type=float, default=1.0)
    parser.add_argument("--tools", default="callsheet,make,snakemake,dvc")
    arguments = parser.parse_args()
    tools = arguments.tools.split(",")
    install([*tools, "pyarrow"])  # the last one has the first python3 on PATH
    os.environ["PYTHONPATH"] = str(ROOT / "python")
    print(f"CPU: {cpu_name()}")
    base = ROOT / "target/bench"
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        print(f"| {arguments.rows} rows | cold | rows | one row changed | rows |\n|---|---|---|---|---|")
        for tool in tools:
            folder, command = prepare(tool, arguments, scratch)
            cold, _ = timed(command, folder)
            first = computed(folder)
            write_rows(folder, arguments.rows, {7: -1})
            changed, _ = timed(command, folder)
            print(f"| {tool} | {cold:.2f} s | {first} | {changed:.2f} s | {computed(folder)} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
