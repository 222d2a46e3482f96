"""Stages read tables that pandas, polars, DuckDB and pyarrow write, with every type of text and compression."""

import io
import subprocess
import tempfile
import unittest
from pathlib import Path

import duckdb
import pandas
import PIL.Image
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from project import ROOT, for_each

IDS, FRAMES, SPLITS = ["x", "y", "z"], ["f", "f", "g"], ["train", "train", "val"]
COPY = """
summary = "Publishes a table of another program"
version = 1
command = ["sh", "-c", 'cp "$1" "$2"', "cp", "{inputs.table}", "{outputs.pairs}"]
[inputs.table]
kind = "file"
doc = "Table of another program"
[outputs.pairs]
kind = "table"
path = "pairs.parquet"
doc = "The table"
"""
PIPELINE = """
summary = "A table of another program"
[sources.table]
path = "data/raw/pairs.parquet"
[stages.copy]
inputs.table = "table"
[stages.average_images]
inputs.pairs = "copy.pairs"
"""


def png(shade, row):
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (shade, row * 40, 7)).save(file, "PNG")
    return file.getvalue()


def images(shade):
    return [{"bytes": png(shade, row), "path": str(row)} for row in range(3)]


def columns():
    return {"image_id": IDS, "frame_id": FRAMES, "split": SPLITS, "a": images(20), "b": images(90)}


def with_pandas(path, compression):
    frame = pandas.DataFrame(columns())
    frame["split"] = frame["split"].astype("category")
    frame["time"] = pandas.Timestamp("2026-01-02 03:04", tz="UTC")
    frame.to_parquet(path, compression=compression)


def with_polars(path, compression):
    frame = polars.DataFrame(columns()).with_columns(polars.col("split").cast(polars.Categorical))
    frame.write_parquet(path, compression="uncompressed" if compression is None else compression)


def with_duckdb(path, compression):
    pairs = pa.table(columns())  # noqa: F841, because DuckDB finds the variable by its name
    codec = {None: "uncompressed", "lz4": "lz4_raw"}.get(compression, compression)
    duckdb.sql(f"copy (select * from pairs) to '{path}' (format parquet, compression {codec})")


def with_pyarrow(text, binary):
    def write(path, compression):
        image = pa.struct({"bytes": binary, "path": text})
        types = {"image_id": text, "frame_id": text, "split": pa.dictionary(pa.int32(), pa.string()), "a": image, "b": image}
        arrays = {name: pa.array(values, types[name]) for name, values in columns().items()}
        arrays["long"] = pa.array([[1, 2], [], None], pa.large_list(pa.int64()))
        pq.write_table(pa.table(arrays), path, compression=compression or "none")

    return write


WRITERS = {
    "pandas": with_pandas,
    "polars": with_polars,
    "DuckDB": with_duckdb,
    "pyarrow, large types": with_pyarrow(pa.large_string(), pa.large_binary()),
    "pyarrow, views": with_pyarrow(pa.string_view(), pa.binary_view()),
    "pyarrow": with_pyarrow(pa.string(), pa.binary()),
}
COMPRESSIONS = [None, "snappy", "gzip", "brotli", "lz4", "zstd"]


def means():
    """Mean image that the stage average_images computes from the table of each program and compression."""
    with tempfile.TemporaryDirectory(prefix="callsheet-") as folder:
        folder = Path(folder)
        for name in ["stages/copy", "pipelines", "data/raw"]:
            (folder / name).mkdir(parents=True)
        (folder / "callsheet.toml").write_text(
            f'[defaults]\npipeline = "written"\n[programs]\ncallsheet-stages = "{ROOT}/target/release/callsheet-stages"\n'
        )
        (folder / "stages/copy/stage.toml").write_text(COPY)
        (folder / "stages/average_images").symlink_to(ROOT / "stages/average_images")
        (folder / "pipelines/written.toml").write_text(PIPELINE)
        for writer, write in WRITERS.items():
            for compression in COMPRESSIONS:
                write(folder / "data/raw/pairs.parquet", compression)
                command = [ROOT / "target/release/callsheet", "run"]
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                mean = None if done.returncode else next((folder / "data/out").rglob("mean.png")).read_bytes()
                yield f"{writer}, {compression}", (done.stderr, mean)


class Stages(unittest.TestCase):
    @for_each(lambda: list(means()))
    def test_read_the_table_of_every_program_in_every_compression(self, errors, mean):
        self.assertIsNotNone(mean, errors)
        self.assertEqual(PIL.Image.open(io.BytesIO(mean)).getpixel((0, 0)), (90, 20, 7))


if __name__ == "__main__":
    unittest.main()
