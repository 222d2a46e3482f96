"""Compares Gram features with torch, and distances with scikit-learn."""

import io
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.metrics.pairwise import euclidean_distances

from measure import GROWTH, growth, head, ratio, row, smooth, timed
from worker import ROOT, gram, stage, vgg

CHANNELS = [64, 128, 256, 512, 512]


def pairs_table(path, count, side=256):
    random = np.random.default_rng(0)
    rows = []
    for number in range(count):
        file = io.BytesIO()
        smooth(random, side, side).save(file, "PNG", compress_level=1)
        rows.append({"bytes": file.getvalue(), "path": f"{number}.png"})
    ids = [f"{number:05}" for number in range(count)]
    pq.write_table(pa.table({
        "image_id": ids, "split": ["train"] * count, "crop": pa.array([0] * count, pa.int32()),
        "b": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    }), path)
    return rows


def imported(folder):
    weights = folder / "weights.safetensors"
    stage("import_weights", {"weights": ROOT / "data/weights/vgg16.ckpt"}, {"weights": weights})
    return weights


def grams(folder, options):
    weights = imported(folder)
    count = options.images
    rows = pairs_table(folder / "pairs.parquet", count)
    pixels = [torch.from_numpy(np.array(Image.open(io.BytesIO(r["bytes"])))).permute(2, 0, 1) for r in rows]
    images = torch.stack(pixels).float() / 127.5 - 1
    tensors = {name: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t
               for name, t in load_file(weights).items()}
    taps = vgg(tensors, "torchvision")

    def peer(batch, images=images):
        with torch.inference_mode():
            for part in images.split(batch):
                for tap in taps(part):
                    gram(tap)

    def ours(precision):
        with tempfile.TemporaryDirectory(dir=folder) as grams:
            return stage("gram_features", {"pairs": folder / "pairs.parquet", "vgg": weights}, {"grams": grams},
                         precision=precision)

    few = images[:16]
    peer(4, few)
    batches = {batch: min(timed(lambda: peer(batch, few)) for _ in range(2)) for batch in [1, 2, 4, 8, 16]}
    best = min(batches, key=batches.get)
    print(f"torch {torch.__version__}, channels last, ms per image by batch: "
          + ", ".join(f"{b}: {1000 * t / len(few):.0f}" for b, t in batches.items()))
    precisions = options.precisions.split(",")
    times = {name: [] for name in ["torch", *precisions]}
    for _ in range(options.rounds):
        times["torch"].append(timed(lambda: peer(best)))
        for precision in precisions:
            times[precision].append(ours(precision).seconds)
    head(f"Gram features of {count} images of 256 px", "ms per image", "ratio")
    for name, seconds in times.items():
        label = f"torch eager, fp32, batch {best}" if name == "torch" else f"gram_features, {name}"
        row(label, f"{1000 * statistics.median(seconds) / count:.1f}",
            "1" if name == "torch" else ratio(times["torch"], seconds))
    growth("images", [max(1, count // 16 * n) for n in GROWTH],
           lambda n: (pairs_table(folder / "pairs.parquet", n), ours(precisions[0]))[1])


def features(path, count, rank=40, seed=0):
    """Writes random Gram features of `count` images in the format of the stage, and a table of pairs next to them."""
    random = np.random.default_rng(seed)
    basis = [random.standard_normal((rank, c * (c + 1) // 2), dtype=np.float32) for c in CHANNELS]
    schema = pa.schema([("image_id", pa.string())] + [
        (f"gram_relu{n}_2", pa.list_(pa.field("element", pa.float32(), False), b.shape[1]))
        for n, b in enumerate(basis, 1)])
    encodings = {f"gram_relu{n}_2.list.element": "BYTE_STREAM_SPLIT" for n in range(1, 6)}
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False,
                          column_encoding=encodings | {"image_id": "PLAIN"}) as writer:
        for start in range(0, count, 50):
            rows = min(50, count - start)
            weights = random.standard_normal((rows, rank), dtype=np.float32) * np.linspace(3, 0.1, rank, dtype=np.float32)
            columns = [pa.array([f"{n:05}" for n in range(start, start + rows)])]
            for n, b in enumerate(basis):
                values = 50 + weights @ b + random.standard_normal((rows, b.shape[1]), dtype=np.float32)
                columns.append(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=schema.field(n + 1).type))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    ids = [f"{n:05}" for n in range(count)]
    pq.write_table(pa.table({"image_id": ids, "split": ["train"] * count,
                             "crop": pa.array([n % 8 for n in range(count)], pa.int32())}), path.with_name("pairs.parquet"))


def in_memory(path, count):
    """Returns the vectors whose squared distances are the style distances, in float32."""
    vectors = np.empty((count, sum(c * (c + 1) // 2 for c in CHANNELS)), dtype=np.float32)
    at = 0
    for n, channels in enumerate(CHANNELS, 1):
        width, scale = channels * (channels + 1) // 2, None
        scale = np.full(width, np.sqrt(2) / channels, dtype=np.float32)
        scale[np.cumsum([0] + list(range(channels, 1, -1)))] = 1 / channels
        row = 0
        for batch in pq.ParquetFile(path).iter_batches(50, columns=[f"gram_relu{n}_2"]):
            values = batch.column(0).values.to_numpy().reshape(-1, width)
            vectors[row:row + len(values), at:at + width] = values * scale
            row += len(values)
        at += width
    return vectors


def steps(ran):
    """Returns the seconds of reading and of computing in the two passes over the features."""
    times = [0.0, *ran.progress]
    each = [after - before for before, after in zip(times, times[1:])]
    # The first includes the start of the process.
    return sum(each[::2]), sum(each[1::2])


def distances(folder, options):
    count = options.distances
    path = folder / "grams.parquet"
    features(path, count)

    def ours():
        return stage("style_distances", {"grams": path, "pairs": folder / "pairs.parquet"},
                     {"neighbours": folder / "neighbours.parquet", "distances": folder / "distances.parquet"})

    vectors = in_memory(path, count)

    def peer():
        squared = euclidean_distances(vectors, squared=True)
        np.argpartition(squared, 16, axis=1)[:, :16]
        np.argpartition(-squared, 78, axis=1)[:, :78]

    theirs, ran = [], []
    for _ in range(options.rounds):
        theirs.append(timed(peer))
        ran.append(ours())
    sgemm = vectors[:, :8192].copy()
    peak = 2 * len(sgemm) ** 2 * 8192 / min(timed(lambda: torch.mm(torch.from_numpy(sgemm), torch.from_numpy(sgemm).T)) for _ in range(3))
    least = count ** 2 * vectors.shape[1] / peak
    head(f"distances and neighbours of {count} images", "seconds", "ratio", "MB")
    row("scikit-learn, float32 in memory, partial sort", f"{statistics.median(theirs):.1f}", 1, f"{vectors.nbytes / 1e6:.0f}")
    read = [steps(r)[0] for r in ran]
    seconds = [r.seconds for r in ran]
    computed = [r.seconds - steps(r)[0] for r in ran]
    memory = f"{max(r.megabytes for r in ran):.0f}"
    row("style_distances without its start and reading", f"{statistics.median(computed):.1f}", ratio(theirs, computed), memory)
    row("the start, and reading Parquet twice", f"{statistics.median(read):.1f}", "", "")
    row("style_distances", f"{statistics.median(seconds):.1f}", ratio(theirs, seconds), memory)
    row(f"half a product at {peak / 1e9:.0f} GFLOP/s, this machine's float32 rate", f"{least:.1f}", "", "")
    del vectors
    growth("images", [count // 16 * n for n in [*GROWTH, 32]], lambda n: (features(path, n), ours())[1])
