"""Steps of training beside torch eager: the same networks, losses and updates, both channels last."""

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
from networks import Weights, code, discriminator, encoder, generator, least_squares, perceptual
from style import imported
from worker import ROOT, stage, vgg

NF, ENCODER_NF = 32, 64
IMAGES = 24


def pairs_table(path, side):
    """Pairs of smooth noise; returns their halves in [-1, 1]."""
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


class Peer:
    """Weights, and an Adam for each network of each optimizer."""

    def __init__(self, weights):
        def last(w):
            return w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w

        self.weights = {name: last(w).requires_grad_() for name, w in weights.items()}
        self.adams = {}

    def update(self, totals):
        """All gradients come from one forward pass; then everything is updated."""
        gradients = {}
        for optimizer, (total, networks, rate) in totals.items():
            names = [name for name in self.weights if name.startswith(networks)]
            found = torch.autograd.grad(total, [self.weights[name] for name in names], retain_graph=True)
            gradients[optimizer] = (names, found, rate)
        for optimizer, (names, found, rate) in gradients.items():
            tensors = [self.weights[name] for name in names]
            if optimizer not in self.adams:
                self.adams[optimizer] = torch.optim.Adam(tensors, lr=rate, betas=(0.0, 0.99))
            for tensor, gradient in zip(tensors, found):
                tensor.grad = gradient
            self.adams[optimizer].step()


def generator_step(peer, taps, objective, frozen, batches):
    e, g, d = (Weights(peer.weights, prefix) for prefix in ("e.", "g.", "d."))
    perceptuals, reals, fakes, gan, gan2, codes, divergences = ([] for _ in range(7))
    pair = objective == "munit_p_v1"
    batches = batches if pair else batches[:1]
    if pair:
        heads = [encoder(e, b) for _, b in batches]
        z = [mean + torch.randn_like(mean) * torch.exp(0.5 * logvar) for mean, logvar in heads]
        divergences = [0.5 * (m.square() + v.exp() - 1 - v).sum() for m, v in heads]
    else:
        with torch.set_grad_enabled(not frozen):
            z = [code(encoder(e, b)) for _, b in batches]
    r = torch.randn_like(z[0])
    for n, (a, b) in enumerate(batches):
        outputs = [generator(g, a, z[n])]
        perceptuals.append(perceptual(taps, outputs[0], b))
        if pair:
            outputs.append(generator(g, a, r))
            codes.append((encoder(e, outputs[1])[0] - r).abs().mean())
        for output, terms in zip(outputs, (gan, gan2)):
            judged = discriminator(d, output, a)
            terms.append(least_squares(judged, 1))
            fakes.append(least_squares(judged, 0))
        reals.append(least_squares(discriminator(d, b, a), 1))
    if pair:
        swapped = [generator(g, batches[n][0], z[1 - n]) for n in range(2)]
        for n in range(2):
            mean, logvar = encoder(e, swapped[1 - n])
            again = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
            perceptuals.append(perceptual(taps, generator(g, batches[n][0], again), batches[n][1]))
    g1 = 0.02 * sum(perceptuals) + sum(gan) / (len(gan) + 1) + 0.01 * sum(divergences)
    totals = {"g1": (g1, ("g.",) if frozen else ("g.", "e."), 0.001)}
    if pair:
        totals["g2"] = (sum(gan2) / (len(gan2) + 1) + 10 * sum(codes), ("g.",), 0.0001)
    totals["d"] = (sum(reals) / (len(reals) + 1) + sum(fakes) / (len(fakes) + 1), ("d.",), 0.001)
    peer.update(totals)


def encoder_step(peer, images):
    e = Weights(peer.weights, "e.")
    za, zp, zn = (code(encoder(e, x)) for x in images)
    hinge = ((za - zp).square().sum(1) - (za - zn).square().sum(1) + 0.1).clamp_min(0).mean()
    peer.update({"e": (hinge + 0.01 * sum(z.square().mean() for z in (za, zp, zn)), ("e.",), 0.001)})


def peak():
    """Most of the memory of this process, in MB, since `forget_peak`."""
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
    """The median time of a step, by when each was said to be done."""
    return statistics.median(after - before for before, after in zip(ran.progress[1:], ran.progress[2:]))


def turns(options, name, images, theirs, ours):
    """Both in turns; a row for each precision of ours, which is told the number of its turn."""
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
        head(f"a step at {side} px", "images", "torch, s", "ours, s", "ratio", "torch, MB", "ours, MB")
        if "encoder" in options.training:
            turns(options, "encoder", 36, lambda _: encoder_step(peer, [b[rows % IMAGES] for rows in of]), ours_encoder)
        for name, objective, frozen in [("step_v4, frozen", "step_v4", True), ("step_v4, fine-tuned", "step_v4", False),
                                        ("munit_p_v1", "munit_p_v1", False)]:
            if not any(name.endswith(wanted) for wanted in options.training.split(",")):
                continue
            stage("read_objective", {"objectives": objectives}, {"objective": folder / "objective"}, name=objective,
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
