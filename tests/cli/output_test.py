"""What is printed where: broken descriptors, narrow terminals, tables, texts from pipes."""
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import program
from program import kvsplit
from terminal import Terminal
from tiny_models import random_model, say, scripted_model


class Tiny(unittest.TestCase):
    """Tests with a small model, its folder, and a text."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.model, cls.text = os.path.join(cls.folder, "random.gguf"), os.path.join(cls.folder, "text.txt")
        random_model(cls.model, context=4096)
        pathlib.Path(cls.text).write_text("abcdefgh " * 60)
        cls.commands = {
            "run": ["run", "-m", cls.model, "--raw", "-p", "abc", "-n", "4", "-t", "1", "--temp", "1"],
            "chat": ["chat", "-m", cls.model, "-n", "4", "-t", "1", "--temp", "1"],
            "perplexity": ["perplexity", "-m", cls.model, "-f", cls.text, "-c", "128", "--chunks", "1", "-t", "1"],
            "eval": ["eval", "-m", cls.model, "--task", "copy", "-c", "600", "--items", "2", "-t", "1"],
            "bench": ["bench", "-m", cls.model, "-p", "8", "-n", "2", "-r", "1", "-t", "1", "-d", "4090"],
            "plan": ["plan", "-m", cls.model, "--memory", "1G"],
            "info": ["info", cls.model],
        }

    def shell(self, command, redirection, stdin=b"abc\n"):
        """The finished process of a command with a shell's redirection."""
        line = " ".join(f"'{word}'" for word in [program.BINARY, *command])
        return subprocess.run(["bash", "-c", line + " " + redirection], input=stdin, capture_output=True, timeout=120,
                              check=False)


class StandardError(Tiny):
    def test_results_do_not_need_it(self):
        for name, command in self.commands.items():
            expected = self.shell(command, "2>/dev/null")
            self.assertEqual(expected.returncode, 0, name)
            for redirection in ["2>&-", "2>/dev/full"] if name in ["run", "chat", "info"] else ["2>/dev/full"]:
                with self.subTest(command=name, redirection=redirection):
                    done = self.shell(command, redirection)
                    self.assertEqual(done.returncode, 0)
                    self.assertEqual(len(done.stdout.splitlines()) > 0, len(expected.stdout.splitlines()) > 0)

    def test_errors_keep_their_exit_code(self):
        for redirection in ["2>&-", "2>/dev/full"]:
            self.assertEqual(self.shell(["fly"], redirection).returncode, 2)
            self.assertEqual(self.shell(["info", "no/such.gguf"], redirection).returncode, 1)

    def test_a_reader_that_has_gone(self):
        for name in ["run", "chat", "perplexity", "info"]:
            command = self.commands[name]
            read, write = os.pipe()
            os.close(read)
            with self.subTest(command=name):
                done = subprocess.run([program.BINARY, *command], input=b"abc\n", stdout=subprocess.PIPE, stderr=write,
                                      timeout=120, check=False)
                self.assertEqual(done.returncode, 0)
            os.close(write)

    def test_a_pipe_that_does_not_block(self):
        """All of what is said arrives, however slowly it is read."""
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(write, False)
        os.write(write, b"x" * 4096)
        command = [program.BINARY, *self.commands["run"]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=write) as process:
            os.close(write)
            time.sleep(0.3)
            with os.fdopen(read, "rb") as said:
                text = said.read().lstrip(b"x")
            self.assertIn(b"seed: ", text)
            process.stdout.read()
        self.assertEqual(process.returncode, 0)


