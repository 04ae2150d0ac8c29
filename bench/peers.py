#!/usr/bin/env python3
"""Speed beside other engines on this machine: the same model and depths, in turns; medians and ratios.

  peers.py MODEL.gguf [--binary build/release/kvsplit] [--flags '--activations 8'] [--kv f16,k8v4]
           [--types f16/f16,q8_0/q4_0]
           [-p 512] [-n 64] [-d 0,4096] [-t N] [--rounds 3] [--json]
           [--venv DIR] [--no-llama-cpp] [--peer-bench '[NAME=]PATH [FLAGS]']... [--peer-sweep ...]...

llama.cpp comes from llama-cpp-python, which is built for the machine in a virtual environment of its own on the
first call (--venv, default ~/.cache/kvsplit/peers). --peer-bench adds a binary of your own that takes
llama-bench's flags and prints its CSV, --peer-sweep one that takes those of ik_llama.cpp's llama-sweep-bench and
prints its JSON. Flags of your own may follow the path. Each measures with every pair of cache types of --types;
a pair that it lacks is left out with a note.

Machines drift: every round measures each engine with each cache once, and only figures of one run are to be
compared. In the peers' favour: llama.cpp stays in one warm process, while kvsplit starts anew each round.

Examples:
  peers.py model.gguf -d 0,7936 -p 128
  peers.py model.gguf --no-llama-cpp --peer-bench 'ik=ik_llama.cpp/build/bin/llama-bench -rtr 1' --types q8_0/q4_0
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import sys

from peer_engines import EngineError, Kvsplit, LlamaBench, LlamaCpp, SweepBench, Workload

TYPES_OF_BITS = {16: "f16", 8: "q8_0", 6: "q5_1", 5: "q5_1", 4: "q4_0", 3: "q4_0", 2: "q4_0"}


def nearest_types(kv):
    """k8v4 -> q8_0/q4_0: llama.cpp's types for a precision of ours"""
    if kv == "f16":
        return "f16/f16"
    key, _, value = kv.split("+")[0].removeprefix("k").partition("v")
    try:
        return f"{TYPES_OF_BITS[int(key)]}/{TYPES_OF_BITS[int(value)]}"
    except (KeyError, ValueError):
        raise SystemExit(f"--kv: '{kv}' is neither f16 nor like k8v4") from None


def peer(kind, text, args, workload):
    """An engine of `kind` from "[NAME=]PATH [FLAGS]"."""
    command, *flags = shlex.split(text) or [""]
    name, _, path = command.rpartition("=")
    return kind(path, flags, name or pathlib.Path(path).name, list(args.types), workload)


def make_engines(args, workload):
    engines = [Kvsplit(args.binary, shlex.split(args.flags), args.kv, workload)]
    engines += [peer(LlamaBench, text, args, workload) for text in args.peer_bench]
    engines += [peer(SweepBench, text, args, workload) for text in args.peer_sweep]
    if not args.no_llama_cpp:
        engines.append(LlamaCpp(args.venv, list(args.types), workload))
    names = [engine.name for engine in engines]
    for name in names:
        if names.count(name) > 1:
            raise EngineError(f"two engines are called {name}: give one another name, NAME=PATH")
    return engines


def measure(engines, rounds, samples):
    """Fills {(engine, cache): {(test, depth): [tokens/s of each round]}}, in turns."""
    for turn in range(rounds):
        for engine in engines:
            for cache in list(engine.caches):
                print(f"round {turn + 1} of {rounds}: {engine.name} {cache}", file=sys.stderr, flush=True)
                try:
                    speeds = engine.measure(cache)
                except EngineError as error:
                    if engine.name == "kvsplit":
                        raise
                    print(f"note: {engine.name} {cache} is left out: {error}", file=sys.stderr)
                    engine.caches.remove(cache)
                    samples.pop((engine.name, cache), None)
                    continue
                for key, speed in speeds.items():
                    samples.setdefault((engine.name, cache), {}).setdefault(key, []).append(speed)


