"""Pages of tables with many rows, as people use them."""

import shutil
import tempfile
import unittest
from pathlib import Path

import pyarrow.parquet
import tables
from pages import DESK, PHONE
from serving import ServeTest, thorough
from tables import COMPLETE

ROWS = 20_000
GRID = "/data/images/table"
# True if a row is inside of the box that shows rows, below the titles of the columns.
INSIDE = """(id) => {
  const [row, box] = [id && document.getElementById(id), document.querySelector(".scroller")].map((found) => found.getBoundingClientRect());
  const titles = document.querySelector(".scroller .head").getBoundingClientRect();
  return row.top >= titles.bottom - 1 && row.bottom <= box.bottom + 1;
}"""


@thorough
class Data(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        raw = tempfile.TemporaryDirectory(prefix="callsheet-")
        cls.addClassCleanup(raw.cleanup)
        cls.raw = Path(raw.name)
        tables.write(cls.raw / "images.parquet", ROWS, images=True)
        # As programs write it that know no page index.
        table = pyarrow.parquet.read_table(cls.raw / "images.parquet").slice(0, 3000)
        pyarrow.parquet.write_table(table, cls.raw / "plain.parquet")

    def setUp(self):
        super().setUp()
        self.write("stages/table/stage.toml", tables.STAGE)
        self.write("pipelines/main.toml", tables.pipeline(["images", "plain"]))
        shutil.copytree(self.raw, self.folder / "data/raw")
        self.callsheet("run")
        self.serve()

    def open(self, path, **device):
        page = self.context(**(device or DESK)).new_page()
        self.visit(page, path)
        return page

    def status(self, page):
        return page.locator(".data [role=status]").first.inner_text()

    def test_a_grid_draws_only_the_images_in_view_and_leads_to_any_row(self):
        page = self.open(GRID)
        page.wait_for_function(COMPLETE)
        self.assertEqual(self.status(page), "20,000 of 20,000 rows")
        self.assertLess(page.locator(".cell").count(), 120)
        page.locator(".scroller").focus()
        page.keyboard.press("End")
        page.locator("#row-19999").wait_for()
        page.wait_for_function(COMPLETE)
        self.assertEqual(page.locator("[aria-selected=true]").inner_text(), "image-0019999")
        self.assertIn("at=19999", page.url)
        page.reload()
        page.locator("#row-19999 img").wait_for()
        page.locator(".scroller").focus()
        page.keyboard.press("Home")
        page.locator("#row-0 img").wait_for()
        for key, at in [("ArrowRight", 1), ("l", 2), ("h", 1)]:
            page.keyboard.press(key)
            self.assertEqual(page.locator("[aria-selected=true]").get_attribute("id"), f"row-{at}")
        page.keyboard.press("j")
        below = int(page.locator("[aria-selected=true]").get_attribute("aria-posinset")) - 1
        self.assertGreater(below, 3, "the row below is one line further")
        self.assertEqual(page.locator(".scroller").get_attribute("aria-activedescendant"), f"row-{below}")

    def test_rows_are_filtered_by_bars_fields_and_texts_and_the_address_keeps_the_selection(self):
        page = self.open(GRID)
        page.locator(".bars").first.wait_for()
        bars = page.get_by_role("region", name="sharpness").locator(".bars")
        bar = bars.locator("div").nth(8)
        rows = bar.get_attribute("title").split(": ")[1].split(" of ")[0]
        box = bar.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
        page.get_by_text(f"{rows} of 20,000 rows").wait_for()
        page.get_by_role("button", name="val", exact=False).click()
        page.wait_for_url("**split%3Aval**")
        page.wait_for_function("rows => document.querySelector('.data [role=status]').textContent !== rows", arg=f"{rows} of 20,000 rows")
        selected = self.status(page)
        self.assertLess(int(selected.split()[0].replace(",", "")), int(rows.replace(",", "")) / 3)
        again = self.open(page.url.removeprefix(self.site))
        self.assertEqual(self.status(again), selected)
        page.get_by_label("sharpness from").fill("20")
        page.get_by_label("sharpness from").press("Enter")
        page.get_by_role("button", name="Remove the condition on sharpness").click()
        page.get_by_text("4,000 of 20,000 rows").wait_for()
        page.get_by_label("id contains").fill("000199")
        page.get_by_label("id contains").press("Enter")
        page.get_by_text("2 of 20,000 rows").wait_for()
        self.assertEqual(page.locator(":focus").get_attribute("aria-label"), "id contains", "the field keeps the focus")
        page.get_by_label("Rows where").fill("cluster:3..4,psnr:..13")
        page.get_by_label("Rows where").press("Enter")
        page.wait_for_url("**cluster%3A3..4**")
        page.go_back()
        page.get_by_text("2 of 20,000 rows").wait_for()

    def test_rows_are_sorted_and_shown_as_a_table(self):
        page = self.open(GRID)
        page.get_by_role("button", name="table").click()
        page.get_by_role("columnheader", name="psnr").get_by_role("button").click()
        page.locator("[role=columnheader][aria-sort=ascending]").wait_for()
        page.get_by_role("columnheader", name="psnr").get_by_role("button").click()
        page.locator("[role=columnheader][aria-sort=descending]").wait_for()
        table = pyarrow.parquet.read_table(self.folder / "data/raw/images.parquet", columns=["id", "psnr"])
        best = table.sort_by([("psnr", "descending")])["id"][0].as_py()
        page.locator("#row-0").get_by_text(best).wait_for()
        page.locator(".scroller").focus()
        page.keyboard.press("End")
        page.locator("#row-19999").get_by_text("–").wait_for()
        self.assertTrue(page.evaluate(INSIDE, "row-19999"))
        page.keyboard.press("Home")
        for row in range(1, 41):
            page.keyboard.press("ArrowDown")
            page.locator(f"#row-{row}[aria-current=true]").wait_for()
        self.assertTrue(page.evaluate(INSIDE, "row-40"))

    def test_a_row_is_shown_alone_with_its_whole_image_and_exact_values(self):
        page = self.open(GRID)
        page.locator("#row-3 img").wait_for()
        page.locator("#row-3").click()
        dialog = page.get_by_role("dialog")
        image = dialog.get_by_role("img")
        image.wait_for()
        self.assertEqual(image.evaluate("(image) => image.decode().then(() => image.naturalWidth)"), tables.WIDTH)
        self.assertIn("image-0000003", dialog.inner_text())
        page.keyboard.press("ArrowRight")
        dialog.get_by_text("image-0000004").wait_for()
        again = self.open(page.url.removeprefix(self.site))
        again.get_by_role("dialog").get_by_text("image-0000004").wait_for()
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        self.assertEqual(page.locator(":focus").get_attribute("role"), "listbox")
        self.assertNotIn("open", page.url)

    def test_a_condition_with_a_mistake_is_explained_and_the_rows_stay(self):
        page = self.open(GRID)
        page.locator("#row-0 img").wait_for()
        page.get_by_label("Rows where").fill("sharpnes:3")
        page.get_by_label("Rows where").press("Enter")
        page.get_by_role("alert").get_by_text("did you mean `sharpness`?").wait_for()
        self.assertEqual(page.locator("#row-0 img").count(), 1)
        page.get_by_role("button", name="All rows").click()
        page.get_by_role("alert").wait_for(state="detached")
        for nonsense in ["?at=-1", "?at=1e99", "?at=x&view=7", "?image=nothing", "?at=99999999"]:
            page = self.open(GRID + nonsense)
            self.assertEqual(self.status(page), "20,000 of 20,000 rows", nonsense)
        page = self.open(f"{GRID}?where=%00%22%2C%3A%7C&sort=--x")
        self.assertIn("is not a condition", page.get_by_role("alert").inner_text())

    def test_a_table_without_page_index_and_a_damaged_part_are_shown(self):
        page = self.open("/data/plain/table")
        page.wait_for_function(COMPLETE)
        self.assertEqual(self.status(page), "3,000 of 3,000 rows")
        [file] = (self.folder / "data/out").glob("main/plain/table.parquet")
        data = bytearray(file.read_bytes())
        column = pyarrow.parquet.ParquetFile(file).metadata.row_group(0).column(3)
        start = column.dictionary_page_offset or column.data_page_offset
        data[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
        file.chmod(0o644)
        file.write_bytes(data)
        self.serve()
        page = self.open("/data/plain/table?view=table")
        page.locator("#row-0").get_by_text("image-0000000").wait_for()
        self.assertIn("callsheet verify", page.get_by_role("alert").inner_text())

    def test_tables_are_accessible_and_a_server_that_ended_is_named(self):
        for scheme in ["light", "dark"]:
            for device in [DESK, PHONE]:
                page = self.context(color_scheme=scheme, **device).new_page()
                for query in ["?where=cluster:3|4,sharpness:8..<12,split:val", "?view=table&sort=-psnr&where=cluster:3", "?open=1&at=5"]:
                    self.visit(page, GRID + query)
                    self.check_accessible(page, f"{query} {scheme} {device['viewport']}")
        server = self.serve()
        page = self.open(GRID)
        server.kill()
        server.wait()
        page.get_by_label("Rows where").fill("cluster:3")
        page.get_by_label("Rows where").press("Enter")
        page.get_by_role("alert").get_by_text("The server does not answer").wait_for()

    def test_the_browser_goes_back_to_the_row_and_the_selection_before(self):
        page = self.open(GRID)
        page.locator("#row-2 img").wait_for()
        page.locator("#row-2").click()
        page.keyboard.press("Escape")
        page.locator(".scroller").focus()
        page.keyboard.press("End")
        page.locator("#row-19999").wait_for()
        page.go_back()
        page.locator("#row-2[aria-selected=true]").wait_for()
        bars = page.get_by_role("region", name="brightness").locator(".bars")
        box = bars.bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 10)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + 10, steps=4)
        page.mouse.up()
        page.wait_for_url("**brightness**")
        page.go_back()
        page.get_by_text("20,000 of 20,000 rows").wait_for()
        page.mouse.click(box["x"] + 20, box["y"] + 10, button="right")
        self.assertNotIn("brightness", page.url)
        page.get_by_label("id contains").fill("a, b")
        page.get_by_label("id contains").press("Enter")
        page.get_by_text("No row satisfies the conditions.").wait_for()

    def test_no_key_has_two_meanings(self):
        page = self.open(GRID)
        keys = page.evaluate("import('/assets/data/keys.js').then(({ KEYS }) => KEYS.flatMap(({ keys }) => keys))")
        self.assertEqual(sorted(keys), sorted(set(keys)))
        self.assertGreater(len(keys), 10)


