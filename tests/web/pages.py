"""Pages from disk in a headless Chromium, and checks for every page."""

import os
import unittest
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import chromium

ROOT = Path(__file__).resolve().parent.parent.parent
# Folder of the built programs: those of `make build` unless CALLSHEET_PROGRAMS names another, relative to the project.
PROGRAMS = ROOT / os.environ.get("CALLSHEET_PROGRAMS", "target/release")
DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}

# Visible pictures, each decoded; a page may delay the decoding until they are scrolled into view.
PICTURES = """async () => {
  const seen = [...document.images].filter((image) => image.checkVisibility());
  await Promise.all(seen.map((image) => { image.loading = "eager"; return image.decode().catch(() => {}); }));
  return seen.map((image) => ({ alt: image.getAttribute("alt"), pixels: image.naturalWidth, of: image.src.slice(0, 60) }));
}"""


@dataclass
class Opened:
    """A page, with its errors and requests."""

    page: Page
    # Errors and warnings of the console, and uncaught errors.
    errors: list = field(default_factory=list)
    # Requested addresses, except the page's own and embedded data.
    requests: list = field(default_factory=list)


class WebTest(unittest.TestCase):
    """Tests that share one browser."""

    @classmethod
    def setUpClass(cls):
        path, environment = chromium.find()
        driver = sync_playwright().start()
        cls.addClassCleanup(driver.stop)
        cls.browser = driver.chromium.launch(executable_path=path, env=environment)
        cls.addClassCleanup(cls.browser.close)

    def open_page(self, path, device=DESK, before="", **options):
        """Opens the page at `path` in a browser without stored data; the script `before` runs before the page's own."""
        context = self.browser.new_context(**device, **options)
        self.addCleanup(context.close)
        opened = Opened(context.new_page())
        address = Path(path).resolve().as_uri()
        inside = ("data:", "blob:")

        def asked(request):
            if request.url != address and not request.url.startswith(inside):
                opened.requests.append(request.url)

        def said(message):
            if message.type in ("error", "warning"):
                opened.errors.append(message.text)

        opened.page.on("request", asked)
        opened.page.on("console", said)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        if before:
            opened.page.add_init_script(before)
        opened.page.goto(address)
        return opened

    def assert_sound(self, opened, pictures=None):
        """Asserts that the page has no error, loads nothing from elsewhere, shows and describes every picture, and fits
        the width of the screen. `pictures` is the number of visible pictures, if it is known."""
        seen = opened.page.evaluate(PICTURES)
        self.assertEqual(opened.errors, [])
        self.assertEqual(opened.requests, [])
        self.assertEqual([picture for picture in seen if picture["pixels"] == 0], [], "not decoded")
        self.assertEqual([picture for picture in seen if picture["alt"] is None], [], "without alt")
        if pictures is not None:
            self.assertEqual(len(seen), pictures)
        wide = opened.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        self.assertLessEqual(wide, 0, "wider than the screen")
