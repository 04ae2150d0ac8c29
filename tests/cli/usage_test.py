"""What the program says when the command line or a file makes no sense."""
import os
import pathlib
import struct
import tempfile
import unittest

import program
from program import kvsplit


class Help(unittest.TestCase):
    def test_every_command_has_help_with_examples(self):
        for command in ["run", "chat", "perplexity", "bench", "info"]:
            done = kvsplit(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn("Examples:", done.stdout)
            self.assertIn(f"kvsplit {command}", done.stdout)
            self.assertEqual(done.stderr, "")

    def test_version(self):
        done = kvsplit("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^kvsplit \d+\.\d+\.\d+\n")
        for word in ["commit", "compiler", "cpu"]:
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
        self.check("fly")
        self.check("run", "-m", "x.gguf", "-p", "hi", "--fly")
        self.check("run", "-p", "hi", says="--model")
        self.check("perplexity", "-m", "x.gguf", says="--file")

    def test_prompt(self):
        self.check("run", "-m", "x.gguf", says="-p")
        self.check("run", "-m", "x.gguf", "-p", "a", "-f", "b", says="excludes")

    def test_numbers(self):
        for option, value in [("-n", "-2"), ("-n", "many"), ("-t", "-1"), ("-c", "-5"), ("--temp", "-1"),
                              ("--top-p", "0"), ("--top-p", "1.1"), ("--min-p", "2"), ("--top-k", "-1"),
                              ("--repeat-penalty", "0"), ("--seed", "x")]:
            self.check("run", "-m", "x.gguf", "-p", "hi", option, value)

    def test_bench(self):
        bench = ["bench", "-m", "x.gguf"]
        for option, value in [("-p", "-1"), ("-n", "many"), ("-d", "-1"), ("-d", "0,x"), ("-r", "0"), ("--kv", "k8")]:
            self.check(*bench, option, value)
        self.check(*bench, "-p", "0", "-n", "0", says="nothing to measure")
        self.check(*bench, "--json", "--csv", says="excludes")

    def test_precisions(self):
        run = ["run", "-m", "x.gguf", "-p", "hi"]
        self.check(*run, "--kv", "k6v4", says="6 bits")
        self.check(*run, "--kv", "fast", says="k8v4")
        self.check(*run, "--kv-key", "7", says="7 bits")
        self.check(*run, "--kvq-val", "3", says="3 bits")
        self.check(*run, "--kv", "k8v8", "--kv-key", "8", says="excludes")
        self.check(*run, "-ctk", "q9_9", says="q9_9")
        self.check("perplexity", "-m", "x.gguf", "-f", "/dev/null", "--kv", "f16,,k8v4")


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
        self.check("run", "-m", "x.gguf", "-f", "no/prompt.txt", says=["no/prompt.txt"])

    def test_broken(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "broken.gguf")
            for data in [b"", b"GGUF", b"nothing of the kind" * 10,
                         b"GGUF" + struct.pack("<IQQ", 3, 2**60, 5), b"GGUF" + struct.pack("<IQQ", 3, 1, 2**62)]:
                pathlib.Path(path).write_bytes(data)
                self.check("info", path, says=[path])
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
