"""The web UI, as people use it: the real server, and a browser."""

import base64
import subprocess
import tempfile
import time
from pathlib import Path

import npm
from pages import DESK, PHONE, PROGRAMS, WebTest

AXE = ("axe-core@4.14.1", "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745", "axe.min.js")
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

# Problems that axe-core finds by the rules of WCAG 2.2, levels A and AA.
PROBLEMS = """async () => {
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(document, { runOnly: rules });
  return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(" ")}`);
}"""


class Serve(WebTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.axe = npm.script(*AXE).read_text()

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="callsheet-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        serve = (PROGRAMS / "callsheet-serve").resolve()
        self.write("callsheet.toml", f'[programs]\ncallsheet-serve = "{serve}"\n')
        self.write("stages/copy/stage.toml", STAGE)
        self.write("stages/count/stage.toml", COUNT)
        self.write("pipelines/main.toml", PIPELINE)
        for name in ["a", "b"]:
            self.write(f"data/raw/photos/{name}.png", "")
            (self.folder / f"data/raw/photos/{name}.png").write_bytes(PNG if name == "a" else b"damaged")
        self.write("data/raw/quick.sh", QUICK)
        self.write("data/raw/slow.sh", "echo slow\n")
        server = subprocess.Popen([PROGRAMS / "callsheet", "serve", "--port", "0"], cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        lines = [server.stdout.readline() for _ in range(3)]
        self.site = lines[0].strip().rsplit(" at ", 1)[1]
        context = self.browser.new_context()
        self.addCleanup(context.close)
        page = context.new_page()
        page.goto(lines[1].strip().split(": ", 1)[1])
        page.wait_for_url(f"{self.site}/")
        self.state = context.storage_state()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def callsheet(self, *words, code=0):
        done = subprocess.run([PROGRAMS / "callsheet", *words], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)

    def context(self, **options):
        context = self.browser.new_context(storage_state=self.state, **options)
        self.addCleanup(context.close)
        return context

    def visit(self, page, path):
        """Opens a page; it must be free of errors, and must not load anything from elsewhere."""
        errors, requests = [], []
        page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(self.site + path)
        self.assertEqual([url for url in requests if not url.startswith(self.site)], [], path)
        self.assertEqual([text for text in errors if "404" not in text and "500" not in text], [], path)

    def test_every_page_is_accessible_on_any_screen_in_light_and_dark(self):
        photos = "/data/read_table@photos/table"
        paths = ["/", "/run/latest", "/run/latest/stage/quick", "/run/none", photos, f"{photos}?view=table&sort=-path", "/data/count/count"]
        for ran in [False, True]:
            if ran:
                self.callsheet("run")
            for scheme in ["light", "dark"]:
                for device in [DESK, TABLET, PHONE]:
                    page = self.context(color_scheme=scheme, **device).new_page()
                    for path in paths if ran else paths[:1]:
                        self.visit(page, path)
                        page.evaluate(self.axe)
                        self.assertEqual(page.evaluate(PROBLEMS), [], f"{path} {scheme} {device['viewport']}")
                        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                        self.assertFalse(wide, f"{path} scrolls sideways at {device['viewport']}")

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

    def until_it_runs(self, page):
        for _ in range(600):
            answer = page.goto(f"{self.site}/run/latest")
            if answer.ok and page.locator("tr[data-stage=slow] .state.running").count():
                return
            time.sleep(0.05)
        self.fail("the run does not start")
