"""The program where the system gives it little: threads, memory, files that change. Needs no real model."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import unittest

import program
from program import kvsplit
from tiny_models import random_model

UNUSED_USER = 65431


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        os.chmod(cls.path, 0o755)
        random_model(cls.path / "tiny.gguf")
        os.chmod(cls.path / "tiny.gguf", 0o644)
        cls.run_tiny = ["run", "-m", cls.path / "tiny.gguf", "--raw", "-p", "ab", "-n", 3]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def limited(self, limit, *arguments, binary=None):
        """The finished program, started after limit() in its process."""
        return subprocess.run([binary or program.BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=120, check=False,
                              preexec_fn=limit)

    def test_fewer_threads_than_wanted(self):
        binary = shutil.copy(program.BINARY, self.path / "kvsplit")
        os.chmod(binary, 0o755)

        def limit():
            if os.getuid() == 0:  # whom no limit holds
                os.setgroups([])
                os.setresgid(UNUSED_USER, UNUSED_USER, UNUSED_USER)
                os.setresuid(UNUSED_USER, UNUSED_USER, UNUSED_USER)
                resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
            else:
                resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

        done = self.limited(limit, *self.run_tiny, "-t", 8, binary=binary)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\b[1-7] of 8 threads")
        all_threads = kvsplit(*self.run_tiny, "-t", 8)
        self.assertNotIn("of 8 threads", all_threads.stderr)
        self.assertEqual(done.stdout, all_threads.stdout)

    def test_little_address_space(self):
        if "asan" in program.BINARY or "tsan" in program.BINARY:
            self.skipTest("sanitizers need their address space")
        codes = set()
        for mib in (24, 32, 48, 64, 96, 160, 400):
            size = mib << 20
            done = self.limited(lambda size=size: resource.setrlimit(resource.RLIMIT_AS, (size, size)), *self.run_tiny,
                                "-t", 2, "--no-memory-check")
            self.assertIn(done.returncode, (0, 1, 127), f"{mib} MiB: {done.stderr}")
            if done.returncode == 1:
                self.assertIn("kvsplit: error:", done.stderr)
            codes.add(done.returncode)
        self.assertIn(0, codes)

    def test_small_stacks(self):
        size = 256 << 10
        done = self.limited(lambda: resource.setrlimit(resource.RLIMIT_STACK, (size, size)), *self.run_tiny, "-t", 3)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_profiles(self):
        profile = self.path / "model.kv"
        profile.write_text("# made for a test\nk5v4  # most layers\n +0 = k8v8\n")
        done = kvsplit(*self.run_tiny, "--kv", f"@{profile}", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"kv": "k5v4+0=k8v8"', done.stdout)
        profile.write_text("k5v9\x1b[31m" + "x" * 5000)
        done = kvsplit(*self.run_tiny, "--kv", f"@{profile}")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(str(profile), done.stderr)
        self.assertNotIn("\x1b[31m", done.stderr)
        self.assertLess(len(done.stderr), 1000)
        done = kvsplit(*self.run_tiny, "--kv", "@/dev/zero")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("longer than", done.stderr)

    def test_the_default_of_threads_is_told(self):
        self.assertIn("within the CPU quota", " ".join(kvsplit("run", "--help").stdout.split()))
        report = json.loads(kvsplit("info", "--cpu", "--json").stdout)
        self.assertLessEqual(report["default_threads"], report["cores"])
        self.assertIn("threads    " + str(report["default_threads"]), kvsplit("info", "--cpu").stdout)


if __name__ == "__main__":
    program.main(needs_model=False)
