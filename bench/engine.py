"""Compare the engine with ninja, make, doit, Snakemake, DVC and Dagster on a graph of trivial commands.

The graph consists of chains of ten stages; each stage runs a `cp` and an `echo` that appends. All tools run equal
commands on equal files, in turn within each round, so that a busy machine slows all of them equally.

usage: engine.py [--chains N] [--rounds N] [--tools a,b,..] [--before PROGRAM]
       engine.py --hash [--rounds N]
Tools are fetched from PyPI into .toolchain/bench.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from cpu import cpu_name

ROOT = Path(__file__).resolve().parent.parent
LENGTH = 10
HASHED = 1 << 30
PACKAGES = {"pyarrow": "pyarrow==26.0.1", "ninja": "ninja==1.13.0", "doit": "doit==0.37.0", "snakemake": "snakemake==9.27.1", "dvc": "dvc==3.67.1",
            "dagster": "dagster==1.13.29"}


def stages(chains):
    """Yields (name, input file, output file) of every stage, in the order of the chains."""
    for chain in range(chains):
        before = f"raw/{chain}.txt"
        for step in range(LENGTH):
            after = f"out/{chain}_{step}.txt"
            yield f"c{chain}_s{step}", before, after
            before = after


def write_make(folder, chains):
    lines = [
        f"{out}: {source}\n\t@cp {source} {out} && echo {name} >> {out}\n" for name, source, out in stages(chains)
    ]
    every = " ".join(out for _, _, out in stages(chains))
    (folder / "Makefile").write_text(f"all: {every}\n" + "".join(lines))
    return ["make", "-s", "-j2", "all"]


def write_ninja(folder, chains):
    rule = "rule step\n  command = cp $in $out && echo $name >> $out\n"
    builds = "".join(
        f"build {out}: step {source}\n  name = {name}\n" for name, source, out in stages(chains)
    )
    (folder / "build.ninja").write_text(rule + builds)
    return ["ninja", "-j2", "--quiet"]


def write_doit(folder, chains):
    tasks = "".join(
        f"    yield dict(name={name!r}, actions=['cp {source} {out} && echo {name} >> {out}'], "
        f"file_dep=[{source!r}], targets=[{out!r}])\n"
        for name, source, out in stages(chains)
    )
    (folder / "dodo.py").write_text("DOIT_CONFIG = dict(verbosity=0)\ndef task_step():\n" + tasks)
    return ["doit", "-n", "2", "-P", "thread", "--reporter", "zero"]


def write_snakemake(folder, chains):
    every = ", ".join(repr(out) for _, _, out in stages(chains))
    rules = "".join(
        f"rule {name}:\n  input: {source!r}\n  output: {out!r}\n  shell: 'cp {{input}} {{output}} && echo {name} >> {{output}}'\n"
        for name, source, out in stages(chains)
    )
    (folder / "Snakefile").write_text(f"rule all:\n  input: {every}\n{rules}")
    return ["snakemake", "--cores", "2", "--quiet", "all"]


def write_dvc(folder, chains):
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    text = "".join(
        f"  {name}:\n    cmd: cp {source} {out} && echo {name} >> {out}\n    deps: [{source}]\n    outs: [{out}]\n"
        for name, source, out in stages(chains)
    )
    (folder / "dvc.yaml").write_text("stages:\n" + text)
    return ["dvc", "repro", "--quiet"]


def write_dagster(folder, chains):
    """One asset for each stage. Dagster caches no results: every call computes all assets."""
    assets = "".join(
        f"@asset({f'deps=[{before}]' if before else ''})\ndef {name}():\n"
        f"    subprocess.run('cp {source} {out} && echo {name} >> {out}', shell=True, check=True)\n"
        for (name, source, out), before in zip(stages(chains), [None, *(name for name, _, _ in stages(chains))])
        for before in [before if source.startswith("out/") else None]
    )
    names = ", ".join(name for name, _, _ in stages(chains))
    # The default executor starts a Python process for each asset, which takes a second.
    defs = f"defs = Definitions(assets=[{names}], executor=in_process_executor)\n"
    imports = "import subprocess\nfrom dagster import Definitions, asset, in_process_executor\n"
    (folder / "defs.py").write_text(imports + assets + defs)
    (folder / "home").mkdir()
    (folder / "home/dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return ["env", f"DAGSTER_HOME={folder}/home", "dagster", "asset", "materialize", "--select", "*", "-f", "defs.py"]


def write_callsheet(folder, chains, program=ROOT / "target/release/callsheet"):
    (folder / "callsheet.toml").write_text("")
    stage = folder / "stages/copy"
    stage.mkdir(parents=True)
    (stage / "stage.toml").write_text(
        'summary = "Copies a file"\nversion = 1\n'
        """command = ["sh", "-c", 'cp "$1" "$2" && echo "$3" >> "$2"', "copy", """
        '"{inputs.from}", "{outputs.to}", "{params.name}"]\n'
        '[inputs.from]\nkind = "file"\ndoc = "Any file"\n'
        '[outputs.to]\nkind = "file"\npath = "to.txt"\ndoc = "Its copy, and a line"\n'
        '[params.name]\ntype = "string"\ndefault = ""\ndoc = "The line"\n'
    )
    text = ['summary = "Chains of copies"\n']
    for chain in range(chains):
        text.append(f'[sources.raw{chain}]\npath = "raw/{chain}.txt"\n')
        before = f"raw{chain}"
        for step in range(LENGTH):
            text.append(f'[stages.c{chain}_s{step}]\nuse = "copy"\ninputs.from = "{before}"\nparams.name = "c{chain}_s{step}"\n')
            before = f"c{chain}_s{step}.to"
    (folder / "pipelines").mkdir()
    (folder / "pipelines/chains.toml").write_text("".join(text))
    return [str(program), "run", "--pipeline", "chains", "--jobs", "2"]


TOOLS = {
    "callsheet": write_callsheet, "ninja": write_ninja, "make": write_make,
    "doit": write_doit, "snakemake": write_snakemake, "dvc": write_dvc,
    "dagster": write_dagster,
}


def install(tools):
    """Installs missing tools, each into an environment of its own, because their dependencies differ. Adds them to PATH."""
    for tool in tools:
        folder = ROOT / ".toolchain/bench" / tool
        if tool not in PACKAGES:
            continue
        if not (folder / "installed").exists():
            venv.create(folder, with_pip=True)
            command = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*command, PACKAGES[tool]], check=True)
            (folder / "installed").touch()
        os.environ["PATH"] = f"{folder}/bin:{os.environ['PATH']}"


def prepare(tool, chains, scratch):
    folder = Path(tempfile.mkdtemp(prefix=f"{tool}-", dir=scratch))
    for name in ["raw", "out"]:
        (folder / name).mkdir()
    for chain in range(chains):
        (folder / f"raw/{chain}.txt").write_text(f"chain {chain}\n")
    return folder, TOOLS[tool](folder, chains)


def timed(command, folder):
    """Returns the wall seconds and the peak memory in MB of one command."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{said.decode()[-2000:]}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def measure(tools, chains, rounds, scratch):
    """Returns {case: {tool: [seconds]}} and {tool: peak memory of a no-op in MB}."""
    cases = {case: {tool: [] for tool in tools} for case in ["cold", "no-op", "one source changed"]}
    memory = {}
    for number in range(rounds):
        projects = {tool: prepare(tool, chains, scratch) for tool in tools}
        # Files younger than their time stamp's resolution are looked at twice by careful tools.
        time.sleep(2.5)
        for tool, (folder, command) in projects.items():
            cases["cold"][tool].append(timed(command, folder)[0])
        for _ in range(3):
            for tool, (folder, command) in projects.items():
                seconds, peak = timed(command, folder)
                cases["no-op"][tool].append(seconds)
                memory[tool] = peak
        for tool, (folder, command) in projects.items():
            (folder / "raw/0.txt").write_text(f"round {number}\n")
            cases["one source changed"][tool].append(timed(command, folder)[0])
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return cases, memory


def table(cases, memory, chains):
    """Table of the medians and their ratios to callsheet's."""
    lines = [f"| {chains * LENGTH} stages | " + " | ".join(cases) + " | memory of a no-op |",
             "|---" * (len(cases) + 2) + "|"]
    median = {case: {tool: statistics.median(times) for tool, times in runs.items()} for case, runs in cases.items()}
    for tool in memory:
        cells = [f"{median[case][tool]:.3f} s ({median[case][tool] / median[case]['callsheet']:.2f})" for case in cases]
        lines.append(f"| {tool} | " + " | ".join(cells) + f" | {memory[tool]:.0f} MB |")
    return "\n".join(lines)


def hashing(rounds, scratch):
    """Table of the seconds of `callsheet plan` on new raw data, and of b3sum on that file."""
    b3sum = ROOT / ".toolchain/bin/b3sum"
    if not b3sum.exists():
        subprocess.run(["cargo", "install", "--quiet", "--locked", "--root", ROOT / ".toolchain", "b3sum"], check=True)
    folder, command = prepare("callsheet", 1, scratch)
    file = folder / "raw/0.txt"
    with file.open("wb") as out:
        for _ in range(HASHED // (1 << 20)):
            out.write(os.urandom(1 << 20))
    plan = [command[0], "plan", "--pipeline", "chains"]
    times = {"callsheet plan": [], "b3sum": []}
    for _ in range(rounds):
        os.utime(file)  # callsheet must hash the file again
        times["callsheet plan"].append(timed(plan, folder)[0])
        times["b3sum"].append(timed([b3sum, file], folder)[0])
    lines = [f"| hashing {HASHED >> 20} MiB of raw data | time |", "|---|---|"]
    median = {tool: statistics.median(seconds) for tool, seconds in times.items()}
    lines += [f"| {tool} | {seconds:.3f} s ({seconds / median['callsheet plan']:.2f}) |" for tool, seconds in median.items()]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tools", default="callsheet,ninja,make,doit")
    parser.add_argument("--before", type=Path, metavar="PROGRAM", help="also measure another build of callsheet")
    parser.add_argument("--hash", action="store_true",
                        help="compare hashing of a 1 GiB file with b3sum, instead of running graphs")
    arguments = parser.parse_args()
    print(f"CPU: {cpu_name()}")
    tools = arguments.tools.split(",")
    if arguments.before:
        program = arguments.before.resolve(strict=True)
        TOOLS["before"] = lambda folder, chains: write_callsheet(folder, chains, program)
        tools.insert(1, "before")
    if not arguments.hash:
        install(tools)
    base = ROOT / "target/bench"
    base.mkdir(parents=True, exist_ok=True)
    # Removed only at the end, because some file systems create files slowly just after many were deleted.
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        if arguments.hash:
            print(hashing(arguments.rounds, scratch))
        else:
            print(table(*measure(tools, arguments.chains, arguments.rounds, scratch), arguments.chains))


if __name__ == "__main__":
    main()
