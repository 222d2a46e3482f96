"""Tables of style codes for tests, with frames, crops, factors and an image for each code."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(colour):
    """A picture of one colour."""
    data = io.BytesIO()
    Image.new("RGB", (16, 16), tuple(int(value) for value in colour)).save(data, "PNG")
    return {"bytes": data.getvalue(), "path": "b.png"}


def write(folder, codes, frames, crops, splits, colours=None, clusters=None, factors=None, modes=None):
    """Writes embeddings, pairs, clusters and factors; returns the inputs of a stage by name. Images come in the order
    of frames and crops; factors are [frames, 4]: hour, cloud, haze, season."""
    folder = Path(folder)
    names = [f"a.mp4#{frame:06}" for frame in frames]
    ids = pa.array([f"{name}/c{crop}" for name, crop in zip(names, crops)])
    values = pa.array(np.asarray(codes, np.float32).ravel())
    tables = {"embeddings": {"image_id": ids, "z": pa.FixedSizeListArray.from_arrays(values, codes.shape[1])}}
    colours = np.zeros((len(ids), 3)) if colours is None else colours
    tables["pairs"] = {"image_id": ids, "frame_id": names, "crop": pa.array(crops, pa.int32()), "split": splits,
                       "b": pa.array([png(colour) for colour in colours], IMAGE)}
    if clusters is not None:
        known = clusters >= 0
        tables["clusters"] = {"image_id": ids.filter(pa.array(known)), "cluster": pa.array(clusters[known], pa.int32())}
    if factors is not None:
        columns = dict(zip(["time_of_day", "cloud", "haze", "season"], np.asarray(factors, np.float32).T))
        tables["factors"] = {"frame_index": pa.array(range(len(factors)), pa.int64()), **columns, "mode": modes}
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in tables}