@thorough
class Large(ServeTest):
    """A table whose rows are higher than an element of a page can be, with a million different texts."""

    ROWS = 1_000_000

    def setUp(self):
        super().setUp()
        self.write("stages/table/stage.toml", tables.STAGE)
        self.write("pipelines/main.toml", tables.pipeline(["rows"]))
        (self.folder / "data/raw").mkdir(parents=True)
        tables.write(self.folder / "data/raw/rows.parquet", self.ROWS, images=False)
        self.callsheet("run")
        self.serve()

    def test_every_row_of_a_million_is_reached_by_keys_wheel_and_scroll_bar(self):
        page = self.context(**DESK).new_page()
        self.visit(page, "/data/rows/table")
        first = "() => document.querySelector('.lines-in-view .line').id"
        page.locator("#row-0").get_by_text("image-0000000").wait_for()
        page.locator(".scroller").focus()
        page.keyboard.press("End")
        page.locator("#row-999999").get_by_text("image-0999999").wait_for()
        self.assertTrue(page.evaluate(INSIDE, "row-999999"))
        page.keyboard.press("ArrowUp")
        page.locator("#row-999998[aria-current=true]").wait_for()
        page.evaluate("() => { const s = document.querySelector('.scroller'); s.scrollTop = (s.scrollHeight - s.clientHeight) / 2; }")
        page.wait_for_timeout(500)
        middle = int(page.evaluate(first).split("-")[1])
        self.assertAlmostEqual(middle, self.ROWS / 2, delta=100)
        page.mouse.move(800, 600)
        for _ in range(5):
            page.mouse.wheel(0, 320)
            page.wait_for_timeout(150)
        self.assertAlmostEqual(int(page.evaluate(first).split("-")[1]), middle + 50, delta=3, msg="the wheel moves by rows")
        row = page.evaluate(first)
        page.locator(f"#{row}").get_by_text(f"image-{int(row.split('-')[1]):07}").wait_for()
        self.assertLess(page.locator(".line").count(), 120)
        page.get_by_label("id contains").fill("099999")
        page.get_by_label("id contains").press("Enter")
        page.get_by_text("11 of 1,000,000 rows").wait_for()


if __name__ == "__main__":
    unittest.main()
