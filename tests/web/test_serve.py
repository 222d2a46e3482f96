"""The web UI, as people use it: the real server, and a browser."""

import base64
import subprocess
import time

from pages import DESK, PHONE, PROGRAMS
from serving import ServeTest

TABLET = {"viewport": {"width": 768, "height": 1024}}

STAGE = """
summary = "Copies a file"
version = 1
command = ["sh", "-c", '. "$1"; cp "$1" "$2"', "copy", "{inputs.from}", "{outputs.copy}"]
[inputs.from]
kind = "file"
doc = "A script"
[outputs.copy]
kind = "file"
path = "copy.txt"
doc = "Its copy"
"""

PIPELINE = """
summary = "Copies of scripts"
[sources.slow]
path = "data/raw/slow.sh"
[sources.quick]
path = "data/raw/quick.sh"
[stages.quick]
use = "copy"
inputs.from = "quick"
[stages.slow]
use = "copy"
inputs.from = "slow"
[stages.after]
use = "copy"
inputs.from = "slow.copy"
[sources.photos]
path = "data/raw/photos/*.png"
[stages.count]
inputs.rows = "photos"
"""

COUNT = """
summary = "Counts rows"
version = 1
command = ["sh", "-c", 'echo counted > "$1"', "count", "{outputs.count}"]
[inputs.rows]
kind = "table"
doc = "Any table"
[outputs.count]
kind = "file"
path = "count.txt"
doc = "A text"
"""

# A picture of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PNG = base64.b64decode(PIXEL)

# Reports a curve and an image, and writes a log.
QUICK = """
echo begun
base64 -d > "$CALLSHEET_EVENTS.png" <<END
PIXEL
END
for step in 1 2 3; do
echo "{\\"metric\\":{\\"name\\":\\"loss/all\\",\\"step\\":$step,\\"value\\":0.$step}}"
echo "{\\"image\\":{\\"name\\":\\"samples\\",\\"step\\":$step,\\"path\\":\\"$CALLSHEET_EVENTS.png\\"}}"
done >> "$CALLSHEET_EVENTS"
""".replace("PIXEL", PIXEL)

class Serve(ServeTest):
    def setUp(self):
        super().setUp()
        self.write("stages/copy/stage.toml", STAGE)
        self.write("stages/count/stage.toml", COUNT)
        self.write("pipelines/main.toml", PIPELINE)
        for name in ["a", "b"]:
            self.write(f"data/raw/photos/{name}.png", "")
            (self.folder / f"data/raw/photos/{name}.png").write_bytes(PNG if name == "a" else b"damaged")
        self.write("data/raw/quick.sh", QUICK)
        self.write("data/raw/slow.sh", "echo slow\n")
        self.serve()

    def test_every_page_is_accessible_on_any_screen_in_light_and_dark(self):
        photos = "/data/read_table@photos/table"
        paths = ["/", "/run/latest", "/run/latest/stage/quick", "/run/none", photos, f"{photos}?view=table&sort=-path", f"{photos}?open=1", "/data/count/count"]
        for ran in [False, True]:
            if ran:
                self.callsheet("run")
            for scheme in ["light", "dark"]:
                for device in [DESK, TABLET, PHONE]:
                    page = self.context(color_scheme=scheme, **device).new_page()
                    for path in paths if ran else paths[:1]:
                        self.visit(page, path)
                        self.check_accessible(page, f"{path} {scheme} {device['viewport']}")

    def test_the_pages_are_reached_by_keyboard(self):
        self.callsheet("run")
        page = self.context(**DESK).new_page()
        self.visit(page, "/")
        page.keyboard.press("Tab")
        self.assertEqual(page.locator(":focus").inner_text(), "Skip to content")
        page.get_by_role("link", name="20").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/run/*")
        page.get_by_role("row", name="quick").get_by_role("link").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/stage/quick")
        self.assertIn("begun", page.locator("#log-text").inner_text())
        self.assertEqual(page.locator(".samples img").count(), 3)
        sizes = page.evaluate(
            "Promise.all([...document.querySelectorAll('.samples img')].map(async (i) => { i.loading = 'eager'; await i.decode(); return i.naturalWidth; }))"
        )
        self.assertEqual(sizes, [1, 1, 1])

    def test_the_overview_notices_that_a_run_has_ended(self):
        page = self.context(**DESK).new_page()
        # The page looks every ten seconds.
        page.clock.install()
        self.visit(page, "/")
        page.get_by_text("would run").first.wait_for()
        self.callsheet("run")
        page.clock.fast_forward(11_000)
        page.get_by_text("Every stage is up to date").wait_for()

    def test_pages_of_a_run_show_its_states_as_they_change_with_one_connection_of_the_browser(self):
        go = self.folder / "go"
        self.write("data/raw/slow.sh", f"echo begun; while ! [ -e '{go}' ]; do sleep 0.05; done; echo the end\n")
        run = subprocess.Popen([PROGRAMS / "callsheet", "run"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        context = self.context(**DESK)
        streams = []
        context.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
        tabs = [context.new_page() for _ in range(8)]
        self.until_it_runs(tabs[0])
        tabs[0].goto("about:blank")
        streams.clear()
        for tab in tabs:
            self.visit(tab, "/run/latest")
            tab.locator("tr[data-stage=slow] .state.running").wait_for()
        log = context.new_page()
        self.visit(log, "/run/latest/stage/slow")
        log.get_by_text("begun").wait_for()
        self.assertEqual(len(streams), 1, streams)
        self.assertEqual(tabs[0].locator("tr[data-stage=after] .state").inner_text(), "not done")
        go.touch()
        for tab in tabs:
            tab.locator("#run-state.done").wait_for()
            self.assertEqual(tab.locator("tr[data-stage=after] .state").inner_text(), "ran")
        log.get_by_text("the end").wait_for()

    def test_a_page_shows_stages_that_its_run_did_not_know_when_it_was_opened(self):
        self.write("data/raw/slow.sh", f"while ! [ -e '{self.folder / 'go'}' ]; do sleep 0.05; done\n")
        run = subprocess.Popen([PROGRAMS / "callsheet", "run", "after"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        page = self.context(**DESK).new_page()
        self.until_it_runs(page)
        page.goto("about:blank")
        # The events are those of a run that has just begun.
        [events] = self.folder.glob("data/store/runs/*/events.ndjson")
        told = events.read_text()
        events.write_text("")
        self.visit(page, "/run/latest")
        page.get_by_text("The run begins").wait_for()
        self.assertEqual(page.locator("tr[data-stage]").count(), 0)
        self.check_accessible(page, "a run that begins")
        events.write_text(told)
        page.locator("tr[data-stage=slow] .state.running").wait_for(timeout=2_000)
        # A run of selected stages has the others only in its events.
        self.assertEqual(page.locator("tr[data-stage]").count(), 1)
        with open(events, "a") as more:
            more.write(told.splitlines()[-1].replace('"slow"', '"after"') + "\n")
        page.locator("tr[data-stage=after] .state.running").wait_for(timeout=4_000)

    def until_it_runs(self, page):
        for _ in range(600):
            answer = page.goto(f"{self.site}/run/latest")
            if answer.ok and page.locator("tr[data-stage=slow] .state.running").count():
                return
            time.sleep(0.05)
        self.fail("the run does not start")
