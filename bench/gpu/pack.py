"""Pack the files of the GPU check into one archive, for a machine without network and toolchain.

usage: pack.py [ARCHIVE]
"""

import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 60 * 2**20
FILES = ["Makefile", "target/release/callsheet", "target/release/callsheet-stages"]
# Paths of which the tracked files are packed: declarations without code, and the check.
FOLDERS = ["stages/*/stage.toml", "pipelines", "bench/gpu", "bench/cpu.py", "bench/steps.py", "tests/parity"]


def main():
    archive = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/gpu-check.tar.xz")
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE)
    names = FILES + listed.stdout.splitlines()
    missing = [name for name in FILES if not (ROOT / name).exists()]
    if missing:
        sys.exit(f"missing files: {', '.join(missing)}; run `make build`")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(archive, "w", preset=6) as file, tarfile.open(fileobj=file, mode="w") as tar:
        for name in names:
            tar.add(ROOT / name, f"gpu-check/{name}")
    size = archive.stat().st_size
    if size > LIMIT:
        archive.unlink()
        sys.exit(f"the archive has {size / 2**20:.1f} MiB, more than {LIMIT / 2**20:.0f}")
    print(f"{archive}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
