#!/usr/bin/env python3
"""Worker of all stages of this project. It generates rows from the numbers of their images alone."""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

CROPS = 8
FRAMES = 5000  # per video
CLUSTERS = 40
GRAMS = {"relu1_2": 2080, "relu2_2": 8256, "relu3_2": 32896, "relu4_2": 131328, "relu5_2": 131328}
# Rows that are generated at once.
NARROW, WIDE = 1 << 17, 32


def uniform(numbers, seed, width=1):
    """Returns float32 in [0, 1): hashes of the numbers (splitmix64), in multiples of 2^-24."""
    mixed = numbers.astype(np.uint64)[:, None] * np.uint64(width) + np.arange(width, dtype=np.uint64)
    mixed += np.uint64(seed << 40)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    return ((mixed >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).reshape(-1)


def vectors(numbers, seed, width):
    return pa.FixedSizeListArray.from_arrays(uniform(numbers, seed, width), width)


def padded(numbers, width):
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def join(*parts):
    return pc.binary_join_element_wise(*parts, "")


def source(numbers):
    return join("video-", padded(numbers // CROPS // FRAMES, 5), ".mp4")


def list_images(numbers):
    frame = numbers // CROPS
    ids = join(source(numbers), "#", padded(frame % FRAMES, 6), "/c", padded(numbers % CROPS, 1))
    split = np.where(uniform(frame, 1) < 0.1, "validation", "train")
    return {"image_id": ids, "number": numbers, "split": split}


def embeddings(numbers, seed):
    return {"style": vectors(numbers, seed, 8)}


def grams(numbers):
    return {f"gram_{tap}": vectors(numbers, width, width) for tap, width in GRAMS.items()}


def frames(numbers):
    frame = numbers // CROPS
    measures = ["brightness", "contrast", "sharpness"]
    return {
        "source": source(numbers),
        "frame": (frame % FRAMES).astype(np.int32),
        "crop": (numbers % CROPS).astype(np.int32),
        "seconds": frame % FRAMES / 16,
        **{measure: uniform(numbers, 10 + seed) for seed, measure in enumerate(measures)},
        "features": vectors(numbers, 20, 144),
        "cluster": cluster(numbers),
    }


def cluster(numbers):
    return (uniform(numbers, 2) * CLUSTERS).astype(np.int32)


def clusters(numbers):
    return {"cluster": cluster(numbers), "distance": uniform(numbers, 3)}


def metrics(numbers):
    return {"ssim": uniform(numbers, 4).astype(np.float64), "lpips": uniform(numbers, 5).astype(np.float64)}


STAGES = {stage.__name__: stage for stage in [list_images, embeddings, grams, frames, clusters, metrics]}


def listed(path):
    """Returns the numbers of the images, and None, because the images have no keys yet."""
    images = json.load(open(path))
    numbers = np.setdiff1d(np.arange(images["rows"]), images["absent"], assume_unique=True).astype(np.int64)
    return numbers, None


def given(path):
    """Returns the numbers of the requested rows, and their keys."""
    images = pq.read_table(path)
    return images["number"].to_numpy(), images["image_id"]


def main():
    request = json.load(open(sys.argv[1]))
    stage, (out,) = request["stage"], request["outputs"].values()
    numbers, keys = (listed if stage == "list_images" else given)(request["inputs"]["images"]["paths"][0])
    rows = WIDE if stage == "grams" else NARROW
    writer = None
    for start in range(0, len(numbers), rows):
        columns = {} if keys is None else {"image_id": keys[start : start + rows]}
        columns |= STAGES[stage](numbers[start : start + rows], **request["params"])
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(out, table.schema, compression="none")
        writer.write_table(table)
    writer.close()


main()
