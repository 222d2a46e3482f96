"""One training step, compared with torch: every term of the loss, and every gradient."""

import io
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load_file

sys.path.append(str(Path(__file__).parent))
import bicyclegan  # noqa: E402
from networks import Weights, code, discriminator, encoder, generator, least_squares, perceptual  # noqa: E402
from worker import ROOT, stage, vgg  # noqa: E402

SIDE = 64
# Side for BicycleGAN's networks: at this side its U-Net has no dropout.
SMALL_SIDE = 32
# If rounding moves an activation across the kink of a ReLU, gradients differ by a thousandth. In some of these pairs
# of images, no activation is near a kink.
SEEDS = range(24)
SIZES = {"nf": 8, "encoder_nf": 8}
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@cache
def folder(seed, pairs=1, side=SIDE, start="bicyclegan_v3"):
    """Folder with as many image pairs as a batch has, so that every batch has all of them, and initial weights."""
    made = Path(tempfile.mkdtemp(prefix="callsheet-"))
    random = np.random.default_rng(seed)
    halves = {"a": [], "b": []}
    for pictures in halves.values():
        for number in range(pairs):
            file = io.BytesIO()
            small = Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8))
            small.resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
            pictures.append({"bytes": file.getvalue(), "path": f"{number}.png"})
    ids = [str(number) for number in range(pairs)]
    columns = {"image_id": ids, "frame_id": ids, "split": ["train"] * pairs}
    images = {half: pa.array(pictures, IMAGE) for half, pictures in halves.items()}
    pq.write_table(pa.table(columns | images), made / "pairs.parquet")
    stage("import_weights", {"weights": ROOT / "data/weights/vgg16.ckpt"}, {"weights": made / "vgg"})
    train(start, made / "start", made)
    return made


def train(objective, to, folder, /, **inputs):
    """Trains one step for an objective, a name or a file; returns the metrics and the checkpoint after it."""
    to.mkdir()
    files = sorted((ROOT / "pipelines/objectives").glob("*.toml"))
    files, name = ([objective], objective.stem) if isinstance(objective, Path) else (files, objective)
    stage("resolve_objective", {"objectives": files}, {"objective": to / "objective"}, name=name)
    inputs |= {"pairs": folder / "pairs.parquet", "vgg": folder / "vgg", "objective": to / "objective"}
    batch = pq.read_metadata(folder / "pairs.parquet").num_rows
    small = {"scales": 1} if isinstance(objective, Path) else {}
    ran = stage("train_generator", inputs, {"model": to / "model"}, scratch=to, batch=batch, stop_kimg=batch / 1000,
                **SIZES, **small)
    return ran.metrics, load_file(max(to.glob("step-*.safetensors")))


def images(made):
    rows = pq.read_table(made / "pairs.parquet").to_pylist()
    for half in "ab":
        pixels = [np.array(Image.open(io.BytesIO(row[half]["bytes"]))) for row in rows]
        yield torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).double() / 127.5 - 1


def terms(weights, objective, made):
    """Losses by optimizer and by term, as in the paper's program; both batches consist of the same pairs."""
    e, g, d = (Weights(weights, prefix) for prefix in ("e.", "g.", "d."))
    a, b = images(made)
    network = vgg({name: tensor.double() for name, tensor in load_file(made / "vgg").items()}, "torchvision")
    taps = lambda image: network(image, torch.float64)  # noqa: E731
    crossed = objective in ("step_v1", "step_v2", "munit_p_v3", "bicyclegan_v3")
    batches = 2 if crossed else 1
    z = code(encoder(e, b))
    y = generator(g, a, z)
    judged = discriminator(d, y, a)
    found = {
        "perceptual": perceptual(taps, y, b),
        "gan_reconstruction": least_squares(judged, 1),
        "real": least_squares(discriminator(d, b, a), 1),
        "fake_reconstruction": least_squares(judged, 0),
    }
    fakes = batches * found["fake_reconstruction"]
    g1 = batches * 0.02 * found["perceptual"] + batches * found["gan_reconstruction"] / (batches + 1)
    totals = {}
    if objective != "step_v4":
        found["code_l2"] = z.square().mean()
        g1 = g1 + batches * 0.01 * found["code_l2"]
    if crossed:
        # If the pairs are equal, the swapped image is the reconstruction, and the cycle reconstructs it again.
        again = code(encoder(e, y))
        found["gan_swap"], found["fake_swap"] = found["gan_reconstruction"], found["fake_reconstruction"]
        found["swap_code"] = (again - z).abs().mean()
        totals["g2"] = 2 * found["gan_swap"] / 3 + 10 * 2 * found["swap_code"]
        fakes = fakes + 2 * found["fake_swap"]
        if objective in ("step_v1", "munit_p_v3"):
            found["cycle"] = perceptual(taps, generator(g, a, again), b)
            g1 = g1 + 2 * 0.02 * found["cycle"]
    count = batches * (2 if crossed else 1)
    totals["d"] = batches * found["real"] / (batches + 1) + fakes / (count + 1)
    return totals | {"g1": g1}, found


