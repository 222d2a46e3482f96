"""Runs a stage as the engine does: one request, one process."""

import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = ROOT / "target/release/callsheet-stages"


# The peak memory of a new process starts with that of its parent, so a small process starts the worker.
LAUNCHER = """import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(usage.ru_maxrss / 1024)
sys.exit(status != 0)"""


def has_bf16():
    """Returns True if this machine's CPUs have instructions for bfloat16. Without them the tests in bf16 take hours."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


class Ran(NamedTuple):
    """Costs and metrics of one execution of a stage."""

    seconds: float
    megabytes: float
    # Times of the progress events, in seconds from the start.
    progress: list
    # The last value of each metric.
    metrics: dict
    # All values of each metric.
    history: dict


def stage(name, inputs, outputs, /, cpus=2, names=None, scratch=None, **params):
    """Runs stage `name`; inputs are paths, or lists of paths with their `names`. A failure raises its output."""
    declared = tomllib.loads((ROOT / f"stages/{name}/stage.toml").read_text())
    values = {param: value["default"] for param, value in declared.get("params", {}).items()} | params
    paths = {key: [str(p) for p in (path if isinstance(path, list) else [path])] for key, path in inputs.items()}
    request = {
        "stage": name,
        "inputs": {key: {"paths": all, "names": (names or {}).get(key, [Path(p).name for p in all])}
                   for key, all in paths.items()},
        "params": values,
        "outputs": {key: str(path) for key, path in outputs.items()},
        "scratch": str(scratch or tempfile.gettempdir()),
        "cpus": cpus,
        "labels": [],
        "footer": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        request_file, events = Path(folder) / "request.json", Path(folder) / "events"
        request_file.write_text(json.dumps(request))
        os.mkfifo(events)
        environment = os.environ | {
            "CALLSHEET_EVENTS": str(events), "PATH": f"{ROOT}/.toolchain/bin:{os.environ['PATH']}"
        }
        begun = time.perf_counter()
        command = [sys.executable, "-c", LAUNCHER, WORKER, name, request_file]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, env=environment, text=True, **pipes)
        progress, history = [], {}
        with open(events) as lines:
            for said in map(json.loads, lines):
                if "progress" in said:
                    progress.append(time.perf_counter() - begun)
                elif "metric" in said:
                    history.setdefault(said["metric"]["name"], []).append(said["metric"]["value"])
        megabytes, said = process.communicate()
        seconds = time.perf_counter() - begun
    if process.returncode != 0:
        raise RuntimeError(f"{name}: {said}")
    return Ran(seconds, float(megabytes), progress, {name: values[-1] for name, values in history.items()}, history)


def vgg(tensors, convention, device="cpu"):
    """VGG with imported weights in torch: a function from images in [-1, 1] to the five taps."""
    import torch
    from torch.nn.functional import conv2d, max_pool2d

    mean = torch.tensor([103.939, 116.779, 123.68], device=device).view(1, 3, 1, 1)
    centre = torch.tensor([0.485, 0.456, 0.406], device=device).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225], device=device).view(1, 3, 1, 1)

    def taps(images, kind=torch.float32):
        x = (images.flip(1) + 1) * 127.5 - mean if convention == "caffe" else ((images + 1) / 2 - centre) / deviation
        x = x.to(kind).contiguous(memory_format=torch.channels_last)
        for block, last in enumerate([2, 2, 3, 3, 2], start=1):
            if block > 1:
                x = max_pool2d(x, 2)
            for number in range(1, last + 1):
                name = f"conv{block}_{number}"
                x = torch.relu_(conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=1))
                if number == 2:
                    yield x

    return taps


def gram(tap):
    """F^T F / (C H W) of [N, C, H, W]."""
    import torch

    n, c, h, w = tap.shape
    rows = tap.permute(0, 2, 3, 1).reshape(n, h * w, c)
    return torch.bmm(rows.transpose(1, 2), rows) / (c * h * w)
