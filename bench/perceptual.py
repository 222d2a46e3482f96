"""Compares LPIPS with PyPI's lpips, for pairs of files and for the diversity protocol."""

import statistics
import subprocess
import warnings

import lpips
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors import safe_open

from measure import head, ratio, row, smooth, timed
from training import pairs_table
from worker import ROOT, stage

NETWORKS = {"alex": ("alexnet", "alexnet.ckpt"), "vgg": ("vgg16", "vgg16.ckpt")}
BATCH, SIDE = 16, 256
CONTENTS, STYLES = 100, 16


def imported(folder, net):
    path = folder / f"{net}.safetensors"
    network, file = NETWORKS[net]
    stage("import_weights", {"weights": ROOT / "data/weights" / file}, {"weights": path}, network=network)
    return path


def peer(folder, net):
    """Returns the model of lpips with callsheet's weights, channels last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    with safe_open(imported(folder, net), "pt") as file:
        kernels = sorted(name for name in file.keys() if name.endswith(".weight"))
        layers = [layer for _, layer in model.net.named_modules() if isinstance(layer, torch.nn.Conv2d)]
        for name, layer in zip(kernels, layers):
            layer.weight.data, layer.bias.data = file.get_tensor(name), file.get_tensor(name.replace("weight", "bias"))
    return model.to(memory_format=torch.channels_last)


def of_files(paths):
    pixels = [torch.from_numpy(np.array(Image.open(path))) for path in paths]
    return (torch.stack(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1)


def perceptual(folder, options):
    random = np.random.default_rng(0)
    folders = [folder / half for half in "ab"]
    for half in folders:
        half.mkdir()
        for n in range(options.images):
            smooth(random, SIDE, SIDE).save(half / f"{n:04}.png", compress_level=1)
    files = [sorted(half.iterdir()) for half in folders]
    head(f"LPIPS of {options.images} pairs of files, {SIDE} px", "lpips, s", "callsheet measure, s", "ratio")
    for net in options.networks.split(","):
        model = peer(folder, net)

        def theirs():
            with torch.inference_mode():
                for at in range(0, options.images, BATCH):
                    model(*(of_files(half[at:at + BATCH]) for half in files)).tolist()

        command = [ROOT / "target/release/callsheet", "measure", *folders, "--lpips", "--json", "--network", net]
        others, ours = [], []
        for _ in range(options.rounds):
            others.append(timed(theirs))
            ours.append(timed(lambda: subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)))
        row(net, f"{statistics.median(others):.2f}", f"{statistics.median(ours):.2f}", ratio(others, ours))
    if options.diversity:
        diversity(folder, options)


def diversity(folder, options):
    """Compares complete processes of callsheet with only the distances of lpips: a tenth of the pairs, times ten."""
    random = np.random.default_rng(1)
    for content in range(CONTENTS):
        outputs = folder / "outputs" / f"{content:03}"
        outputs.mkdir(parents=True)
        for style in range(STYLES):
            smooth(random, SIDE, SIDE).save(outputs / f"{style:02}.png", compress_level=1)
    inputs = made_for_diversity(folder)
    model = peer(folder, "alex")
    pairs = [(i, j) for i in range(STYLES) for j in range(i)]

    def theirs():
        with torch.inference_mode():
            for outputs in sorted((folder / "outputs").iterdir())[:CONTENTS // 10]:
                outputs = of_files(sorted(outputs.iterdir()))
                for at in range(0, len(pairs), BATCH):
                    x, y = zip(*pairs[at:at + BATCH])
                    model(outputs[list(x)], outputs[list(y)]).tolist()

    command = [ROOT / "target/release/callsheet", "measure", folder / "outputs", "--json"]
    ours = {
        "callsheet measure": lambda turn: subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True),
        "evaluate_diversity, including the computation of the outputs (nf 4)": lambda turn: stage(
            "evaluate_diversity", inputs, {"diversity": folder / f"diversity-{turn}"}),
    }
    head(f"{CONTENTS * len(pairs)} pairs of {CONTENTS * STYLES} outputs, {SIDE} px", "lpips, s", "callsheet, s",
         "ratio")
    others, times = [], {name: [] for name in ours}
    for turn in range(options.rounds):
        others.append(10 * timed(theirs))
        for name, run in ours.items():
            times[name].append(timed(lambda: run(turn)))
    for name, times in times.items():
        row(name, f"{statistics.median(others):.1f}", f"{statistics.median(times):.1f}", ratio(others, times))


def made_for_diversity(folder):
    """Returns the inputs of the stage evaluate_diversity, with a narrow generator."""
    pairs_table(folder / "train.parquet", SIDE)
    objectives = sorted((ROOT / "pipelines/objectives").glob("*.toml"))
    stage("resolve_objective", {"objectives": objectives}, {"objective": folder / "objective"}, name="munit_p_v3")
    wired = {"pairs": folder / "train.parquet", "vgg": imported(folder, "vgg"), "objective": folder / "objective"}
    (folder / "scratch").mkdir()
    stage("train_generator", wired, {"model": folder / "model"}, scratch=folder / "scratch", nf=4, encoder_nf=4, batch=1,
          crop=0, stop_kimg=0.001, select_images=0)
    val_table(folder / "val.parquet")
    return {"pairs": folder / "val.parquet", "trunk": imported(folder, "alex"), "model": folder / "model",
            "lpips_heads": ROOT / "data/weights/lpips/v0.1/alex.pth"}


def val_table(path):
    """Writes one validation pair for each content."""
    pairs_table(path, SIDE)
    table = pq.read_table(path)
    count = CONTENTS // table.num_rows + 1
    table = pa.concat_tables([table] * count).slice(0, CONTENTS)
    ids = pa.array([f"{n:03}" for n in range(CONTENTS)])
    for name, values in [("image_id", ids), ("frame_id", ids), ("split", pa.array(["val"] * CONTENTS))]:
        table = table.set_column(table.schema.get_field_index(name), name, values)
    pq.write_table(table, path)
