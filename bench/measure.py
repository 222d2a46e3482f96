"""Timing, and tables of what was timed."""

import statistics
import time

import numpy as np
from PIL import Image

THREADS = 2
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


def growth(what, sizes, run):
    head(f"growth: {what}", "seconds", "MB")
    for size in sizes:
        ran = run(size)
        row(size, f"{ran.seconds:.1f}", f"{ran.megabytes:.0f}")


def smooth(random, width, height):
    """A picture of smooth noise."""
    small = Image.fromarray(random.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)
