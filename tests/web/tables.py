"""Generated tables for pages that show many rows."""

import random
import struct
import zlib

import pyarrow
import pyarrow.parquet

STAGE = """
summary = "Copies a table"
version = 1
command = ["cp", "{inputs.from}", "{outputs.table}"]
[inputs.from]
kind = "file"
doc = "A Parquet file"
[outputs.table]
kind = "table"
path = "table.parquet"
doc = "The same table"
"""
# True if every cell of the grid in view has its image.
COMPLETE = """() => {
  const cells = [...document.querySelectorAll(".cell")];
  return cells.length > 0 && cells.every((cell) => cell.querySelector("img")?.complete);
}"""
# Different pictures of a table; the rows repeat them.
PICTURES = 500
# A picture is larger than a thumbnail.
WIDTH, HEIGHT = 272, 204
GROUP = 50_000


def pipeline(names):
    """Pipeline with one stage for each generated table in data/raw."""
    sources = "".join(f'[sources.{name}_file]\npath = "data/raw/{name}.parquet"\n' for name in names)
    stages = "".join(f'[stages.{name}]\nuse = "table"\ninputs.from = "{name}_file"\n' for name in names)
    return f'summary = "Generated tables"\n{sources}{stages}'


def png(width, height, pixels):
    """PNG of rows of RGB bytes."""

    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + pixels[start : start + 3 * width] for start in range(0, len(pixels), 3 * width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")


def picture(number):
    """Picture of 12 x 12 squares in two colours that depend on the number."""
    numbers = random.Random(number)
    colours = [bytes(numbers.randrange(256) for _ in range(3)) for _ in range(2)]
    lines = []
    for _ in range(12):
        squares = [colours[numbers.randrange(2)] for _ in range(12)]
        lines.append(b"".join(squares[column * 12 // WIDTH] for column in range(WIDTH)))
    return png(WIDTH, HEIGHT, b"".join(lines[line * 12 // HEIGHT] for line in range(HEIGHT)))


def write(path, rows, images):
    """Writes a table with `rows` rows, with or without a column of images."""
    numbers = random.Random(1)
    columns = {
        "id": pyarrow.array([f"image-{row:07}" for row in range(rows)]),
        "sharpness": pyarrow.array([numbers.gauss(10, 3) for _ in range(rows)], pyarrow.float32()),
        "brightness": pyarrow.array([numbers.random() for _ in range(rows)], pyarrow.float32()),
        "psnr": pyarrow.array([None if row % 97 == 0 else numbers.uniform(12, 40) for row in range(rows)]),
        "cluster": pyarrow.array([numbers.randrange(12) for _ in range(rows)], pyarrow.int32()),
        "split": pyarrow.array(["val" if row % 5 == 0 else "train" for row in range(rows)]),
    }
    if images:
        pictures = [picture(number) for number in range(PICTURES)]
        kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        cells = [{"bytes": pictures[row * 7 % PICTURES], "path": None} for row in range(rows)]
        columns["image"] = pyarrow.array(cells, kind)
    table = pyarrow.table(columns)
    pyarrow.parquet.write_table(table, path, row_group_size=GROUP, data_page_size=64 << 10, write_page_index=True)
