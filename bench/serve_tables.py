"""Measure the pages of tables against their bars: grids of 100,000 images, and a table of 1,000,000 rows.

usage: serve_tables.py [--rounds N] [--programs FOLDER]
The browser and pyarrow are those that `make test-web` installs, so run this with .toolchain/web/bin/python.
"""

import argparse
import gzip
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from cpu import cpu_name
from serve import Server

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/web"))

import chromium  # noqa: E402
import tables  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from tables import COMPLETE  # noqa: E402

IMAGES, ROWS, LINES = 100_000, 1_000_000, 10_000
# A stage that reads verdicts on the rows of a table.
COUNT = """
summary = "Counts rows"
version = 1
command = ["sh", "-c", 'echo counted > "$1"', "count", "{outputs.count}"]
[inputs.rows]
kind = "table"
doc = "Any table"
[inputs.verdicts]
kind = "files"
optional = true
verdicts = { input = "rows", key = "id" }
doc = "Verdicts on its rows"
[outputs.count]
kind = "file"
path = "count.txt"
doc = "A text"
"""
CURATED = """
[sources.verdicts]
path = "curation.csv"
[stages.count_images]
use = "count"
inputs.rows = "images.table"
inputs.verdicts = "verdicts"
[stages.each]
inputs.rows = "rows.table"
"""
EACH = """
summary = "Copies each row"
version = 1
command = ["cp", "{inputs.rows}", "{outputs.copies}"]
[rows]
key = "id"
input = "rows"
output = "copies"
columns = ["sharpness"]
[inputs.rows]
kind = "table"
doc = "Any table"
[outputs.copies]
kind = "table"
path = "copies.parquet"
doc = "Its rows"
[params.number]
type = "int"
default = 0
doc = "Makes the rows different"
"""
GRID, TABLE = "/data/images/table", "/data/rows/table"
# 95th percentile of the time between frames over three seconds, while a function runs in each of them.
FRAMES = """(selector) => new Promise((resolve) => {
  const scroller = selector && document.querySelector(selector);
  const times = [];
  const frame = (time) => {
    times.push(time);
    if (scroller) scroller.scrollTop += 60;
    if (time - times[0] < 3000) return requestAnimationFrame(frame);
    const steps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
    resolve(steps[Math.floor(steps.length * 0.95)]);
  };
  requestAnimationFrame(frame);
})"""
# Milliseconds from an act until a condition holds at the end of a frame.
AFTER = """([act, condition]) => new Promise((resolve) => {
  const [acts, holds] = [new Function(act), new Function(`return ${condition}`)];
  const begun = performance.now();
  acts();
  const look = () => (holds() ? resolve(performance.now() - begun) : requestAnimationFrame(look));
  requestAnimationFrame(look);
})"""
SCROLLER = "document.querySelector('.scroller')"


def project(programs, scratch):
    """Project with both tables, which were computed."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    for name in ["data/raw", "stages/table", "stages/count", "stages/each", "pipelines"]:
        (folder / name).mkdir(parents=True)
    (folder / "stages/table/stage.toml").write_text(tables.STAGE)
    (folder / "stages/count/stage.toml").write_text(COUNT)
    (folder / "stages/each/stage.toml").write_text(EACH)
    prepare(folder)
    (folder / "callsheet.toml").write_text(f'[programs]\ncallsheet-serve = "{programs / "callsheet-serve"}"\n')
    tables.write(folder / "data/raw/images.parquet", IMAGES, images=True)
    tables.write(folder / "data/raw/rows.parquet", ROWS, images=False)
    subprocess.run([programs / "callsheet", "run", "-p", "chains"], cwd=folder, check=True, capture_output=True)
    return folder


def prepare(folder):
    """Writes the pipeline and the verdicts as they are before each round."""
    (folder / "pipelines/chains.toml").write_text(tables.pipeline(["images", "rows"]) + CURATED)
    lines = "".join(f"image-{row:07},exclude,a reason,ann,2026-01-01T00:00:00Z\n" for row in range(1, LINES + 1))
    path = folder / "curation.csv"
    path.write_text(f"key,verdict,reason,author,time\n{lines}")


def memory(process):
    """Largest resident memory of a process so far, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def after(page, act, condition):
    return page.evaluate(AFTER, [act, condition])


