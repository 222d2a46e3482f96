"""Times calls and prints tables of the times."""

import time

import numpy as np
from PIL import Image
from scipy.stats import t as student

THREADS = 2
GROWTH = [1, 4, 16]


def timed(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def ratio(theirs, ours):
    """Returns the geometric mean of the ratios of all rounds, with its 95 % confidence interval by Student's t."""
    each = np.log(np.array(theirs) / np.array(ours))
    if len(each) < 2:
        return f"{np.exp(each[0]):.2f}"
    half = student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5
    return f"{np.exp(each.mean()):.2f} ({np.exp(each.mean() - half):.2f} to {np.exp(each.mean() + half):.2f})"


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
    """Returns a picture of smooth noise."""
    small = Image.fromarray(random.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)
