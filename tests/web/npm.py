"""Packages of npm that only tests need. They are fetched into .toolchain/web, never into the repository."""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / ".toolchain/web"


def fetch(package, sha256, folder, remedy):
    """Fetches a package into `folder`; exits with an error unless its SHA-256 is the pinned one."""
    npm = shutil.which("npm")
    if not npm:
        sys.exit(f"error: {package} was not found, and npm, which can fetch it, is not installed\n  help: {remedy}")
    packed = subprocess.run([npm, "pack", "--silent", package], cwd=folder, capture_output=True, text=True)
    archives = list(Path(folder).glob("*.tgz"))
    if packed.returncode != 0 or len(archives) != 1:
        said = (packed.stderr.strip().splitlines() or ["no reason given"])[-1]
        sys.exit(f"error: cannot fetch {package}: npm reports `{said}`\n  help: {remedy}")
    data = archives[0].read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        sys.exit(f"error: the SHA-256 of {package} is {found}, but {sha256} is pinned; nothing was installed")
    return tarfile.open(fileobj=io.BytesIO(data))


def script(package, sha256, member):
    """Path of a script of a package, which is fetched on the first use."""
    path = FOLDER / package.replace("/", "-") / Path(member).name
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            text = fetch(package, sha256, scratch, "install npm").extractfile(f"package/{member}").read()
            staged = Path(scratch) / path.name
            staged.write_bytes(text)
            path.parent.mkdir(exist_ok=True)
            staged.rename(path)
    return path
