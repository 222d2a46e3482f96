"""Writes the Parquet files of seeds/footers: `python make.py`. Needs pyarrow."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 12
table = pa.table(
    {
        "text": [f"row {row}" for row in range(ROWS)],
        "numbers": [None if row % 3 == 0 else row for row in range(ROWS)],
        "dictionary": pa.array(["a", "b"] * (ROWS // 2)).dictionary_encode(),
        "vectors": pa.array([[1.0, 2.0]] * ROWS, pa.list_(pa.float32(), 2)),
        "lists": [[None, 2, 3][: row % 4] for row in range(ROWS)],
        "structs": [{"bytes": b"x", "path": str(row)} for row in range(ROWS)],
        "time": pa.array(range(ROWS), pa.timestamp("us", "UTC")),
    }
)
for compression in ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]:
    version = "2.0" if compression in {"snappy", "zstd"} else "1.0"
    path = Path(__file__).parent / f"footers/{compression}.parquet"
    pq.write_table(table, path, compression=compression, data_page_version=version)
