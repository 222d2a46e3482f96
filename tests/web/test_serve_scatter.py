"""Scatter plots, in which a lasso selects rows."""

import re
import unittest
from urllib.parse import parse_qs, urlparse

import pyarrow.parquet
import tables
from pages import DESK, PHONE
from serving import ServeTest, thorough

SCATTER = "/data/images/table?view=scatter&x=sharpness&y=brightness&colour=split"
ROWS = 5_000
# Number of pixels of the plot that are drawn.
DRAWN = """() => {
  const canvas = document.querySelector(".points canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}"""


@thorough
class Scatter(ServeTest):
    def setUp(self):
        super().setUp()
        self.write("stages/table/stage.toml", tables.STAGE)
        self.write("pipelines/main.toml", tables.pipeline(["images"]))
        (self.folder / "data/raw").mkdir(parents=True)
        tables.write(self.folder / "data/raw/images.parquet", ROWS, images=True)
        self.callsheet("run")
        self.serve()

    def open(self, path, **device):
        page = self.context(**(device or DESK)).new_page()
        self.visit(page, path)
        page.wait_for_function(f"({DRAWN})() > 0")
        return page

    def inside(self, page):
        """Number of rows whose points are inside of the polygon in the address."""
        conditions = parse_qs(urlparse(page.url).query)["where"][0]
        numbers = [float(text) for text in re.search(r'sharpness&brightness:"([^"]*)"', conditions)[1].split()]
        corners = list(zip(numbers[::2], numbers[1::2]))
        table = pyarrow.parquet.read_table(self.folder / "data/raw/images.parquet", columns=["sharpness", "brightness"])
        found = 0
        for x, y in zip(table["sharpness"].to_pylist(), table["brightness"].to_pylist()):
            edges = zip(corners, corners[1:] + corners[:1])
            found += sum((y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1 for (x1, y1), (x2, y2) in edges) % 2
        return found

    def test_a_lasso_selects_the_rows_inside_and_the_gallery_shows_them(self):
        page = self.open(SCATTER)
        box = page.locator(".points").bounding_box()
        at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
        page.mouse.move(*at(0.4, 0.4))
        page.mouse.down()
        for x, y in [(0.6, 0.4), (0.65, 0.6), (0.5, 0.7), (0.35, 0.6)]:
            page.mouse.move(*at(x, y), steps=5)
        page.mouse.up()
        page.wait_for_url("**where=**")
        rows = self.inside(page)
        self.assertGreater(rows, 100)
        page.get_by_text(f"{rows:,} of 5,000 rows").wait_for()
        page.locator(".cell img").first.wait_for()
        again = self.open(page.url.removeprefix(self.site))
        again.get_by_text(f"{rows:,} of 5,000 rows").wait_for()

    def test_a_lasso_is_drawn_by_keys(self):
        page = self.open(SCATTER)
        page.locator(".points").focus()
        for keys in ["Shift+ArrowLeft", "Space", "Shift+ArrowRight", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space", "Enter"]:
            page.keyboard.press(keys)
        page.wait_for_url("**where=**")
        rows = self.inside(page)
        self.assertGreater(rows, 0)
        page.get_by_text(f"{rows:,} of 5,000 rows").wait_for()
        page.locator(".points").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        self.assertEqual(self.inside(page), rows, "a lasso that was given up changes nothing")

    def test_scatter_plots_are_accessible_on_any_screen(self):
        for scheme in ["light", "dark"]:
            for device in [DESK, PHONE]:
                page = self.context(color_scheme=scheme, **device).new_page()
                self.visit(page, f"{SCATTER}&where=cluster:3")
                page.wait_for_function(f"({DRAWN})() > 0")
                self.check_accessible(page, f"{scheme} {device['viewport']}")

    def test_a_column_of_texts_as_an_axis_falls_back_to_numbers(self):
        page = self.open("/data/images/table?view=scatter&x=split&y=nothing&colour=id")
        self.assertEqual(page.get_by_label("x", exact=True).input_value(), "sharpness")


if __name__ == "__main__":
    unittest.main()
