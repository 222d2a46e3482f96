"""Measure large tables: finding missing rows, adding rows, and queries compared with DuckDB.

bench/project runs in temporary folders: its worker, in Python, generates rows, and callsheet writes the tables.

usage: tables.py [--only keys,append,queries] [--keys N] [--rows N] [--gigabytes N] [--rounds N]
The wide table of `append` has 1,000 rows by default. `--rows 10000` is its full size: 10 GB, and 30 GB on the disk
while it is computed.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from cpu import cpu_name

ROOT = Path(__file__).resolve().parent.parent
CALLSHEET, INSPECT = ROOT / "target/release/callsheet", ROOT / "target/release/callsheet-inspect"
MISSING = 10
NARROW_ROWS = 10_000
ADDITIONS = 100
THREADS = 2
FRAMES_OF_A_GIGABYTE = 2_100_000
TABLES = ["frames", "clusters", "metrics"]
NOTHING = "select 1 as one from frames limit 1"
QUERIES = {
    "filter": "select image_id, seconds, sharpness from frames where brightness < 0.01",
    "group": """
        select cluster, count(*) as images, avg(cast(brightness as double)) as brightness,
            min(contrast) as least, max(sharpness) as most
        from frames group by cluster""",
    "join": """
        select c.cluster, count(*) as images, avg(m.ssim) as ssim, avg(m.lpips) as lpips,
            avg(cast(f.brightness as double)) as brightness, max(c.distance) as furthest
        from frames as f join clusters as c on f.image_id = c.image_id join metrics as m on f.image_id = m.image_id
        group by c.cluster""",
}

# The peak memory of a process includes that of its parent at the start, so a small process starts it.
LAUNCHER = """import os, sys, time
begun = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print("", time.perf_counter() - begun, usage.ru_maxrss / 1024, usage.ru_oublock * 512, sep="\\n")
sys.exit(status != 0)"""


class Cost(NamedTuple):
    """Cost of a process and of the processes that it started."""

    seconds: float
    megabytes: float  # peak memory of the largest of the processes
    written: int  # bytes written to all files

    def __str__(self):
        return f"{ms(self.seconds)}, {self.megabytes:.0f} MB"


def measured(command, **more):
    """Returns the cost of a command and its output."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launched, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    *said, seconds, megabytes, written = done.stdout.splitlines()
    return Cost(float(seconds), float(megabytes), int(written)), "\n".join(said)


def median(costs):
    return Cost(*map(statistics.median, zip(*costs)))


class Project:
    """bench/project with one of its pipelines, in a folder with its own data."""

    def __init__(self, pipeline, scratch):
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        (self.folder / "data/raw").mkdir(parents=True)
        (self.folder / "callsheet.toml").write_text(
            f'stages = "{ROOT}/bench/project/stages"\npipelines = "{ROOT}/bench/project/pipelines"\n'
            f'path = ["{Path(sys.executable).parent}"]\ndefaults.pipeline = "{pipeline}"\n'
            f'programs.worker = "{ROOT}/bench/project/worker.py"\n'
        )

    def images(self, rows, absent=()):
        """Writes the list of images: the numbers below `rows`, without those in `absent`."""
        (self.folder / "data/raw/images.json").write_text(json.dumps({"rows": rows, "absent": sorted(absent)}))

    def callsheet(self, *arguments):
        return measured([CALLSHEET, *arguments], cwd=self.folder)

    def table(self, artifact):
        _, said = self.callsheet("ls", "--json")
        return next(self.folder / row["path"] for row in json.loads(said)["artifacts"] if row["artifact"] == artifact)

    def files(self, stage):
        """Returns {inode: size} of the Parquet files of a row-wise stage's table."""
        files = list(self.table(f"{stage}.{stage}").glob("*.parquet"))
        for file in files:
            footer = pq.read_metadata(file)
            assert footer.created_by == "callsheet" and b"callsheet.action_key" in footer.metadata, file
        return {file.stat().st_ino: file.stat().st_size for file in files}


