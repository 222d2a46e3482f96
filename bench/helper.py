"""Measure what `import callsheet` costs a stage: a bare script and the package do the same work, in turn.

Both read a request, read a table with pyarrow, and write it again. The second pair leaves out the tables. Needs pyarrow:
.toolchain/python/bin/python bench/helper.py

usage: helper.py [--rounds N]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cpu import cpu_name

ROOT = Path(__file__).resolve().parent.parent

SCRIPTS = {
    ("tables", "bare script"): """
import json, sys
import pyarrow.parquet as pq
request = json.load(open(sys.argv[1]))
table = pq.ParquetFile(request["inputs"]["orders"]["paths"][0]).read()
pq.write_table(table, request["outputs"]["priced"], compression="zstd")
""",
    ("tables", "callsheet"): """
import callsheet
with callsheet.stage() as job:
    job.outputs.priced.write(job.inputs.orders.to_arrow())
""",
    ("no tables", "bare script"): """
import json, sys
request = json.load(open(sys.argv[1]))
open(request["outputs"]["text"], "w").write(str(request["params"]["rate"]))
""",
    ("no tables", "callsheet"): """
import callsheet
with callsheet.stage() as job:
    job.outputs.text.write(str(job.params.rate))
""",
}


def requests(folder):
    """Writes the two requests; returns their paths."""
    import pyarrow
    from pyarrow import parquet

    source = folder / "orders.parquet"
    parquet.write_table(pyarrow.table({"order_id": range(1000), "price": [1.5] * 1000}), source)
    base = {"stage": "bench", "params": {"rate": 0.5}, "inputs": {}, "footer": {}, "cpus": 1, "labels": [], "scratch": ""}
    contents = {
        "tables": {
            **base,
            "inputs": {"orders": {"paths": [str(source)], "names": ["orders.parquet"]}},
            "outputs": {"priced": str(folder / "priced.parquet")},
            "declared": {"inputs": {"orders": {"kind": "table"}}, "outputs": {"priced": {"kind": "table"}}},
        },
        "no tables": {**base, "outputs": {"text": str(folder / "text.txt")}},
    }
    paths = {}
    for name, content in contents.items():
        paths[name] = folder / name.replace(" ", "-") / "request.json"
        paths[name].parent.mkdir()
        paths[name].write_text(json.dumps(content))
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    print(f"CPU: {cpu_name()}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    times = {key: [] for key in SCRIPTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = requests(folder)
        for _ in range(rounds):
            for (work, way), code in SCRIPTS.items():
                script = folder / f"{work.replace(' ', '-')}-{way.replace(' ', '-')}.py"
                script.write_text(code)
                began = time.perf_counter()
                subprocess.run([sys.executable, script, paths[work]], env=environment, check=True)
                times[work, way].append(time.perf_counter() - began)
    print("| stage | bare script | callsheet | difference |\n|---|---|---|---|")
    for work in ("tables", "no tables"):
        bare, own = (1000 * statistics.median(times[work, way]) for way in ("bare script", "callsheet"))
        print(f"| {work} | {bare:.0f} ms | {own:.0f} ms | {own - bare:.0f} ms |")


if __name__ == "__main__":
    main()
