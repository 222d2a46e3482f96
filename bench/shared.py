"""Measure a shared store against a store of one project: a first run of 500 stages, and runs with nothing to do.

usage: shared.py [--rounds N] [--programs FOLDER]
The row "mount" has the shared store on a mount whose names are stale for five seconds. It needs bindfs and FUSE.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import engine
from cpu import cpu_name

ROOT = Path(__file__).resolve().parent.parent
CHAINS = 50
STALE = "entry_timeout=5,attr_timeout=5,negative_timeout=5"


def project(scratch, program, store):
    """Project of 500 stages that keeps its results in `store`, or in its own store if there is none."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    for name in ["raw", "out"]:
        (folder / name).mkdir()
    for chain in range(CHAINS):
        (folder / f"raw/{chain}.txt").write_text(f"chain {chain}\n")
    engine.write_callsheet(folder, CHAINS, program)
    settings = folder / "callsheet.toml"
    text = settings.read_text() if settings.exists() else ""
    if store:
        settings.write_text(f'store = "{store}"\n{text}')
    return folder


def shared_folder(scratch):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    folder.chmod(0o2775)
    return folder


def mount(scratch):
    """Mount of a new folder; none if this machine cannot mount."""
    at = Path(tempfile.mkdtemp(dir=scratch))
    try:
        done = subprocess.run(["bindfs", "-o", STALE, shared_folder(scratch), at], capture_output=True)
    except FileNotFoundError:
        return None
    return at if done.returncode == 0 else None


def seconds(program, folder):
    begun = time.perf_counter()
    subprocess.run([program, "run", "-p", "chains"], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--programs", type=Path, default=ROOT / "target/release")
    arguments = parser.parse_args()
    program = arguments.programs.resolve() / "callsheet"
    scratch = ROOT / "target/bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as scratch:
        mounted = mount(scratch)
        stores = {"own store": None, "shared folder": shared_folder(scratch)}
        if mounted:
            stores["mount"] = mounted
        try:
            folders = {name: project(scratch, program, store) for name, store in stores.items()}
            cold = {name: seconds(program, folder) for name, folder in folders.items()}
            times = {name: [] for name in folders}
            for _ in range(arguments.rounds):
                for name, folder in folders.items():
                    times[name].append(seconds(program, folder))
        finally:
            if mounted:
                subprocess.run(["fusermount3", "-u", "-z", mounted])
    print(f"CPU: {cpu_name()}")
    print("| store of 500 stages | first run | nothing to do |\n|---|---|---|")
    for name in folders:
        print(f"| {name} | {cold[name]:.2f} s | {statistics.median(times[name]) * 1e3:.0f} ms |")


if __name__ == "__main__":
    main()
