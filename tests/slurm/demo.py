"""Runs the demo pipeline on a Slurm of two nodes, and compares every artifact with that of a run on one machine.

Trainings run in the partition `train`, all other stages in the partition `main`; row-wise stages are arrays of jobs. Needs
`make build setup` and `apt-get install --no-install-recommends slurm-wlm munge`. Takes about half an hour on two CPUs.

usage: demo.py [PROFILE]
"""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/callsheet"
PROFILE = sys.argv[1] if len(sys.argv) > 1 else "demo"
TRAININGS = ["train_encoder", "train_generator", "fit_mapper"]

EXECUTOR = """
[executors.lab]
kind = "slurm"
job_time = "20s"
setup = ["export OMP_WAIT_POLICY=passive"] # both nodes share the CPUs of this machine, so threads must not wait actively
[[executors.lab.classes]]
partition = "main"
cpus = 2
memory = "600 MB"
[[executors.lab.classes]]
partition = "train"
cpus = 2
memory = "2 GB"
"""


def copy_project(folder: pathlib.Path) -> None:
    """Copies the project's own files; programs and weights are links. Trainings need more memory than the first class has."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.startswith(("stages/", "pipelines/", "callsheet.toml", "data/")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    for name in ["target", ".toolchain", "data/weights"]:
        (folder / name).symlink_to(ROOT / name)
    for stage in TRAININGS:
        path = folder / "stages" / stage / "stage.toml"
        path.write_text(path.read_text().replace("\n[resources]\n", '\n[resources]\nmemory = "1 GB"\n'))


def callsheet(folder: pathlib.Path, environment: dict[str, str], *words: str) -> str:
    output = subprocess.run(
        [PROGRAM, *words, "--profile", PROFILE], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if output.returncode != 0:
        sys.exit(f"callsheet {' '.join(words)} failed in {folder}")
    return output.stdout


def contents(folder: pathlib.Path, environment: dict[str, str]) -> dict[str, str]:
    """Digest of the content of each artifact of the latest run."""
    listed = json.loads(callsheet(folder, environment, "ls", "--run", "latest", "--json"))["artifacts"]
    names = [row["artifact"] for row in listed]
    shown = {name: json.loads(callsheet(folder, environment, "show", name, "--json")) for name in names}
    return {name: artifact["object"]["content"] for name, artifact in shown.items()}


def jobs_by_partition(cluster: pathlib.Path, runs: pathlib.Path) -> dict[str, collections.Counter[str]]:
    """Number of jobs of each stage in each partition, by the log that Slurm writes."""
    log = (cluster / "log/jobcomp.log").read_text()
    partitions = dict(re.findall(r"\bName=(\S+).*?\bPartition=(\S+)", log))
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for path in runs.glob("*/jobs/*/tasks-*.json"):
        stages = {task["action"]["key"]["stage"] for task in json.loads(path.read_text())}
        for stage in stages:
            counts[stage][partitions[path.parent.name]] += 1
    return counts


def compare(cluster: pathlib.Path, folder: pathlib.Path, environment: dict[str, str]) -> None:
    single, many, store = folder / "single", folder / "many", folder / "store"
    copy_project(single)
    copy_project(many)
    store.mkdir()
    store.chmod(0o2775)
    settings = many / "callsheet.toml"
    settings.write_text(f'store = "{store}"\n{settings.read_text()}{EXECUTOR}')
    callsheet(many, environment, "run", "--on", "lab")
    callsheet(single, environment, "run")
    expected, found = contents(single, environment), contents(many, environment)
    counts = jobs_by_partition(cluster, many / "data/store/runs")
    for stage, partitions in sorted(counts.items()):
        print(f"{stage}: {', '.join(f'{count} jobs in {name}' for name, count in partitions.items())}")
    different = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    if different:
        sys.exit(f"{len(different)} of {len(expected)} artifacts differ: {', '.join(different)}")
    for stage, partitions in counts.items():
        if set(partitions) != {"train" if stage in TRAININGS else "main"}:
            sys.exit(f"{stage} ran in the wrong partition")
    print(f"{len(expected)} artifacts are equal")


def main() -> None:
    cluster, folder = (pathlib.Path(tempfile.mkdtemp(prefix="cs")) for _ in range(2))
    scripts = ROOT / "tests/slurm"
    settings = {**os.environ, "SLURM_CPUS": "2", "SLURM_MEM": "4000", "SLURM_PARTITION": "train"}
    subprocess.run(["bash", scripts / "up.sh", cluster], env=settings, check=True)
    environment = {
        **os.environ, "SLURM_CONF": str(cluster / "slurm.conf"), "PATH": os.environ["PATH"] + ":/usr/sbin"
    }
    try:
        compare(cluster, folder, environment)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        subprocess.run(["bash", scripts / "down.sh", cluster, "--purge"], check=False)


if __name__ == "__main__":
    main()
