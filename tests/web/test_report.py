"""The report of a run, as people view it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from pages import DESK, PHONE, PROGRAMS, ROOT, WebTest

SHOWN = ["-p", "shown", "-d", "toy", "-P", "small", "--report"]
SCREEN = {"viewport": {"width": 1280, "height": 900}}

# Texts whose contrast with their background is below 4.5 (WCAG 2.2, level AA).
FAINT = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const faint = [];
  for (const element of document.querySelectorAll("body *:not(svg *):not(script)")) {
    if (!own(element) || !element.checkVisibility()) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${element.tagName} ${contrast.toFixed(2)}: ${element.textContent.slice(0, 40)}`);
  }
  return faint;
}"""


def bottom(locator):
    box = locator.bounding_box()
    return box["y"] + box["height"]


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

    def test_begins_with_its_results_on_one_screen(self):
        for scheme in ["light", "dark"]:
            opened = self.open_page(self.page, SCREEN, color_scheme=scheme)
            sentence = opened.page.locator("header .sentence")
            self.assertIn("Method c is not better than the best baseline in score (0.5000 dB;", sentence.text_content())
            self.assertLess(bottom(sentence), 300)
            self.assertLess(bottom(opened.page.locator(".comparison")), 900)
            picture = opened.page.locator(".lead figure img")
            self.assertLess(picture.bounding_box()["y"], 600)
            # Comparison and picture are side by side.
            table = opened.page.locator(".lead > div").bounding_box()
            self.assertGreaterEqual(picture.bounding_box()["x"], table["x"] + table["width"])
            self.assertEqual(opened.page.locator(".comparison td.best").text_content().split()[0], "20.12")
            self.assertEqual(opened.page.locator(".lead .note").first.text_content(), "A score is painted, not measured.")
            baselines = opened.page.locator(".comparison th", has_text="baseline").all_text_contents()
            self.assertEqual(baselines, ["a <b> baseline"])
            self.assertFalse(opened.page.locator("svg.graph").is_visible(), "the graph is folded")

    def test_texts_have_enough_contrast_in_light_and_dark(self):
        for scheme in ["light", "dark"]:
            for page in [self.page, self.folder / "both.html"]:
                opened = self.open_page(page, color_scheme=scheme)
                opened.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
                self.assertEqual(opened.page.evaluate(FAINT), [])
            curves = opened.page.locator(".curves svg").first
            inverted = curves.evaluate("(svg) => getComputedStyle(svg).filter") != "none"
            self.assertEqual(inverted, scheme == "dark", "curves follow the scheme")

    def test_thumbnails_stand_side_by_side_on_a_phone(self):
        opened = self.open_page(self.page, PHONE)
        images = opened.page.locator(".images img")
        images.first.scroll_into_view_if_needed()
        first, second = images.nth(0).bounding_box(), images.nth(1).bounding_box()
        self.assertEqual(first["y"], second["y"])
        self.assertLess(first["x"] + first["width"], second["x"])

    def test_a_comparison_begins_with_changed_parameters_and_metrics(self):
        opened = self.open_page(self.folder / "both.html", SCREEN)
        heads = opened.page.locator("main h2").all_text_contents()
        self.assertEqual(heads[:3], ["Changed parameters", "Metrics", "Figures"])
        changed = opened.page.locator("main table").first
        self.assertIn("paint: points", changed.text_content())
        self.assertLess(bottom(changed), 900)
        self.assertFalse(opened.page.get_by_text("From A to B").is_visible(), "digests are folded")
        # Figures that differ come before those that are equal in both runs.
        notes = opened.page.locator("main > section").all_text_contents()
        equal = ["This figure is equal" in note for note in notes]
        self.assertEqual(equal, sorted(equal))

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
        opened.page.locator(".graph-of-stages summary").click()
        opened.page.locator('svg a[href="#train"]').click()
        row.wait_for(state="visible")

    def test_a_page_that_compares_runs_is_sound(self):
        for device in [DESK, PHONE]:
            self.assert_sound(self.open_page(self.folder / "both.html", device))
