"""Verdicts that a curator gives in a browser, on the project of `callsheet serve --demo`."""

import base64
import csv
import json
import resource
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import pyarrow.parquet
from pages import DESK, PHONE, PROGRAMS
from serving import ServeTest, thorough
from tables import COMPLETE

# Mean colours of 8 x 8 parts of an image.
PIXELS = """async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = new OffscreenCanvas(8, 8);
  canvas.getContext("2d").drawImage(image, 0, 0, 8, 8);
  return [...canvas.getContext("2d").getImageData(0, 0, 8, 8).data];
}"""
QUEUE = "/data/audit/findings?with=paint.photos&open=1"
FILE = "pipelines/curation/photos.csv"


@thorough
class Verdicts(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = tempfile.TemporaryDirectory(prefix="callsheet-")
        cls.addClassCleanup(made.cleanup)
        cls.demo = Path(made.name)
        # The demonstration computes its project before it serves.
        server = subprocess.Popen([PROGRAMS / "callsheet", "serve", "--demo", "--port", "0"], cwd=cls.demo, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in server.stdout:
            if "stop the server" in line:
                break
        server.kill()
        server.wait()
        server.stdout.close()

    def setUp(self):
        super().setUp()
        subprocess.run(["cp", "-a", self.demo / "callsheet-demo", self.folder / "demo"], check=True)
        self.folder /= "demo"
        git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@localhost"]
        for words in [["init", "--quiet"], ["config", "user.name", "Ann"], ["add", "pipelines", "stages"], ["commit", "--quiet", "-m", "Start"]]:
            subprocess.run([*git, *words], cwd=self.folder, check=True)
        self.server = self.serve()

    def open(self, path, **options):
        page = self.context(**{**DESK, **options}).new_page()
        self.visit(page, path)
        if path.startswith("/data"):
            page.locator("[role=option] img, [role=row]").first.wait_for()
        return page

    def verdicts(self):
        """Lines of the file by key."""
        path = self.folder / FILE
        if not path.exists():
            return {}
        with path.open() as lines:
            return {line["key"]: line for line in csv.DictReader(lines)}

    def saved(self, page):
        page.get_by_role("group", name="Verdict").get_by_text("Saved", exact=True).wait_for()

    def test_twenty_faults_are_judged_by_one_key_each_and_the_run_does_what_the_page_foretold(self):
        page = self.open("/")
        page.get_by_role("link", name="20 findings").focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Row")
        dialog.get_by_text("row 1 of 20").wait_for()
        findings = []
        for row in range(20):
            dialog.get_by_text(f"row {row + 1} of 20").wait_for()
            dialog.locator("dd").first.wait_for()
            findings.append(dialog.locator("dd").first.inner_text())
            # The reason of the finding becomes the reason of the verdict.
            page.keyboard.press("i" if row == 4 else "x")
        self.saved(page)
        dialog.get_by_text("20 judged").wait_for()
        verdicts = self.verdicts()
        self.assertEqual(sorted(verdicts), sorted(findings))
        self.assertEqual(verdicts[findings[4]]["verdict"], "include")
        self.assertEqual(sum(line["verdict"] == "exclude" for line in verdicts.values()), 19)
        self.assertRegex(verdicts[findings[0]]["reason"], r"sharpness .* is below")
        self.assertEqual(verdicts[findings[0]]["author"], "Ann")
        page.keyboard.press("Escape")
        impact = page.get_by_role("complementary", name="Next run")
        impact.get_by_text("20 verdicts since the last commit").wait_for()
        impact.get_by_text("would run").wait_for()
        impact.get_by_text("Stages and verdicts").click()
        foretold = impact.locator("li").all_inner_texts()
        foretold = [tuple(text.split(" ", 1)) if " " in text else (text, "") for text in foretold]
        self.assertEqual(foretold, [("describe", "0 of 221 rows"), ("average", "")], "choose lists rows, so the page ran it")
        self.assertEqual(impact.locator(".added").count(), 20)
        states = self.run_states()
        ran = [stage for stage, state in states.items() if state == "ran"]
        self.assertEqual(sorted(ran), sorted(stage for stage, _ in foretold))

    def run_states(self):
        """Runs the pipeline, and returns the state of each stage in this run."""
        self.callsheet("run")
        runs = subprocess.run([PROGRAMS / "callsheet", "runs", "--json"], cwd=self.folder, capture_output=True, text=True, check=True)
        latest = max(json.loads(runs.stdout)["runs"], key=lambda run: run["id"])
        return {stage: result["state"] for stage, result in latest["stages"].items()}

    def test_a_verdict_is_undone_and_repeated_also_after_a_reload(self):
        page = self.open("/data/paint/photos")
        page.locator(".scroller").focus()
        page.keyboard.press("x")
        page.get_by_role("alert").get_by_text("An exclusion needs a reason").wait_for()
        self.assertEqual(page.locator(":focus").get_attribute("id"), "reason")
        page.keyboard.type("a bird")
        page.keyboard.press("Enter")
        self.saved(page)
        self.assertEqual(self.verdicts()["photo-0000"]["reason"], "a bird")
        page.locator(".cell.exclude").wait_for()
        page.locator(".scroller").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("1")
        self.saved(page)
        self.assertEqual(self.verdicts()["photo-0001"]["reason"], "a bird")
        first = self.verdicts()["photo-0001"]
        page.reload()
        page.locator(".cell.exclude").first.wait_for()
        page.locator(".scroller").focus()
        page.keyboard.press("u")
        page.wait_for_function("() => document.querySelectorAll('.cell.exclude').length === 1")
        page.wait_for_function("() => document.querySelector('.marks [role=status]').textContent === 'Saved'")
        self.assertEqual(list(self.verdicts()), ["photo-0000"])
        page.keyboard.press("U")
        page.wait_for_function("() => document.querySelectorAll('.cell.exclude').length === 2")
        self.saved(page)
        self.assertEqual(self.verdicts()["photo-0001"], first, "the old line, with its time")

    def test_a_range_of_rows_gets_one_verdict_and_is_undone_at_once(self):
        page = self.open("/data/paint/photos?sort=hour")
        page.get_by_label("Reason").fill("fog")
        page.locator(".scroller").focus()
        for key in ["Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown"]:
            page.keyboard.press(key)
        rows = page.locator("[aria-selected=true]").count()
        self.assertGreater(rows, 4)
        page.keyboard.press("x")
        self.saved(page)
        self.assertEqual(len(self.verdicts()), rows)
        of_verdicts = page.get_by_role("region", name="verdict", exact=True)
        of_verdicts.get_by_role("button", name=f"exclude {rows} of {rows} rows").click()
        page.get_by_text(f"{rows} of 240 rows").wait_for()
        page.locator(".scroller").focus()
        page.keyboard.press("u")
        page.wait_for_function("() => document.querySelectorAll('.cell.exclude').length === 0")
        self.assertEqual(self.verdicts(), {})

    def test_a_verdict_that_another_program_wrote_is_shown_next_to_the_own_one(self):
        page = self.open("/data/paint/photos")
        page.get_by_label("Reason").fill("mine")
        for mine in [False, True]:
            self.callsheet("curate", "exclude", "photo-0000", "--reason", f"theirs {mine}", "--author", "Bo")
            page.locator(".scroller").focus()
            page.keyboard.press("i")
            dialog = page.get_by_role("dialog", name="Conflict")
            dialog.get_by_text(f"theirs {mine}").wait_for()
            self.assertIn("include: mine", dialog.inner_text())
            page.keyboard.press("Escape")
            dialog.wait_for(state="hidden")
            self.assertEqual(self.verdicts()["photo-0000"]["author"], "Bo")
            page.locator(".cell.exclude").wait_for()
            if mine:
                self.callsheet("curate", "include", "photo-0000", "--reason", "again", "--author", "Bo")
                page.get_by_label("Reason").fill("mine")
                page.locator(".scroller").focus()
                page.keyboard.press("x")
                dialog.get_by_role("button", name="Write mine").click()
                self.saved(page)
                self.assertEqual(self.verdicts()["photo-0000"]["verdict"], "exclude")
            else:
                self.callsheet("curate", "include", "photo-0000", "--reason", "again", "--author", "Bo")
                page.reload()
                page.get_by_label("Reason").fill("mine")

    def test_the_image_over_a_key_is_the_one_of_this_key_while_rows_get_verdicts(self):
        page = self.open("/data/paint/photos?view=table&where=verdict:none")
        page.get_by_label("Reason").fill("fog")
        page.locator(".scroller").focus()
        for key in ["Shift+ArrowDown", "Shift+ArrowDown", "x"]:
            page.keyboard.press(key)
        self.saved(page)
        page.get_by_role("button", name="grid").click()
        page.wait_for_function(COMPLETE)
        table = pyarrow.parquet.read_table(self.folder / "data/out/photos/paint/photos.parquet", columns=["photo_id", "image"])
        bytes_of = {row["photo_id"]: row["image"]["bytes"] for row in table.to_pylist()}
        context = self.context(**DESK)
        for row in [0, 3, 5]:
            shown = page.evaluate(PIXELS, page.locator(f"#row-{row} img").get_attribute("src"))
            key = page.locator(f"#row-{row} .caption").inner_text().splitlines()[0]
            self.assertEqual(key, f"photo-{row:04}", "the rows of the selection stay")
            image = base64.b64encode(bytes_of[key]).decode()
            blank = context.new_page()
            expected = blank.evaluate(PIXELS, f"data:image/png;base64,{image}")
            self.assertLess(sum(abs(a - b) for a, b in zip(shown, expected)) / len(shown), 3, key)
        page.locator(".scroller").focus()
        page.keyboard.press("End")
        page.get_by_text("photo-0239").wait_for()

    def test_a_range_ends_with_another_selection_or_view_of_one_row(self):
        page = self.open("/data/paint/photos?sort=hour")
        page.get_by_label("Reason").fill("fog")
        page.locator(".scroller").focus()
        for _ in range(3):
            page.keyboard.press("Shift+ArrowRight")
        page.get_by_role("button", name="Exclude 4 rows").wait_for()
        page.get_by_label("Rows where").fill("photo_id:*1*")
        page.get_by_label("Rows where").press("Enter")
        page.get_by_role("status").get_by_text("132 of 240 rows").wait_for()
        self.assertEqual(page.locator("[aria-selected=true]").count(), 1)
        page.locator(".scroller").focus()
        for key in ["Shift+ArrowRight", "Enter"]:
            page.keyboard.press(key)
        page.get_by_role("dialog", name="Row").get_by_role("button", name="Exclude x", exact=True).wait_for()

    def test_each_finding_of_a_range_gets_its_own_reason_and_a_held_key_judges_once(self):
        page = self.open(QUEUE.removesuffix("&open=1"))
        page.locator(".scroller").focus()
        for key in ["Shift+ArrowRight", "Shift+ArrowRight", "x"]:
            page.keyboard.press(key)
        self.saved(page)
        verdicts = self.verdicts()
        table = pyarrow.parquet.read_table(self.folder / "data/out/photos/audit/findings.parquet")
        reasons = {row["photo_id"]: row["reason"] for row in table.to_pylist()}
        self.assertEqual({key: line["reason"] for key, line in verdicts.items()}, {key: reasons[key] for key in verdicts})
        page = self.open(QUEUE + "&at=5")
        page.get_by_role("dialog", name="Row").get_by_text("row 6 of 20").wait_for()
        for _ in range(5):
            page.keyboard.down("x")
        page.keyboard.up("x")
        self.saved(page)
        self.assertEqual(len(self.verdicts()), 4)

    def test_quick_undo_shows_the_row_again_and_undoes_as_often_as_it_is_pressed(self):
        page = self.open(QUEUE)
        dialog = page.get_by_role("dialog", name="Row")
        for row in range(4):
            dialog.get_by_text(f"row {row + 1} of 20").wait_for()
            page.keyboard.press("x")
        for _ in range(3):
            page.keyboard.press("u")
        dialog.get_by_text("row 2 of 20").wait_for()
        page.wait_for_function("() => document.querySelector('dialog .marks [role=status]').textContent === 'Saved'")
        page.wait_for_timeout(300)
        self.assertEqual(len(self.verdicts()), 1)

    def test_every_conflict_of_several_verdicts_is_shown(self):
        page = self.open("/data/paint/photos?at=30&open=1")
        dialog = page.get_by_role("dialog", name="Row")
        dialog.get_by_text("row 31 of 240").wait_for()
        self.callsheet("curate", "exclude", *[f"photo-{row:04}" for row in range(30, 34)], "--reason", "theirs", "--author", "Bo")
        held = []
        page.route("**/verdicts", lambda route: held.append(route) if route.request.method == "POST" and not held else route.continue_())
        for row in range(30, 34):
            dialog.get_by_text(f"row {row + 1} of 240").wait_for()
            page.keyboard.press("i")
        # The first of them is written only now.
        held[0].continue_()
        conflict = page.get_by_role("dialog", name="Conflict")
        for row in range(30, 34):
            conflict.get_by_role("heading", name=f"photo-{row:04}").wait_for()
            conflict.get_by_role("button", name="Write mine").click()
        conflict.wait_for(state="hidden")
        dialog.get_by_text("Saved", exact=True).wait_for()
        self.assertEqual({line["verdict"] for line in self.verdicts().values()}, {"include"})
        self.assertEqual(len(self.verdicts()), 4)

    def test_two_tabs_show_the_same_verdicts_and_a_tab_that_slept_learns_new_ones(self):
        context = self.context(**DESK)
        one, other = context.new_page(), context.new_page()
        for page in [one, other]:
            self.visit(page, "/data/paint/photos")
            page.locator(".cell img").first.wait_for()
        one.get_by_label("Reason").fill("fog")
        one.locator(".scroller").focus()
        one.keyboard.press("x")
        other.locator(".cell.exclude").wait_for()
        self.callsheet("curate", "exclude", "photo-0003", "--reason", "rain")
        other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        other.locator("#row-3.exclude").wait_for()

    def test_verdicts_that_cannot_be_written_are_taken_back_and_the_reason_is_shown(self):
        self.callsheet("curate", "exclude", *[f"photo-{number:04}" for number in range(20, 60)], "--reason", "many")
        before = (self.folder / FILE).read_text()
        # A limit on file sizes refuses writes as a full disk does.
        self.server.kill()
        self.serve(preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))))
        page = self.open("/data/paint/photos")
        page.locator(".scroller").focus()
        page.keyboard.press("x")
        page.get_by_role("alert").get_by_text("Not saved").wait_for()
        self.assertEqual(page.locator("#row-0.exclude").count(), 0)
        self.assertGreater(page.locator(".cell.exclude").count(), 0, "the verdicts in the file are shown")
        page.get_by_role("group", name="Verdict").get_by_text("Not saved", exact=True).wait_for()
        self.assertEqual((self.folder / FILE).read_text(), before)

    def test_a_malformed_file_of_verdicts_is_named_and_the_table_is_shown(self):
        self.write(FILE, "key,verdict,reason,author,time\nphoto-0001,exclud,x,a,2026-01-01\n")
        page = self.open("/data/paint/photos")
        self.assertIn("unknown verdict `exclud`", page.get_by_role("alert").inner_text())
        self.assertEqual(page.get_by_role("group", name="Verdict").count(), 0)

    def test_a_read_only_server_shows_verdicts_and_changes_none(self):
        self.callsheet("curate", "exclude", "photo-0001", "--reason", "fog")
        self.server.kill()
        self.serve(words=["--read-only"])
        page = self.open("/data/paint/photos")
        page.locator(".cell.exclude").wait_for()
        page.keyboard.press("x")
        self.assertEqual(page.get_by_role("group", name="Verdict").count(), 0)
        status = page.evaluate(
            "fetch('/verdicts', { method: 'POST', headers: { 'content-type': 'application/json', 'x-callsheet': '1' }, body: '{\"changes\":[]}' }).then((a) => a.status)"
        )
        self.assertEqual(status, 405)

    def test_pages_of_verdicts_are_accessible(self):
        self.callsheet("curate", "exclude", "photo-0001", "photo-0007", "--reason", "fog")
        for scheme in ["light", "dark"]:
            for device in [DESK, PHONE]:
                page = self.context(color_scheme=scheme, **device).new_page()
                for path in ["/", QUEUE, "/data/paint/photos?where=verdict:exclude", "/data/paint/photos?view=table"]:
                    self.visit(page, path)
                    if "/data" in path:
                        page.get_by_text("since the last commit").wait_for()
                    self.check_accessible(page, f"{path} {scheme} {device['viewport']}")


if __name__ == "__main__":
    unittest.main()
