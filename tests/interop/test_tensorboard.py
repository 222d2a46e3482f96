"""Metrics and pictures of a run, as TensorBoard reads them."""

import io
import json
import struct
import unittest

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from project import project


def run_folder():
    runs = project().folder / "data/store/runs"
    return next(run for run in sorted(runs.iterdir()) if (run / "tensorboard").is_dir())


def accumulated(stage):
    found = EventAccumulator(str(run_folder() / "tensorboard" / stage), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    return found


def single(value):
    """A number, rounded to single precision."""
    return struct.unpack("f", struct.pack("f", value))[0]


class TensorBoard(unittest.TestCase):
    def test_reads_every_value_of_every_stage(self):
        told = json.loads(project().callsheet_plain("metrics", run_folder().name, "--json"))["runs"][0]["stages"]
        self.assertIn("held_out/psnr", told["finetune_generator"])
        for stage, curves in told.items():
            found = accumulated(stage)
            self.assertEqual(set(found.Tags()["scalars"]), set(curves), stage)
            for name, curve in curves.items():
                values = {event.step: event.value for event in found.Scalars(name)}
                self.assertEqual(values, {int(step): single(value) for step, value in curve.items()}, name)

    def test_shows_samples(self):
        found = accumulated("finetune_generator")
        self.assertEqual(found.Tags()["images"], ["samples"])
        for event in found.Images("samples"):
            picture = Image.open(io.BytesIO(event.encoded_image_string))
            self.assertEqual(picture.size, (event.width, event.height))
            copy = run_folder() / f"images/finetune_generator/samples-{event.step:09}.png"
            self.assertEqual(copy.read_bytes(), event.encoded_image_string)


if __name__ == "__main__":
    unittest.main()
