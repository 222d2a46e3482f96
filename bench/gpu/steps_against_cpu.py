"""Compares one training step on the device with the same step on the CPU: losses and gradients."""

import json
import tempfile
import tomllib
from pathlib import Path

import torch

from engine import artifact, require, succeed
from inputs import project
from tensors import load
from worker import ROOT, has_bf16, stage

OBJECTIVES = ("step_v4", "munit_p_v1", "bicyclegan_v1")
# Sides of images for float32 and bfloat16. In bfloat16, narrow networks and few pixels have larger rounding errors.
SIDE, LARGE = 64, 128
# Rounding may move an activation across the kink of a ReLU, which changes gradients; with some seeds none is near it.
SEEDS = range(5)
# Pairs of a network and a term of its optimizer that does not depend on the network.
INDEPENDENT = {("generator", "kl"), ("generator", "code_l2")}
TOLERANCE, COSINE = 1e-4, 0.99


def tables(machine, folder, side, **count):
    """Returns image pairs and weights of VGG-16, computed by the pipeline's stages."""
    folder.mkdir()
    folder = project(folder, machine.worker, side, **count)
    succeed(folder, machine, "pair_images", "import_weights")
    return {"pairs": artifact(folder, "pair_images.pairs"), "vgg": artifact(folder, "import_weights.weights")}


def objective(name, folder, terms_alone=False):
    """Returns an objective whose encoder starts from scratch, so that no pre-trained encoder is needed.

    With `terms_alone` each term has its own optimizer, whose first moments are the term's gradient."""
    text = (ROOT / f"pipelines/objectives/{name}.toml").read_text().replace('"pretrained"', '"scratch"')
    if terms_alone:
        declared = tomllib.loads(text)
        lines = [f"{key} = {json.dumps(value)}" for key, value in declared.items() if key != "optimizers"]
        for optimizer in declared["optimizers"].values():
            for term in optimizer["terms"]:
                updates = [name for name in optimizer["updates"] if (name, term) not in INDEPENDENT]
                lines.append(f"[optimizers.{term}]\nupdates = {json.dumps(updates)}\nterms = {{ {term} = 1.0 }}")
        text = "\n".join(lines)
    (folder / "objective.toml").write_text(text)
    stage("resolve_objective", {"objectives": [folder / "objective.toml"]}, {"objective": folder / "read"}, name="objective")
    return folder / "read"


def train(folder, inputs, /, nf=8, encoder_nf=8, batch=2, **params):
    folder.mkdir()
    ran = stage("train_generator", inputs, {"model": folder / "model"}, scratch=folder, nf=nf, encoder_nf=encoder_nf,
                batch=batch, select_images=0, crop=0, **params)
    losses = {name: value for name, value in ran.metrics.items() if name.startswith("loss/")}
    return losses, load(max(folder.glob("step-*.safetensors")))


def gradients(checkpoint):
    """Returns Adam's first moments after one step, by optimizer and network. They are proportional to the gradients."""
    found = {}
    for name in sorted(checkpoint):
        if name.startswith("adam.") and ".m." in name:
            optimizer, network = name.split(".")[1:3]
            found.setdefault(f"{optimizer}, {network}", []).append(checkpoint[name].double().flatten())
    return {name: torch.cat(parts) for name, parts in found.items()}


def differences(exact, other):
    """Returns the largest relative differences of losses and gradients, and the cosine of each gradient."""
    losses = max(abs(other[0][name] - value) / max(abs(value), 1e-6) for name, value in exact[0].items())
    both = gradients(exact[1]), gradients(other[1])
    pairs = {name: (a, both[1][name]) for name, a in both[0].items() if a.norm() > 0}
    require(pairs, "the step has no gradients")
    return {
        "losses": losses,
        "gradients": max(((a - b).norm() / a.norm()).item() for a, b in pairs.values()),
        "cosines": {name: (a @ b / (a.norm() * b.norm())).item() for name, (a, b) in pairs.items()},
    }


def of_step(machine, folder, inputs, precision, warm_up, batch=2, **params):
    """Returns the differences between a step on the device and on the CPU, after `warm_up` steps of the device."""
    folder.mkdir()
    params |= {"batch": batch}
    train(folder / "start", inputs, stop_kimg=warm_up * batch / 1000, device=machine.device, **params)
    inputs, params = inputs | {"generator": folder / "start/model"}, params | {"stop_kimg": batch / 1000}
    params["precision"] = precision
    exact = train(folder / "cpu", inputs, device="cpu", **params)
    # Without a GPU, a computation with one thread replaces it, because its sums are rounded in another order.
    other = {"device": machine.device} | ({} if machine.has_gpu else {"cpus": 1})
    return differences(exact, train(folder / "device", inputs, **other, **params))


def agree(found, precision):
    """Returns True if a step's differences are within the tolerance of its number format."""
    if precision == "bf16":
        return all(cosine >= COSINE for cosine in found["cosines"].values())
    return max(found["losses"], found["gradients"]) <= TOLERANCE


def first_that_agrees(machine, folder, inputs, precision, warm_up, **params):
    """Returns the differences for the first seed whose step agrees, or else for the last seed."""
    for seed in SEEDS:
        found = of_step(machine, folder / f"{precision}-{seed}", inputs, precision, warm_up, seed=seed, **params)
        if agree(found, precision) or machine.seconds_left() < 0:
            break
    return found | {"seed": seed}


def steps_against_cpu(machine):
    """Checks that losses and gradients of one step agree with the CPU: 1e-4 in fp32, a cosine of 0.99 in bf16.

    tests/parity/test_precision.py compares bf16 with float32, without a GPU."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        small, large = (tables(machine, Path(name) / str(side), side) for side in (SIDE, LARGE))
        for objective_name in OBJECTIVES:
            own = Path(name) / objective_name
            own.mkdir()
            read = {"objective": objective(objective_name, own, terms_alone=True)}
            found = figures[objective_name] = {"fp32": first_that_agrees(machine, own, small | read, "fp32", 4)}
            if has_bf16():  # if bf16 is emulated, the step on the CPU takes hours
                wide = {"nf": 32, "encoder_nf": 64}
                found["bf16"] = first_that_agrees(machine, own, large | read, "bf16", 10, **wide)
            machine.note(f"{objective_name}: {found}")
    for objective_name, found in figures.items():
        for precision, differences_found in found.items():
            require(agree(differences_found, precision), f"{objective_name}, {precision}: {differences_found}")
    return figures