def measure_grid(page, site, found, _):
    sizes, others = [], []
    page.on("response", lambda answer: sizes.append(len(gzip.compress(answer.body()))) if "/assets/" in answer.url else None)
    page.on("request", lambda request: others.append(request.url) if not request.url.startswith((site, "blob:")) else None)
    page.goto(f"{site}{GRID}")
    page.wait_for_function(COMPLETE)
    found["images: grid is complete"].append(page.evaluate("performance.now()"))
    found["scripts and styles, gzip"].append(sum(sizes) / 1000)
    requests = []
    page.on("request", lambda request: requests.append(request.url) if "/data/" in request.url else None)
    scrolled = page.evaluate(FRAMES, ".scroller")
    found["images: requests in 3 s of scrolling"].append(len(requests))
    found["images: cells in the page"].append(page.locator(".cell").count())
    found["requests to other hosts"].append(len(others))
    top = f"{SCROLLER}.scrollTop = {{}} * {SCROLLER}.scrollHeight"
    # The first jump fills the cache on disk; the second one leads to a place whose images are not in the page.
    for place in [0.7, 0.1]:
        after(page, top.format(place), f"{SCROLLER}.scrollTop > 0")
        page.wait_for_timeout(500)
        page.wait_for_function(COMPLETE)
    page.reload()
    page.wait_for_function(COMPLETE)
    found["images: jump to any row, warm"].append(after(page, top.format(0.71), f"({COMPLETE})() && !document.getElementById('row-0')"))
    page.goto("about:blank")
    empty = page.evaluate(FRAMES, None)
    found["images: scrolling, 95th percentile of a frame to an empty page"].append(scrolled / empty)


VERDICT = """async (count) => {
  const times = [];
  const post = (changes) => fetch("/verdicts", {
    method: "POST",
    headers: { "content-type": "application/json", "x-callsheet": "1" },
    body: JSON.stringify({ changes }),
  }).then(async (answer) => { if (!answer.ok) throw new Error(await answer.text()); });
  const change = (row) => ({ key: `image-${String(row).padStart(7, "0")}`, seen: null, new: { verdict: "exclude", reason: "a test" } });
  for (let row = 50_000; row < 50_000 + count; row++) {
    const begun = performance.now();
    await post([change(row)]);
    times.push(performance.now() - begun);
  }
  const begun = performance.now();
  await post(Array.from({ length: 1000 }, (_, row) => change(60_000 + row)));
  return [times.sort((a, b) => a - b)[Math.floor(count * 0.95)], performance.now() - begun];
}"""
NEXT = """async () => {
  const begun = performance.now();
  const work = await (await fetch("/next-run")).json();
  return [work, performance.now() - begun];
}"""
# Milliseconds that a key needs until the mark is in the page: the next frame shows it.
MARK = """() => {
  document.querySelector(".scroller").focus();
  const begun = performance.now();
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "i", bubbles: true }));
  return document.querySelector("#row-0.include") ? performance.now() - begun : -1;
}"""


def measure_verdicts(page, site, found, folder):
    """Verdicts with 10,000 lines in the file, and the work of the next run for a table of 1,000,000 keys."""
    page.goto(f"{site}{GRID}")
    page.wait_for_function(COMPLETE)
    page.wait_for_function("document.querySelectorAll('.marks button').length > 0")
    milliseconds = page.evaluate(MARK)
    assert milliseconds >= 0, "the key has no effect at once"
    found["verdicts: key to mark"].append(milliseconds)
    page.get_by_text("Saved", exact=True).wait_for()
    one, many = page.evaluate(VERDICT, 100)
    found["verdicts: on disk, 95th percentile"].append(one)
    found["verdicts: 1,000 at once"].append(many)
    # All rows of a stage are to be computed again, and the server finds out which of them the store has.
    pipeline = folder / "pipelines/chains.toml"
    pipeline.write_text(pipeline.read_text().replace('inputs.rows = "rows.table"\n', 'inputs.rows = "rows.table"\nparams.number = 1\n', 1))
    work, milliseconds = page.evaluate(NEXT)
    assert {"stage": "each", "rows": f"{ROWS} of {ROWS}"} in work["stages"], work
    found["verdicts: next run, 1,000,000 keys"].append(milliseconds)


