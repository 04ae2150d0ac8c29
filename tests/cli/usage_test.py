"""Error messages for invalid command lines and files."""
import json
import os
import pathlib
import re
import struct
import tempfile
import unittest

import program
from program import kvsplit


class Help(unittest.TestCase):
    def test_every_command_has_help_with_examples(self):
        for command in ["run", "chat", "perplexity", "eval", "bench", "plan", "tune", "info", "compare"]:
            done = kvsplit(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn("Examples:", done.stdout)
            self.assertIn(f"kvsplit {command}", done.stdout)
            self.assertEqual(done.stderr, "")

    def test_processor(self):
        report = json.loads(kvsplit("info", "--cpu", "--json").stdout)
        self.assertIn(report["kernels"], report["available_kernels"])
        self.assertGreater(report["read_gb_per_s"], 0)
        self.assertIn(report["kernels"], kvsplit("info", "--cpu").stdout)

    def test_supported_architectures(self):
        names = kvsplit("info", "--supported").stdout.split()
        self.assertEqual(names, sorted(names))
        self.assertIn("llama", names)
        self.assertEqual(json.loads(kvsplit("info", "--supported", "--json").stdout), {"architectures": names})
        documented = pathlib.Path(__file__).parents[2].joinpath("docs", "models.md").read_text()
        rows = " ".join(re.findall(r"^\| ([^|]+) \|", documented, re.MULTILINE))  # their first cells
        self.assertLessEqual(set(names), set(re.findall(r"`([^`]+)`", rows)))

    def test_version(self):
        done = kvsplit("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^kvsplit \d+\.\d+\.\d+\n")
        for word in ["commit", "compiler", "cpu", "unicode"]:
            self.assertIn(word, done.stdout)


class Usage(unittest.TestCase):
    def check(self, *arguments, says=""):
        done = kvsplit(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^kvsplit: error: .+\n'kvsplit( \w+)? --help' tells more\n$|note:")
        self.assertIn(says, done.stderr)

    def test_commands(self):
        self.check()
        self.check("fly", says="no command 'fly'")
        self.check("info", says="--supported")
        self.check("run", "-m", "x.gguf", "-p", "hi", "--fly")
        self.check("run", "-p", "hi", says="--model")
        self.check("perplexity", "-m", "x.gguf", says="--file")
        self.check("eval", says="--model")

    def test_rope(self):
        for option, value in [("--rope-scaling", "su"), ("--rope-scale", "0"), ("--rope-scale", "x"),
                              ("--rope-freq-base", "1"), ("--yarn-orig-ctx", "0")]:
            self.check("run", "-m", "x.gguf", "-p", "hi", option, value, says=option)

    def test_tasks(self):
        self.check("eval", "-m", "x.gguf", "--task", "chess", says="known are needle passkey copy")
        self.check("eval", "-m", "x.gguf", "--task", "copy,copy", says="twice")
        self.check("eval", "-m", "x.gguf", "--task", "hellaswag", says="--file")
        self.check("eval", "-m", "x.gguf", "-f", "b.txt", says="one task")
        self.check("eval", "-m", "x.gguf", "--shots", "2", "-c", "100", says="excludes")
        for option, value in [("--depth", "1.5"), ("--depth", "deep"), ("-c", "-1"), ("-c", "1,x"), ("--items", "-1"),
                              ("--shots", "-2"), ("--seed", "x"), ("--kv", "f16,fast")]:
            self.check("eval", "-m", "x.gguf", option, value)

    def test_compare(self):
        self.check("compare", says="--model")
        self.check("compare", "-m", "x.gguf", "--quick", "--full", says="excludes")
        self.check("compare", "-m", "x.gguf", "--resume", "--overwrite", says="excludes")
        self.check("compare", "-m", "x.gguf", "--kv", "k9v1", says="9 bits")
        self.check("compare", "-m", "x.gguf", "--kv", "best", says="k8v4")
        self.check("compare", "-m", "x.gguf", "--contexts", "0")
        self.check("compare", "-m", "x.gguf", "--chunks", "0")

    def test_prompt(self):
        self.check("run", "-m", "x.gguf", says="-p")
        self.check("run", "-m", "x.gguf", "-p", "a", "-f", "b", says="excludes")
        self.check("run", "-m", "x.gguf", "-p", "a", "--raw", "--chat-template", "b", says="excludes")
        self.check("chat", "-m", "x.gguf", "--chat-template-kwargs", "[1]", says="not a JSON object")

    def test_numbers(self):
        for option, value in [("-n", "-2"), ("-n", "many"), ("-t", "-1"), ("-c", "-5"), ("--temp", "-1"),
                              ("--top-p", "0"), ("--top-p", "1.1"), ("--min-p", "2"), ("--top-k", "-1"),
                              ("--activations", "12"), ("--repeat-penalty", "0"), ("--seed", "x")]:
            self.check("run", "-m", "x.gguf", "-p", "hi", option, value)

    def test_numbers_say_what_they_are_not(self):
        run = ["run", "-m", "x.gguf", "-p", "hi"]
        self.check(*run, "-n", "many", says="-n: 'many' is not a whole number")
        self.check(*run, "--tokens", "many", says="--tokens: 'many' is not a whole number")
        self.check(*run, "-c", "-5", says="-c: -5 is not between 0 and")
        self.check(*run, "--temp", "hot", says="--temp: 'hot' is not a number")
        self.check(*run, "--top-p", "1.1", says="--top-p: 1.1 is not between")
        self.check(*run, "--seed", "-5", says="--seed: a seed is not below 0")

    def test_mistakes_are_named(self):
        run = ["run", "-m", "x.gguf", "-p", "hi"]
        self.check(*run, "--tmep", "1", says="there is no option '--tmep'; did you mean --temp?")
        self.check(*run, "--unlike-any", says="there is no option '--unlike-any'\n")
        self.check(*run, "more", says="'more' is not expected here")
        self.check(*run, "-t", "2", "-t", "3", says="-t: is given more than once")
        self.check(*run, "--reasoning", "maybe", says="'maybe' is not one of show, hide")
        self.check(*run, "--activations", "4", says="'4' is not one of auto, 8, 16")

    def test_equals_signs_after_short_names(self):
        self.check("run", "-m=x.gguf", "-p=hi", "-n=-2", says="-n: -2 is not between")

    def test_bench(self):
        bench = ["bench", "-m", "x.gguf"]
        for option, value in [("-p", "-1"), ("-n", "many"), ("-d", "-1"), ("-d", "0,x"), ("-r", "0"), ("--kv", "k8")]:
            self.check(*bench, option, value)
        self.check(*bench, "-p", "0", "-n", "0", says="nothing to measure")
        self.check(*bench, "--json", "--csv", says="excludes")

    def test_plan(self):
        for size in ["", "0", "-1G", "4X", "4GG", "G", "four", "nan", "inf", "1e30T"]:
            self.check("plan", "-m", "x.gguf", f"--memory={size}", says="amount of memory" if size else "")
        self.check("plan", "-m", "x.gguf", "-c", "-1")
        self.check("plan", "--memory", "4G", says="--model")

    def test_precisions(self):
        run = ["run", "-m", "x.gguf", "-p", "hi"]
        self.check(*run, "--kv", "k7v4", says="7 bits")
        self.check(*run, "--kv", "fast", says="k8v4")
        self.check(*run, "--kv", "f16,k8v4", says="take lists")
        self.check("chat", "-m", "x.gguf", "--kv", "f16,k8v4", says="take lists")
        self.check(*run, "--kv-key", "7", says="7 bits")
        self.check(*run, "--kvq-val", "1", says="1 bits")
        self.check(*run, "--kv", "k8v8", "--kv-key", "8", says="excludes")
        self.check(*run, "-ctk", "q9_9", says="q9_9")
        measure = ["perplexity", "-m", "x.gguf", "-f", "/dev/null"]
        self.check(*measure, "--kv", "f16,,k8v4")
        self.check(*measure, "--kv", "f16,k8v4,F16", says="f16 is named twice")
        self.check(*measure, "--exact", "--base-exact", says="--base-exact")
        self.check(*measure, "--exact", "--activations", "16", says="excludes")


class Tasks(unittest.TestCase):
    def test_list_needs_no_model(self):
        done = kvsplit("eval", "--list")
        self.assertEqual(done.returncode, 0, done.stderr)
        for task in ["needle", "passkey", "copy", "hellaswag", "lambada"]:
            self.assertRegex(done.stdout, rf"(?m)^{task} ")
        tasks = json.loads(kvsplit("eval", "--list", "--json").stdout)
        self.assertEqual(list(tasks[0]), ["task", "summary", "needs_file", "items", "context"])
        self.assertEqual(sum(task["needs_file"] for task in tasks), 2)


class Files(unittest.TestCase):
    def check(self, *arguments, says):
        done = kvsplit(*arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("kvsplit: error: "), done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)

    def test_missing(self):
        self.check("run", "-m", "no/such.gguf", "-p", "hi", says=["no/such.gguf"])
        self.check("info", "no/such.gguf", says=["no/such.gguf"])
        self.check("chat", "-m", "no/such.gguf", says=["no/such.gguf"])
        self.check("bench", "-m", "no/such.gguf", says=["no/such.gguf"])
        self.check("plan", "-m", "no/such.gguf", says=["no/such.gguf"])
        self.check("run", "-m", "x.gguf", "-f", "no/prompt.txt", says=["no/prompt.txt"])
        self.check("run", "-m", "x.gguf", "-p", "hi", "--kv", "@no/such.kv", says=["no/such.kv"])
        self.check("perplexity", "-m", "x.gguf", "-f", "x", "--kv", "f16,@no/such.kv", says=["no/such.kv"])
        self.check("eval", "-m", "no/such.gguf", says=["no/such.gguf"])
        self.check("eval", "-m", "x.gguf", "--task", "lambada", "-f", "no/words.jsonl", says=["no/words.jsonl"])

    def test_reports_that_cannot_be_written(self):
        with tempfile.TemporaryDirectory() as folder:
            nowhere = os.path.join(folder, "no", "x.kv")
            self.check("tune", "-m", "no/such.gguf", "-o", nowhere, says=[nowhere, "cannot write"])
            self.check("tune", "-m", "no/such.gguf", "-o", folder, says=[folder, "is a directory"])
            self.check("compare", "-m", "no/such.gguf", "-o", folder, says=["no/such.gguf"])
            path = os.path.join(folder, "file")
            pathlib.Path(path).write_bytes(b"mine")
            self.check("compare", "-m", "no/such.gguf", "-o", path, says=[path, "folder"])
            self.check("compare", "-m", "no/such.gguf", "-o", os.path.join(path, "deeper"), says=[path])
            self.assertEqual(pathlib.Path(path).read_bytes(), b"mine")

    def test_broken(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "broken.gguf")
            for data in [b"", b"GGUF", b"nothing of the kind" * 10,
                         b"GGUF" + struct.pack("<IQQ", 3, 2**60, 5), b"GGUF" + struct.pack("<IQQ", 3, 1, 2**62)]:
                pathlib.Path(path).write_bytes(data)
                self.check("info", path, says=[path])
                self.check("plan", "-m", path, says=[path])
                self.check("run", "-m", path, "-p", "hi", says=[path])

    def test_no_model_inside(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "empty.gguf")
            pathlib.Path(path).write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
            self.check("run", "-m", path, "-p", "hi", says=[path])
            # info describes what it can.
            done = kvsplit("info", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("note:", done.stderr)


if __name__ == "__main__":
    program.main(needs_model=False)
