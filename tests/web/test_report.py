"""The report of a run, as people view it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from pages import DESK, PHONE, PROGRAMS, ROOT, WebTest

SHOWN = ["-p", "shown", "-d", "toy", "-P", "small", "--report"]


class Report(WebTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        scratch = tempfile.TemporaryDirectory(prefix="callsheet-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name) / "toy"
        shutil.copytree(ROOT / "tests/toy", cls.folder)
        cls.callsheet("run", *SHOWN, "--set", "paint.points=60")
        cls.callsheet("run", *SHOWN, "--set", "paint.points=40")
        cls.callsheet("compare", "latest~1", "latest", "--html", "both.html")
        cls.page = sorted(cls.folder.glob("data/out/runs/*/report.html"))[-1]

    @classmethod
    def callsheet(cls, *words):
        subprocess.run([PROGRAMS / "callsheet", *words], cwd=cls.folder, check=True, capture_output=True)

    def test_is_sound_on_any_screen_in_light_and_dark(self):
        for device in [DESK, PHONE]:
            for scheme in ["light", "dark"]:
                opened = self.open_page(self.page, device, color_scheme=scheme)
                # One picture, and the pictures of the table of images.
                self.assert_sound(opened, pictures=1 + 40)

    def test_shows_the_image_under_the_pointer_and_walks_by_the_keyboard(self):
        opened = self.open_page(self.page)
        plot = opened.page.locator(".scatter canvas")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        # The first point is at the top left.
        opened.page.mouse.move(box["x"] + 12, box["y"] + 12)
        details = opened.page.locator(".scatter .details")
        self.assertIn("</script>0", details.text_content())
        plot.focus()
        opened.page.keyboard.press("ArrowRight")
        self.assertIn("</script>1", details.text_content())
        self.assertEqual(opened.page.locator(".scatter .details img").count(), 1)
        opened.page.keyboard.press("ArrowLeft")
        opened.page.keyboard.press("ArrowLeft")
        self.assertIn("</script>39", details.text_content())
        self.assert_sound(opened)

    def test_points_are_coloured_by_the_chosen_column(self):
        opened = self.open_page(self.page)
        opened.page.select_option(".scatter select", "cluster")
        self.assertEqual(opened.page.locator(".scatter .legend span").all_text_contents(), ["0", "1"])

    def test_a_box_of_the_graph_leads_to_its_stage(self):
        opened = self.open_page(self.page)
        row = opened.page.locator("th#train")
        self.assertFalse(row.is_visible())
        opened.page.locator('svg a[href="#train"]').click()
        row.wait_for(state="visible")

    def test_a_page_that_compares_runs_is_sound(self):
        for device in [DESK, PHONE]:
            self.assert_sound(self.open_page(self.folder / "both.html", device))
