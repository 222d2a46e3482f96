"""Distances, compared with those of PyPI's lpips with equal weights."""

import io
import json
import tempfile
import unittest
import warnings
from pathlib import Path

import lpips
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from worker import ROOT, stage

FIXTURE = ROOT / "tests/fixtures/lpips.json"
NETWORKS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
FILES = {"alex": "alexnet.ckpt", "vgg": "vgg16.ckpt"}


def network(net, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lpips.LPIPS(net=net, version=version, pnet_rand=True, verbose=False).eval()


def convolutions(model):
    """Convolutions of the network in order; lpips has them in slices, under torchvision's names."""
    return [(name, layer) for name, layer in model.net.named_modules() if isinstance(layer, torch.nn.Conv2d)]


def waves(model):
    """Sets weights that are easy to reproduce: waves over the values of a kernel."""
    for n, (_, layer) in enumerate(convolutions(model)):
        k = np.arange(layer.weight.numel(), dtype=np.float64)
        scale = np.sqrt(4 / np.prod(layer.weight.shape[1:]))
        layer.weight.data = torch.from_numpy((scale * np.sin(0.37 * k + n)).astype(np.float32)).view_as(layer.weight)
        layer.bias.data = torch.from_numpy((0.1 * np.sin(k[: layer.bias.numel()] + n)).astype(np.float32))


def noise(seed, shape):
    k = np.arange(np.prod(shape), dtype=np.uint64) + np.uint64(seed * 1_000_003)
    return ((k * np.uint64(2_654_435_761) & np.uint64(0xFFFFFFFF)) >> np.uint64(24)).astype(np.uint8).reshape(shape)


def pictures(height, width):
    """Two pairs: noise with other noise, and noise with the mean of it and other noise."""
    shape = (2, 3, height, width)
    x, other = noise(0, shape), noise(1, shape)
    y = ((x.astype(np.uint16) + other) // 2).astype(np.uint8)
    y[0] = other[0]
    return x, y


def golden():
    found = {}
    for net in NETWORKS:
        for version in ["0.0", "0.1"]:
            model = network(net, version)
            waves(model)
            for height, width in [(64, 64), (72, 96)]:
                x, y = (torch.from_numpy(images).float() / 127.5 - 1 for images in pictures(height, width))
                with torch.inference_mode():
                    found[f"{net} {version} {height}x{width}"] = model(x, y).flatten().double().tolist()
    return found


def imported(folder, net, model):
    """Weights as import_weights writes them; waves for SqueezeNet, whose published weights are not fetched."""
    path = folder / net
    if net in FILES:
        stage("import_weights", {"weights": ROOT / "data/weights" / FILES[net]}, {"weights": path},
              network=NETWORKS[net])
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        kernels = [name for name in tensors if name.endswith(".weight")]
        for name, (_, layer) in zip(sorted(kernels), convolutions(model)):
            layer.weight.data, layer.bias.data = tensors[name], tensors[name.replace("weight", "bias")]
        return path
    waves(model)
    state = {}
    for name, layer in convolutions(model):
        number = {"0": "conv1"} | {str(at): f"fire{n}" for n, at in enumerate([3, 4, 6, 7, 9, 10, 11, 12], start=2)}
        slice_name, index, *part = name.split(".")
        state[".".join([number[index], *part, "weight"])] = layer.weight.data.contiguous()
        state[".".join([number[index], *part, "bias"])] = layer.bias.data
    origin = {"name": "squeezenet1_1", "convention": "torchvision", "source": "waves"}
    save_file(state, path, {"callsheet": json.dumps(origin)})
    return path


def smooth(random, side):
    small = Image.fromarray(random.integers(0, 255, (side // 8, side // 8, 3), dtype=np.uint8))
    return np.array(small.resize((side, side), Image.Resampling.BICUBIC))


def pairs(folder, side, count):
    """Writes a table of pairs; returns the halves of all pairs."""
    random = np.random.default_rng(side)
    a = [smooth(random, side) for _ in range(count)]
    b = [smooth(random, side) if n % 2 else np.clip(x + random.normal(0, 9, x.shape), 0, 255).astype(np.uint8)
         for n, x in enumerate(a)]
    columns = {"image_id": [f"{n:02}" for n in range(count)], "split": ["val"] * count}
    for name, images in [("a", a), ("b", b)]:
        rows = []
        for image in images:
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            rows.append({"bytes": file.getvalue(), "path": ""})
        columns[name] = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table(columns), folder / f"{side}.parquet")
    return np.stack(a), np.stack(b)


class Lpips(unittest.TestCase):
    def test_the_fixture_of_the_default_tests_is_lpips_s(self):
        kept = json.loads(FIXTURE.read_text())
        for name, values in golden().items():
            np.testing.assert_allclose(values, kept[name], rtol=1e-4, err_msg=name)

    def test_fifty_pairs_of_several_sizes_have_lpips_s_distances(self):
        folder = Path(tempfile.mkdtemp(prefix="callsheet-"))
        tables = {side: pairs(folder, side, count) for side, count in [(64, 20), (100, 20), (256, 10)]}
        for net in NETWORKS:
            for version in ["0.0", "0.1"]:
                model = network(net, version)
                trunk = imported(folder, net, model)
                for side, halves in tables.items():
                    inputs = {"pairs": folder / f"{side}.parquet", "trunk": trunk, "vgg": folder / "vgg",
                              "lpips_heads": ROOT / f"data/weights/lpips/v{version}/{net}.pth"}
                    if net == "alex" and not (folder / "vgg").exists():
                        imported(folder, "vgg", network("vgg", version))
                    out = folder / f"{net}-{version}-{side}"
                    stage("evaluate_baseline", inputs, {"reconstruction": out}, method="copy", crop=0, distance_side=0)
                    found = pq.read_table(out).sort_by("image_id")
                    a, b = (torch.from_numpy(half).permute(0, 3, 1, 2).float() / 127.5 - 1 for half in halves)
                    with torch.inference_mode():
                        wanted = model(a, b).flatten().numpy()
                    worst = np.abs(found["distance"].to_numpy() - wanted).max()
                    self.assertLess(worst, 1e-5, f"{net} {version} at {side} px")

    def test_psnr_and_ssim_are_scikit_image_s(self):
        folder = Path(tempfile.mkdtemp(prefix="callsheet-"))
        a, b = pairs(folder, 64, 12)
        for net in FILES:
            imported(folder, net, network(net, "0.1"))
        inputs = {"pairs": folder / "64.parquet", "trunk": folder / "alex", "vgg": folder / "vgg"}
        stage("evaluate_baseline", inputs, {"reconstruction": folder / "out"}, method="copy", crop=0)
        found = pq.read_table(folder / "out").sort_by("image_id").to_pylist()
        for row, x, y in zip(found, a, b):
            self.assertAlmostEqual(row["psnr"], peak_signal_noise_ratio(y, x, data_range=255), 9)
            wanted = structural_similarity(y, x, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                           use_sample_covariance=False, full=True)[1][5:-5, 5:-5].mean()
            self.assertAlmostEqual(row["ssim"], wanted, 6)


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(golden(), indent=1) + "\n")
