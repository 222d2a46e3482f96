"""Gram features, distances, neighbours and clusters, compared with torch, NumPy and scikit-learn."""

import io
import math
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score, silhouette_score

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent / "interop")]
from project import Project  # noqa: E402
from worker import gram, has_bf16, stage, vgg  # noqa: E402

CHANNELS = [64, 128, 256, 512, 512]
COLUMNS = [f"gram_relu{block}_2" for block in range(1, 6)]


@cache
def project():
    """Project with the stand-in in profile `test`, 128 pixels a side, which has run up to the triplets."""
    made = Project()
    made.callsheet("run", "sample_triplets", "--set", "pair_images.side=128", "--set", "synthesize_timelapse.height=160")
    made.out = Path(made.callsheet_plain("runs", "link", "latest").strip())
    return made


@cache
def table(name):
    # A large table is a folder without the ending.
    path = project().out / f"{name}.parquet"
    return pq.read_table(path if path.is_file() else path.with_suffix(""))


@cache
def features():
    """Image ids, and the stored triangles of each tap in float64."""
    grams = table("gram_features/grams")
    values = [grams[column].combine_chunks().values.to_numpy().reshape(len(grams), -1) for column in COLUMNS]
    return grams["image_id"].to_pylist(), [v.astype(np.float64) for v in values]


@cache
def training():
    pairs = table("pair_images/pairs")
    split = dict(zip(pairs["image_id"].to_pylist(), pairs["split"].to_pylist()))
    crop = dict(zip(pairs["image_id"].to_pylist(), pairs["crop"].to_pylist()))
    ids, values = features()
    rows = [row for row, image in enumerate(ids) if split[image] == "train"]
    return [ids[row] for row in rows], [crop[ids[row]] for row in rows], [v[rows] for v in values]


def phi(values, weighting):
    """Vectors whose squared distances are the style distances."""
    parts = []
    for tap, channels in enumerate(CHANNELS):
        scale = np.full(values[tap].shape[1], math.sqrt(2))
        scale[np.cumsum([0] + list(range(channels, 1, -1)))] = 1
        parts.append(values[tap] * scale * (1 / channels if weighting == "code" else 0.5))
    return np.concatenate(parts, axis=1)


def standardized(vectors, crops):
    """Vectors minus the mean of their crop, divided by the crop's root mean square difference from its mean."""
    found = np.empty_like(vectors)
    for crop in set(crops):
        rows = np.array(crops) == crop
        centred = vectors[rows] - vectors[rows].mean(axis=0)
        found[rows] = centred / np.sqrt((centred ** 2).sum(axis=1).mean())
    return found


@cache
def brute_force(weighting):
    """All squared distances in float64, each from its difference."""
    vectors = phi(training()[2], weighting)
    return np.stack([((vectors - vector) ** 2).sum(axis=1) for vector in vectors])


