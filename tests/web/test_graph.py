"""Graphs of `callsheet graph`, parsed and drawn by Mermaid and Graphviz themselves."""

import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import npm
from pages import PROGRAMS, WebTest

MERMAID = ("mermaid@11.17.2", "6ad2f42c3fc26bbf9e45cbb6d11898972573ea52b33a5f4ff51952899f950ffd", "dist/mermaid.min.js")
GRAPHVIZ = ("@viz-js/viz@3.31.0", "7dc0189874849cca2fed7cbe88bf334cd0e6e012db16657794a812ad6f2b8c70", "dist/viz-global.js")

# Keywords of Mermaid and DOT, shapes of arrows, and names with hyphens and digits.
KEYWORDS = "end END End subgraph class classDef click graph digraph node edge strict flowchart style linkStyle default direction"
MORE = "call href callback interpolate TD TB LR RL BT v init mermaid constructor toString __proto__ prototype"
SHAPES = "x o x1 o2 xa ox a--b a---b a-x a-o a-end end-a n0 n1 _ __ 0 1e5"
STAGES = [*KEYWORDS.split(), *MORE.split(), *SHAPES.split()]
OUTPUTS = ["end", "graph", "x", "o", "class", "1", "_"]
VALUES = ["a/b", "two words", '"quoted"', "it's", "<b>", "&amp;", "`code`", "# a", "%%{init: {}}%%", "%% a", "[a](b)", "{a}", "a|b",
          "--> b", "日本", "é", "😀", "", "1. a", "- a", "*a*", "\\n", "\n", ";", "end", "x" * 300]

LABELS = """async (text) => {
  mermaid.initialize({ startOnLoad: false, maxTextSize: 1e7, maxEdges: 10000 });
  await mermaid.parse(text);
  const { svg } = await mermaid.render("drawn", text);
  const page = new DOMParser().parseFromString(svg, "text/html");
  const texts = (of) => [...page.querySelectorAll(of)].map((label) => label.textContent.trim());
  return { nodes: texts(".node .nodeLabel"), edges: texts(".edgeLabels span.edgeLabel") };
}"""
DRAWN = """async (text) => {
  const drawn = (await Viz.instance()).renderJSON(text);
  const edges = (drawn.edges || []).map((edge) => edge.label);
  return { nodes: drawn.objects.map((node) => node.label), edges };
}"""


def stage(outputs):
    """stage.toml of a stage with these outputs and one optional input."""
    declared = "".join(f'[outputs.{name}]\nkind = "file"\npath = "{n}"\ndoc = "a"\n' for n, name in enumerate(outputs))
    inputs = '[inputs.a]\nkind = "file"\noptional = true\ndoc = "a"\n'
    return f'summary = "a"\nversion = 1\ncommand = ["true"]\n{inputs}{declared}'


@unittest.skipUnless(shutil.which("npm"), "npm, which fetches Mermaid and Graphviz, is not installed")
class Graph(WebTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        scripts = [npm.script(*MERMAID), npm.script(*GRAPHVIZ)]
        scratch = tempfile.TemporaryDirectory(prefix="callsheet-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        for folder in ["stages/odd", "pipelines", "data/raw"]:
            (cls.folder / folder).mkdir(parents=True)
        (cls.folder / "callsheet.toml").write_text("")
        (cls.folder / "data/raw/a").write_text("a")
        (cls.folder / "stages/odd/stage.toml").write_text(stage(OUTPUTS))
        (cls.folder / "page.html").write_text("<p>graphs</p>")
        cls.page = cls.browser.new_page()
        cls.page.goto((cls.folder / "page.html").as_uri())
        for path in scripts:
            cls.page.add_script_tag(path=path)

    def graph(self, pipeline, *options):
        (self.folder / "pipelines/odd.toml").write_text(f'summary = "a"\n{pipeline}', encoding="utf-8")
        command = [PROGRAMS / "callsheet", "graph", "-p", "odd", *options]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def assert_drawn(self, pipeline, nodes, edges, *options):
        """Asserts that Mermaid and Graphviz draw these nodes, and edges with these labels."""
        mermaid = self.page.evaluate(LABELS, self.graph(pipeline, *options))
        self.assertEqual(sorted(mermaid["nodes"]), sorted(nodes))
        self.assertEqual(sorted(mermaid["edges"]), sorted(edges))
        drawn = self.page.evaluate(DRAWN, self.graph(pipeline, "--format", "dot", *options))
        self.assertEqual(sorted(drawn["nodes"]), sorted(nodes))
        self.assertEqual(sorted(drawn["edges"]), sorted(edges))

    def test_a_stage_may_have_any_name(self):
        alone = "".join(f'[stages.{name}]\nuse = "odd"\n' for name in STAGES)
        self.assert_drawn(alone, STAGES, [])

    def test_an_edge_has_the_name_of_any_output(self):
        wires = [(after, before, OUTPUTS[n % len(OUTPUTS)]) for n, (before, after) in enumerate(zip(STAGES, STAGES[1:]))]
        first = f'[stages.{STAGES[0]}]\nuse = "odd"\n'
        rest = "".join(f'[stages.{to}]\nuse = "odd"\ninputs.a = "{of}.{output}"\n' for to, of, output in wires)
        self.assert_drawn(first + rest, STAGES, [output for _, _, output in wires])

    def test_a_source_and_a_stage_may_have_one_name(self):
        for name in ["end", "x", "graph"]:
            wired = f'[sources.{name}]\npath = "data/raw/a"\n[stages.{name}]\nuse = "many"\ninputs.a = "{name}"\n'
            many = stage(["b"]).replace('kind = "file"\noptional', 'kind = "files"\noptional')
            (self.folder / "stages/many").mkdir(exist_ok=True)
            (self.folder / "stages/many/stage.toml").write_text(many)
            self.assert_drawn(wired, [name, name], [""])

    def test_instances_have_values_with_any_characters(self):
        values = json.dumps(VALUES, ensure_ascii=False)
        fanned = f'[stages.a]\nuse = "odd"\nforeach.x = {values}\n[stages.b]\nuse = "odd"\nforeach.x = {values}\ninputs.a = "a.end"\n'
        plan = [PROGRAMS / "callsheet", "plan", "-p", "odd", "--json"]
        self.assert_drawn(fanned, [f"a ×{len(VALUES)}", f"b ×{len(VALUES)}"], ["end"])
        planned = json.loads(subprocess.run(plan, cwd=self.folder, check=True, capture_output=True).stdout)
        names = [stage["stage"] for stage in planned["stages"]]
        self.assertEqual(len(set(names)), 2 * len(VALUES))
        self.assert_drawn(fanned, names, ["end"] * len(VALUES), "--instances")
