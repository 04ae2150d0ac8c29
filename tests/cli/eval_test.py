"""kvsplit eval on a real model."""
import json
import math
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import program
from program import kvsplit

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "eval"
INTERVAL = ["value", "low", "high"]


def evaluate(*arguments):
    # One thread: on a busy machine two that wait for each other are slower.
    done = kvsplit("eval", "-m", program.MODEL, "-t", 1, *arguments)
    assert done.returncode == 0, done.stderr
    return done


class Eval(unittest.TestCase):
    def test_json_has_the_documented_names(self):
        done = evaluate("--task", "copy,needle", "-c", "300,500", "--depth", "0.1,0.6", "--items", 4,
                        "--kv", "k4v4,f16", "--json")
        report = json.loads(done.stdout)
        self.assertEqual(list(report), ["model", "file", "seed", "exact", "tasks"])
        self.assertIsNone(report["file"])
        self.assertEqual([task["task"] for task in report["tasks"]], ["copy", "needle"])
        for task in report["tasks"]:
            self.assertEqual(list(task), ["task", "items", "items_total", "shots", "longest_prompt", "tokens_scored",
                                          "results"])
            self.assertEqual((task["items"], task["items_total"]), (8, 8))
            self.assertLessEqual(task["longest_prompt"], 500)
            self.assertEqual([r["kv"] for r in task["results"]], ["k4v4", "f16"])
            self.check_results(task)

    def check_results(self, task):
        coarse, exact = task["results"]
        for result in task["results"]:
            self.assertEqual(list(result), ["kv", "right", "accuracy", "nll", "answer_ppl", "vs_f16", "tokens_sealed",
                                            "answers_exact", "cells", "kv_bytes", "saved_pct"])
            self.assertEqual(list(result["vs_f16"]), ["accuracy_change", "nll_change", "gained", "lost"])
            for interval in [result["accuracy"], result["nll"], *list(result["vs_f16"].values())[:2]]:
                self.assertEqual(list(interval), INTERVAL)
                self.assertLessEqual(interval["low"], interval["value"] + 1e-12)
                self.assertLessEqual(interval["value"], interval["high"] + 1e-12)
            self.assertEqual(result["accuracy"]["value"], result["right"] / task["items"])
            self.assertEqual([(c["context"], c["depth"], c["items"]) for c in result["cells"]],
                             [(300, 0.1, 2), (300, 0.6, 2), (500, 0.1, 2), (500, 0.6, 2)])
            self.assertEqual(sum(c["right"] for c in result["cells"]), result["right"])
        self.assertEqual(exact["vs_f16"]["nll_change"]["value"], 0)
        self.assertNotEqual(coarse["vs_f16"]["nll_change"]["value"], 0)
        self.assertEqual(coarse["right"] - exact["right"], coarse["vs_f16"]["gained"] - coarse["vs_f16"]["lost"])
        self.assertAlmostEqual(coarse["nll"]["value"] - exact["nll"]["value"],
                               coarse["vs_f16"]["nll_change"]["value"])
        self.assertEqual(coarse["tokens_sealed"], task["tokens_scored"])
        self.assertEqual(exact["tokens_sealed"], 0)

    def test_table(self):
        done = evaluate("--task", "passkey", "-c", 300, "--items", 5)
        for word in ["passkey: 5 questions", "f16", "k8v4", "k4v4", "nll/token", "by depth", "0.9:",
                     "read sealed pages", "kept exact"]:
            self.assertIn(word, done.stdout)
        self.assertEqual(done.stderr, "")

    def test_question_files(self):
        scores = json.loads((GOLDEN / "scores.json").read_text())
        for task, file in [("hellaswag", "hellaswag.txt"), ("lambada", "lambada.jsonl")]:
            golden = scores[task][:6]
            done = evaluate("--task", task, "-f", GOLDEN / file, "--items", 6, "--shots", 0, "--kv", "f16,k8v4", "--exact",
                            "--json")
            self.assertIn("no question reads a sealed page of k8v4", done.stderr)
            f16, k8v4 = json.loads(done.stdout)["tasks"][0]["results"]
            self.assertEqual(f16["right"], sum(item["right"] for item in golden))
            self.assertEqual(k8v4["vs_f16"]["nll_change"], {"value": 0, "low": 0, "high": 0})
            self.assertEqual(k8v4["answers_exact"], 6)
            if task == "lambada":
                ppl = math.exp(-sum(item["logp"] for item in golden) / 6)
                self.assertAlmostEqual(f16["answer_ppl"] / ppl, 1, delta=0.002)

    def test_shots_make_the_cache_long(self):
        done = evaluate("--task", "lambada", "-f", GOLDEN / "lambada.jsonl", "--shots", 4, "--items", 3, "--json")
        task = json.loads(done.stdout)["tasks"][0]
        self.assertEqual(task["shots"], 4)
        self.assertEqual(task["results"][1]["tokens_sealed"], task["tokens_scored"])
        self.assertEqual(done.stderr, "")

    def test_broken_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "broken.txt"
            for task, data, says in [("hellaswag", b"A\n7\na\nb\nc\nd\n", "broken.txt:2: "),
                                     ("lambada", b'{"text": "a b"}\n{\n', "broken.txt:2: "),
                                     ("lambada", b"", "broken.txt: no questions"),
                                     ("needle", b"Too short. ", "give a longer text")]:
                path.write_bytes(data)
                done = kvsplit("eval", "-m", program.MODEL, "--task", task, "-f", path)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stdout, "")
                self.assertIn(says, done.stderr)

    def test_too_long_a_context(self):
        done = kvsplit("eval", "-m", program.MODEL, "-c", 9000)
        self.assertEqual(done.returncode, 1)
        self.assertIn("made for 8192", done.stderr)

    def test_control_c_keeps_what_is_done(self):
        process = subprocess.Popen([program.BINARY, "eval", "-m", program.MODEL, "--task", "copy", "-c", "200",
                                    "--items", "5000", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn(b"interrupted", errors)
        if text:
            task = json.loads(text)["tasks"][0]
            self.assertLess(task["items"], task["items_total"])
        else:  # a slow machine
            self.assertIn(b"before any question", errors)


if __name__ == "__main__":
    program.main(needs_model=True)