class StandardOutput(Tiny):
    def test_an_answer_that_cannot_be_written_is_an_error(self):
        others = {"version": ["--version"], "help": ["--help"], "help of a command": ["run", "--help"],
                  "info json": ["info", self.model, "--json"], "architectures": ["info", "--supported"],
                  "tasks": ["eval", "--list"], "run json": [*self.commands["run"], "--json"]}
        for name, command in {**self.commands, **others}.items():
            for redirection in [">&-", ">/dev/full"] if name in ["run", "version", "info"] else [">/dev/full"]:
                with self.subTest(command=name, redirection=redirection):
                    done = self.shell(command, redirection)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(b"kvsplit: error: cannot write to standard output", done.stderr)

    def test_a_reader_that_has_gone_is_none(self):
        read, write = os.pipe()
        os.close(read)
        for command in [["--version"], ["--help"], self.commands["info"], self.commands["perplexity"]]:
            done = subprocess.run([program.BINARY, *command], stdout=write, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, b"error" in done.stderr), (0, False), command)
        os.close(write)

    def test_a_pipe_that_does_not_block(self):
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(write, False)
        with subprocess.Popen([program.BINARY, "info", self.model, "--json"], stdout=write) as process:
            os.close(write)
            time.sleep(0.2)
            with os.fdopen(read, "rb") as text:
                self.assertEqual(json.load(text)["model"]["layers"], 2)
        self.assertEqual(process.returncode, 0)

    def test_closed_descriptors_do_not_become_files(self):
        out = os.path.join(self.folder, "report")
        before = pathlib.Path(self.model).read_bytes()
        done = self.shell(["compare", "-m", self.model, "--quick", "-o", out, "--kv", "k8v8", "--contexts", "64", "-c", "64",
                           "--chunks", "1", "-p", "8", "-n", "1", "-f", self.text, "-t", "1"], "<&- >&- 2>&-")
        self.assertEqual(done.returncode, 1)  # the table could not be printed
        self.assertEqual(pathlib.Path(self.model).read_bytes(), before)
        json.loads(pathlib.Path(out, "results.json").read_text())
        self.assertEqual(self.shell(["chat", "-m", self.model], "<&-").returncode, 1)


