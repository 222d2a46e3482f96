"""Compares the nearest neighbours of the mapper's matching with scikit-learn's ball tree."""

import statistics

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file
from sklearn.neighbors import NearestNeighbors

from measure import THREADS, head, ratio, row, timed
from worker import stage

DIM, POOL = 8, 10


def mapped(weights, noise):
    x = noise
    for n in range(4):
        x = x @ weights[f"layer{n}.weight"].T + weights[f"layer{n}.bias"]
        x = np.tanh(x) if n < 3 else x
    return x


def mapper(folder, options):
    count = options.codes
    random = np.random.default_rng(0)
    ids = [f"{n:06}" for n in range(count)]
    split = pa.table({"image_id": ids, "split": ["train"] * count, "crop": pa.array([0] * count, pa.int32())})
    pq.write_table(split, folder / "pairs.parquet")

    def ours(codes, epochs):
        flat = pa.FixedSizeListArray.from_arrays(pa.array(codes.astype(np.float32).ravel()), DIM)
        pq.write_table(pa.table({"image_id": ids, "z": flat}), folder / "embeddings.parquet")
        inputs = {"pairs": folder / "pairs.parquet", "embeddings": folder / "embeddings.parquet"}
        # Each epoch has a matching, and one step with all codes, which changes nothing because the learning rate is 0.
        return stage("fit_mapper", inputs, {"mapper": folder / "mapper"}, epochs=epochs, staleness=1, batch=count,
                     pool=POOL, learning_rate=0.0)

    ours(random.standard_normal((count, DIM)), 1)
    weights = load_file(folder / "mapper/mapper.safetensors")
    # Codes between the mapped vectors, like those of a fitted mapper.
    images = mapped(weights, random.standard_normal((count * POOL, DIM)).astype(np.float32))
    codes = mapped(weights, random.standard_normal((count, DIM)).astype(np.float32))
    codes += 0.1 * codes.std(0) * random.standard_normal(codes.shape).astype(np.float32)
    theirs, found = [], []
    for _ in range(options.rounds):
        tree = NearestNeighbors(n_neighbors=1, algorithm="ball_tree", n_jobs=THREADS)
        theirs.append(timed(lambda: tree.fit(images).kneighbors(codes)))
        ran = ours(codes, 3)
        found.append(statistics.mean(np.diff(ran.progress)))
    head(f"{count} codes among {count * POOL} vectors of {DIM} dimensions", "seconds", "ratio")
    row("scikit-learn, ball tree", f"{statistics.median(theirs):.2f}", 1)
    row("fit_mapper: drawing, mapping, k-d tree, and a step", f"{statistics.median(found):.2f}", ratio(theirs, found))