class Style(unittest.TestCase):
    def test_gram_matrices_are_torch_s(self):
        weights = load_file(project().out / "import_weights/weights.safetensors")
        taps = vgg(weights, "torchvision")
        pairs = table("pair_images/pairs")
        ids, values = features()
        images = dict(zip(pairs["image_id"].to_pylist(), pairs["b"].to_pylist()))
        for row in range(0, len(ids), 9):
            picture = np.array(Image.open(io.BytesIO(images[ids[row]]["bytes"])))
            image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
            for tap, (features_of, channels) in enumerate(zip(taps(image), CHANNELS)):
                wanted = gram(features_of.double())[0][torch.triu_indices(channels, channels).unbind()].numpy()
                error = np.linalg.norm(values[tap][row] - wanted) / np.linalg.norm(wanted)
                self.assertLess(error, 1e-5, f"{ids[row]}, tap {tap}")

    def test_neighbours_are_those_of_a_brute_force_computation(self):
        ids, crops, _ = training()
        found = {}
        for row in table("style_distances/neighbours").to_pylist():
            found.setdefault((row["image_id"], row["side"]), []).append((row["neighbour_id"], row["distance"]))
        for image, distances in enumerate(brute_force("code")):
            others = [other for other in np.argsort(distances, kind="stable") if other != image]
            near = [other for other in others if crops[other] != crops[image]][:5]
            far = [other for other in reversed(others) if distances[other] > distances[near[-1]]][:13]
            for side, wanted in [("near", near), ("far", far)]:
                listed = found[ids[image], side]
                self.assertEqual([name for name, _ in listed], [ids[other] for other in wanted])
                np.testing.assert_allclose([d for _, d in listed], distances[wanted], rtol=1e-6)

    def test_distances_are_those_of_torch(self):
        vectors = torch.from_numpy(phi(training()[2], "code"))
        wanted = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        rows = table("style_distances/distances")["distances"].to_pylist()
        scale = wanted.mean().item()
        np.testing.assert_allclose(np.array(rows), wanted.numpy(), rtol=1e-5, atol=1e-5 * scale)

    def test_inertia_is_that_of_scikit_learn_s_best_of_ten(self):
        _, crops, values = training()
        vectors = standardized(phi(values, "code"), crops)
        scores = {row["clusters"]: row for row in table("style_clusters/scores").to_pylist()}
        for clusters, row in scores.items():
            best = KMeans(clusters, n_init=10, random_state=0).fit(vectors)
            self.assertLess(row["inertia"], best.inertia_ * 1.005, clusters)
        clusters = table("style_clusters/clusters").to_pydict()
        chosen = scores[len(set(clusters["cluster"]))]
        self.assertAlmostEqual(chosen["silhouette"], silhouette_score(vectors, clusters["cluster"]), places=4)
        centres = [vectors[np.array(clusters["cluster"]) == c].mean(axis=0) for c in clusters["cluster"]]
        np.testing.assert_allclose(clusters["distance"], ((vectors - centres) ** 2).sum(axis=1), rtol=1e-3)

    @unittest.skipUnless(has_bf16(), "this CPU has no instructions for bfloat16")
    def test_features_in_bf16_keep_nearest_neighbours(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            pairs, weights = project().out / "pair_images/pairs.parquet", project().out / "import_weights/weights.safetensors"
            inputs, outputs = {"pairs": pairs, "vgg": weights}, {"grams": folder / "grams"}
            stage("gram_features", inputs, outputs, precision="bf16")
            tables = [pq.read_table(part) for part in sorted((folder / "grams").glob("*.parquet"))]
        ids = [image for part in tables for image in part["image_id"].to_pylist()]
        rows = [ids.index(image) for image in training()[0]]
        values = [np.concatenate([part[c].combine_chunks().values.to_numpy().reshape(len(part), -1) for part in tables])[rows]
                  for c in COLUMNS]
        vectors = phi([v.astype(np.float64) for v in values], "code")
        kept = 0
        for image, distances in enumerate(brute_force("code")):
            nearest = set(np.argsort(distances)[1:16])
            kept += len(nearest & set(np.argsort(((vectors - vectors[image]) ** 2).sum(axis=1))[1:16]))
        self.assertGreaterEqual(kept / (15 * len(ids and rows)), 0.99)


class Modes(unittest.TestCase):
    def test_the_demo_s_clusters_agree_with_the_modes_that_styles_were_drawn_from(self):
        made = Project("demo")
        # Frames with planted faults do not show the mode that they were drawn from, and some form clusters of their own.
        made.callsheet("run", "style_clusters", "--set", "synthesize_timelapse.faults=0")
        out = Path(made.callsheet_plain("runs", "link", "latest").strip())
        clusters = pq.read_table(out / "style_clusters/clusters.parquet").to_pydict()
        modes = pq.read_table(out / "synthesize_timelapse/factors.parquet")["mode"].to_pylist()
        # timelapse.mp4#000012/c3
        frames = [int(image.rsplit("#")[1].split("/")[0]) for image in clusters["image_id"]]
        agreement = normalized_mutual_info_score([modes[frame] for frame in frames], clusters["cluster"])
        self.assertGreaterEqual(agreement, 0.8)


if __name__ == "__main__":
    unittest.main()
