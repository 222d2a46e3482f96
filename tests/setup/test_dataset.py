"""Tests of `setup/dataset.py` with a local server that breaks off, lies, and serves untrusted archives."""

import hashlib
import http.server
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from archives import tgz

ROOT = Path(__file__).resolve().parent.parent.parent


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content`; a connection ends after `server.most` bytes, then `server.then` may replace it."""

    def do_GET(self):
        content, ranges = self.server.content, self.headers.get("Range")
        self.server.asked.append(ranges)
        tag = f'"{hashlib.sha256(content or b"").hexdigest()}"'
        if self.headers.get("If-Range", tag) != tag:
            ranges = None
        if content is None:
            return self.send_error(404)
        first = int(ranges.removeprefix("bytes=").rstrip("-")) if ranges and self.server.ranged else 0
        if first >= len(content):
            return self.send_error(416)
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", len(content) - first)
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(content[first : first + self.server.most])
        self.server.content = self.server.then or content

    def log_message(self, *_):
        pass


class Fetching(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "setup").mkdir()
        (self.folder / "pipelines/datasets").mkdir(parents=True)
        shutil.copy(ROOT / "setup/dataset.py", self.folder / "setup")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.content, self.server.most, self.server.ranged, self.server.asked = None, 1 << 30, True, []
        self.server.then = None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def fetch(self, members, sha256=""):
        self.server.content = tgz(members) if isinstance(members, dict) else members
        url = f"http://127.0.0.1:{self.server.server_port}/mine.tar.gz"
        text = f'summary = "Mine"\n[metadata]\nurl = "{url}"\nsha256 = "{sha256}"\n'
        (self.folder / "pipelines/datasets/mine.toml").write_text(text)
        command = [sys.executable, self.folder / "setup/dataset.py", "mine"]
        return subprocess.run(command, capture_output=True, text=True)

    def raw(self):
        folder = self.folder / "data/raw/mine"
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())

    def test_images_are_unpacked_below_the_dataset_s_folder_and_the_digest_is_printed(self):
        done = self.fetch({"mine/train/1.jpg": b"one", "mine/val/2.PNG": b"two", "mine/README.txt": b"no image",
                           "mine/train/._1.jpg": b"copy", "mine/.ipynb_checkpoints/1.jpg": b"copy",
                           "__MACOSX/mine/1.jpg": b"copy"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.raw(), ["train/1.jpg", "val/2.PNG"])
        self.assertIn(hashlib.sha256(self.server.content).hexdigest(), done.stderr)

    def test_a_fetch_that_breaks_off_continues_where_it_stopped(self):
        self.server.most = 200
        done = self.fetch({f"mine/train/{n}.jpg": hashlib.sha256(bytes([n])).digest() for n in range(12)})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.raw()), 12)
        self.assertEqual(self.server.asked[:3], [None, "bytes=200-", "bytes=400-"])

    def test_a_server_without_ranges_sends_all_of_it_again(self):
        self.server.ranged = False
        part = self.folder / ".toolchain/parts/mine-mine.tar.gz"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"what came before")
        done = self.fetch({"mine/train/1.jpg": b"one"})
        self.assertEqual((done.returncode, self.raw()), (0, ["train/1.jpg"]), done.stderr)

    def test_a_file_that_changes_while_it_is_fetched_is_fetched_again(self):
        self.server.most = 200
        self.server.then = tgz({f"mine/train/{n}.jpg": bytes([n]) * 5000 for n in range(3)})
        done = self.fetch({f"mine/train/{n}.jpg": hashlib.sha256(bytes([n])).digest() for n in range(12)})
        self.assertEqual((done.returncode, len(self.raw())), (0, 3), done.stderr)
        self.assertEqual(list((self.folder / ".toolchain/parts").iterdir()), [])

    def test_another_checksum_installs_nothing(self):
        done = self.fetch({"mine/train/1.jpg": b"one"}, sha256="00" * 32)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("nothing was installed", done.stderr)
        self.assertEqual(self.raw(), [])

    def test_no_member_is_written_outside_the_folder(self):
        for name in ["../../evil.jpg", "/tmp/evil.jpg", "mine/../../../evil.jpg"]:
            done = self.fetch({"mine/train/1.jpg": b"one", name: b"evil"})
            self.assertIn("outside its folder", done.stderr)
            self.assertEqual(self.raw(), [])
        done = self.fetch({"mine/train/1.jpg": b"one", "mine/train/link.jpg": None})
        self.assertEqual((done.returncode, self.raw()), (0, ["train/1.jpg"]), done.stderr)

    def test_files_that_are_there_are_kept(self):
        mine = self.folder / "data/raw/mine/train/1.jpg"
        mine.parent.mkdir(parents=True)
        mine.write_bytes(b"mended")
        done = self.fetch({"mine/train/1.jpg": b"one", "mine/train/2.jpg": b"two"})
        self.assertEqual((done.returncode, mine.read_bytes()), (0, b"mended"), done.stderr)
        self.assertEqual(self.raw(), ["train/1.jpg", "train/2.jpg"])

    def test_an_archive_that_cannot_be_unpacked_here_is_kept(self):
        taken = self.folder / "data/raw/mine/train"
        taken.parent.mkdir(parents=True)
        taken.write_bytes(b"a file where a folder should be")
        done = self.fetch({"mine/train/1.jpg": b"one"})
        self.assertIn("the archive is kept", done.stderr)
        taken.unlink()
        done = self.fetch({"mine/train/1.jpg": b"one"})
        self.assertEqual((done.returncode, self.raw()), (0, ["train/1.jpg"]), done.stderr)

    def test_invalid_archives_and_missing_files_are_reported(self):
        self.assertIn("is not a complete archive", self.fetch(b"no archive").stderr)
        whole = tgz({"mine/train/1.jpg": bytes(range(256)) * 40})
        self.assertIn("is not a complete archive", self.fetch(whole[: len(whole) // 2]).stderr)
        self.assertEqual(self.raw(), [])
        self.assertIn("answers 404", self.fetch(None).stderr)


if __name__ == "__main__":
    unittest.main()
