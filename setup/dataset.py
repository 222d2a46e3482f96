#!/usr/bin/env python3
"""Fetch a dataset from the public address in its file, `[metadata] url`.

An interrupted fetch continues where it stopped. The archive's SHA-256 is checked if the dataset's
file has one (`[metadata] sha256`), and printed if not. Of the archive only images are taken, into
data/raw/NAME; a file that is there already is kept.

usage: dataset.py NAME
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
IMAGES = {".jpg", ".jpeg", ".png"}


class FetchError(Exception):
    """Something the user can act on; the message says how."""


def metadata(name):
    """The table [metadata] of a dataset's file."""
    try:
        import tomllib
    except ImportError as error:
        raise FetchError("python3 of 3.11 or later is needed to read the dataset's file") from error
    folder = ROOT / "pipelines" / "datasets"
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise FetchError(f"there is no dataset `{name}` (known: {', '.join(known)})")
    with open(folder / f"{name}.toml", "rb") as file:
        found = tomllib.load(file).get("metadata", {})
    if "url" not in found:
        raise FetchError(f"the dataset `{name}` has no public address; put its files into data/raw/{name}")
    return found


def show(label, have, total, shown):
    """Say how far the fetch is, now and then."""
    now = time.monotonic()
    if now - shown[0] > (0.2 if sys.stderr.isatty() else 10):
        shown[0] = now
        of = f" of {total / 1e6:.0f}" if total else ""
        print(f"  {label}: {have / 1e6:.0f}{of} MB", end="\r" if sys.stderr.isatty() else "\n",
              file=sys.stderr, flush=True)


def version(reply):
    """What a server names this state of a file by, if it vouches for every byte."""
    tag = reply.headers.get("ETag", "")
    return tag if tag.startswith('"') else reply.headers.get("Last-Modified", "")


def read_on(url, part, shown):
    """Append to `part` what is missing of it; returns whether it is whole."""
    have = size(part)
    begun = part.with_name(f"{part.name}.version")
    headers = {"Range": f"bytes={have}-"} if have else {}
    named = begun.read_text() if have and begun.exists() else ""
    if named:
        headers["If-Range"] = named  # all of it again, if it is another file by now
    request = urllib.request.Request(url, headers=headers)
    try:
        reply = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send
            return True
        raise
    with reply:
        # A server that knows no ranges sends all of it again.
        appending = have > 0 and reply.status == 206
        have = have if appending else 0
        length = reply.headers.get("Content-Length")
        total = have + int(length) if length else 0
        with open(part, "ab" if appending else "wb") as out:
            if not appending:
                begun.write_text(version(reply))  # of a part that is empty by now
            while data := reply.read(CHUNK):
                out.write(data)
                have += len(data)
                show(part.name, have, total, shown)
        return total == 0 or have >= total


def download(url, part):
    """Fetch `url` into `part`, from where it stands."""
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
        # Only attempts that bring nothing are counted.
        failed = 0 if size(part) > before else failed + 1
        if failed == RETRIES:
            raise FetchError(f"{url}: {reason}; {size(part) / 1e6:.0f} MB are kept, run again to continue")
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
    """Where a member goes below data/raw/NAME; None for what is no image. Never outside that folder."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise FetchError(f"the archive names a file outside its folder: {member.name}")
    if not member.isfile() or path.suffix.lower() not in IMAGES or path.name.startswith("."):
        return None
    parts = path.parts[1:] if path.parts[0] == name else path.parts
    return Path(*parts)


def extract(archive, name):
    """Put the archive's images into data/raw/NAME; returns how many came."""
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
        # Only now, that all of the archive has been read and found whole.
        for whole in sorted(path for path in staging.rglob("*") if path.is_file()):
            final = folder / whole.relative_to(staging)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(whole, final)
            count += 1
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return count


def fetch(name):
    found = metadata(name)
    url = found["url"]
    PARTS.mkdir(parents=True, exist_ok=True)
    part = PARTS / f"{name}-{url.rsplit('/', 1)[-1]}"
    print(f"fetching {url}", file=sys.stderr)
    download(url, part)
    digest = sha256(part)
    wanted = found.get("sha256", "")
    if not digest.startswith(wanted.lower()):
        forget(part)
        raise FetchError(f"its SHA-256 is {digest}, wanted is {wanted}; nothing was installed")
    try:
        count = extract(part, name)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        forget(part)
        raise FetchError(f"{url} is no whole archive: {error}; run again to fetch it anew") from error
    except OSError as error:
        raise FetchError(f"{error}; the archive is kept, run again to continue") from error
    forget(part)
    print(f"{count} images came into data/raw/{name}; `callsheet dataset check {name}` looks at them all",
          file=sys.stderr)
    if not wanted:
        print(f"its SHA-256 is {digest}: add it to pipelines/datasets/{name}.toml, under [metadata], as\n"
              f"sha256 = \"{digest}\"\nso that the next fetch is known to be the same", file=sys.stderr)


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit("usage: dataset.py NAME   (make fetch DATASET=NAME)")
    try:
        fetch(arguments[0])
    except FetchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
