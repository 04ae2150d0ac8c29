"""bench/peers.py with programs that print made-up figures instead of the engines."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PEERS = pathlib.Path(__file__).parents[2] / "bench" / "peers.py"

PRELUDE = """#!{python}
import json, os, sys
def value(flag):
    return sys.argv[sys.argv.index(flag) + 1]
log = os.environ["CALLS"]
with open(log, "a") as file:
    file.write(os.path.basename(sys.argv[0]) + " " + " ".join(sys.argv[1:]) + "\\n")
calls = sum(1 for line in open(log) if line.split()[0] == os.path.basename(sys.argv[0]) and "--help" not in line)
"""

# Twice as fast with k8v4; each call is one token/s faster than the one before.
KVSPLIT = """
speed = 100 * (2 if value("--kv") == "k8v4" else 1) + calls
print(json.dumps({{"results": [{{"test": test, "depth": int(depth), "tokens_per_s": speed * scale}}
                             for depth in value("-d").split(",") for test, scale in [("prefill", 10), ("decode", 1)]]}}))
"""

LLAMA_BENCH = """
if "--help" in sys.argv:
    sys.exit(print("  -d, --n-depth <n>"))
if value("-ctv") == "iq4_nl":
    sys.exit("invalid type")
types = value("-ctk") + "," + ("f16" if value("-ctv") == "q9_9" else value("-ctv"))
print("model,type_k,type_v,n_prompt,n_gen,n_depth,avg_ts")
for depth in value("-d").split(","):
    print(f'"x, y",{{types}},"{{value("-p")}}","0","{{depth}}","500"')
    print(f'"x, y",{{types}},"0","{{value("-n")}}","{{depth}}","50"')
"""

# Without -d: decoding after a prompt is asked for with -gp.
OLD_LLAMA_BENCH = """
if "--help" in sys.argv:
    sys.exit(print("  -gp <pp,tg>"))
print("type_k,type_v,n_prompt,n_gen,avg_ts,test")
print(f"f16,f16,{{value('-p')}},0,700,pp")
print(f"f16,f16,0,{{value('-n')}},70,tg")
for i, argument in enumerate(sys.argv):
    if argument == "-gp":
        print(f"f16,f16,{{sys.argv[i + 1]}},60,gp")
"""

SWEEP_BENCH = """
print("some talk")
for n_kv in range(0, int(value("-c")) - int(value("-ub")), int(value("-ub"))):
    print(json.dumps({{"n_kv": n_kv, "speed_pp": 1000 - n_kv, "speed_tg": 100}}), file=sys.stderr)