# An objective for BicycleGAN's networks without random codes.
BICYCLEGAN = """
networks = "bicyclegan"
encoder = "scratch"
gan_mean = "sum"
[optimizers.g1]
updates = ["generator", "encoder"]
betas = [0.0, 0.99]
terms = { l1 = 10.0, gan_reconstruction = 1.0, code_l2 = 0.01 }
[optimizers.d]
updates = ["discriminator"]
betas = [0.0, 0.99]
terms = { real = 1.0, fake_reconstruction = 1.0 }
"""


def bicyclegan_terms(weights, _, made):
    e, g, d = (Weights(weights, prefix) for prefix in ("e.", "g.", "d."))
    a, b = images(made)
    z = code(bicyclegan.encoder(e, b))
    y = bicyclegan.generator(g, a, z)
    judged = bicyclegan.discriminator(d, y, a)
    found = {
        "l1": (y - b).abs().mean(),
        "gan_reconstruction": least_squares(judged, 1),
        "code_l2": z.square().mean(),
        "real": least_squares(bicyclegan.discriminator(d, b, a), 1),
        "fake_reconstruction": least_squares(judged, 0),
    }
    g1 = 10 * found["l1"] + found["gan_reconstruction"] + 0.01 * found["code_l2"]
    return {"g1": g1, "d": found["real"] + found["fake_reconstruction"]}, found


def farthest(objective, made, terms=terms):
    """Largest deviation of a step's gradients from torch's, divided by the allowed one; the losses must agree."""
    start = made / "start/model"
    to = Path(tempfile.mkdtemp(dir=made)) / "trained"
    metrics, saved = train(objective, to, made, generator=start)
    weights = load_file(start / "networks.safetensors")
    weights = {name: w.double().requires_grad_() for name, w in weights.items()}
    totals, found = terms(weights, objective, made)
    for name, value in (found | {f"total_{name}": total for name, total in totals.items()}).items():
        assert abs(metrics[f"loss/{name}"] / value.item() - 1) < 1e-4, name
    worst = 0
    for optimizer, total in totals.items():
        for network in {"g1": "ge", "g2": "g", "d": "d"}[optimizer]:
            # With beta1 = 0, Adam's first moments are the gradients.
            before = f"adam.{optimizer}.{network}.m."
            ours = {name.removeprefix(before): m for name, m in saved.items() if name.startswith(before)}
            assert set(ours) == {name for name in weights if name.startswith(f"{network}.")}, optimizer
            wanted = torch.autograd.grad(total, [weights[name] for name in ours], retain_graph=True)
            whole = torch.cat([w.flatten() for w in wanted]).norm()
            for gradient, theirs in zip(ours.values(), wanted):
                # The gradient of a bias before an instance norm is 0 up to rounding.
                allowed = 1e-4 * theirs.norm() + 3e-6 * whole
                worst = max(worst, ((gradient.double() - theirs).norm() / allowed).item())
    return worst


class Steps(unittest.TestCase):
    def check(self, objective, allowed=1, terms=terms, **of):
        tried = []
        for seed in SEEDS:
            tried.append(farthest(objective, folder(seed, **of), terms))
            if tried[-1] < allowed:
                return
        self.fail(f"gradients deviate by {tried} times the allowed deviation")

    def test_step_v4(self):
        self.check("step_v4")

    def test_step_v3(self):
        self.check("step_v3")

    def test_step_v2_which_is_bicyclegan_v3(self):
        self.check("step_v2")

    def test_step_v1_which_is_munit_p_v3(self):
        # A cycle passes through the networks twice, and so past twice as many kinks.
        self.check("step_v1", allowed=10)

    def test_a_batch_of_two_whose_deviation_the_discriminator_sees(self):
        # Two images pass twice as many kinks as one.
        self.check("step_v4", allowed=10, pairs=2)

    def test_the_networks_of_bicyclegan(self):
        with tempfile.TemporaryDirectory() as own:
            objective = Path(own) / "plain.toml"
            objective.write_text(f'summary = "BicycleGAN, nothing drawn"\n{BICYCLEGAN}')
            self.check(objective, terms=bicyclegan_terms, side=SMALL_SIDE, start=objective)


if __name__ == "__main__":
    unittest.main()
