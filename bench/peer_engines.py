"""The engines that peers.py measures. Each has a name, the caches it is asked for, and

  measure(cache) -> {(test, depth): tokens per second}      test: "prefill" or "decode"

which is one pass over all depths of the workload. Failures are EngineError.
"""
import csv
import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys

LLAMA_CPP_PYTHON = "llama-cpp-python==0.3.36"


class EngineError(RuntimeError):
    pass


@dataclasses.dataclass
class Workload:
    model: str
    threads: int
    depths: list  # tokens in the cache where a test begins
    prefill: int  # tokens evaluated together
    decode: int   # tokens evaluated one by one

    def context(self):
        return max(self.depths) + max(self.prefill, self.decode) + 1


def output_of(command, errors_too=False):
    """The stdout of a command that must succeed, and on request its stderr."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    except OSError as error:
        raise EngineError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise EngineError(f"{command[0]}: exit code {done.returncode}: {' '.join(said[-3:])}")
    return done.stdout + done.stderr if errors_too else done.stdout


class Kvsplit:
    def __init__(self, binary, flags, caches, workload):
        self.name, self.binary, self.flags, self.caches, self.work = "kvsplit", binary, flags, caches, workload

    def measure(self, cache):
        w = self.work
        report = json.loads(output_of([self.binary, "bench", "-m", w.model, "--kv", cache, "-t", w.threads,
                                       "-d", ",".join(map(str, w.depths)), "-p", w.prefill, "-n", w.decode,
                                       "-r", 1, "--json", *self.flags]))
        return {(r["test"], r["depth"]): r["tokens_per_s"] for r in report["results"]}


class LlamaCpp:
    """llama.cpp through llama-cpp-python, whose package builds it for this machine."""

    def __init__(self, venv, caches, workload):
        self.name, self.caches = "llama.cpp", caches
        self.work = workload
        worker = pathlib.Path(__file__).with_name("llama_cpp_worker.py")
        self.process = subprocess.Popen(
            [install_llama_cpp(venv), str(worker), workload.model, str(workload.threads), str(workload.context())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def measure(self, cache):
        w = self.work
        request = {"types": cache, "depths": w.depths, "prefill": w.prefill, "decode": w.decode}
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline() or "null")
        except (OSError, ValueError) as error:
            raise EngineError(f"llama.cpp: {error}") from error
        if answer is None or "error" in answer:
            raise EngineError(f"llama.cpp: {answer['error'] if answer else 'its process ended'}")
        return {(r["test"], r["depth"]): r["tokens_per_s"] for r in answer["results"]}


def install_llama_cpp(venv):
    """-> the environment's Python, which can import the pinned version; builds it on the first call"""
    python = pathlib.Path(venv) / "bin" / "python"
    version = LLAMA_CPP_PYTHON.split("==")[1]
    check = [str(python), "-c", f"import llama_cpp; assert llama_cpp.__version__ == '{version}'"]
    if python.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0:
        return str(python)
    print(f"building {LLAMA_CPP_PYTHON} in {venv}: some minutes, once", file=sys.stderr)
    environment = {"CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count())} | os.environ
    for command in [[sys.executable, "-m", "venv", str(venv)],
                    [str(python), "-m", "pip", "install", "-q", "--no-binary", "llama-cpp-python", LLAMA_CPP_PYTHON]]:
        if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
            raise EngineError(f"failed: {' '.join(command)}\nIt needs Python's venv, a C++ compiler and CMake "
                              "(Debian: python3-venv, g++, cmake); --no-llama-cpp leaves it out")
    return str(python)


class LlamaBench:
    """A binary that takes llama-bench's flags and prints its CSV; `flags` are the user's own."""

    def __init__(self, path, flags, name, caches, workload):
        self.path, self.flags, self.name, self.caches, self.work = path, flags, name, caches, workload
        # Some forks measure decoding after a prompt with -gp and have no -d: then there is no prefill at a depth.
        self.has_depth = "-d," in output_of([path, "--help"])

    def measure(self, cache):
        w = self.work
        key, value = cache.split("/")
        command = [self.path, "-m", w.model, "-t", w.threads, "-ctk", key, "-ctv", value, "-fa", 1, "-r", 1,
                   "-o", "csv", "-p", w.prefill, "-n", w.decode, *self.flags]
        if self.has_depth:
            command += ["-d", ",".join(map(str, w.depths))]
        else:
            for depth in w.depths:
                command += ["-gp", f"{depth},{w.decode}"] if depth and w.decode else []
        return self.parse(output_of(command), cache)

    def parse(self, text, cache):
        results = {}
        for row in csv.DictReader(io.StringIO(text)):
            try:
                measured = f"{row['type_k']}/{row['type_v']}"
                if measured != cache:  # some use f16 for an unknown name
                    raise EngineError(f"{self.path}: measured {measured} instead")
                prompt, decode = int(row["n_prompt"]), int(row["n_gen"])
                depth = int(row["n_depth"]) if self.has_depth else prompt if decode else 0
                results["decode" if decode else "prefill", depth] = float(row["avg_ts"])
            except (KeyError, TypeError, ValueError) as error:
                raise EngineError(f"{self.path}: no CSV of llama-bench: {row}") from error
        return {key: speed for key, speed in results.items() if key[1] in self.work.depths}


class SweepBench:
    """ik_llama.cpp's llama-sweep-bench, which measures in steps of --prefill tokens up to the deepest depth."""

    def __init__(self, path, flags, name, caches, workload):
        self.path, self.flags, self.name, self.caches, self.work = path, flags, name, caches, workload

    def measure(self, cache):
        w = self.work
        key, value = cache.split("/")
        text = output_of([self.path, "-m", w.model, "-t", w.threads, "-ctk", key, "-ctv", value, "-fa", "on",
                          "-c", max(w.depths) + 2 * w.prefill, "-ub", w.prefill, "-n", w.decode,
                          "--output-format", "jsonl", *self.flags], errors_too=True)
        results = {}
        for line in text.splitlines():
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            if row["n_kv"] in w.depths:
                results["prefill", row["n_kv"]] = row["speed_pp"]
                results["decode", row["n_kv"]] = row["speed_tg"]
        return results
