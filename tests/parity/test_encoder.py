"""The encoder on synthetic styles: it separates styles that it has never seen."""

import io
import tempfile
import unittest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load_file

from networks import Weights, code, encoder
from worker import stage

SIDE = 32
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Styles to train on, styles held out, and contents of each.
TRAINED, HELD_OUT, CONTENTS = 40, 40, 6
STEPS = 500


def style(random):
    """Direction of a gradient in brightness, its colours and its graininess; the mean colour is nearly grey."""
    return random.uniform(0, 2 * np.pi), random.normal(size=3), random.uniform(0.0, 0.5)


def picture(style, random):
    """A content of discs with random places and sizes, lit and coloured by a style."""
    angle, colours, grain = style
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    slope = np.cos(angle) * x + np.sin(angle) * y
    pixels = slope[..., None] * 200 * colours / np.linalg.norm(colours)
    for _ in range(4):
        cx, cy, r = random.uniform(-0.5, 0.5, 2).tolist() + [random.uniform(0.05, 0.25)]
        pixels[(x - cx) ** 2 + (y - cy) ** 2 < r * r] += random.uniform(-60, 60)
    pixels += random.normal(size=pixels.shape) * 60 * grain
    return np.clip(pixels + 128, 0, 255).astype(np.uint8)


def pictures(count, random):
    """[count, CONTENTS, SIDE, SIDE, 3]: in each row one style."""
    styles = [style(random) for _ in range(count)]
    return np.stack([[picture(s, random) for _ in range(CONTENTS)] for s in styles])


def write(folder, images, random):
    ids = [f"{s:02}-{c}" for s in range(TRAINED) for c in range(CONTENTS)]
    encoded = []
    for image in images.reshape(-1, SIDE, SIDE, 3):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        encoded.append({"bytes": file.getvalue(), "path": "image.png"})
    column = pa.array(encoded, IMAGE)
    pq.write_table(pa.table({"image_id": ids, "frame_id": ids, "split": ["train"] * len(ids), "a": column, "b": column}),
                   folder / "pairs.parquet")
    rows = {"visit": [], "anchor_id": [], "positive_id": [], "negative_id": []}
    for visit in range(20):
        for s in range(TRAINED):
            for c in range(CONTENTS):
                other = (s + random.integers(1, TRAINED)) % TRAINED
                rows["visit"].append(visit)
                rows["anchor_id"].append(f"{s:02}-{c}")
                rows["positive_id"].append(f"{s:02}-{(c + random.integers(1, CONTENTS)) % CONTENTS}")
                rows["negative_id"].append(f"{other:02}-{random.integers(CONTENTS)}")
    columns = {name: pa.array(values, pa.int32()) if name == "visit" else values for name, values in rows.items()}
    pq.write_table(pa.table(columns), folder / "triplets.parquet")


def accuracy(codes):
    """Share of all possible triplets whose positive is nearer than their negative; codes are [styles, contents, D]."""
    styles, contents, dim = codes.shape
    flat = codes.reshape(-1, dim)
    distance = torch.cdist(flat, flat).view(styles, contents, styles, contents)
    right = []
    for s in range(styles):
        others = [o for o in range(styles) if o != s]
        negative = distance[s][:, others].reshape(contents, 1, -1)
        positive = distance[s][:, s]
        pairs = ~torch.eye(contents, dtype=torch.bool)
        right.append((positive[..., None] < negative)[pairs].float().mean())
    return torch.stack(right).mean().item()


class SyntheticStyles(unittest.TestCase):
    def test_held_out_styles_are_separated_better_than_untrained_or_by_mean_colour(self):
        random = np.random.default_rng(0)
        seen, unseen = pictures(TRAINED, random), pictures(HELD_OUT, random)
        images = torch.from_numpy(unseen).float().permute(0, 1, 4, 2, 3).flatten(0, 1) / 127.5 - 1

        def codes(folder):
            weights = Weights(load_file(folder / "model/encoder.safetensors"))
            with torch.no_grad():
                return code(encoder(weights, images)).view(HELD_OUT, CONTENTS, -1)

        with tempfile.TemporaryDirectory() as own:
            folder = Path(own)
            write(folder, seen, random)
            for name, rate, steps in [("untrained", 0.0, 1), ("trained", 0.001, STEPS)]:
                (folder / name).mkdir()
                inputs = {"pairs": folder / "pairs.parquet", "triplets": folder / "triplets.parquet"}
                stage("train_encoder", inputs, {"model": folder / name / "model"}, scratch=folder / name, nf=16,
                      learning_rate=rate, stop_steps=steps)
            found = {name: accuracy(codes(folder / name)) for name in ("untrained", "trained")}
        found["mean colour"] = accuracy(images.mean((2, 3)).view(HELD_OUT, CONTENTS, -1))
        print("triplet accuracy on held-out styles:", {name: round(value, 3) for name, value in found.items()})
        self.assertGreater(found["trained"], 0.95)
        self.assertGreater(found["trained"], found["untrained"])
        self.assertGreater(found["trained"], found["mean colour"])


if __name__ == "__main__":
    unittest.main()
