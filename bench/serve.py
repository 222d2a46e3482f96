"""Measure the web UI against its bars: start, first paint, a graph of 500 stages, a log of 9 MB, and a run that is watched.

usage: serve.py [--rounds N] [--programs FOLDER]
The browser is the one that `make test-web` installs, so run this with .toolchain/web/bin/python.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cpu import cpu_name

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/web"))

import chromium  # noqa: E402
import engine  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

CHAINS = 50
# Stages of the run that is watched. Each of them computes for about half a second.
WORKERS = 20
WORK = """summary = "Counts"
version = 1
command = ["sh", "-c", 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; cp "$1" "$2"', "count", "{inputs.from}", "{outputs.to}"]
[inputs.from]
kind = "file"
doc = "Any file"
[outputs.to]
kind = "file"
path = "to.txt"
doc = "Its copy"
[params.number]
type = "int"
default = 0
doc = "Makes the results of the stages different"
"""
LOG = 9_000_000
# Milliseconds from the start of the navigation until the first content is painted.
PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) resolve(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


class Server:
    """A server of a project that is ready to answer."""

    def __init__(self, programs, folder):
        begun = time.perf_counter()
        self.process = subprocess.Popen([programs / "callsheet", "serve", "--port", "0", "-p", "chains"], cwd=folder, stdout=subprocess.PIPE, text=True)
        lines = [self.process.stdout.readline() for _ in range(3)]
        self.started = (time.perf_counter() - begun) * 1e3
        self.site = lines[0].strip().rsplit(" at ", 1)[1]
        self.link = lines[1].strip().split(": ", 1)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def project(programs, scratch):
    """Project of 500 stages; one of them wrote a log of 9 MB."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    for name in ["raw", "out"]:
        (folder / name).mkdir()
    for chain in range(CHAINS):
        (folder / f"raw/{chain}.txt").write_text(f"chain {chain}\n")
    engine.write_callsheet(folder, CHAINS, programs / "callsheet")
    serve = programs / "callsheet-serve"
    (folder / "callsheet.toml").write_text(f'[programs]\ncallsheet-serve = "{serve}"\n')
    (folder / "stages/count").mkdir()
    (folder / "stages/count/stage.toml").write_text(WORK)
    stages = "".join(f'[stages.count{number}]\nuse = "count"\ninputs.from = "raw"\nparams.number = {number}\n' for number in range(WORKERS))
    (folder / "pipelines/work.toml").write_text(f'summary = "Work"\n[sources.raw]\npath = "raw/0.txt"\n{stages}')
    subprocess.run(command("chains", programs), cwd=folder, check=True, capture_output=True)
    log = next(folder.glob("data/store/runs/*/logs")) / "c0_s0.log"
    line = "a line of a log that a worker wrote to its output\n"
    log.write_text(line * (LOG // len(line)))
    return folder


def command(pipeline, programs, jobs="2"):
    return [programs / "callsheet", "run", "-p", pipeline, "--jobs", jobs]


def measure_pages(programs, folder, rounds):
    found = {}
    path, environment = chromium.find()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, env=environment)
        for _ in range(rounds):
            with Server(programs, folder) as server:
                found.setdefault("start to listening", []).append(server.started)
                context = browser.new_context()
                page = context.new_page()
                page.goto(server.link)
                page.wait_for_url(f"{server.site}/")
                for name, address in {
                    "first paint of the overview": "/",
                    "graph of 500 stages": "/run/latest",
                    "log of 9 MB": "/run/latest/stage/c0_s0",
                }.items():
                    page.goto(server.site + address)
                    found.setdefault(name, []).append(page.evaluate(PAINT))
                context.close()
        browser.close()
    return {name: statistics.median(values) for name, values in found.items()}


def measure_watched(programs, folder, rounds):
    """Ratio of the time of a run whose page is open in a browser to that of a run which nobody watches.

    The run has one worker at a time, so that the browser has a CPU of its own on a machine with two.
    """
    seconds = {True: [], False: []}
    path, environment = chromium.find()
    with sync_playwright() as driver, Server(programs, folder) as server:
        browser = driver.chromium.launch(executable_path=path, env=environment)
        context = browser.new_context()
        page = context.new_page()
        page.goto(server.link)
        page.wait_for_url(f"{server.site}/")
        for number in range(2 * rounds):
            watched = number % 2 == 0
            (folder / "raw/0.txt").write_text(f"round {number}\n")
            page = context.new_page()
            begun = time.perf_counter()
            process = subprocess.Popen(command("work", programs, "1"), cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if watched:
                time.sleep(0.2)
                page.goto(f"{server.site}/run/latest")
            process.wait()
            seconds[watched].append(time.perf_counter() - begun)
            page.close()
        browser.close()
    return statistics.median(seconds[True]) / statistics.median(seconds[False])


# Time at which a stage is shown as running, in milliseconds since 1970.
RUNNING = """() => new Promise((resolve) => {
  const cell = () => document.querySelector("tr[data-stage=late] .state.running");
  const look = () => cell() && (resolve(Date.now()), true);
  if (!look()) new MutationObserver((_, observer) => look() && observer.disconnect()).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
})"""


def measure_change(programs, folder, rounds):
    """Milliseconds from the start of a worker until the page of the run shows its stage as running."""
    (folder / "stages/late").mkdir(exist_ok=True)
    work = WORK.split("command = ")[1].split("\n")[0]
    late = """["sh", "-c", 'date +%s%3N > "$2"; sleep 1', "late", "{inputs.from}", "{outputs.to}"]"""
    (folder / "stages/late/stage.toml").write_text(WORK.replace(work, late))
    (folder / "pipelines/late.toml").write_text(
        'summary = "A stage after another"\n[sources.raw]\npath = "raw/0.txt"\n[stages.count]\ninputs.from = "raw"\nparams.number = 99\n'
        '[stages.late]\ninputs.from = "count.to"\n'
    )
    times = []
    path, environment = chromium.find()
    with sync_playwright() as driver, Server(programs, folder) as server:
        browser = driver.chromium.launch(executable_path=path, env=environment)
        page = browser.new_context().new_page()
        page.goto(server.link)
        page.wait_for_url(f"{server.site}/")
        for number in range(rounds):
            (folder / "raw/0.txt").write_text(f"change {number}\n")
            process = subprocess.Popen(command("late", programs), cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            # Until the run begins, the latest one is another; and it knows its stages after its first event.
            while page.goto(f"{server.site}/run/latest") and not page.locator("#run-state.running").count():
                time.sleep(0.05)
            page.locator("tr[data-stage=late]").wait_for()
            shown = page.evaluate(RUNNING)
            page.locator("#run-state.done").wait_for()
            process.wait()
            [begun] = (folder / "data/out/late/late").glob("to.txt")
            times.append(shown - int(begun.read_text()))
        browser.close()
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=Path, default=ROOT / "target/release")
    arguments = parser.parse_args()
    programs = arguments.programs.resolve()
    scratch = ROOT / "target/bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as scratch:
        folder = project(programs, scratch)
        print(f"CPU: {cpu_name()}")
        print("| measure | time | bar |\n|---|---|---|")
        bars = {"start to listening": 60, "first paint of the overview": 300, "graph of 500 stages": 300, "log of 9 MB": 200}
        for name, value in measure_pages(programs, folder, arguments.rounds).items():
            print(f"| {name} | {value:.0f} ms | {bars[name]} ms |")
        print(f"| start of a worker to the page | {measure_change(programs, folder, arguments.rounds):.0f} ms | 500 ms |")
        print(f"| time of a watched run | {measure_watched(programs, folder, arguments.rounds + 3):.3f} times | 1.01 times |")


if __name__ == "__main__":
    main()
