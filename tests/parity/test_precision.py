"""Training in bf16: its losses are those of float32."""

import json
import tempfile
import unittest
from pathlib import Path
from statistics import mean

import torch
from safetensors.torch import load_file

import test_training
from worker import has_bf16, stage

STEPS, BATCH, IMAGES = 200, 1, 8
# Of gradients: the paper's width. Narrow networks, whose few channels may each be nearly constant, round more.
NF, SIDE, WARM_UP = 32, 128, 0.02
G, E, D = ["generator", "encoder"], ["encoder"], ["discriminator"]
TERMS = {
    "perceptual": G, "l1": G, "mse": G, "cycle": G, "kl": E, "code_l2": E, "random_code": ["generator"],
    "swap_code": ["generator"], "gan_reconstruction": G, "gan_swap": G, "gan_random": ["generator"], "real": D,
    "fake_reconstruction": D, "fake_swap": D, "fake_random": D,
}
SEEDS = (0, 1, 2)
# Rounding may move an activation across the kink of a ReLU, which turns gradients; for some starts none is so near.
STARTS = range(5)


def cosine(exact, rough, prefix):
    """Cosine between two states' tensors whose names begin with `prefix`."""
    names = sorted(name for name in exact if name.startswith(prefix))
    a, b = (torch.cat([found[name].double().flatten() for name in names]) for found in (exact, rough))
    return (a @ b / (a.norm() * b.norm())).item()


@unittest.skipUnless(has_bf16(), "this CPU has no instructions for bfloat16")
class Bf16(unittest.TestCase):
    def test_the_gradient_of_every_term_points_where_that_of_float32_does(self):
        made = test_training.folder(0, pairs=2, side=SIDE)
        with tempfile.TemporaryDirectory() as own:
            folder = Path(own)
            # An optimizer for each term, all of one forward pass: their first moments are the terms' gradients.
            lines = ['summary = "Every term alone"', 'encoder = "scratch"', "variational = true"]
            for term, updates in TERMS.items():
                lines += [f"[optimizers.{term}]", f"updates = {json.dumps(updates)}", f"terms = {{ {term} = 1.0 }}"]
            alone = folder / "alone.toml"
            alone.write_text("\n".join(lines))

            def train(objective, name, **params):
                to = folder / name
                to.mkdir()
                inputs = {name: params.pop(name) for name in ("generator",) if name in params}
                stage("read_objective", {"objectives": [alone]}, {"objective": to / "objective"}, name="alone")
                inputs |= {"pairs": made / "pairs.parquet", "vgg": made / "vgg", "objective": to / "objective"}
                stage("train_generator", inputs, {"model": to / "model"}, scratch=to, nf=NF, encoder_nf=2 * NF, batch=2,
                      held_out=0, **params)
                return load_file(max(to.glob("step-*.safetensors")))

            for seed in STARTS:
                train(alone, f"start-{seed}", stop_kimg=WARM_UP, seed=seed)
                start = folder / f"start-{seed}/model"
                exact, rough = (train(alone, f"{precision}-{seed}", stop_kimg=0.002, generator=start, precision=precision,
                                      seed=seed) for precision in ("fp32", "bf16"))
                found = {f"{term}, {network}": cosine(exact, rough, f"adam.{term}.{network[0]}.m.")
                         for term, updates in TERMS.items() for network in updates}
                print(f"seed {seed}: " + ", ".join(f"{name}: {value:.4f}" for name, value in found.items()))
                if min(found.values()) > 0.99:
                    return
        self.fail(f"of no seed is every cosine above 0.99; of the last: {found}")

    def test_mean_losses_over_200_steps_and_three_seeds_lie_within_the_spread_of_those_seeds_in_float32(self):
        made = test_training.folder(0, pairs=IMAGES)
        with tempfile.TemporaryDirectory() as own:

            def losses(precision, seed):
                to = Path(own) / f"{precision}-{seed}"
                to.mkdir()
                inputs = {"pairs": made / "pairs.parquet", "vgg": made / "vgg", "objective": objective}
                ran = stage("train_generator", inputs, {"model": to / "model"}, scratch=to, nf=16, encoder_nf=16,
                            held_out=0, batch=BATCH, stop_kimg=STEPS * BATCH / 1000, precision=precision, seed=seed)
                return {name: mean(values) for name, values in ran.history.items() if name.startswith("loss/")}

            text = (test_training.ROOT / "pipelines/objectives/step_v4.toml").read_text()
            plain, objective = Path(own) / "plain.toml", Path(own) / "objective"
            plain.write_text(text.replace("pretrained", "scratch"))
            stage("read_objective", {"objectives": [plain]}, {"objective": objective}, name="plain")
            exact, rough = ([losses(precision, seed) for seed in SEEDS] for precision in ("fp32", "bf16"))
        for name in rough[0]:
            found = [means[name] for means in exact]
            # Seed by seed, as seeds lie farther apart than precisions.
            off = mean(means[name] for means in rough) - mean(found)
            print(f"{name}: bf16 is off by {off:.4f}, fp32 from {min(found):.4f} to {max(found):.4f}")
            self.assertLess(abs(off), (max(found) - min(found)) / 2, name)


if __name__ == "__main__":
    unittest.main()
