"""The scripts' command lines, and what they say at their ends. None of them builds or loads anything here."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from repo_files import ROOT

SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))
COMMANDS = [path for path in SCRIPTS if os.access(path, os.X_OK)]  # lib.sh is sourced

RESULTS = """<testsuite>
<testcase name="Good.Test" status="run"><system-out>test_one (m.C.test_one) ... ok</system-out></testcase>
<testcase name="Files.Real/one  # GetParam() = 1" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
<system-out>[ RUN      ] Files.Real
/a/files_test.cc:42: Skipped
no files

[  SKIPPED ] Files.Real</system-out></testcase>
<testcase name="page_test" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
<system-out>SKIPPED: no browser</system-out></testcase>
<testcase name="style_test" status="run"><system-out>test_formatting (__main__.Style.test_formatting) ... skipped 'no files'
test_two (m.C.test_two)
What it is about. ... skipped "it's late"</system-out></testcase>
<testcase name="broken_NOT_BUILT" status="notrun"><skipped message="Unable to find executable"/></testcase>
</testsuite>"""


def run(*command, **environment):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


class CommandLines(unittest.TestCase):
    def test_wrong_options_are_refused_with_status_2(self):
        for script in COMMANDS:
            done = run(script, "--no-such-option")
            self.assertEqual(done.returncode, 2, f"{script.name}: {done.stderr}")
            self.assertIn("--no-such-option", done.stderr)
            self.assertEqual(done.stdout, "")

    def test_help_is_the_comment_at_the_top(self):
        self.assertGreaterEqual(len(COMMANDS), 7)
        for script in COMMANDS:
            done = run(script, "--help")
            self.assertEqual(done.returncode, 0, script.name)
            self.assertIn(f"./scripts/{script.name}", done.stdout)
            self.assertNotIn("set -euo", done.stdout)

    def test_models_are_found_without_home(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "test-data").mkdir()
            version = next(line for line in (ROOT / "scripts/test_data.sh").read_text().splitlines() if " version=" in line)
            pathlib.Path(folder, "test-data", "version").write_text(version.split("version=")[1] + "\n")
            done = run("env", "-u", "HOME", ROOT / "scripts/test_data.sh", KVSPLIT_CACHE=folder)
            self.assertEqual(done.stdout.strip(), f"{folder}/test-data", done.stderr)

    def test_a_folder_that_cannot_be_written_is_named(self):
        done = run(ROOT / "scripts/test_data.sh", KVSPLIT_CACHE="/dev/null/cache")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write into /dev/null/cache; set KVSPLIT_CACHE", done.stderr)


class SkippedTests(unittest.TestCase):
    def summary(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(text)
            file.flush()
            done = run(sys.executable, ROOT / "scripts/skipped_tests.py", file.name)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

    def test_counts_and_reasons(self):
        lines = [line.strip() for line in self.summary(RESULTS).splitlines()]
        self.assertEqual(lines[0], "4 tests were skipped:")
        self.assertEqual(lines[1:3], ["2  no files", "Files.Real/one, style_test: test_formatting"])
        self.assertIn("1  no browser", lines)
        self.assertIn("1  it's late", lines)

    def test_none(self):
        self.assertEqual(self.summary("<testsuite/>"), "No test was skipped.\n")


if __name__ == "__main__":
    sys.exit(unittest.main())
