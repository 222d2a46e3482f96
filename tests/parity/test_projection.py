"""Layouts of style codes, compared with scikit-learn."""

import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

sys.path.append(str(Path(__file__).parent))
from codes import write  # noqa: E402
from worker import stage  # noqa: E402

COUNT = 800
NEIGHBOURS = 12


@cache
def codes(count=COUNT, reach=5):
    """Twelve groups of unequal width in 8 dimensions, in float32 like codes; with a reach of 5 some touch."""
    widths = np.linspace(0.5, 2.5, 12)
    points, _ = make_blobs(count, 8, centers=12, cluster_std=widths, center_box=(-reach, reach), random_state=0)
    return points.astype(np.float32)


def projected(points=None, **params):
    """Table of the stage project_embeddings for these points."""
    points = codes() if points is None else points
    with tempfile.TemporaryDirectory() as folder:
        count = len(points)
        inputs = write(folder, points, np.arange(count) // 4, np.arange(count) % 4, ["train"] * count)
        outputs = {"projection": Path(folder) / "projection.parquet", "picture": Path(folder) / "projection.png"}
        stage("project_embeddings", inputs, outputs, **params)
        return pq.read_table(outputs["projection"])


def places(table, method):
    return np.stack([table[f"{method}_{axis}"].to_numpy() for axis in "xy"], axis=1)


class Projection(unittest.TestCase):
    def test_principal_components_are_scikit_learn_s(self):
        found = places(projected(iterations=300), "pca")
        wanted = PCA(2, svd_solver="full").fit_transform(codes().astype(np.float64))
        for axis in range(2):
            apart = min(np.abs(found[:, axis] - sign * wanted[:, axis]).max() for sign in (1, -1))
            self.assertLess(apart, 1e-9 * np.abs(wanted).max())

    def test_neighbours_are_kept_as_by_scikit_learn(self):
        # Groups that touch, and groups without neighbours outside of them.
        for points in (codes(), codes(2400, 30)):
            found = places(projected(points), "tsne")
            wanted = TSNE(perplexity=30, init="pca", max_iter=1000, random_state=0).fit_transform(points)
            found, wanted = (trustworthiness(points, layout, n_neighbors=NEIGHBOURS) for layout in (found, wanted))
            print(f"trustworthiness of t-SNE: {found:.5f}, scikit-learn's {wanted:.5f}")
            self.assertGreater(found, 0.98 * wanted)

    def test_the_number_of_threads_changes_no_bit(self):
        one, other = (projected(iterations=400, cpus=cpus) for cpus in (1, 2))
        for axis in ("tsne_x", "tsne_y", "pca_x"):
            np.testing.assert_array_equal(one[axis].to_numpy(), other[axis].to_numpy())


if __name__ == "__main__":
    unittest.main()
