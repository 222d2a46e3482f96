"""Training in bf16: its losses are those of float32."""

import json
import tempfile
import unittest
from pathlib import Path
from statistics import mean

import torch
from safetensors.torch import load_file

import test_training
from terms import gradients
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
# Rounding may move an activation across the kink of a ReLU, which turns gradients: by how much depends on the start.
STARTS = range(3)
# Difference of cosines that is left to chance.
CHANCE = 0.002


def cosine(a, b):
    return (a @ b / (a.norm() * b.norm())).item()


def vector(state, prefix):
    """The tensors of a state whose names begin with `prefix`, as one vector."""
    return torch.cat([state[name].double().flatten() for name in sorted(state) if name.startswith(prefix)])


def cosines_of_torch(start, made, seed):
    """Cosines between torch's own gradients under bfloat16 and in float32, of the same weights and images."""
    a, b = (image.float() for image in test_training.images(made))
    noise = torch.randn(3, len(a), 8, generator=torch.Generator().manual_seed(seed))
    weights, imported = load_file(start / "networks.safetensors"), load_file(made / "vgg")
    exact, rough = (gradients(weights, imported, a, b, noise, TERMS, bf16) for bf16 in (False, True))
    return {key: cosine(exact[key], rough[key]) for key in exact}


@unittest.skipUnless(has_bf16(), "this CPU has no instructions for bfloat16")
class Bf16(unittest.TestCase):
    def test_the_gradient_of_every_term_turns_no_farther_from_that_of_float32_than_in_torch(self):
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
                stage("resolve_objective", {"objectives": [alone]}, {"objective": to / "objective"}, name="alone")
                inputs |= {"pairs": made / "pairs.parquet", "vgg": made / "vgg", "objective": to / "objective"}
                stage("train_generator", inputs, {"model": to / "model"}, scratch=to, nf=NF, encoder_nf=2 * NF, batch=2,
                      select_images=0, **params)
                return load_file(max(to.glob("step-*.safetensors")))

            for seed in STARTS:
                train(alone, f"start-{seed}", stop_kimg=WARM_UP, seed=seed)
                start = folder / f"start-{seed}/model"
                exact, rough = (train(alone, f"{precision}-{seed}", stop_kimg=0.002, generator=start, precision=precision,
                                      seed=seed) for precision in ("fp32", "bf16"))
                ours = {(term, network): cosine(*(vector(state, f"adam.{term}.{network[0]}.m.") for state in (exact, rough)))
                        for term, updates in TERMS.items() for network in updates}
                theirs = cosines_of_torch(start, made, seed)
                print(f"start {seed}, cosines of ours and of torch's:",
                      "; ".join(f"{' of '.join(key)} {ours[key]:.4f} {theirs[key]:.4f}" for key in ours))
                farther = [key for key in ours if ours[key] < theirs[key] - CHANCE]
                if not farther:
                    return
        self.fail(f"for no start is every gradient as near as in torch; of the last these are not: {farther}")

    def test_mean_losses_over_200_steps_and_three_seeds_lie_within_the_spread_of_those_seeds_in_float32(self):
        made = test_training.folder(0, pairs=IMAGES)
        with tempfile.TemporaryDirectory() as own:

            def losses(precision, seed):
                to = Path(own) / f"{precision}-{seed}"
                to.mkdir()
                inputs = {"pairs": made / "pairs.parquet", "vgg": made / "vgg", "objective": objective}
                ran = stage("train_generator", inputs, {"model": to / "model"}, scratch=to, nf=16, encoder_nf=16,
                            select_images=0, batch=BATCH, stop_kimg=STEPS * BATCH / 1000, precision=precision, seed=seed)
                return {name: mean(values) for name, values in ran.history.items() if name.startswith("loss/")}

            text = (test_training.ROOT / "pipelines/objectives/step_v4.toml").read_text()
            plain, objective = Path(own) / "plain.toml", Path(own) / "objective"
            plain.write_text(text.replace("pretrained", "scratch"))
            stage("resolve_objective", {"objectives": [plain]}, {"objective": objective}, name="plain")
            exact, rough = ([losses(precision, seed) for seed in SEEDS] for precision in ("fp32", "bf16"))
        for name in rough[0]:
            found = [means[name] for means in exact]
            # Seed by seed, as seeds lie farther apart than precisions.
            off = mean(means[name] for means in rough) - mean(found)
            print(f"{name}: bf16 is off by {off:.4f}, fp32 from {min(found):.4f} to {max(found):.4f}")
            # Half of the range of three seeds is smaller than the deviation that another three seeds would have.
            self.assertLess(abs(off), max(found) - min(found), name)


if __name__ == "__main__":
    unittest.main()
