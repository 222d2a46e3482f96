"""The stages that look at style and train, beside the libraries that others would use: in one run, on the same data.

usage: stages.py [--only grams,distances,kmeans,frames,pairs,training,mapper,perceptual,report] [--rounds N] [--images N]

Ours are whole processes, their start included; the others' are calls in a process that has imported them. A ratio
is their time by ours: above 1 ours is faster. Both take turns, and use two threads.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

# Old builds of OpenBLAS are told by these which kernels to take; new ones know best themselves.
for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]:
    if os.environ.pop(name, None):
        os.execv(sys.executable, [sys.executable, *sys.argv])

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests/parity"))
import torch  # noqa: E402

from clusters import kmeans  # noqa: E402
from cpu import cpu_name  # noqa: E402
from footage import frames, pairs  # noqa: E402
from mapper import mapper  # noqa: E402
from measure import THREADS  # noqa: E402
from perceptual import perceptual  # noqa: E402
from report import report  # noqa: E402
from style import distances, grams  # noqa: E402
from training import training  # noqa: E402
from worker import has_bf16  # noqa: E402

BENCHMARKS = {"grams": grams, "distances": distances, "kmeans": kmeans, "frames": frames, "pairs": pairs,
              "training": training, "mapper": mapper, "perceptual": perceptual,
              "report": report}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=128, help="of grams, and pairs of perceptual")
    parser.add_argument("--precisions", default="fp32,bf16", help="of grams and training")
    parser.add_argument("--distances", type=int, default=4000, help="images of distances")
    parser.add_argument("--points", type=int, default=4000, help="of kmeans")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--codes", type=int, default=50_000, help="of mapper")
    parser.add_argument("--networks", default="alex,vgg", help="of perceptual")
    parser.add_argument("--diversity", action=argparse.BooleanOptionalAction, default=True, help="with perceptual")
    parser.add_argument("--frames-shown", type=int, default=2000, help="of report")
    parser.add_argument("--sides", default="128,256", help="pixels of training")
    parser.add_argument("--training", default="encoder,frozen,fine-tuned,munit_p_v1", help="what is trained")
    parser.add_argument("--steps", type=int, default=6, help="of training, in each turn")
    parser.add_argument("--batch", type=int, default=4, help="of training")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    print(f"CPU: {cpu_name()}")
    if "bf16" in options.precisions and not has_bf16():
        print("bf16 is left out: this CPU has no instructions for it")
        options.precisions = ",".join(name for name in options.precisions.split(",") if name != "bf16") or "fp32"
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="callsheet-") as folder, contextlib.suppress(BrokenPipeError):
            BENCHMARKS[name](Path(folder), options)


if __name__ == "__main__":
    main()
