"""Compares k-means with scikit-learn."""

import statistics

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.cluster import KMeans
from sklearn.metrics.pairwise import euclidean_distances

from measure import GROWTH, growth, head, ratio, row, timed
from worker import stage


def kmeans(folder, options):
    count = options.points
    random = np.random.default_rng(0)
    centres = random.standard_normal((12, 60))
    points = (centres[random.integers(0, 12, count)] + 0.9 * random.standard_normal((count, 60))).astype(np.float64)
    # Like style features: the number of dimensions equals the number of images, and later dimensions are smaller.
    points = np.concatenate([points, random.standard_normal((count, count - 61)) * np.linspace(0.3, 0.01, count - 61)], axis=1)

    def written(points):
        squared = euclidean_distances(points, squared=True).astype(np.float32)
        np.fill_diagonal(squared, 0)
        ids = [f"{n:05}" for n in range(len(points))]
        rows = pa.ListArray.from_arrays(np.arange(0, squared.size + 1, len(points), dtype=np.int32), squared.ravel())
        pq.write_table(pa.table({"image_id": ids, "distances": rows}), folder / "distances.parquet")

    def ours():
        outputs = {"clusters": folder / "clusters.parquet", "scores": folder / "scores.parquet"}
        inputs = {"distances": folder / "distances.parquet"}
        return stage("style_clusters", inputs, outputs, most_clusters=1, standardize_crops=False)

    written(points)
    theirs, ran, inertia = [], [], []
    for seed in range(options.rounds):
        model = KMeans(8, n_init=10, random_state=seed)
        theirs.append(timed(lambda: model.fit(points)))
        ran.append(ours())
        inertia.append(pq.read_table(folder / "scores.parquet")["inertia"][0].as_py() / model.inertia_)
    head(f"k-means of {count} points of {points.shape[1]} dimensions, 8 clusters", "seconds", "ratio", "inertia")
    row("scikit-learn, on coordinates, 10 restarts", f"{statistics.median(theirs):.2f}", 1, 1)
    row("style_clusters, on their distances, 20 restarts and silhouette", f"{statistics.median(r.seconds for r in ran):.2f}",
        ratio(theirs, [r.seconds for r in ran]), f"{min(inertia):.4f} to {max(inertia):.4f}")

    growth("points", [count // 16 * n for n in GROWTH], lambda n: (written(points[:n]), ours())[1])
