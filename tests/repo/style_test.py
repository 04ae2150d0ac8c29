"""House rules that a program can check: file sizes, formatting, leftovers, paths of one machine."""

import re
import shutil
import subprocess
import sys
import unittest

from repo_files import ROOT, files

SOURCE = (".h", ".cc", ".c", ".cu", ".py", ".sh", ".cmake")
FORMATTED = (".h", ".cc", ".c")
MAX_LINES = 700
FORMAT_VERSION = 14  # Debian 12's clang-format; others lay some things out differently

# Absolute paths into somebody's working folder mean nothing on another machine.
LOCAL_PATH = re.compile(r"(?<![\w.})/])/(?:work|root)/")
# Unfinished work belongs in an issue. (Written so that this file does not find itself.)
LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")


def name(path):
    return str(path.relative_to(ROOT))


def text_files():
    for path in files():
        if name(path).startswith(("tests/golden/", "scripts/data/")):
            continue
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            pass


def hits(pattern, paths_and_texts):
    return [f"{name(path)}:{number}: {line.strip()}" for path, text in paths_and_texts
            for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


class Style(unittest.TestCase):
    def check_none(self, faults):
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_no_local_paths(self):
        self.check_none(hits(LOCAL_PATH, text_files()))

    def test_no_leftovers(self):
        self.check_none(hits(LEFTOVER, ((path, text) for path, text in text_files() if path.suffix in SOURCE)))

    def test_file_sizes(self):
        counts = {name(path): len(path.read_text().splitlines()) for path in files(*SOURCE)}
        self.check_none([f"{path}: {n} lines, at most {MAX_LINES}" for path, n in counts.items() if n > MAX_LINES])

    def test_headers_are_guarded(self):
        self.check_none([name(path) for path in files(".h")
                         if "#pragma once" not in (text := path.read_text()) and "#ifndef" not in text])

    def test_scripts_are_executable(self):
        self.check_none([name(path) for path in files(".sh")
                         if path.read_text().startswith("#!") and not path.stat().st_mode & 0o100])

    def test_formatting(self):
        tool = shutil.which(f"clang-format-{FORMAT_VERSION}") or shutil.which("clang-format")
        if not tool:
            self.skipTest("NO CLANG-FORMAT: formatting is not checked. apt-get install clang-format")
        version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
        if f"version {FORMAT_VERSION}." not in version:
            self.skipTest(f"formatting is not checked: clang-format {FORMAT_VERSION} is the style's, "
                          f"this is {version.strip()}")
        result = subprocess.run([tool, "--dry-run", "--Werror", *map(str, files(*FORMATTED))],
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, "run clang-format -i:\n" + result.stderr[-4000:])


if __name__ == "__main__":
    sys.exit(unittest.main())
