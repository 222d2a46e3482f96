"""A checkpoint in torch: networks with its weights compute the output of `callsheet translate`."""

import io
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import test_training
from networks import Weights, code, encoder, generator
from worker import ROOT

AVERAGE = "average."


def read(file):
    pixels = np.array(Image.open(file))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


class Checkpoint(unittest.TestCase):
    def test_its_averages_in_torch_translate_as_the_program_does(self):
        made = test_training.folder(0)
        with tempfile.TemporaryDirectory() as own:
            folder = Path(own)
            test_training.train("step_v4", folder / "run", made, generator=made / "start/model")
            checkpoint = max((folder / "run").glob("step-*.safetensors"))
            with safe_open(checkpoint, "pt") as file:
                self.assertIn('"networks":"step"', file.metadata()["callsheet"])
            row = test_training.pq.read_table(made / "pairs.parquet").to_pylist()[0]
            for half in "ab":
                (folder / f"{half}.png").write_bytes(row[half]["bytes"])
            command = [ROOT / "target/release/callsheet-stages", "translate", "transfer", checkpoint, "a.png", "b.png", "-o", "out.png"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            weights = {n.removeprefix(AVERAGE): w for n, w in load_file(checkpoint).items() if n.startswith(AVERAGE)}
            with torch.no_grad():
                z = code(encoder(Weights(weights, "e."), read(io.BytesIO(row["b"]["bytes"]))))
                wanted = generator(Weights(weights, "g."), read(io.BytesIO(row["a"]["bytes"])), z)
            wanted = (wanted * 127.5 + 127.5).round().clamp(0, 255)
            found = torch.from_numpy(np.array(Image.open(folder / "out.png"))).permute(2, 0, 1)[None].float()
            off = (found - wanted).abs()
            # A value on the edge between two bytes may be rounded either way.
            self.assertLessEqual(off.max().item(), 1)
            self.assertLess(off.mean().item(), 1e-3)


if __name__ == "__main__":
    unittest.main()