class Text(Tiny):
    def perplexity(self, path, stdin=b""):
        done = kvsplit("perplexity", "-m", self.model, "-f", path, "-c", 128, "--chunks", 1, "-t", 1, "--kv", "f16",
                       "--no-floor", "--json", stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["results"]

    def test_pipes_and_byte_order_marks(self):
        data = pathlib.Path(self.text).read_bytes()
        expected = self.perplexity(self.text)
        self.assertEqual(self.perplexity("-", data), expected)
        self.assertEqual(self.perplexity("/dev/stdin", data), expected)
        self.assertEqual(self.perplexity("-", b"\xef\xbb\xbf" + data), expected)
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        writer = threading.Thread(target=lambda: pathlib.Path(fifo).write_bytes(data))
        writer.start()
        self.assertEqual(self.perplexity(fifo), expected)
        writer.join()

    def test_utf16_is_refused(self):
        done = kvsplit("run", "-m", self.model, "-f", "-", stdin="hello".encode("utf-16"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("iconv -f UTF-16", done.stderr)

    def test_a_message_after_a_byte_order_mark(self):
        one = kvsplit("chat", "-m", self.model, "-n", 1, "-t", 1, stdin=b"hello\n/stats\n").stderr
        self.assertEqual(re.findall("prompt: .* tokens", one)[0].split(" in ")[0],
                         re.findall("prompt: .* tokens", kvsplit("chat", "-m", self.model, "-n", 1, "-t", 1,
                                                                 stdin=b"\xef\xbb\xbfhello\n/stats\n").stderr)[0].split(" in ")[0])


class Models(Tiny):
    def check(self, path, says):
        for command in [["info", path], ["plan", "-m", path, "--memory", "1G"], ["run", "-m", path, "-p", "hi"],
                        ["run", "-m", path, "-p", "hi", "--no-memory-check", "--no-mmap"]]:
            done = kvsplit(*command, timeout=20)
            self.assertEqual(done.returncode, 1, command)
            self.assertEqual(done.stderr, f"kvsplit: error: {path}: {says}\n")

    def test_what_is_no_file(self):
        fifo = os.path.join(self.folder, "model")
        os.mkfifo(fifo)
        self.check(fifo, "is a pipe, not a file")
        self.check("/dev/null", "is a device, not a file")
        self.check(self.folder, "is a directory, not a file")
        self.check("no/such.gguf", "there is no such file; a model is a GGUF file, or an address such as hf:OWNER/REPOSITORY")

    def test_a_model_that_is_not_named(self):
        for command in [["run", "-p", "hi"], ["chat"], ["eval"], ["plan"]]:
            self.assertIn("--model is required: -m and a GGUF file", kvsplit(*command).stderr)


class Sampling(Tiny):
    def test_seeds(self):
        for name in ["run", "chat"]:
            said = kvsplit(*self.commands[name], stdin=b"abc\n").stderr
            self.assertRegex(said, r"(?m)^seed: \d+$")
            said = kvsplit(*self.commands[name], "--seed", 2**64 - 1, stdin=b"abc\n").stderr
            self.assertIn(f"seed: {2**64 - 1}\n", said)
        for seed in ["18446744073709551616", "9" * 40, "-2", "1.5", "0x1", ""]:
            for command in [self.commands["run"], self.commands["eval"]]:
                done = kvsplit(*command, f"--seed={seed}")
                self.assertEqual((done.returncode, "--seed" in done.stderr), (2, True), seed)
        self.assertEqual(kvsplit(*self.commands["eval"], "--seed", "-1").returncode, 2)

    def test_a_context_beyond_the_trained_one(self):
        for name in ["run", "chat"]:
            self.assertIn("5,000 tokens goes beyond the 4,096", kvsplit(*self.commands[name], "-c", 5000).stderr)
            self.assertNotIn("beyond", kvsplit(*self.commands[name], "-c", 4096).stderr)

    def test_spellings_of_cache_types(self):
        for spelling in [["-ctk", "q8_0"], ["-ctk=q8_0"], ["--cache-type-k=q8_0"], ["--cache-type-k", "q8_0"]]:
            self.assertIn("cache k8v16", kvsplit(*self.commands["run"], *spelling).stderr)
        self.assertIn("cache k16v4", kvsplit(*self.commands["run"], "-ctv=q4_0").stderr)


class Tables(Tiny):
    def test_columns_never_touch(self):
        """A model that is sure of the wrong token: its figures have many digits."""
        sure = os.path.join(self.folder, "sure.gguf")
        scripted_model(sure, [], say("ab", "c", "a"))
        done = kvsplit("perplexity", "-m", sure, "-f", "-", "-c", 128, "--chunks", 2, "-t", 1, "--kv",
                       "f16,k4v4,k4v4+tail=1024+sinks=0", stdin=b"acacacacab" * 60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^f16 .*\d{4}")
        self.assertNotRegex(done.stdout, r"\.\d{5,}\.|\d~?[+-]\d")

    def test_other_tables(self):
        for name in ["plan", "bench", "eval"]:
            said = kvsplit(*self.commands[name]).stdout.replace(self.folder, "")  # whose name is anything
            self.assertNotRegex(said, r"(iB|%|\dx|s)\d")


class Progress(Tiny):
    def test_a_narrow_terminal(self):
        for term, columns in [("xterm", 30), ("dumb", 80)]:
            command = ["bench", "-m", self.model, "-t", 1, "-p", 2048, "-d", 4096, "-r", 200]
            with Terminal(*command, columns=columns, TERM=term) as terminal:
                if term == "xterm":
                    terminal.expect(rb"\x1b\[Kmeasuring \[", timeout=20)
                    terminal.expect(rb"\r\x1b\[K", timeout=20)
                else:
                    end = time.monotonic() + 1.5
                    while time.monotonic() < end:
                        terminal.read(0.1)
                seen = terminal.seen
                os.kill(terminal.pid, signal.SIGINT)
                terminal.wait()
                self.assertLess(terminal.status, 131)
                seen += terminal.seen
            if term == "dumb":
                self.assertNotIn(b"\x1b", seen)
            else:
                for line in re.findall(rb"\x1b\[K(measuring[^\r\n]*)", seen):
                    self.assertLess(len(line), columns)


class Help(unittest.TestCase):
    def test_it_fits_the_screen(self):
        for command in ["run", "chat", "perplexity", "eval", "bench", "plan", "tune", "info", "compare", None]:
            text = kvsplit(*filter(None, [command]), "--help").stdout
            self.assertLessEqual(max(map(len, text.splitlines())), 80, command)


class Tune(Tiny):
    def test_profile_on_standard_output(self):
        command = ["tune", "-m", self.model, "-c", 256, "--chunks", 1, "--check-chunks", 1, "-t", 1]
        done = kvsplit(*command, "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^# kvsplit tune.*\n# .*\n\S+\n$")
        self.assertIn("by layer", done.stderr)
        done = kvsplit(*command, "-o", "/dev/full")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"\n--kv k\S+\n$")
        self.assertEqual(kvsplit(*command, "-o", "-", "--json").returncode, 2)


if __name__ == "__main__":
    program.main(needs_model=False)