def markdown(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" + "|--:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def speed_table(medians, tests):
    rows = []
    for (engine, cache), speeds in medians.items():
        rows.append([f"{engine} {cache}"] + [f"{speeds[t]:,.1f}" if t in speeds else "" for t in tests])
    return markdown(["tokens/s"] + [f"{test} at {depth:,}" for test, depth in tests], rows)


def ratio_table(medians, tests):
    """The speed of each of our caches divided by that of each peer's."""
    ours = {cache: speeds for (engine, cache), speeds in medians.items() if engine == "kvsplit"}
    rows = []
    for cache, mine in ours.items():
        for (engine, types), theirs in medians.items():
            if engine != "kvsplit":
                rows.append([f"kvsplit {cache} / {engine} {types}"] +
                            [f"{mine[t] / theirs[t]:.2f}x" if t in mine and t in theirs else "" for t in tests])
    return markdown(["ratio"] + [f"{test} at {depth:,}" for test, depth in tests], rows)


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = pathlib.Path(os.environ.get("KVSPLIT_CACHE") or pathlib.Path.home() / ".cache" / "kvsplit")
    build = pathlib.Path(__file__).parents[1] / "build" / "release" / "kvsplit"
    parser.add_argument("model")
    parser.add_argument("--binary", default=str(build), help="kvsplit (build/release/kvsplit)")
    parser.add_argument("--kv", default="f16,k8v4", help="precisions of ours")
    parser.add_argument("--flags", default="", metavar="FLAGS",
                        help="more options of `kvsplit bench`: '--activations 8' rounds as the peers do")
    parser.add_argument("--types", help="the peers' cache types, KEYS/VALUES (those nearest to --kv)")
    parser.add_argument("-p", "--prefill", type=int, default=512, help="tokens evaluated together")
    parser.add_argument("-n", "--decode", type=int, default=64, help="tokens evaluated one by one")
    parser.add_argument("-d", "--depths", default="0,4096", help="tokens in the cache where the tests begin")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", default=str(cache / "peers"), help="where llama-cpp-python is or will be built")
    parser.add_argument("--no-llama-cpp", action="store_true")
    parser.add_argument("--peer-bench", action="append", default=[], metavar="'[NAME=]PATH [FLAGS]'")
    parser.add_argument("--peer-sweep", action="append", default=[], metavar="'[NAME=]PATH [FLAGS]'")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    args = parser.parse_args()
    args.kv = args.kv.split(",")
    args.types = dict.fromkeys(args.types.split(",") if args.types else map(nearest_types, args.kv))
    try:
        args.depths = sorted({int(depth) for depth in args.depths.split(",")})
    except ValueError:
        parser.error("--depths: numbers of tokens, such as 0,4096")
    if any("/" not in types for types in args.types):
        parser.error("--types: pairs such as q8_0/q4_0")
    return args


def report_json(args, samples):
    results = [{"engine": engine, "cache": cache, "test": test, "depth": depth,
                "tokens_per_s": statistics.median(values), "samples": values}
               for (engine, cache), tests in samples.items() for (test, depth), values in tests.items()]
    return json.dumps({"model": args.model, "threads": args.threads, "cpu": cpu_name(), "prefill": args.prefill,
                       "decode": args.decode, "rounds": args.rounds, "results": results}, indent=1)


def report_tables(args, samples):
    medians = {key: {test: statistics.median(values) for test, values in tests.items()}
               for key, tests in samples.items()}
    tests = sorted({test for speeds in medians.values() for test in speeds}, key=lambda t: (t[0] == "decode", t[1]))
    head = (f"{pathlib.Path(args.model).name}, {cpu_name()}, {args.threads} threads, prefill of {args.prefill} and "
            f"decoding of {args.decode} tokens, medians of {args.rounds} in turns")
    return "\n\n".join([head, speed_table(medians, tests), ratio_table(medians, tests)])


def main():
    args = parse_arguments()
    # Before anything is built, which takes minutes.
    if not os.path.isfile(args.model):
        raise SystemExit(f"error: {args.model}: no such file; scripts/models.sh gets a model")
    if os.getloadavg()[0] > 0.5:
        print(f"note: something else runs on this machine (load {os.getloadavg()[0]:.1f}): threads that wait for "
              "each other then wait long, and figures mean little", file=sys.stderr)
    workload = Workload(args.model, args.threads, args.depths, args.prefill, args.decode)
    samples, exit_code = {}, 0
    try:
        measure(make_engines(args, workload), args.rounds, samples)
    except KeyboardInterrupt:
        print("interrupted: these are the figures of the passes done", file=sys.stderr)
        exit_code = 130
    except EngineError as error:
        raise SystemExit(f"error: {error}") from error
    print(report_json(args, samples) if args.json else report_tables(args, samples))
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
