"""Compare the stages of style and training with the libraries that others would use, on equal data.

usage: stages.py [--only grams,distances,kmeans,frames,pairs,training,mapper,perceptual,report] [--rounds N] [--images N]

The times of callsheet are those of complete processes, including their start; the other libraries are called in a
process that has imported them. A ratio is their time divided by callsheet's: above 1, callsheet is faster. Both run in
turn and use two threads.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

# These variables select kernels in old builds of OpenBLAS; new builds select better ones themselves.
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
    parser.add_argument("--images", type=int, default=128,
                        help="images of grams, and image pairs of perceptual; default %(default)s")
    parser.add_argument("--precisions", default="fp32,bf16", help="formats of grams and training; default %(default)s")
    parser.add_argument("--distances", type=int, default=4000, help="images of distances; default %(default)s")
    parser.add_argument("--points", type=int, default=4000, help="points of kmeans; default %(default)s")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--codes", type=int, default=50_000, help="style codes of mapper; default %(default)s")
    parser.add_argument("--networks", default="alex,vgg", help="networks of perceptual; default %(default)s")
    parser.add_argument("--diversity", action=argparse.BooleanOptionalAction, default=True,
                        help="measure diversity in perceptual")
    parser.add_argument("--frames-shown", type=int, default=2000,
                        help="frames of the larger report; the smaller has a quarter")
    parser.add_argument("--sides", default="128,256", help="sides of training images, pixels; default %(default)s")
    parser.add_argument("--training", default="encoder,frozen,fine-tuned,munit_p_v1",
                        help="networks and objectives of training; default %(default)s")
    parser.add_argument("--steps", type=int, default=6, help="steps of training in each round; default %(default)s")
    parser.add_argument("--batch", type=int, default=4, help="images per step of training; default %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    print(f"CPU: {cpu_name()}")
    if "bf16" in options.precisions and not has_bf16():
        print("bf16 is omitted: this CPU has no instructions for bf16")
        options.precisions = ",".join(name for name in options.precisions.split(",") if name != "bf16") or "fp32"
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="callsheet-") as folder, contextlib.suppress(BrokenPipeError):
            BENCHMARKS[name](Path(folder), options)


if __name__ == "__main__":
    main()
