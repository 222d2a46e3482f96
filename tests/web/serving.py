"""A project that `callsheet serve` shows in a browser."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import npm
from pages import PROGRAMS, WebTest

AXE = ("axe-core@4.14.1", "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745", "axe.min.js")

# Problems that axe-core finds by the rules of WCAG 2.2, levels A and AA.
PROBLEMS = """async () => {
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(document, { runOnly: rules });
  return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(" ")}`);
}"""


# Tests that `make test-web` runs, and CI does not.
thorough = unittest.skipIf(os.environ.get("CALLSHEET_PAGES") == "walk", "`make test-web` runs this test")


class ServeTest(WebTest):
    """Tests with a project in `self.folder`, and a server that `self.serve()` starts."""

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

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def callsheet(self, *words, code=0):
        done = subprocess.run([PROGRAMS / "callsheet", *words], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)

    def serve(self, words=(), **options):
        """Starts a server, whose link opens the browser of `context`."""
        command = [PROGRAMS / "callsheet", "serve", "--port", "0", *words]
        server = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True, **options)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        lines = []
        for line in server.stdout:
            if line.startswith("stop the server"):
                break
            lines.append(line)
        else:
            self.fail(f"the server ended: {lines}")
        self.site = lines[-2].strip().rsplit(" at ", 1)[1]
        context = self.browser.new_context()
        self.addCleanup(context.close)
        page = context.new_page()
        page.goto(lines[-1].strip().split(": ", 1)[1])
        page.wait_for_url(f"{self.site}/")
        self.state = context.storage_state()
        return server

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
        page.goto(self.site + path, wait_until="networkidle")
        own = (self.site, f"blob:{self.site}")
        self.assertEqual([url for url in requests if not url.startswith(own)], [], path)
        self.assertEqual([text for text in errors if not any(code in text for code in ["404", "422", "500"])], [], path)

    def check_accessible(self, page, about):
        """Checks that a page has no problem that axe-core finds, and does not scroll sideways."""
        page.evaluate(self.axe)
        self.assertEqual(page.evaluate(PROBLEMS), [], about)
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        self.assertFalse(wide, f"{about} scrolls sideways")