def spread(rows, count):
    """Returns `count` numbers below `rows`, at equal distances."""
    return [rows * at // count for at in range(count)]


def table(head, rows):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def ms(seconds):
    return f"{1000 * seconds:.0f} ms"


def keys(most, rounds, scratch):
    """Table of the time of a plan that finds a few missing rows among many, and of parts of this plan."""
    finds = [f"{MISSING} rows missing", "all rows missing", "nothing to do"]
    head = ["`callsheet plan`", *finds, "pyarrow reads the keys"]
    return table(head, [decide(rows, rounds, Project("narrow", scratch)) for rows in [most // 10, most]])


def decide(rows, rounds, project):
    project.images(rows, spread(rows, MISSING))
    project.callsheet("run")
    nothing = median([project.callsheet("plan")[0] for _ in range(rounds)])
    project.images(rows)
    project.callsheet("run", "list_images")
    images = project.table("list_images.images")
    pq.read_table(images)
    taken = {"some": [], "all": [], "read": []}
    for _ in range(rounds):
        for case, missing, more in [("some", MISSING, []), ("all", rows, ["--set", "embeddings.seed=1"])]:
            cost, said = project.callsheet("plan", *more)
            assert f"computes {missing} of {rows} rows" in said, said
            taken[case].append(cost)
        begun = time.perf_counter()
        pq.read_table(images, columns=["image_id", "number"], use_threads=False)
        taken["read"].append(time.perf_counter() - begun)
    cells = [str(median(taken["some"])), str(median(taken["all"])), str(nothing), ms(statistics.median(taken["read"]))]
    return [f"{rows:,} keys", *cells]


def append(wide_rows, scratch):
    """Table of the bytes that are written when a thousandth of a table's rows is added, a hundred times in sequence."""
    cases = [("narrow", "embeddings", NARROW_ROWS), ("wide", "grams", wide_rows)]
    head = [
        "rows before additions of a thousandth each", "table", "new files, first addition", "new files, median",
        "new files, largest", f"new files, all {ADDITIONS}", "files, maximum", "files, final", "written per run",
        "time per run",
    ]
    lines = [add(stage, rows, f"{rows:,} {width} rows", Project(width, scratch)) for width, stage, rows in cases]
    return table(head, lines)


def add(stage, rows, name, project):
    step = max(rows // 1000, 1)
    every = rows + ADDITIONS * step
    # The rows of each addition are spread over the table.
    absent = spread(every, ADDITIONS * step)
    project.images(every, absent)
    project.callsheet("run")
    files = project.files(stage)
    whole = sum(files.values())
    fresh, counts, costs = [], [], []
    for addition in range(1, ADDITIONS + 1):
        project.images(every, [number for at, number in enumerate(absent) if at % ADDITIONS >= addition])
        project.callsheet("run", "list_images")
        cost, said = project.callsheet("run", "--json")
        assert f'"compute":{step},"of":{rows + addition * step}' in said, said
        before, files = files, project.files(stage)
        fresh.append(sum(size for inode, size in files.items() if inode not in before))
        counts.append(len(files))
        costs.append(cost)
    sizes = [f"{100 * size / whole:.2f} %" for size in (fresh[0], statistics.median(fresh), max(fresh), sum(fresh))]
    cost = median(costs)
    took = [f"{cost.written / 1e6:.3f} MB", ms(cost.seconds)]
    return [name, f"{whole / 1e6:.3f} MB", *sizes, str(max(counts)), str(counts[-1]), *took]


def queries(gigabytes, rounds, scratch):
    """Table of the times of queries on equal, cached files: complete processes, and an open connection of DuckDB."""
    project = Project("queries", scratch)
    project.images(round(gigabytes * FRAMES_OF_A_GIGABYTE))
    project.callsheet("run")
    sizes = [f"{name} {sum(project.files(name).values()) / 1e9:.3f} GB" for name in TABLES]
    both = Both(project)
    head = ["query", "rows of the result", "callsheet inspect", "DuckDB, open connection", "ratio",
            "DuckDB, new process", "ratio"]
    lines = [compare(name, query, both, rounds) for name, query in QUERIES.items()]
    start = median([both.ours(NOTHING, "/dev/null") for _ in range(rounds)])
    notes = [f"{THREADS} threads", *sizes, f"`callsheet inspect` returns one row in {ms(start.seconds)}"]
    return f"{table(head, lines)}\n\n{', '.join(notes)}"


class Both:
    """callsheet and DuckDB on equal tables."""

    def __init__(self, project):
        self.folder = project.folder
        paths = {name: project.table(f"{name}.{name}") for name in TABLES}
        self.inspect = [INSPECT, "inspect", *(f"{name}={path}" for name, path in paths.items())]
        self.environment = os.environ | {"POLARS_MAX_THREADS": str(THREADS), "CALLSHEET": str(CALLSHEET)}
        views = (f"create view {name} as from '{path}/*.parquet';" for name, path in paths.items())
        self.begin = f"set threads = {THREADS};{''.join(views)}"
        self.connection = duckdb.connect()
        self.connection.execute(self.begin)

    def ours(self, query, path):
        """Returns the cost of a process of callsheet that writes the result as CSV."""
        command = [*self.inspect, "--sql", query, "--format", "csv", "--output", path]
        return measured(command, cwd=self.folder, env=self.environment)[0]

    def theirs(self, query):
        return self.connection.sql(query).to_arrow_table()

    def their_process(self, query):
        """Returns the cost of a process of DuckDB that writes the result as CSV."""
        statements = f"{self.begin}copy ({query}) to '/dev/null' (format csv)"
        return measured([sys.executable, "-c", f"import duckdb; duckdb.execute({statements!r})"])[0]


def compare(name, query, both, rounds):
    answer = both.folder / "answer.csv"
    both.ours(query, answer)
    rows = same(answer, both.theirs(query))
    ours, warm, process = [], [], []
    for _ in range(rounds):
        ours.append(both.ours(query, "/dev/null"))
        begun = time.perf_counter()
        both.theirs(query)
        warm.append(time.perf_counter() - begun)
        process.append(both.their_process(query))
    ours, warm, process = median(ours), statistics.median(warm), median(process)
    ratios = [f"{seconds / ours.seconds:.2f}" for seconds in (warm, process.seconds)]
    return [name, str(rows), str(ours), ms(warm), ratios[0], str(process), ratios[1]]


def same(path, theirs):
    """Returns the number of rows of the results, callsheet's as CSV and DuckDB's, which must be equal."""
    with path.open() as lines:
        names, *rows = csv.reader(lines)
    columns = [pa.array(cells).cast(kind) for cells, kind in zip(zip(*rows), theirs.schema.types)]
    assert names == theirs.column_names
    assert sorted_rows(columns) == sorted_rows(theirs.columns), "the results differ"
    return len(rows)


def sorted_rows(columns):
    return sorted(zip(*(column.to_pylist() for column in columns)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="keys,append,queries")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=1000, help="rows of the wide table in append; default %(default)s")
    parser.add_argument("--gigabytes", type=float, default=2, help="largest table in queries; default %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"CPU: {cpu_name()}")
    parts = {
        "keys": lambda scratch: keys(arguments.keys, arguments.rounds, scratch),
        "append": lambda scratch: append(arguments.rows, scratch),
        "queries": lambda scratch: queries(arguments.gigabytes, arguments.rounds, scratch),
    }
    base = ROOT / "target/bench"
    base.mkdir(parents=True, exist_ok=True)
    for part in arguments.only.split(","):
        with tempfile.TemporaryDirectory(dir=base) as scratch:
            print(parts[part](scratch) + "\n", flush=True)


if __name__ == "__main__":
    main()
