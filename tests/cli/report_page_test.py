"""The page that kvsplit compare writes, opened in a real browser."""
import pathlib
import sys
import tempfile
import unittest

import browser
import program
from program import kvsplit

# Texts of the pictures that are not whole inside them. A machine without fonts shows none.
OUTSIDE = """[...document.querySelectorAll('svg text')].filter(t => {
    const box = t.getBoundingClientRect(), all = t.ownerSVGElement.getBoundingClientRect();
    return box.width > 0 && (box.left < all.left - 1 || box.right > all.right + 1 ||
                             box.top < all.top - 1 || box.bottom > all.bottom + 1);
}).map(t => t.textContent)"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.temporary.name) / "report"
        done = kvsplit("compare", "-m", program.MODEL, "-o", folder, "--kv",
                       "f16,k8v8,k6v6,k8v4,k4v8,k5v4,k4v4,k4v4+0-1=k8v8+tail=0", "-c", 256, "--chunks", 1,
                       "--contexts", "128,512,1024", "-p", 32, "-n", 4, "-r", 1)
        assert done.returncode == 0, done.stderr
        cls.url = (folder / "report.html").as_uri()
        cls.browser = browser.Browser(browser.find_browser())

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.temporary.cleanup()

    def open(self, width, scheme="light"):
        self.browser.size(width)
        self.browser.scheme(scheme)
        self.browser.open(self.url)

    def count(self, selector):
        """The number of matching elements that are visible."""
        return self.browser.evaluate(
            f"[...document.querySelectorAll('{selector}')].filter(e => e.getBoundingClientRect().width > 0).length")

    def test_no_complaints_and_no_network(self):
        for width in [400, 1400]:
            for scheme in ["light", "dark"]:
                self.open(width, scheme)
                self.assertEqual(self.browser.complaints(), [])
                self.assertEqual([u for u in self.browser.requests() if not u.startswith("data:")], [self.url])

    def test_tables_and_charts_are_there(self):
        for width in [400, 1400]:
            self.open(width)
            self.assertEqual(self.count("figure"), 5)
            self.assertEqual(self.count("svg"), 5)  # one of the two widths of each
            self.assertEqual(self.count("table"), 4)
            self.assertEqual(self.count("#overview ~ div tbody tr"), 8)
            self.assertGreater(self.count("circle"), 8)

    def test_nothing_sticks_out(self):
        for width in [360, 400, 620, 700, 1024, 1400, 2000]:
            self.open(width)
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)

    def test_letters_are_large_enough(self):
        # px on the screen, after the pictures have been scaled.
        script = """Math.min(99, ...[...document.querySelectorAll('svg text')]
            .filter(t => t.getBoundingClientRect().width > 0)
            .map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))"""
        for width in [400, 800, 1400]:
            self.open(width)
            self.assertGreaterEqual(self.browser.evaluate(script), 9)

    def test_labels_stay_inside_their_pictures(self):
        for width in [400, 1400]:
            self.open(width)
            self.assertEqual(self.browser.evaluate(OUTSIDE), [])

    def test_any_font_will_do(self):
        # Four times as wide as any: every letter has 20 px added.
        for width in [360, 1400]:
            self.open(width)
            self.browser.evaluate("document.head.insertAdjacentHTML('beforeend',"
                                  "'<style>svg text { letter-spacing: 20px; font-family: monospace }</style>')")
            self.assertEqual(self.browser.evaluate(OUTSIDE), [])

    def test_every_font_of_this_machine_and_none(self):
        for fonts in [[], *([folder] for folder in browser.font_folders()[:4])]:
            one = browser.Browser(browser.find_browser(), fonts)
            try:
                for width in [360, 1400]:
                    one.size(width)
                    one.open(self.url)
                    self.assertEqual(one.evaluate(OUTSIDE), [], fonts)
                    self.assertLessEqual(one.evaluate("document.documentElement.scrollWidth"), width, fonts)
            finally:
                one.close()

    def test_light_and_dark(self):
        script = "getComputedStyle(document.body)"
        grounds = {}
        for scheme in ["light", "dark"]:
            self.open(1400, scheme)
            grounds[scheme] = self.browser.evaluate(f"{script}.backgroundColor")
        self.assertEqual(grounds["light"], "rgb(255, 255, 255)")
        self.assertNotEqual(grounds["dark"], grounds["light"])

    def test_pictures_have_names(self):
        self.open(1400)
        self.assertEqual(self.browser.evaluate("""[...document.querySelectorAll('svg')].filter(s =>
            s.getAttribute('role') !== 'img' ||
            s.getAttribute('aria-labelledby').split(' ').some(id => !document.getElementById(id).textContent)
        ).length"""), 0)


if __name__ == "__main__":
    if not browser.find_browser():
        print("SKIPPED: no browser, so the report is not opened. apt-get install chromium, or set KVSPLIT_BROWSER.",
              file=sys.stderr)
        sys.exit(77)
    program.main(needs_model=True)
