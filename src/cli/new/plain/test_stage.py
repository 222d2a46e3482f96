"""Tests of the stage: python3 -m unittest discover FOLDER"""

import json
import runpy
import tempfile
import unittest
from pathlib import Path

STAGE = runpy.run_path(str(Path(__file__).with_name("stage.py")))


class Test(unittest.TestCase):
    def test_words_with_enough_letters_are_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            text, counts = Path(folder, "a.txt"), Path(folder, "counts.json")
            text.write_text("a cat and a dog\n", encoding="utf-8")
            STAGE["main"](
                {
                    "inputs": {"texts": {"paths": [str(text)], "names": ["a.txt"]}},
                    "params": {"min_letters": 3},
                    "outputs": {"counts": str(counts)},
                }
            )
            rows = [json.loads(line) for line in counts.read_text(encoding="utf-8").splitlines()]
        self.assertEqual(rows, [{"text": "a.txt", "words": 3}])


if __name__ == "__main__":
    unittest.main()
