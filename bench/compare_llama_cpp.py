#!/usr/bin/env python3
"""Speed beside llama.cpp on this machine: same model, prompt and cache widths, in turns; medians and ratios.

  compare_llama_cpp.py MODEL.gguf --text FILE [--binary build/release/kvsplit] [--kv f16,k8v4]
                       [--depths 0,4096] [--prefill 512] [--decode 64] [--rounds 5] [--threads N] [--json]

Needs llama-cpp-python (pip install llama-cpp-python), which builds llama.cpp for the machine. Without
--binary only llama.cpp is measured. Measured are prefill of --prefill tokens into an empty cache and decode
of --decode tokens behind --depths tokens, with flash attention and --threads threads. Machines drift: only
figures of one run are to be compared, and a lone figure means little.

In llama.cpp's favour: it is timed after a warm-up, in a process that stays; kvsplit starts anew each time and
touches its weights for the first time.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time

import llama_cpp

CACHE_TYPES = {16: "F16", 8: "Q8_0", 4: "Q4_0"}
SHORT_PROMPT = 16  # tokens in the cache where decode at depth 0 starts


def widths(kv):
    """k8v4 -> (8, 4)"""
    if kv == "f16":
        return 16, 16
    key, _, value = kv.removeprefix("k").partition("v")
    if not (kv.startswith("k") and key.isdigit() and value.isdigit()):
        raise SystemExit(f"--kv: '{kv}' is neither f16 nor like k8v4")
    if not {int(key), int(value)} <= CACHE_TYPES.keys():
        raise SystemExit(f"--kv: no counterpart of '{kv}' in llama.cpp; widths are {sorted(CACHE_TYPES)}")
    return int(key), int(value)


class LlamaCpp:
    """llama.cpp with one cache; keeps the tokens of the deepest prompt between measurements."""

    def __init__(self, model, kv, n_ctx, threads):
        key, value = (getattr(llama_cpp, f"GGML_TYPE_{CACHE_TYPES[bits]}") for bits in widths(kv))
        self.llm = llama_cpp.Llama(model, n_ctx=n_ctx, n_batch=512, n_ubatch=512, n_threads=threads,
                                   n_threads_batch=threads, flash_attn=True, type_k=key, type_v=value,
                                   n_gpu_layers=0, verbose=False)
        self.ctx = self.llm.ctx
        self.memory = llama_cpp.llama_get_memory(self.ctx)

    def decode(self, tokens):
        for i in range(0, len(tokens), 512):
            part = tokens[i:i + 512]
            ids = (llama_cpp.llama_token * len(part))(*part)  # the batch points into it
            batch = llama_cpp.llama_batch_get_one(ids, len(part))
            if llama_cpp.llama_decode(self.ctx, batch) != 0:
                raise SystemExit("llama.cpp: llama_decode failed")

    def prefill(self, tokens):
        """-> tokens per second into an empty cache"""
        llama_cpp.llama_memory_clear(self.memory, True)
        start = time.perf_counter()
        self.decode(tokens)
        llama_cpp.llama_synchronize(self.ctx)
        return len(tokens) / (time.perf_counter() - start)

    def generate(self, depth, n):
        """-> tokens per second of greedy decoding behind the `depth` tokens that prefill() left"""
        n_vocab = self.llm.n_vocab()
        llama_cpp.llama_memory_seq_rm(self.memory, 0, depth, -1)
        token, start = 0, time.perf_counter()
        for _ in range(n):
            self.decode([token])
            logits = llama_cpp.llama_get_logits_ith(self.ctx, -1)
            token = int(argmax(logits, n_vocab))
        return n / (time.perf_counter() - start)


def argmax(logits, n):
    import numpy as np

    return np.ctypeslib.as_array(ctypes.cast(logits, ctypes.POINTER(ctypes.c_float)), (n,)).argmax()


def run_kvsplit(args, prompt, n, kv):
    """-> the JSON object of `kvsplit run`"""
    command = [args.binary, "run", "-m", args.model, "-p", prompt, "-n", str(n), "--kv", kv, "--temp", "0",
               "-t", str(args.threads), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{args.binary}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure(args, llama, kv, depth, tokens, text_of):
    """One table row: `depth` None is prefill, else decode behind that many tokens."""
    theirs, ours = [], []
    n_prompt = args.prefill if depth is None else max(depth, SHORT_PROMPT)
    prompt = tokens[:n_prompt]
    llama.prefill(prompt)  # warm-up, and what decode starts from
    for _ in range(args.rounds):
        theirs.append(llama.prefill(prompt) if depth is None else llama.generate(n_prompt, args.decode))
        if args.binary:
            result = run_kvsplit(args, text_of(prompt), 1 if depth is None else args.decode, kv)
            ours.append(result["prefill_tokens_per_s" if depth is None else "decode_tokens_per_s"])
    row = {"test": "prefill" if depth is None else "decode",
           "tokens": n_prompt if depth is None else args.decode, "depth": depth or 0, "kv": kv,
           "llama_cpp": statistics.median(theirs), "llama_cpp_runs": theirs}
    if ours:
        row |= {"kvsplit": statistics.median(ours), "kvsplit_runs": ours,
                "ratio": statistics.median(ours) / statistics.median(theirs)}
    return row


def print_row(row):
    spread = f"{min(row['llama_cpp_runs']):.1f}..{max(row['llama_cpp_runs']):.1f}"
    line = f"{row['test']:8s} {row['tokens']:5d} at {row['depth']:6d}  {row['kv']:6s}"
    line += f" {row['llama_cpp']:10.1f} {spread:>17s}"
    if "kvsplit" in row:
        spread = f"{min(row['kvsplit_runs']):.1f}..{max(row['kvsplit_runs']):.1f}"
        line += f" {row['kvsplit']:10.1f} {spread:>17s} {row['ratio']:7.2f}"
    print(line, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--text", required=True, help="text that prompts are cut from")
    parser.add_argument("--binary", help="kvsplit")
    parser.add_argument("--kv", default="f16,k8v4", help="cache widths")
    parser.add_argument("--depths", default="0,4096", help="tokens in the cache where decode starts")
    parser.add_argument("--prefill", type=int, default=512, help="tokens")
    parser.add_argument("--decode", type=int, default=64, help="tokens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main():
    args = parse_arguments()
    depths = [int(d) for d in args.depths.split(",")]
    longest = max(depths + [args.prefill])
    vocab = llama_cpp.Llama(args.model, vocab_only=True, verbose=False)
    with open(args.text, encoding="utf-8", newline="") as text:
        tokens = vocab.tokenize(text.read(8 * longest + 1000).encode(), add_bos=False, special=False)
    if len(tokens) < longest:
        raise SystemExit(f"{args.text}: only {len(tokens)} tokens, {longest} needed")

    def text_of(prompt):
        return vocab.detokenize(prompt).decode("utf-8", errors="ignore")

    if not args.json:
        print(f"tokens/s, medians of {args.rounds} (lowest..highest), {args.threads} threads")
        ours = f" {'kvsplit':>10s} {'':17s} {'ratio':>7s}" if args.binary else ""
        print(f"{'test':24s}  {'kv':6s} {'llama.cpp':>10s} {'':17s}{ours}")
    rows = []
    for kv in args.kv.split(","):
        llama = LlamaCpp(args.model, kv, longest + args.decode + SHORT_PROMPT, args.threads)
        for depth in [None] + depths:
            rows.append(measure(args, llama, kv, depth, tokens, text_of))
            if not args.json:
                print_row(rows[-1])
    if args.json:
        json.dump({"model": os.path.basename(args.model), "threads": args.threads, "rounds": args.rounds,
                   "llama_cpp_python": llama_cpp.__version__, "results": rows}, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
