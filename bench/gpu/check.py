"""Check callsheet on a machine with one NVIDIA GPU. This needs python3 with torch, but no network and no toolchain.

usage: check.py [--device cuda:0|cpu] [--only gpu_ids,pipeline,..] [--seconds 480] [--out gpu-check.json]

Prints a line for each check and writes all figures into one JSON file. --device cpu tests the logic of the check at
tiny sizes; its figures have no meaning.
"""

import argparse
import json
import os
import platform
import stat
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("bench/gpu", "bench", "tests/parity")]
import torch  # noqa: E402

import worker  # noqa: E402
from cpu import cpu_name  # noqa: E402
from engine import gpu_ids, memory, pipeline, resume  # noqa: E402
from speed import speed  # noqa: E402
from steps_against_cpu import steps_against_cpu  # noqa: E402

CHECKS = {check.__name__: check for check in (gpu_ids, pipeline, resume, memory, speed, steps_against_cpu)}
PROGRAM = ROOT / "target/release/callsheet-stages"


class Machine:
    """Device, time limit, worker and sizes of the check."""

    def __init__(self, device, seconds, folder):
        self.device, self.has_gpu = device, device != "cpu"
        self.ends = time.monotonic() + seconds
        self.peer_seconds = 5 if self.has_gpu else 0
        self.cpus = min(16, len(os.sched_getaffinity(0))) if self.has_gpu else 2
        self.worker = self.with_cuda(folder) if self.has_gpu else PROGRAM
        # The paper's size, or a size that a CPU computes in seconds.
        self.side, self.nf, self.batch, self.steps, self.peer_steps, self.backend = (
            (256, 32, 8, 300, 40, "inductor") if self.has_gpu else (64, 4, 2, 40, 2, "aot_eager"))

    def with_cuda(self, folder):
        """Writes a program that starts the stages with the libraries of this machine's torch, including CUDA."""
        libraries = Path(torch.__file__).parent / "lib"
        program = folder / "callsheet-stages"
        # The engine passes only declared variables, so the script contains the search path; it may include the driver.
        packages = sorted(libraries.parent.parent.glob("nvidia/*/lib"))  # cuDNN opens parts of NVRTC by name
        search = ":".join([*map(str, [libraries, *packages]), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
        # Stages without a GPU start faster without CUDA; the engine sets their CUDA_VISIBLE_DEVICES to an empty text.
        program.write_text(f'#!/bin/sh\nexport LD_LIBRARY_PATH="{search}"\n[ -z "${{CUDA_VISIBLE_DEVICES-0}}" ] || '
                           f'export LD_PRELOAD="{libraries}/libtorch_cuda.so"\nexec "{PROGRAM}" "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    def seconds_left(self):
        return self.ends - time.monotonic()

    def note(self, line):
        print(line, flush=True)

    def described(self):
        gpu = {}
        if self.has_gpu:
            gpu["gpu"] = torch.cuda.get_device_name()
            gpu["memory_gib"] = torch.cuda.get_device_properties(0).total_memory / 2**30
        return gpu | {"device": self.device, "cpu": cpu_name(), "python": platform.python_version(),
                      "torch": torch.__version__, "cpus": os.cpu_count()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--only", default=",".join(CHECKS), help="names of checks, separated by commas; all by default")
    parser.add_argument("--seconds", type=float, default=480,
                        help="seconds after which no further comparison starts; default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("gpu-check.json"))
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(CHECKS)
    if unknown:
        parser.error(f"unknown check {', '.join(sorted(unknown))}; checks: {', '.join(CHECKS)}")
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing: run `make build`, or unpack the archive that `make gpu-archive` wrote")
    if options.device != "cpu" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU: run this on a machine with an NVIDIA GPU, or try the check with --device cpu")
    if options.device != "cpu":
        # Selects one GPU by CUDA's number; in a container the number of its device file may differ.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(options.device, options.seconds, Path(folder))
        worker.WORKER = machine.worker
        report = {"machine": machine.described(), "checks": {}}
        for name in options.only.split(","):
            report["checks"][name] = done = checked(CHECKS[name], machine)
            machine.note(f"{name}: {'ok' if done['ok'] else 'FAILED'} in {done['seconds']} s")
            # Written after each check, so that a time limit of the machine loses only the remaining checks.
            options.out.write_text(json.dumps(report, indent=1) + "\n")
    failed = [name for name, done in report["checks"].items() if not done["ok"]]
    print(f"{options.out}: {len(report['checks']) - len(failed)} of {len(report['checks'])} checks passed")
    sys.exit(1 if failed else 0)


def checked(check, machine):
    begun = time.monotonic()
    try:
        result = {"ok": True, "figures": check(machine)}
    except Exception as error:  # a check that fails must not keep the others from running
        traceback.print_exc()
        result = {"ok": False, "error": str(error)[-4000:]}
    return result | {"seconds": round(time.monotonic() - begun, 1)}


if __name__ == "__main__":
    main()
