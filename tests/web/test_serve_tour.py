"""The tour of the guide, step by step. With UPDATE_DOCS=1, it takes the pictures of the guide."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from pages import PROGRAMS, ROOT
from serving import ServeTest

SCREEN = {"viewport": {"width": 1280, "height": 820}}
PICTURES = ROOT / "docs/guide/pictures"
GUIDE = ROOT / "docs/guide/web-ui.md"


class Tour(ServeTest):
    def setUp(self):
        super().setUp()
        scratch = tempfile.TemporaryDirectory(prefix="callsheet-")
        self.addCleanup(scratch.cleanup)
        # The demonstration is written into the current folder.
        self.folder = Path(scratch.name)
        author = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "ann"}
        self.serve(words=["--demo"], stderr=subprocess.DEVNULL, env={**os.environ, **author})
        self.folder /= "callsheet-demo"

    def take(self, page, name):
        """Takes a picture of the guide, which must show it."""
        self.assertIn(f"(pictures/{name}.jpg)", GUIDE.read_text())
        if os.environ.get("UPDATE_DOCS"):
            PICTURES.mkdir(exist_ok=True)
            page.screenshot(path=PICTURES / f"{name}.jpg", type="jpeg", quality=80)
        self.assertLess((PICTURES / f"{name}.jpg").stat().st_size, 200_000)

    def test_the_tour_works_as_written(self):
        page = self.context(**SCREEN).new_page()
        self.visit(page, "/")
        self.take(page, "overview")
        page.get_by_role("link", name="20 findings").click()
        dialog = page.get_by_role("dialog", name="Row")
        dialog.get_by_text("row 1 of 20").wait_for()
        page.wait_for_function("() => [...document.querySelectorAll('dialog img')].length === 2 && [...document.querySelectorAll('dialog img')].every((image) => image.complete)")
        self.take(page, "triage")
        for row in range(20):
            dialog.get_by_text(f"row {row + 1} of 20").wait_for()
            page.keyboard.press("x")
        dialog.get_by_text("20 judged").wait_for()
        page.keyboard.press("Escape")
        impact = page.get_by_role("complementary", name="Next run")
        impact.get_by_text("20 verdicts in the file").wait_for()
        impact.get_by_text("describe 0 of 220 rows").first.wait_for()
        self.take(page, "impact")
        self.callsheet("run")
        page.goto(self.site)
        page.get_by_role("link", name="describe.colours").click()
        page.get_by_label("Columns of").focus()
        page.locator("#others option", has_text="paint.photos").wait_for(state="attached")
        page.get_by_label("Columns of").select_option(label="paint.photos")
        page.get_by_role("button", name="scatter").click()
        page.get_by_label("Colour", exact=True).select_option("sky")
        page.locator(".points canvas").wait_for()
        box = page.locator(".points").bounding_box()
        at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
        page.mouse.move(*at(0.02, 0.02))
        page.mouse.down()
        for x, y in [(0.4, 0.02), (0.4, 0.5), (0.02, 0.5)]:
            page.mouse.move(*at(x, y), steps=5)
        page.mouse.up()
        page.wait_for_url("**where=**")
        page.wait_for_function("() => !document.querySelector('.data [role=status]').textContent.startsWith('220 of')")
        page.wait_for_function("() => [...document.querySelectorAll('.cell')].every((cell) => cell.querySelector('img')?.complete)")
        page.wait_for_timeout(300)
        self.take(page, "scatter")


if __name__ == "__main__":
    unittest.main()
