"""Compares training steps with torch eager: equal networks, losses and updates, both channels last."""

import io
import statistics
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file

from measure import head, ratio, row, smooth
from steps import Peer, encoder_step, generator_step
from style import imported
from worker import ROOT, stage, vgg

NF, ENCODER_NF = 32, 64
IMAGES = 24


def pairs_table(path, side):
    """Writes pairs of smooth noise; returns their halves in [-1, 1]."""
    random = np.random.default_rng(0)
    columns = {"image_id": [f"{n:02}" for n in range(IMAGES)]}
    columns |= {"frame_id": columns["image_id"], "split": ["train"] * IMAGES}
    halves = []
    for half in "ab":
        pictures = [smooth(random, side, side) for _ in range(IMAGES)]
        rows = []
        for number, picture in enumerate(pictures):
            file = io.BytesIO()
            picture.save(file, "PNG", compress_level=1)
            rows.append({"bytes": file.getvalue(), "path": f"{number}.png"})
        columns[half] = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
        pixels = torch.from_numpy(np.stack([np.array(picture) for picture in pictures])).permute(0, 3, 1, 2)
        halves.append((pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last))
    pq.write_table(pa.table(columns), path)
    return halves


def triplets_table(path):
    ids = [f"{n:02}" for n in range(IMAGES)]
    turned = [ids[by:] + ids[:by] for by in range(3)]
    names = ["anchor_id", "positive_id", "negative_id"]
    pq.write_table(pa.table(dict(zip(names, turned)) | {"visit": pa.array([0] * IMAGES, pa.int32())}), path)


def peak():
    """Returns the peak memory of this process since `forget_peak`, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")


def steps(call, count):
    times = []
    for n in range(count):
        begun = time.perf_counter()
        call(n)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def between(ran):
    """Returns the median time of a step, from the times at which the stage reported its steps."""
    return statistics.median(after - before for before, after in zip(ran.progress[1:], ran.progress[2:]))


def turns(options, name, images, theirs, ours):
    """Runs both in turn and prints a row for each precision of callsheet. `ours` receives the number of its round."""
    precisions = options.precisions.split(",")
    others, peaks, ran = [], [], {precision: [] for precision in precisions}
    for turn in range(options.rounds):
        forget_peak()
        others.append(steps(theirs, options.steps))
        peaks.append(peak())
        for precision in precisions:
            ran[precision].append(ours(f"{precision}-{turn}", precision))
    for precision in precisions:
        seconds = [between(r) for r in ran[precision]]
        row(f"{name}, {precision}", images, f"{statistics.median(others):.2f}", f"{statistics.median(seconds):.2f}",
            ratio(others, seconds), f"{max(peaks):.0f}", f"{max(r.megabytes for r in ran[precision]):.0f}")


def training(folder, options):
    weights = imported(folder)
    taps = vgg({name: w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w
                for name, w in load_file(weights).items()}, "torchvision")
    objectives = sorted((ROOT / "pipelines/objectives").glob("*.toml"))
    triplets_table(folder / "triplets.parquet")
    for side in map(int, options.sides.split(",")):
        a, b = pairs_table(folder / "pairs.parquet", side)
        inputs = {"pairs": folder / "pairs.parquet"}

        def ours_encoder(name, precision):
            to = folder / f"encoder-{side}-{name}"
            to.mkdir()
            return stage("train_encoder", inputs | {"triplets": folder / "triplets.parquet"}, {"model": to / "model"},
                         scratch=to, nf=ENCODER_NF, stop_steps=options.steps, max_side=0, precision=precision)

        ours_encoder("start", "fp32")
        start = load_file(folder / f"encoder-{side}-start/model/encoder.safetensors")
        peer = Peer({f"e.{name}": w for name, w in start.items()})
        of = [torch.arange(12) + by for by in range(3)]
        head(f"a step at {side} px", "images", "torch, s", "callsheet, s", "ratio", "torch, MB",
             "callsheet, MB")
        if "encoder" in options.training:
            turns(options, "encoder", 36, lambda _: encoder_step(peer, [b[rows % IMAGES] for rows in of]), ours_encoder)
        for name, objective, frozen in [("step_v4, frozen", "step_v4", True), ("step_v4, fine-tuned", "step_v4", False),
                                        ("munit_p_v1", "munit_p_v1", False)]:
            if not any(name.endswith(wanted) for wanted in options.training.split(",")):
                continue
            stage("resolve_objective", {"objectives": objectives}, {"objective": folder / "objective"}, name=objective,
                  freeze_encoder=frozen)

            def ours(number, precision):
                to = folder / f"{name}-{side}-{number}"
                to.mkdir()
                wired = {"vgg": weights, "objective": folder / "objective"}
                if objective == "step_v4":
                    wired["encoder"] = folder / f"encoder-{side}-start/model"
                return stage("train_generator", inputs | wired, {"model": to / "model"}, scratch=to, nf=NF,
                             encoder_nf=ENCODER_NF, batch=options.batch, crop=0, precision=precision,
                             stop_kimg=options.steps * options.batch / 1000)

            ours("start", "fp32")
            peer = Peer(load_file(folder / f"{name}-{side}-start/model/networks.safetensors"))
            rows = [torch.arange(options.batch) + n * options.batch for n in range(options.steps * 2)]
            of_step = [[(a[r % IMAGES], b[r % IMAGES]) for r in pair] for pair in zip(rows, rows[1:])]
            turns(options, name, options.batch * (2 if objective == "munit_p_v1" else 1),
                  lambda n: generator_step(peer, taps, objective, frozen, of_step[n]), ours)
