"""Measure size and speed of Parquet encodings on the pipeline's own tables; worker/src/table/write.rs is based on it.

pyarrow writes the columns of one type in the first row group of each table to memory and reads them again, on
one thread. Each round measures every encoding in turn.

usage: encodings.py [--project FOLDER] [--rounds N]
The default project is this repository. Missing artifacts are computed first: in profile `test` if they need a
training, otherwise in profile `demo`.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cpu import cpu_name

ROOT = Path(__file__).resolve().parent.parent
TYPES = {"float32": pa.float32(), "float64": pa.float64(), "binary": pa.binary()}
MEASURED = [
    ("demo", "gram_features.grams", "float32"), ("demo", "measure_frames.measures", "float32"),
    ("test", "embed_styles.embeddings", "float32"), ("demo", "style_distances.neighbours", "float64"),
    ("demo", "sample_triplets.triplets", "float64"), ("demo", "extract_frames.frames", "binary"),
]
COMPRESSIONS = [("none", None), ("snappy", None), ("lz4", None), ("zstd", 1), ("zstd", 3), ("zstd", 9)]
ENCODINGS = {
    "plain": lambda leaves: {"use_dictionary": False},
    "byte-stream-split": lambda leaves: {
        "use_dictionary": False, "column_encoding": dict.fromkeys(leaves, "BYTE_STREAM_SPLIT")
    },
    "dictionary": lambda leaves: {"use_dictionary": leaves},
}


def find(project, profile, artifact):
    """Returns the path of an artifact; computes it if it is not cached."""
    callsheet, choice = ROOT / "target/release/callsheet", ["--profile", profile]
    subprocess.run([callsheet, "run", artifact.split(".")[0], *choice], cwd=project, check=True)
    listed = subprocess.run([callsheet, "ls", "--json", *choice], cwd=project, check=True, stdout=subprocess.PIPE)
    return next(project / row["path"] for row in json.loads(listed.stdout)["artifacts"] if row["artifact"] == artifact)


def row_group(path, kind):
    """Columns with values of a type, in the first row group."""
    file = pq.ParquetFile(min(path.glob("*.parquet")) if path.is_dir() else path)
    names = [field.name for field in file.schema_arrow if any(leaf.type == TYPES[kind] for leaf in leaves_of(field))]
    return file.read_row_group(0, columns=names)


def leaves_of(field):
    if not field.type.num_fields:
        return [field]
    children = [field.type.field(number) for number in range(field.type.num_fields)]
    return [leaf for child in children for leaf in leaves_of(child)]


def written(table, **settings):
    """File of a table, in memory."""
    file = pa.BufferOutputStream()
    pq.write_table(table, file, row_group_size=len(table), write_page_index=True, **settings)
    return file.getvalue()


def chunks(file):
    """Column chunks of a file with one row group."""
    group = pq.read_metadata(pa.BufferReader(file)).row_group(0)
    return [group.column(number) for number in range(group.num_columns)]


def measure(table, encoding, compression, level):
    """Returns the bytes of the columns, the seconds to write them and the seconds to read them."""
    begun = time.perf_counter()
    file = written(table, compression=compression, compression_level=level, **encoding)
    wrote = time.perf_counter()
    pq.read_table(pa.BufferReader(file), use_threads=False)
    read = time.perf_counter()
    return sum(chunk.total_compressed_size for chunk in chunks(file)), wrote - begun, read - wrote


def compare(table, kind, rounds):
    """Returns {(compression, encoding): (bytes, median seconds to write, median seconds to read)}."""
    leaves = [chunk.path_in_schema for chunk in chunks(written(table)) if chunk.physical_type in ("FLOAT", "DOUBLE")]
    encodings = {"plain": ENCODINGS["plain"]} if kind == "binary" else ENCODINGS
    taken = {}
    for _ in range(rounds):
        for compression in COMPRESSIONS:
            for name, encoding in encodings.items():
                taken.setdefault((compression, name), []).append(measure(table, encoding(leaves), *compression))
    return {case: tuple(statistics.median(values) for values in zip(*runs)) for case, runs in taken.items()}


def label(compression):
    name, level = compression
    return f"{name} {level}" if level else name


def lines(artifact, kind, taken):
    """Rows of the result, one per encoding: for each compression the size relative to plain values, and both times."""
    plain = taken[COMPRESSIONS[0], "plain"][0]
    for encoding in dict.fromkeys(encoding for _, encoding in taken):
        cells = []
        for compression in COMPRESSIONS:
            size, write, read = taken[compression, encoding]
            cells.append(f"{100 * size / plain:.1f} %, {1000 * write:.1f} / {1000 * read:.1f} ms")
        yield f"| {artifact.split('.')[1]}, {kind}, {plain / 1e6:.3f} MB: {encoding} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=ROOT)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"CPU: {cpu_name()}")
    found = [(artifact, kind, find(arguments.project, profile, artifact)) for profile, artifact, kind in MEASURED]
    print("| size, time to write / to read | " + " | ".join(map(label, COMPRESSIONS)) + " |")
    print("|---" * (len(COMPRESSIONS) + 1) + "|")
    for artifact, kind, path in found:
        for line in lines(artifact, kind, compare(row_group(path, kind), kind, arguments.rounds)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