def measure_scatter(page, site, found, _):
    page.goto(f"{site}{GRID}?view=scatter&x=sharpness&y=brightness&colour=cluster")
    page.wait_for_function(COMPLETE)
    page.wait_for_function("performance.getEntriesByName('scatter', 'measure').length > 0")
    page.wait_for_timeout(500)
    number = "document.querySelector('[role=status]').textContent"
    for corner in [0.5, 0.55, 0.6]:
        # As a pointer does that draws a triangle.
        lasso = f"""const plot = document.querySelector('.points'), box = plot.getBoundingClientRect();
            window.before = {number};
            plot.setPointerCapture = () => {{}};
            const at = (kind, x, y) => plot.dispatchEvent(new PointerEvent(kind, {{ clientX: box.left + box.width * x, clientY: box.top + box.height * y, pointerId: 1, bubbles: true }}));
            at('pointerdown', 0.4, 0.4); at('pointermove', 0.6, 0.4); at('pointermove', {corner}, 0.6); at('pointerup', {corner}, 0.6);"""
        found["scatter: lasso to rows"].append(after(page, lasso, f"{number} !== window.before"))
        page.wait_for_timeout(500)
    times = page.evaluate("performance.getEntriesByName('scatter', 'measure').map((entry) => entry.duration)")
    found["scatter: drawing 100,000 points"].append(statistics.median(times[1:]))


def measure_table(page, site, found, _):
    page.goto(f"{site}{TABLE}")
    page.locator(".bars").first.wait_for()
    found["rows: table and histograms are shown"].append(page.evaluate("performance.now()"))
    number = "document.querySelector('[role=status]').textContent"
    for bar in [3, 5, 7]:
        # As a pointer does that is pressed on a bar.
        press = f"""const bars = document.querySelectorAll('.bars')[1], box = bars.getBoundingClientRect();
            window.before = {number};
            const at = {{ clientX: box.left + box.width * {bar} / 20, clientY: box.top + 5, pointerId: 1, bubbles: true }};
            bars.setPointerCapture = () => {{}};
            bars.dispatchEvent(new PointerEvent('pointerdown', at)); bars.dispatchEvent(new PointerEvent('pointerup', at));"""
        found["rows: brush to rows"].append(after(page, press, f"{number} !== window.before"))
        page.wait_for_timeout(500)
    heap = page.context.new_cdp_session(page).send("Runtime.getHeapUsage")["usedSize"]
    found["rows: JavaScript heap"].append(heap / 1e6)


BARS = {
    "images: grid is complete": ("ms", 800),
    "scripts and styles, gzip": ("KB", 90),
    "images: requests in 3 s of scrolling": ("", 15),
    "images: cells in the page": ("", 120),
    "requests to other hosts": ("", 0),
    "images: jump to any row, warm": ("ms", 500),
    "images: scrolling, 95th percentile of a frame to an empty page": ("times", 2),
    "scatter: drawing 100,000 points": ("ms", 8),
    "scatter: lasso to rows": ("ms", 100),
    "verdicts: key to mark": ("ms", 17),
    "verdicts: on disk, 95th percentile": ("ms", 50),
    "verdicts: 1,000 at once": ("ms", 150),
    "verdicts: next run, 1,000,000 keys": ("ms", 1000),
    "rows: table and histograms are shown": ("ms", None),
    "rows: brush to rows": ("ms", 50),
    "rows: JavaScript heap": ("MB", 250),
    "rows: memory of the server": ("MB", 400),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--programs", type=Path, default=ROOT / "target/release")
    arguments = parser.parse_args()
    programs = arguments.programs.resolve()
    scratch = ROOT / "target/bench"
    scratch.mkdir(parents=True, exist_ok=True)
    found = {name: [] for name in BARS}
    path, environment = chromium.find()
    with tempfile.TemporaryDirectory(dir=scratch) as scratch, sync_playwright() as driver:
        folder = project(programs, scratch)
        browser = driver.chromium.launch(executable_path=path, env=environment)
        for _ in range(arguments.rounds):
            prepare(folder)
            for measure in [measure_grid, measure_table, measure_scatter, measure_verdicts]:
                with Server(programs, folder) as server:
                    context = browser.new_context(viewport={"width": 1440, "height": 900})
                    page = context.new_page()
                    page.goto(server.link)
                    page.wait_for_url(f"{server.site}/")
                    page.close()
                    measure(context.new_page(), server.site, found, folder)
                    if measure is measure_table:
                        found["rows: memory of the server"].append(memory(server.process.pid))
                    context.close()
        browser.close()
    print(f"CPU: {cpu_name()}")
    print("| measure | value | bar |\n|---|---|---|")
    for name, (unit, bar) in BARS.items():
        value = statistics.median(found[name])
        shown = f"{value:.2f}" if unit == "times" else f"{value:.0f}"
        print(f"| {name} | {shown} {unit} | {'' if bar is None else f'{bar} {unit}'} |")


if __name__ == "__main__":
    main()
