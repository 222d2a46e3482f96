"""Measures runs on a Slurm of two nodes with eight CPUs each on this machine, next to a plain array of jobs. With `--scale`,
measures how the engine's time and memory grow with the number of rows instead.

Needs `apt-get install --no-install-recommends slurm-wlm munge`, and target/release/callsheet (`make build`).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/callsheet"
ROUNDS = int(os.environ.get("ROUNDS", "3"))

STAGE = """summary = "Sleeps"
version = 1
command = ["sh", "-c", "sleep 0.01; echo {params.n} > {outputs.text}"]
[outputs.text]
kind = "file"
path = "text.txt"
doc = "Number"
[params.n]
type = "int"
default = 0
doc = "Number"
"""

ROWS = """import json, sys, time
SECONDS = 0.01
request = json.load(open(sys.argv[1]))
rows = [json.loads(line) for line in open(request["inputs"]["items"]["paths"][0])]
with open(request["outputs"]["doubles"], "w") as out:
    for row in rows:
        time.sleep(SECONDS)
        print(json.dumps({"name": row["name"], "double": 2 * row["value"]}), file=out)
"""

ROW_STAGE = """summary = "Doubles values"
version = 1
command = ["python3", "double.py"]
[inputs.items]
kind = "table"
format = "json"
doc = "Items"
[outputs.doubles]
kind = "table"
path = "doubles.parquet"
format = "json"
columns = { name = "string", double = "int64" }
doc = "Doubles"
[rows]
key = "name"
input = "items"
output = "doubles"
"""


def project(folder: pathlib.Path, pipeline: str) -> None:
    store = folder / "lab"
    store.mkdir(parents=True)
    store.chmod(0o2775)
    (folder / "callsheet.toml").write_text(
        f'store = "{store}"\n[executors.lab]\nkind = "slurm"\njob_time = "5s"\n'
    )
    (folder / "pipelines").mkdir()
    (folder / "pipelines/main.toml").write_text(pipeline)


def rows_project(folder: pathlib.Path, count: int = 10_000, seconds: float = 0.01) -> None:
    pipeline = (
        'summary = "Rows"\n[sources.items]\npath = "data/raw/items.csv"\n'
        '[stages.double]\ninputs.items = "items"\n'
    )
    project(folder, pipeline)
    stage = folder / "stages/double"
    stage.mkdir(parents=True)
    (stage / "stage.toml").write_text(ROW_STAGE)
    (stage / "double.py").write_text(ROWS.replace("SECONDS = 0.01", f"SECONDS = {seconds}"))
    raw = folder / "data/raw"
    raw.mkdir(parents=True)
    (raw / "items.csv").write_text("name,value\n" + "".join(f"item{n:07},{n}\n" for n in range(count)))


def stages_project(folder: pathlib.Path, count: int) -> None:
    numbers = ", ".join(map(str, range(count)))
    project(folder, f'summary = "Stages"\n[stages.nap]\nforeach.n = [{numbers}]\nparams.n = "{{n}}"\n')
    stage = folder / "stages/nap"
    stage.mkdir(parents=True)
    (stage / "stage.toml").write_text(STAGE)


def run(folder: pathlib.Path, environment: dict[str, str]) -> float:
    began = time.monotonic()
    output = subprocess.run(
        [PROGRAM, "run", "-p", "main", "--on", "lab", "--json"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )
    seconds = time.monotonic() - began
    events = [json.loads(line) for line in output.stdout.splitlines()]
    if output.returncode != 0 or events[-1]["failed"] != 0:
        sys.exit(output.stderr)
    return seconds


def plain_array(folder: pathlib.Path, count: int, environment: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(
        ["sbatch", "--wait", f"--array=0-{count - 1}", "-o", "/dev/null", "--wrap", "sleep 0.01"],
        cwd=folder, env=environment, check=True, capture_output=True,
    )
    return time.monotonic() - began


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def scale(environment: dict[str, str]) -> None:
    print("| rows | seconds | engine's CPU seconds | engine's memory, MB | jobs | files of submissions, MB |")
    print("|---|---|---|---|---|---|")
    for count in [10_000, 100_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            rows_project(folder, count, 0.0)
            began = time.monotonic()
            engine = subprocess.Popen(
                [PROGRAM, "run", "-p", "main", "--on", "lab"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
            )
            _, status, usage = os.wait4(engine.pid, 0)
            seconds = time.monotonic() - began
            if status != 0:
                sys.exit(f"the run of {count} rows failed")
            tasks = list((folder / "data/store/runs").glob("*/jobs/*/tasks-*.json"))
            size = sum(path.stat().st_size for path in tasks) / 1e6
            cpu = usage.ru_utime + usage.ru_stime
            memory = usage.ru_maxrss // 1024
            print(f"| {count} | {seconds:.0f} | {cpu:.1f} | {memory} | {len(tasks)} | {size:.0f} |", flush=True)


def main() -> None:
    cluster = pathlib.Path(tempfile.mkdtemp(prefix="cs"))
    scripts = ROOT / "tests/slurm"
    subprocess.run(["bash", scripts / "up.sh", cluster], env={**os.environ, "SLURM_CPUS": "8"}, check=True)
    environment = {**os.environ, "SLURM_CONF": str(cluster / "slurm.conf"), "PATH": os.environ["PATH"] + ":/usr/sbin"}
    try:
        if "--scale" in sys.argv:
            return scale(environment)
        rows, ours, plain = [], [], []
        for number in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                rows_project(pathlib.Path(folder) / "rows")
                rows.append(run(pathlib.Path(folder) / "rows", environment))
                stages_project(pathlib.Path(folder) / "stages", 500)
                ours.append(run(pathlib.Path(folder) / "stages", environment))
                plain.append(plain_array(pathlib.Path(folder), 500, environment))
            print(f"round {number}: {rows[-1]:.1f} s, {ours[-1]:.1f} s, {plain[-1]:.1f} s", flush=True)
        print(f"10,000 rows of 10 ms in 16 slots: {median(rows):.1f} s (bar: 20 s)")
        print(f"500 actions of 10 ms: {median(ours):.1f} s; a plain array of 500 jobs: {median(plain):.1f} s")
        ratio = median([theirs / own for own, theirs in zip(ours, plain)])
        print(f"a plain array takes {ratio:.1f} times as long (bar: 5 times)")
    finally:
        subprocess.run(["bash", scripts / "down.sh", cluster, "--purge"], check=False)


if __name__ == "__main__":
    main()