"""


class Peers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        if os.statvfs(self.folder.name).f_flag & os.ST_NOEXEC:
            self.skipTest(f"NO PROGRAMS: nothing may be executed in {tempfile.gettempdir()}; set TMPDIR to another folder")
        self.calls = pathlib.Path(self.folder.name) / "calls"
        for name, body in [("kvsplit", KVSPLIT), ("llama-bench", LLAMA_BENCH), ("old-bench", OLD_LLAMA_BENCH),
                           ("sweep-bench", SWEEP_BENCH)]:
            path = pathlib.Path(self.folder.name) / name
            path.write_text((PRELUDE + body).format(python=sys.executable), encoding="utf-8")
            path.chmod(0o755)

    def path(self, name):
        return str(pathlib.Path(self.folder.name) / name)

    def run_peers(self, *arguments):
        pathlib.Path(self.path("model.gguf")).touch()
        return subprocess.run([sys.executable, "-B", str(PEERS), self.path("model.gguf"), "--binary", self.path("kvsplit"),
                               "--no-llama-cpp", *arguments], env=os.environ | {"CALLS": str(self.calls)},
                              capture_output=True, text=True, check=False, timeout=60)

    def results(self, *arguments):
        done = self.run_peers("--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        return {(r["engine"], r["cache"], r["test"], r["depth"]): r for r in report["results"]}, done.stderr

    def test_everyone_is_measured_in_turns(self):
        results, _ = self.results("--peer-bench", self.path("llama-bench"), "--rounds", "3", "-d", "4096,0")
        calls = [line.split() for line in self.calls.read_text(encoding="utf-8").splitlines()
                 if "--help" not in line]
        self.assertEqual([call[0] for call in calls], 3 * ["kvsplit", "kvsplit", "llama-bench", "llama-bench"])
        self.assertEqual([call[call.index("-ctv") + 1] for call in calls if call[0] == "llama-bench"],
                         3 * ["f16", "q4_0"])
        ours = results["kvsplit", "k8v4", "decode", 4096]
        self.assertEqual((ours["samples"], ours["tokens_per_s"]), ([202, 204, 206], 204))
        self.assertEqual(len(results), 2 * 2 * 2 * 2)
        self.assertEqual(results["llama-bench", "q8_0/q4_0", "prefill", 0]["tokens_per_s"], 500)

    def test_tables(self):
        done = self.run_peers("--peer-bench", f"llama.cpp={self.path('llama-bench')}", "--rounds", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| tokens/s | prefill at 0 | prefill at 4,096 | decode at 0 | decode at 4,096 |", done.stdout)
        self.assertIn("| kvsplit k8v4 | 2,020.0 | 2,020.0 | 202.0 | 202.0 |", done.stdout)
        self.assertIn("| kvsplit k8v4 / llama.cpp q8_0/q4_0 | 4.04x | 4.04x | 4.04x | 4.04x |", done.stdout)

    def test_peers_without_depths_decode_behind_a_prompt(self):
        results, _ = self.results("--peer-bench", f"old={self.path('old-bench')} -rtr 1", "--rounds", "1", "--kv", "f16")
        old = {key[2:]: r["tokens_per_s"] for key, r in results.items() if key[0] == "old"}
        self.assertEqual(old, {("prefill", 0): 700, ("decode", 0): 70, ("decode", 4096): 60})
        self.assertIn("-gp 4096,64", self.calls.read_text(encoding="utf-8"))
        self.assertIn("-rtr 1", self.calls.read_text(encoding="utf-8"))

    def test_sweeps(self):
        results, _ = self.results("--peer-sweep", self.path("sweep-bench"), "--rounds", "1", "--kv", "f16", "-p",
                                  "128", "-d", "0,512")
        sweep = {key[2:]: r["tokens_per_s"] for key, r in results.items() if key[0] == "sweep-bench"}
        self.assertEqual(sweep, {("prefill", 0): 1000, ("decode", 0): 100, ("prefill", 512): 488, ("decode", 512): 100})

    def test_a_type_that_a_peer_lacks_is_left_out(self):
        results, notes = self.results("--peer-bench", self.path("llama-bench"), "--types", "f16/f16,q8_0/iq4_nl,q8_0/q9_9",
                                      "--rounds", "2")
        self.assertEqual({key[1] for key in results if key[0] == "llama-bench"}, {"f16/f16"})
        self.assertEqual(notes.count("q8_0/iq4_nl is left out"), 1)
        self.assertIn("invalid type", notes)
        self.assertIn("measured q8_0/f16 instead", notes)

    def test_errors(self):
        self.assertIn("neither f16 nor like k8v4", self.run_peers("--kv", "fast").stderr)
        self.assertEqual(self.run_peers("--types", "f16").returncode, 2)
        self.assertEqual(self.run_peers("-d", "deep").returncode, 2)
        twice = self.run_peers("--peer-bench", "kvsplit=" + self.path("llama-bench"))
        self.assertIn("two engines are called kvsplit", twice.stderr)
        done = self.run_peers("--binary", self.path("absent"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("absent", done.stderr)
        self.assertIn("missing", self.run_peers("--peer-bench", self.path("missing")).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
