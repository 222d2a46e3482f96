"""Checks of complete runs: the pipeline, a killed training, GPUs of stages, and a lack of memory."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import torch

from inputs import TRAININGS, project
from worker import ROOT

ENGINE = ROOT / "target/release/callsheet"
# Time limit of one run of the engine, in seconds. The longest run (the pipeline) takes a fifth of this time.
LIMIT = 240


def require(holds, message):
    if not holds:
        raise AssertionError(message)


def gpus(machine):
    """Returns the GPU option of a run. Without a GPU, stages receive a GPU id but compute on the CPU."""
    return [] if machine.has_gpu else ["--gpus", "0"]


def settings(values):
    """Returns the options of a run that set parameters."""
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def arguments(machine, *words):
    """Returns the command of a run whose trainings compute on the device."""
    device = settings({f"{name}.device": machine.device for name in TRAININGS})
    return [ENGINE, "run", *words, *device, *gpus(machine)]


def execute(command, folder):
    """Runs a command; returns its exit status and its output. A command that hangs ends after the timeout."""
    ran = subprocess.run(command, cwd=folder, text=True, timeout=LIMIT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return ran.returncode, ran.stdout


def succeed(folder, machine, *words):
    """Runs the engine, which must succeed; returns its output."""
    status, output = execute(arguments(machine, *words), folder)
    require(status == 0, output[-3000:])
    return output


def pipeline(machine):
    """Runs the complete pipeline in profile `test`; the trainings compute on the device."""
    with tempfile.TemporaryDirectory() as name:
        folder = project(Path(name), machine.worker, 64)
        output = succeed(folder, machine)
        done = [line.split(":")[0] for line in output.splitlines() if ": done in " in line]
        for stage in TRAININGS:
            require(stage in done, f"{stage} did not run: {output[-3000:]}")
            on_device = f"{stage}: computes on {machine.device}" in output
            require(on_device or not machine.has_gpu, f"{stage} did not compute on {machine.device}")
        again = succeed(folder, machine)
        require("nothing to do" in again, f"a second run is not cached: {again[-3000:]}")
        return {"stages": len(done)}


def artifact(folder, name):
    """Returns the path of an artifact of the latest run. Results of changed parameters are not in data/out."""
    listed = subprocess.run([ENGINE, "ls", "--run", "latest", "--json"], cwd=folder, capture_output=True, check=True)
    (path,) = [row["path"] for row in json.loads(listed.stdout)["artifacts"] if row["artifact"] == name]
    require(path, f"{name} is not in the store")
    return Path(path)


def weights(folder):
    return (artifact(folder, "train_generator.model") / "networks.safetensors").read_bytes()


def resume(machine):
    """Checks that a resumed training is bit-identical to an uninterrupted one with `deterministic = true`."""
    words = ["train_generator", *settings({
        "train_encoder.deterministic": "true",  # the encoder is trained first in both projects
        "train_generator.deterministic": "true",
        "train_generator.checkpoint_every": 5,
        "train_generator.stop_kimg": machine.steps * 8 / 1000,
    })]
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as killed:
        succeed(project(Path(whole), machine.worker, 64), machine, *words)
        folder = project(Path(killed), machine.worker, 64)
        process = subprocess.Popen(arguments(machine, *words), cwd=folder, start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        scratch = folder / "data/store/scratch"
        # The encoder also writes checkpoints, but before the generator, so the second folder is the generator's.
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() - begun < LIMIT and len({path.parent for path in scratch.glob("*/step-*.safetensors")}) < 2:
            time.sleep(0.002)
        require(process.poll() is None, "the training ended before it could be killed: raise the number of steps")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output = succeed(folder, machine, *words)
        resumed = [line for line in output.splitlines() if "train_generator: continues from step" in line]
        require(resumed, f"the training did not resume: {output[-3000:]}")
        require(weights(Path(whole)) == weights(folder), "the weights of the resumed training differ")
        return {"steps": machine.steps, "resumed": resumed[:1]}


STAGE = """summary = "Records its GPU and its times"
version = 1
command = ["sh", "-c", "date +%s%N > $0; echo gpu:$CUDA_VISIBLE_DEVICES >> $0; sleep 1; date +%s%N >> $0", "{outputs.note}"]
resources.gpus = 1
outputs.note = { kind = "file", path = "note", doc = "Times and GPU" }
"""


def gpu_ids(machine):
    """Checks that two stages with `gpus = 1` each receive an id, and run one after the other on one GPU."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "callsheet.toml").write_text('defaults.pipeline = "two"\n')
        (folder / "pipelines").mkdir()
        (folder / "pipelines/two.toml").write_text('summary = "Two"\n[stages.first]\n[stages.second]\n')
        for stage in ("first", "second"):
            (folder / "stages" / stage).mkdir(parents=True)
            (folder / "stages" / stage / "stage.toml").write_text(STAGE)
        status, output = execute([ENGINE, "run", "--jobs", "2", *gpus(machine)], folder)
        require(status == 0, output[-3000:])
        notes = sorted(path.read_text().split() for path in folder.glob("data/out/**/note"))
        require(len(notes) == 2, f"{len(notes)} notes instead of 2")
        ids = [gpu for _, gpu, _ in notes]
        require(all(gpu != "gpu:" for gpu in ids), f"a stage did not receive a GPU: {ids}")
        (_, first, end), (begin, second, _) = notes
        require(first != second or int(end) <= int(begin), f"two stages shared {first}")
        return {"ids": ids}


def memory(machine):
    """Checks that a training without enough memory stops with an error that lists the parameters to lower."""
    command = arguments(machine, "train_generator", "--set", "train_generator.nf=256")
    held = None
    if machine.has_gpu:
        free, _ = torch.cuda.mem_get_info()
        # The libraries of CUDA and the encoder fit into the remaining memory, but the wide generator does not.
        held = torch.empty(max(free - 3 * 2**30, 0), dtype=torch.uint8, device=machine.device)
    else:
        command = ["sh", "-c", 'ulimit -v 6000000; exec "$0" "$@"', *command]
    try:
        with tempfile.TemporaryDirectory() as name:
            status, output = execute(command, project(Path(name), machine.worker, 64))
    finally:
        # Later checks need the memory even if this check fails.
        del held
        if machine.has_gpu:
            torch.cuda.empty_cache()
    require(status != 0, "the training succeeded: it needs less memory than this check expects")
    error = [line for line in output.splitlines() if "out of memory" in line or "lower the stage's" in line]
    require(any("is out of memory: cannot allocate" in line for line in error), output[-3000:])
    require("batch, crop or nf" in output, f"the error has no remedy: {output[-3000:]}")
    return {"error": error[:2]}
