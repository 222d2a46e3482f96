"""Times of frames compared with PyAV, over containers, codecs, variable rates, B-frames and edit lists."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq

sys.path.append(str(Path(__file__).parent))
from worker import ROOT, stage  # noqa: E402

SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=128x64:rate=25", "-frames:v", "60"]
UNEVEN = ["-vf", "settb=1/1000,setpts='N*40+floor(N/7)*350-mod(N,2)*25'", "-fps_mode", "passthrough",
          "-enc_time_base", "1/1000"]
CODECS = {
    "h264": ["-c:v", "libx264", "-bf", "3", "-g", "20", "-pix_fmt", "yuv420p"],
    "hevc": ["-c:v", "libx265", "-x265-params", "log-level=error:keyint=20", "-pix_fmt", "yuv420p"],
    "mpeg4": ["-c:v", "mpeg4", "-bf", "2", "-g", "20"],
    "mjpeg": ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
    "vp8": ["-c:v", "libvpx", "-g", "20", "-deadline", "realtime"],
    "vp9": ["-c:v", "libvpx-vp9", "-g", "20", "-deadline", "realtime", "-cpu-used", "8"],
    "av1": ["-c:v", "libaom-av1", "-g", "20", "-usage", "realtime", "-cpu-used", "8"],
}
CONTAINERS = {
    "mp4": ["h264", "hevc", "mpeg4", "vp9", "av1"],
    "mov": ["h264", "hevc", "mpeg4", "mjpeg"],
    "mkv": list(CODECS),
    "webm": ["vp8", "vp9", "av1"],
    "ts": ["h264", "hevc", "mpeg4"],
    "avi": ["mjpeg", "vp8"],
}


def ffmpeg(*arguments):
    environment = os.environ | {"PATH": f"{ROOT}/.toolchain/bin:{os.environ['PATH']}"}
    subprocess.run(["ffmpeg", "-y", "-v", "error", *map(str, arguments)], check=True, env=environment)


def times_in_pyav(path):
    """Returns the time of each decoded frame in seconds."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


class Footage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def compare(self, files):
        """Asserts that list_frames lists the frames that PyAV decodes, at equal times."""
        self.assertTrue(files)
        table = self.folder / "list.parquet"
        stage("list_frames", {"videos": files}, {"list": table})
        rows = pq.read_table(table).to_pydict()
        for file in files:
            listed = [time for video, time in zip(rows["video"], rows["time_s"]) if video == file.name]
            decoded = times_in_pyav(file)
            self.assertEqual(len(listed), len(decoded), file.name)
            np.testing.assert_allclose(listed, decoded, atol=5e-4, err_msg=file.name)

    def encoded(self, *how):
        """Encodes a video for each container and codec."""
        for container, codecs in CONTAINERS.items():
            for codec in codecs:
                file = self.folder / f"{codec}.{container}"
                ffmpeg(*SOURCE, *how, *CODECS[codec], file)
                yield file

    def test_every_container_and_codec_has_the_times_of_pyav(self):
        self.compare(list(self.encoded()))

    def test_a_variable_frame_rate_has_the_times_of_pyav(self):
        # AVI has a constant rate only.
        files = [file for file in self.encoded(*UNEVEN) if file.suffix != ".avi"]
        self.compare(files)

    def test_frames_that_an_edit_list_hides_are_not_listed(self):
        files = []
        for codec in ("h264", "hevc", "mpeg4"):
            whole = self.folder / f"{codec}_whole.mp4"
            ffmpeg(*SOURCE, *CODECS[codec], whole)
            for start in (0.5, 1.22):
                files.append(self.folder / f"{codec}_{start}.mp4")
                ffmpeg("-ss", start, "-i", whole, "-c", "copy", files[-1])
        self.compare(files)


if __name__ == "__main__":
    unittest.main()
