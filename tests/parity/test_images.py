"""Images of Pillow's own test suite, and damaged files, compared with Pillow."""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageOps

sys.path.append(str(Path(__file__).parent))
from worker import ROOT, stage  # noqa: E402

SUITE = ROOT / ".toolchain/parity/images"
EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
# JPEG files of the suite that have damaged data, according to libjpeg's warnings.
DAMAGED = {"hopper_bad_exif.jpg", "jpeg_ff00_header.jpg", "junk_jpeg_header.jpg", "photoshop-200dpi-broken.jpg",
           "truncated_app14.jpg", "truncated_jpeg.jpg", "ultrahdr.jpg"}
# Files that are read in another way than Pillow does.
OTHERWISE = {
    "exif_imagemagick_orientation.png": "the orientation is in a text",
    "xmp_tags_orientation.png": "the orientation is in XMP",
    "xmp_tags_orientation_exiftool.png": "the orientation is in XMP",
    "i_trns.png": "Pillow ignores the transparent grey of 16 bits",
    "16bit.r.tif": "Pillow takes the reversed bits of a byte for another number",
    "tiff_16bit_RGBa.tiff": "Pillow cuts 16 bits to 8 before it divides by alpha",
    "tiff_strip_planar_16bit_RGBa.tiff": "Pillow cuts 16 bits to 8 before it divides by alpha",
}


def suite():
    """Fetches the images once; returns their paths by name."""
    if not SUITE.exists():
        with tempfile.TemporaryDirectory(dir=SUITE.parent) as folder:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pillow",
                            "--require-hashes", "-r", Path(__file__).with_name("suite.txt"), "-d", folder], check=True)
            with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
                archive.extractall(folder, filter="data")
            shutil.move(next(Path(folder).glob("*/Tests/images")), SUITE)
    paths = sorted(path for path in SUITE.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    return {str(path.relative_to(SUITE)): path for path in paths}


def read(paths):
    """Decodes files as the stages do; returns the arrays of the readable ones by name."""
    with tempfile.TemporaryDirectory() as folder:
        listed, frames = Path(folder) / "list.parquet", Path(folder) / "frames"
        videos, names = list(paths.values()), {"videos": list(paths)}
        stage("list_frames", {"videos": videos}, {"list": listed}, names=names, skip_unreadable=True)
        stage("extract_frames", {"list": listed, "videos": videos}, {"frames": frames}, names=names)
        rows = [row for part in sorted(frames.glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
    return {row["frame_id"]: np.array(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows}


def wanted(path):
    """Pixels according to Pillow: upright, on white, 8 bits per channel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = ImageOps.exif_transpose(Image.open(path))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            return np.array(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB"))
        if image.mode.startswith("I"):
            grey = np.rint(np.array(image).astype(float) / 257).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        return np.array(image.convert("RGB"))


class Suite(unittest.TestCase):
    def test_the_images_of_pillow_s_suite_are_pillow_s(self):
        paths = suite()
        found = read(paths)
        jpegs = {name for name, path in paths.items() if path.read_bytes()[:2] == b"\xff\xd8"}
        self.assertEqual({Path(name).name for name in jpegs - found.keys()}, DAMAGED)
        self.assertGreater(len(found), 500)
        for name, pixels in found.items():
            if Path(name).name in OTHERWISE:
                continue
            try:
                pillow = wanted(paths[name]).astype(int)
            except (OSError, SyntaxError, ValueError):
                self.assertNotIn(name, jpegs, "Pillow refuses the file")
                continue
            self.assertEqual(pixels.shape, pillow.shape, name)
            # Alpha, 16 bits and the inks of TIFF are rounded in other ways.
            self.assertLessEqual(np.abs(pixels - pillow).max(), 0 if name in jpegs else 2, name)


if __name__ == "__main__":
    unittest.main()
