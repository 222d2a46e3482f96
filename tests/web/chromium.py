"""A headless Chromium: the one that CHROMIUM names, one in PATH, or else the one in an npm package.

usage: chromium.py    install the npm package's Chromium into .toolchain/web, unless another one is found
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import npm

NAMES = ["chromium", "chromium-browser", "chromium-headless-shell", "google-chrome-stable", "google-chrome"]
PACKAGE = "@sparticuz/chromium@153.0.0"
SHA256 = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
FOLDER = npm.FOLDER / f"chromium-{PACKAGE.split('@')[-1]}"
HELP = (
    "install Chromium (Debian: apt-get install chromium-headless-shell), set CHROMIUM to its path, "
    "or install npm, which fetches it"
)


def of_system():
    """Path of the system's Chromium, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if not found:
            sys.exit(f"error: CHROMIUM is `{named}`, which is not a program\n  help: {HELP}")
        return found
    return next(filter(None, map(shutil.which, NAMES)), None)


def find():
    """Path of a Chromium, and the environment that it needs."""
    found = of_system()
    if found:
        return found, dict(os.environ)
    if not (FOLDER / "chromium").exists():
        sys.exit(f"error: Chromium not found; run `make test-web`\n  help: {HELP}")
    environment = dict(os.environ)
    # Some systems lack libraries. A system's own libraries are preferred, as they find its certificates and fonts.
    if lacking(environment):
        environment["LD_LIBRARY_PATH"] = str(FOLDER / "lib")
    if not has_fonts():
        environment["FONTCONFIG_PATH"] = str(FOLDER)
    missing = lacking(environment)
    if missing:
        sys.exit(f"error: {FOLDER}/chromium needs {', '.join(missing)}\n  help: {HELP}")
    return str(FOLDER / "chromium"), environment


def lacking(environment):
    """Libraries that the installed Chromium does not find."""
    asked = subprocess.run(["ldd", FOLDER / "chromium"], capture_output=True, text=True, env=environment)
    return [line.split()[0] for line in asked.stdout.splitlines() if "not found" in line]


def has_fonts():
    """Returns True if the system has fonts."""
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]
    return any(next(folder.rglob("*.[ot]tf"), None) for folder in folders if folder.is_dir())


def install():
    """Unpacks the program, libraries and a font; the folder appears only when it is complete."""
    import brotli

    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as scratch:
        staged = Path(scratch) / "chromium"
        staged.mkdir()
        package = npm.fetch(PACKAGE, SHA256, scratch, HELP)

        def unpacked(name):
            return brotli.decompress(package.extractfile(f"package/bin/{name}.br").read())

        (staged / "chromium").write_bytes(unpacked("chromium"))
        (staged / "chromium").chmod(0o755)
        for archive in ["al2023.tar", "fonts.tar"]:
            with tarfile.open(fileobj=io.BytesIO(unpacked(archive))) as files:
                files.extractall(staged, filter="data")
        # The packed file names a folder of another system.
        (staged / "fonts.conf").write_text(f"<fontconfig><dir>{FOLDER}/fonts</dir></fontconfig>\n")
        shutil.rmtree(FOLDER, ignore_errors=True)
        staged.rename(FOLDER)


if __name__ == "__main__":
    found = of_system()
    if found:
        print(f"pages are tested in {found}")
    elif not (FOLDER / "chromium").exists():
        print(f"fetching {PACKAGE} (70 MB)")
        install()
