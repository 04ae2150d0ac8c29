"""kvsplit compare on a real model: its files, its figures, and continuing after a stop."""
import csv
import json
import pathlib
import resource
import signal
import subprocess
import tempfile
import time
import unittest

import program
from program import kvsplit

TEXT = pathlib.Path(__file__).resolve().parents[2] / "src/lab/data/war_and_peace.txt"
KV = "f16,k8v8,k8v4,k4v8"
SMALL = ["--kv", KV, "-c", 256, "--chunks", 1, "--contexts", "128,512", "-p", 32, "-n", 4, "-r", 1]
FILES = {"report.html", "results.json", "results.csv", "divergence.svg", "widths.svg", "memory.svg", "decode.svg",
         "prefill.svg"}


def compare(folder, *arguments, **options):
    return kvsplit("compare", "-m", program.MODEL, "-o", folder, *arguments, **options)


def results_of(folder):
    return json.loads((pathlib.Path(folder) / "results.json").read_text())


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "report"

    def check_failed(self, done, *says):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        for text in says:
            self.assertIn(text, done.stderr)


class Report(unittest.TestCase):
    """Several checks of one comparison."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "report"
        cls.done = compare(cls.folder, *SMALL)
        assert cls.done.returncode == 0, cls.done.stderr
        cls.results = results_of(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_files(self):
        self.assertEqual({p.name for p in self.folder.iterdir()}, FILES)

    def test_table(self):
        for word in ["k8v8", "mean KLD", "peak", "prefill", "decode", "saved"]:
            self.assertIn(word, self.done.stdout)
        self.assertIn("report.html", self.done.stderr)
        self.assertNotIn("\x1b", self.done.stdout + self.done.stderr)

    def test_json_has_the_documented_names(self):
        r = self.results
        self.assertEqual(list(r), ["format", "complete", "program", "machine", "model", "text", "settings", "notes",
                                   "seconds", "read_gb_per_s", "speed_done", "recommendation", "floor", "quality",
                                   "memory", "speed"])
        self.assertTrue(r["complete"])
        self.assertEqual([q["kv"] for q in r["quality"]], KV.split(","))
        self.assertEqual(len(r["memory"]), 8)
        self.assertEqual(len(r["speed"]), 16)
        for m in r["memory"]:
            b = m["kv_bytes"]
            self.assertEqual(b["total"], b["key"] + b["value"] + b["exact"])
            self.assertGreater(m["peak_rss"], b["total"])

    def test_keys_deserve_the_bits(self):
        kld = {q["kv"]: q["vs_f16"]["kld_mean"] for q in self.results["quality"]}
        total = {m["kv"]: m["kv_bytes"]["total"] for m in self.results["memory"] if m["context"] == 512}
        self.assertEqual(total["k8v4"], total["k4v8"])
        self.assertLess(kld["k8v8"], kld["k8v4"])
        self.assertLess(kld["k8v4"], kld["k4v8"])

    def test_csv(self):
        with open(self.folder / "results.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(r["kv"], r["context"]) for r in rows],
                         [(kv, c) for kv in KV.split(",") for c in ["128", "512"]])
        for row in rows:
            self.assertNotIn("", row.values())
            self.assertGreater(float(row["decode_tokens_per_s"]), 0)

    def test_figures_are_those_of_the_separate_commands(self):
        done = kvsplit("perplexity", "-m", program.MODEL, "-f", TEXT, "-c", 256, "--chunks", 1, "--exact", "--kv", KV,
                       "--json")
        alone = {r["kv"]: r for r in json.loads(done.stdout)["results"]}
        for q in self.results["quality"]:
            self.assertEqual(q["ppl"], alone[q["kv"]]["ppl"])
            for name, value in alone[q["kv"]]["vs_f16"].items():
                self.assertEqual(q["vs_f16"].get(name, value), value, name)
        done = kvsplit("bench", "-m", program.MODEL, "--kv", KV, "-d", "128,512", "-p", 32, "-n", 4, "-r", 1,
                       "--fast-fill", "--json")
        alone = {(r["kv"], r["test"], r["depth"]): r for r in json.loads(done.stdout)["results"]}
        for s in self.results["speed"]:
            other = alone[s["kv"], s["test"], s["depth"]]
            self.assertEqual(s["tokens"], other["tokens"])
            self.assertEqual(s["kv_bytes_per_token"], other["kv_bytes_per_token"])

    def test_the_folder_is_not_overwritten(self):
        before = results_of(self.folder)
        done = compare(self.folder, *SMALL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--resume", done.stderr)
        self.assertEqual(results_of(self.folder), before)

    def test_resuming_what_is_complete_measures_nothing(self):
        done = compare(self.folder, *SMALL, "--resume", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        again = json.loads(done.stdout)
        self.assertEqual(again, self.results)

    def test_results_of_other_settings_are_refused(self):
        before = (self.folder / "results.json").read_bytes()
        done = compare(self.folder, *SMALL[:-1], 2, "--resume")
        self.assertEqual(done.returncode, 1)
        self.assertIn("settings/repeats is 1 there and 2 here", done.stderr)
        self.assertEqual((self.folder / "results.json").read_bytes(), before)


class Interrupted(Folder):
    def test_control_c_keeps_what_is_there_and_resume_goes_on(self):
        arguments = ["--kv", "f16,k8v8,k8v4", "-c", 256, "--chunks", 1, "--contexts", "64,128,256,512", "-p", 32,
                     "-n", 4, "-r", 2]
        process = subprocess.Popen([program.BINARY, "compare", "-m", program.MODEL, "-o", str(self.folder),
                                    *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end = time.monotonic() + 240
        while not (self.folder / "results.json").exists() and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        text, notes = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 130, notes)
        self.assertIn(b"--resume", notes)
        self.assertIn(b"k8v8", text)
        self.assertIn("This report is incomplete", (self.folder / "report.html").read_text())
        partial = results_of(self.folder)
        self.assertFalse(partial["complete"])
        self.assertTrue(partial["quality"][0]["whole"])

        done = compare(self.folder, *arguments, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        whole = results_of(self.folder)
        self.assertTrue(whole["complete"])
        self.assertEqual(whole["quality"], partial["quality"])
        self.assertEqual(whole["memory"][:len(partial["memory"])], partial["memory"])
        self.assertGreater(whole["seconds"], partial["seconds"])
        self.assertNotIn("incomplete", (self.folder / "report.html").read_text())


class BadInput(Folder):
    def test_broken_results(self):
        self.folder.mkdir()
        path = self.folder / "results.json"
        for text in ["", "{", "[1, 2", '{"format": "something else"}', "\0\0\0"]:
            path.write_text(text)
            self.check_failed(compare(self.folder, *SMALL, "--resume"), "results.json")
            self.assertEqual(path.read_text(), text)

    def test_short_text(self):
        text = self.folder.with_suffix(".txt")
        text.write_text("Hi.")
        self.check_failed(compare(self.folder, "-f", text), "the text has")

    def test_contexts_beyond_the_model(self):
        done = compare(self.folder, "--kv", "k8v4", "-c", 64, "--chunks", 1, "--contexts", "64,1000000", "-p", 8, "-n", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1000000 tokens are left out: the model was made for 8192", done.stderr)
        self.assertEqual(results_of(self.folder)["settings"]["contexts"], [64])
        self.assertIn("1000000 tokens are left out", (self.folder / "report.html").read_text())

    def test_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        done = subprocess.run([program.BINARY, "compare", "-m", program.MODEL, "-o", str(self.folder)],
                              capture_output=True, text=True, preexec_fn=limit, timeout=60, check=False)
        self.check_failed(done, "results.json: cannot write")


if __name__ == "__main__":
    program.main(needs_model=True)
