"""Measures the report of a run over thousands of frames: seconds and bytes."""

import io
import os
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from measure import head, row, smooth, timed
from worker import ROOT

PANORAMA, SHEET, THUMBNAIL = (1472, 192), (1400, 1200), (48, 48)
SHEETS, CURVES, STEPS = 8, 12, 2000
STAGE = """summary = "Copies prepared files to its outputs"
version = 1
command = ["python3", "show.py"]
"""
OUTPUT = """[outputs.{name}]
kind = "{kind}"
path = "{path}"
figure = "{figure}"
doc = "File of the benchmark"
"""
SCRIPT = """import json, os, shutil, sys
request = json.load(open(sys.argv[1]))
for name, path in request["outputs"].items():
    shutil.copy(os.path.join({prepared!r}, os.path.basename(path)), path)
with open(os.environ["CALLSHEET_EVENTS"], "a") as events:
    for step in range({steps}):
        for curve in range({curves}):
            metric = {{"name": f"loss/{{curve}}", "step": step, "value": 1 / (step + curve + 1)}}
            events.write(json.dumps({{"metric": metric}}) + "\\n")
"""


def encoded(picture, kind):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def images(random, count, size, kind):
    some = [encoded(smooth(random, *size), kind) for _ in range(min(count, 50))]
    rows = [{"bytes": some[n % len(some)], "path": f"{n}"} for n in range(count)]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def prepare(folder, frames):
    """Writes the outputs of a stage with this number of frames, and a project with this stage."""
    prepared = folder / "prepared"
    prepared.mkdir(parents=True)
    random = np.random.default_rng(0)
    ids = [f"frame {n:05}" for n in range(frames)]
    table = {"frame_id": ids, "image": images(random, frames, PANORAMA, "PNG")}
    pq.write_table(pa.table(table), prepared / "frames.parquet")
    places = {f"{name}_{axis}": random.normal(size=frames) for name in ("pca", "tsne") for axis in "xy"}
    groups = {"cluster": [str(n % 8) for n in range(frames)], "haze": random.random(frames)}
    points = {"image_id": ids} | places | groups | {"thumbnail": images(random, frames, THUMBNAIL, "JPEG")}
    pq.write_table(pa.table(points), prepared / "points.parquet")
    outputs = [("frames", "table", "frames.parquet", "images"), ("points", "table", "points.parquet", "scatter")]
    for n in range(SHEETS):
        picture = np.array(smooth(random, *SHEET)).astype(np.int16) + random.integers(-8, 8, (*SHEET[::-1], 3))
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(prepared / f"sheet_{n}.png")
        outputs.append((f"sheet_{n}", "file", f"sheet_{n}.png", "picture"))
    stage = folder / "stages/show"
    stage.mkdir(parents=True)
    declared = [OUTPUT.format(name=name, kind=kind, path=path, figure=figure) for name, kind, path, figure in outputs]
    (stage / "stage.toml").write_text(STAGE + "".join(declared))
    (stage / "show.py").write_text(SCRIPT.format(prepared=str(prepared), steps=STEPS, curves=CURVES))
    (folder / "pipelines").mkdir()
    (folder / "pipelines/show.toml").write_text('summary = "Figures to show"\n[stages.show]\n')
    (folder / "callsheet.toml").write_text('[defaults]\npipeline = "show"\n')


def report(folder, options):
    engine = ROOT / "target/release/callsheet"
    environment = os.environ | {"RAYON_NUM_THREADS": "2"}
    head("report of", "seconds", "MB")
    for frames in (options.frames_shown // 4, options.frames_shown):
        project = folder / f"{frames}"
        prepare(project, frames)
        call = lambda *words: subprocess.run([engine, *words], cwd=project, env=environment, check=True,  # noqa: E731
                                             capture_output=True)
        call("run")
        seconds = min(timed(lambda: call("report", "-o", "report.html")) for _ in range(options.rounds))
        row(f"{frames} frames", f"{seconds:.1f}", f"{(project / 'report.html').stat().st_size / 1e6:.1f}")
        shutil.rmtree(project)
