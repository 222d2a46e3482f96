"""Compares images per second of a training at the paper's size with torch eager and torch.compile."""

import contextlib
import gc
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import torch

import networks
import steps
from inputs import IMAGES, MANY_IMAGES, halves
from steps import Peer, generator_step
from steps_against_cpu import objective, tables
from tensors import load
from worker import has_bf16, stage, vgg

WARM_UP_STEPS = 10


class Gpu:
    """Utilisation and memory of the GPU, sampled five times a second by nvidia-smi while the block runs."""

    def __enter__(self):
        query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-lms", "200"]
        self.samples = []
        self.process = None
        with contextlib.suppress(FileNotFoundError):
            self.process = subprocess.Popen(query, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            threading.Thread(target=self.read, daemon=True).start()
        return self

    def read(self):
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.samples.append((time.perf_counter(), *(float(number) for number in line.split(","))))

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()

    def figures(self, begun):
        """Returns the utilisation since `begun` (seconds of the performance counter), and the first and peak memory."""
        if not self.samples:
            return {}
        utilisation = [percent for at, percent, _ in self.samples if at >= begun]
        figures = {"utilisation_percent": statistics.mean(utilisation)} if utilisation else {}
        return figures | {"memory_used_before_mib": self.samples[0][2],
                          "memory_used_peak_mib": max(used for _, _, used in self.samples)}


def ours(machine, folder, inputs, precision):
    """Returns images per second of the stage, from the times at which it reported its steps; its start is excluded."""
    folder.mkdir()
    with Gpu() as gpu:
        started = time.perf_counter()
        ran = stage("train_generator", inputs, {"model": folder / "model"}, scratch=folder, nf=machine.nf, encoder_nf=64,
                    batch=machine.batch, crop=0, select_images=0, checkpoint_every=1_000_000, device=machine.device,
                    cpus=machine.cpus, precision=precision, stop_kimg=machine.steps * machine.batch / 1000)
    times = ran.progress[min(WARM_UP_STEPS, len(ran.progress) // 2):]
    images = (len(times) - 1) * machine.batch
    return {"images_per_second": images / (times[-1] - times[0]), "steps_reported": len(ran.progress)} | gpu.figures(started + times[0])


@contextlib.contextmanager
def number_format(machine, precision):
    """Sets float32, TF32 or autocast to bfloat16 in torch while the block runs."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    bf16 = torch.autocast(machine.device.split(":")[0], dtype=torch.bfloat16)
    with bf16 if precision == "bf16" else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def compiled(backend):
    """Replaces the networks by versions of torch.compile while the block runs."""
    names = ("encoder", "generator", "discriminator")
    plain = {name: getattr(steps, name) for name in names}
    torch._functorch.config.donated_buffer = False  # several gradients of one forward pass need its buffers
    for name in names:
        setattr(steps, name, torch.compile(getattr(networks, name), backend=backend))
    try:
        yield
    finally:
        for name in names:
            setattr(steps, name, plain[name])


def peer(machine, weights, features, images, precision, compile_networks):
    """Returns images per second of torch with equal networks, losses and updates, channels last."""
    device = machine.device
    a, b = (half.to(device).contiguous(memory_format=torch.channels_last) for half in images)
    taps = vgg({name: tensor.to(device) for name, tensor in features.items()}, "torchvision", device)
    trained = Peer({name: tensor.to(device) for name, tensor in weights.items()})
    wait = torch.cuda.synchronize if machine.has_gpu else lambda: None
    batches = list(zip(a.split(machine.batch), b.split(machine.batch)))
    if machine.has_gpu:
        torch.cuda.reset_peak_memory_stats()

    def step(n):
        # Autocast keeps rounded weights until its block ends, so each step has its own block.
        with number_format(machine, precision):
            generator_step(trained, taps, "step_v4", False, [batches[n % len(batches)]])

    with compiled(machine.backend) if compile_networks else contextlib.nullcontext(), Gpu() as gpu:
        for n in range(3):
            step(n)
        wait()
        begun, count = time.perf_counter(), 0
        while count < machine.peer_steps or time.perf_counter() - begun < machine.peer_seconds:
            step(count)
            count += 1
            if count % 10 == 0:
                wait()
        wait()
        seconds = time.perf_counter() - begun
    figures = {"images_per_second": count * machine.batch / seconds} | gpu.figures(begun)
    if machine.has_gpu:
        figures["memory_allocated_peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return figures


def free_memory(machine):
    """Frees the GPU memory of earlier comparisons, so that the next comparison does not count it."""
    gc.collect()
    if machine.has_gpu:
        torch.cuda.empty_cache()


def speed(machine):
    """Returns images per second, memory and utilisation in fp32, TF32 and bf16. Goal: a ratio of 1.0 or more."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = MANY_IMAGES if machine.has_gpu else IMAGES
        inputs = tables(machine, folder / "tables", machine.side, count=count)
        inputs |= {"objective": objective("step_v4", folder)}
        images, features = halves(machine.side, count), load(inputs["vgg"])
        precisions = ["bf16", "tf32", "fp32"] if machine.has_gpu or has_bf16() else ["tf32", "fp32"]
        for precision in precisions:
            free_memory(machine)
            own = found[precision] = {"callsheet": ours(machine, folder / precision, inputs, precision)}
            weights = load(folder / precision / "model/networks.safetensors")
            for name_of, compile_networks in (("torch_eager", False), ("torch_compile", True)):
                if machine.seconds_left() < (90 if compile_networks and machine.has_gpu else 20):
                    own[name_of] = {"left_out": "no time left"}
                    continue
                free_memory(machine)
                try:
                    own[name_of] = peer(machine, weights, features, images, precision, compile_networks)
                except Exception as error:  # torch.compile needs a C compiler, which the machine may lack
                    if not machine.has_gpu:
                        raise
                    own[name_of] = {"error": str(error)[-1000:]}
            for other in ("torch_eager", "torch_compile"):
                if "images_per_second" in own[other]:
                    own[f"ratio_to_{other}"] = own["callsheet"]["images_per_second"] / own[other]["images_per_second"]
            machine.note(f"{precision}: {own}")
    return found
