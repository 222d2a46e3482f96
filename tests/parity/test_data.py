"""Images compared with Pillow, and weights with torch, NumPy and h5py."""

import io
import sys
import tempfile
import unittest
from collections import OrderedDict
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load_file

sys.path.append(str(Path(__file__).parent))
from worker import stage  # noqa: E402

VGG = {"vgg16": [2, 2, 3, 3, 3], "vgg19": [2, 2, 4, 4, 4]}
WIDTHS = [64, 128, 256, 512, 512]


def images(folder, count=6, **how):
    """Writes JPEG files of smooth noise, twice as wide as high."""
    random = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 255, (16, 32, 3), dtype=np.uint8))
        picture = small.resize((512, 256), Image.Resampling.BICUBIC)
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{number}.jpg", **how)


def split(folder, files):
    """Halves of files from the stage split_pairs, as arrays."""
    listed = folder / "images.parquet"
    names = [file.name for file in files]
    import pyarrow as pa

    pq.write_table(pa.table({"image_id": names, "file": names, "split": ["train"] * len(names),
                             "for_style": [True] * len(names)}), listed)
    stage("split_pairs", {"images": listed, "files": files}, {"pairs": folder / "pairs"})
    halves = {}
    for part in sorted((folder / "pairs").glob("*.parquet")):
        for row in pq.read_table(part).to_pylist():
            halves[row["image_id"]] = [np.array(Image.open(io.BytesIO(row[half]["bytes"]))) for half in "ab"]
    return halves


class Images(unittest.TestCase):
    def compare(self, convert=None, **how):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            images(folder / "raw", **how)
            files = sorted((folder / "raw").glob("*.jpg"))
            if convert:
                files = [convert(file) for file in files]
            for name, (a, b) in split(folder, files).items():
                wanted = np.array(Image.open(folder / "raw" / name).convert("RGB"))
                np.testing.assert_array_equal(np.concatenate([a, b], axis=1), wanted, name)

    def test_png_is_pillow_s_to_the_bit(self):
        def convert(file):
            path = file.with_suffix(".png")
            Image.open(file).save(path)
            return path

        self.compare(convert)

    def test_jpeg_is_pillow_s_to_the_bit(self):
        self.compare(quality=90, subsampling=0)
        self.compare(quality=90, subsampling=2)
        self.compare(quality=90, subsampling=0, progressive=True)

    def test_cmyk_is_pillow_s_to_the_bit(self):
        def convert(file):
            path = file.with_name(f"ink-{file.name}")
            Image.open(file).convert("CMYK").save(path, quality=95, subsampling=0)
            return path

        self.compare(convert)


def state_dict(network):
    """A state dict with torchvision's names and shapes, of random numbers."""
    torch.manual_seed(0)
    state, index, inputs = OrderedDict(), 0, 3
    for count, width in zip(VGG[network], WIDTHS):
        for _ in range(count):
            state[f"features.{index}.weight"] = torch.randn(width, inputs, 3, 3)
            state[f"features.{index}.bias"] = torch.randn(width)
            index, inputs = index + 2, width
        index += 1
    state["classifier.0.weight"] = torch.randn(4, 8)
    return state


def canonical(network):
    return [f"conv{block}_{number}" for block, count in enumerate(VGG[network], 1) for number in range(1, count + 1)]


class Weights(unittest.TestCase):
    def imported(self, path, network, **params):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "weights.safetensors"
            stage("import_weights", {"weights": path}, {"weights": out}, network=network, **params)
            return load_file(out)

    def check(self, network, write, **params):
        state = state_dict(network)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights"
            write(state, path)
            found = self.imported(path, network, **params)
        wanted = [name for name in state if name.startswith("features")]
        self.assertEqual(len(found), len(wanted))
        for name, (weight, bias) in zip(canonical(network), zip(wanted[::2], wanted[1::2])):
            self.assertTrue(torch.equal(found[f"{name}.weight"], state[weight]), name)
            self.assertTrue(torch.equal(found[f"{name}.bias"], state[bias]), name)

    def test_both_formats_of_torch(self):
        self.check("vgg16", lambda state, path: torch.save(state, path))
        self.check("vgg19", lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False))

    def test_numpy(self):
        def arrays(state):
            kernels = [name for name in state if name.endswith("weight") and name.startswith("features")]
            hwio = [state[name].permute(2, 3, 1, 0).contiguous().numpy() for name in kernels]
            return zip(canonical("vgg16"), hwio, [state[name.replace("weight", "bias")].numpy() for name in kernels])

        def npy(state, path):
            with open(path, "wb") as file:
                np.save(file, np.array({name: [k, b] for name, k, b in arrays(state)}, dtype=object), allow_pickle=True)

        def npz(state, path):
            with open(path, "wb") as file:
                np.savez(file, **{f"{n}{part}": v for n, k, b in arrays(state) for part, v in [("_W", k), ("_b", b)]})

        self.check("vgg16", npy)
        self.check("vgg16", npz)

    def test_keras(self):
        def h5(state, path):
            names = [name for name in state if name.startswith("features")]
            with h5py.File(path, "w") as file:
                layers = canonical("vgg16")
                for layer, weight, bias in zip(layers, names[::2], names[1::2]):
                    block, number = layer[4:].split("_")
                    group = file.create_group(f"block{block}_conv{number}/block{block}_conv{number}")
                    group["kernel:0"] = state[weight].permute(2, 3, 1, 0).contiguous().numpy()
                    group["bias:0"] = state[bias].numpy()

        self.check("vgg16", h5)


if __name__ == "__main__":
    unittest.main()
