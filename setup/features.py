#!/usr/bin/env python3
"""Define one set of features for every crate, so that commands with different packages compile each crate once.

Cargo unites the features over the packages that a command builds. `make build`, `make inspect` and `make test` build
different packages, so a crate that they share could be compiled once for each command. The package `features` in this
folder requests the union and is a dependency of every program; this script writes its Cargo.toml. It contains only crates
that `make build` uses: otherwise the engine would compile the web server of `make serve`, too.

usage: features.py           write setup/features/Cargo.toml
       features.py --check   exit with 1 if a crate would be compiled with two sets of features
"""

import collections
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "setup/features/Cargo.toml"
# Selections of packages that the Makefile builds.
SELECTIONS = [
    ["--release", "-p", "callsheet", "-p", "callsheet-stages"],
    ["--release", "-p", "callsheet-inspect"],
    ["--release", "-p", "callsheet-serve"],
    ["--workspace", "--all-targets"],
]
HEAD = """\
# Written by setup/features.py, which explains the reason; `make lint` checks it.
[package]
name = "callsheet-features"
description = "The features that all programs of this project build their crates with"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish = false

[lib]
path = "lib.rs"
"""


def units(selection):
    """Graph of the units that a command compiles, as `cargo build --unit-graph` prints it. The flag is unstable."""
    command = ["cargo", "build", "--locked", "--unit-graph", "-Z", "unstable-options", *selection]
    if sys.argv[1:] != ["--check"]:
        command.remove("--locked")  # a new manifest changes the lock file
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
    if done.returncode:
        sys.exit(f"error: {' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def sides(graph):
    """All units, each with True if it is compiled for the build itself: for a build script or a procedural macro."""
    seen, left = set(), [(root, False) for root in graph["roots"]]
    while left:
        at, for_build = left.pop()
        unit = graph["units"][at]
        for_build = for_build or bool({"proc-macro", "custom-build"} & set(unit["target"]["kind"]))
        if (at, for_build) not in seen:
            seen.add((at, for_build))
            left += [(dependency["index"], for_build) for dependency in unit["dependencies"]]
    return [(graph["units"][at], for_build) for at, for_build in seen]


def feature_sets():
    """Sets of features of each crate that the first selection uses, by name and version of the crate and by side."""
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    used = set()
    for selection in SELECTIONS:
        for unit, for_build in sides(units(selection)):
            package = re.search(r"^registry\+.*#(.+)@(.+)$", unit["pkg_id"])
            library = {"lib", "rlib", "proc-macro"} & set(unit["target"]["kind"])
            if package and library and unit["mode"] == "build":
                found[package.groups()][for_build].add(frozenset(unit["features"]))
        used = used or set(found)
    return {crate: by_side for crate, by_side in found.items() if crate in used}


def differing():
    """Crates that are compiled with several sets of features."""
    return {crate: by_side for crate, by_side in feature_sets().items() if len(frozenset().union(*by_side.values())) > 1}


def listed(agreed, for_build):
    """Lines of the dependencies of one side that unite all sets of each crate."""
    lines = []
    names = collections.Counter(name for name, _ in agreed)
    for (name, version), (features, used) in sorted(agreed.items()):
        if for_build not in used:
            continue
        version = version.split("+")[0]
        key = name if names[name] == 1 else f"{name}-{version.replace('.', '_')}"
        package = "" if key == name else f'package = "{name}", '
        shown = ", ".join(f'"{feature}"' for feature in sorted(features) if feature != "default")
        default = "" if "default" in features else ", default-features = false"
        lines.append(f'{key} = {{ {package}version = "{version}"{default}, features = [{shown}] }}\n')
    return "".join(lines)


def write():
    """Adds crates until all sets are equal, because a feature of one crate may enable features of others."""
    before = MANIFEST.read_text()
    try:
        agree()
    except BaseException:
        MANIFEST.write_text(before)
        raise


def agree():
    agreed = collections.defaultdict(lambda: (set(), set()))
    for _ in range(10):
        tables = [("dependencies", False), ("build-dependencies", True)]
        MANIFEST.write_text(HEAD + "".join(f"\n[{name}]\n{listed(agreed, side)}" for name, side in tables))
        left = differing()
        if not left:
            return
        for crate, by_side in left.items():
            agreed[crate][0].update(*frozenset().union(*by_side.values()))
            agreed[crate][1].update(by_side)
    sys.exit(f"error: the features still differ for {', '.join(name for name, _ in left)}")


def check():
    left = differing()
    for (name, version), by_side in sorted(left.items()):
        sets = frozenset().union(*by_side.values())
        shown = " and ".join(f"[{', '.join(sorted(features))}]" for features in sets)
        print(f"{name} {version} would be compiled with {shown}", file=sys.stderr)
    if left:
        sys.exit("error: run `make features`, and commit setup/features/Cargo.toml")


if __name__ == "__main__":
    check() if sys.argv[1:] == ["--check"] else write()
