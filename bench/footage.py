"""Compares the extraction of frames with ffmpeg, and the splitting of pairs with Pillow."""

import io
import os
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from measure import GROWTH, THREADS, growth, head, ratio, row, smooth, timed
from worker import ROOT, stage


def ffmpeg(*arguments):
    environment = os.environ | {"PATH": f"{ROOT}/.toolchain/bin:{os.environ['PATH']}"}
    subprocess.run(["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", *arguments], check=True, env=environment)


def frames(folder, options):
    video = folder / "panorama.mp4"
    stage("synthesize_timelapse", {}, {"video": video, "factors": folder / "factors.parquet"}, frames=options.frames, height=1080)
    crops = 8
    names = "".join(f"[c{n}]" for n in range(crops))
    graph = f"[0:v]scale=-2:256:flags=bicubic+accurate_rnd,split={crops}{names};" + ";".join(
        f"[c{n}]crop=245:245:{n}*iw/8:(ih-245)/2,scale=256:256:flags=bicubic[o{n}]" for n in range(crops))
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
            ("list_images", {"frames": folder / "frames"}, ["images"], {"window": 1, "val_fraction": 0.5}),
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
    head(f"8 crops of 256 px from each of {options.frames} panoramas of 8280 x 1080", "ms per frame", "ratio")
    for name, label in [("ffmpeg", "ffmpeg, the same crops as PNG, output discarded"),
                        ("ours", "list_frames, extract_frames, list_images, pair_images, to Parquet"),
                        ("decoding", "ffmpeg, decoding alone")]:
        row(label, f"{1000 * statistics.median(times[name]) / options.frames:.1f}",
            "" if name == "decoding" else 1 if name == "ffmpeg" else ratio(times["ffmpeg"], times["ours"]))

    def cut(count):
        ffmpeg("-y", "-i", video, "-frames:v", str(count), "-c", "copy", folder / "cut.mp4")
        return folder / "cut.mp4"

    growth("frames", [options.frames // 16 * n for n in GROWTH], lambda n: ours(cut(n)))


def merge(folder):
    """Replaces the parts of a table by one file, because only the engine knows the key of the parts."""
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
    row("Pillow, compression 1, output discarded", f"{statistics.median(theirs):.1f}", 1)
    row("split_pairs, to Parquet, with digests", f"{statistics.median(r.seconds for r in ran):.1f}",
        ratio(theirs, [r.seconds for r in ran]))
    growth("files", [len(files) // 16 * n for n in GROWTH], lambda n: ours(files[:n]))
