"""llama.cpp in a process of its own, driven by peers.py: one JSON object a line in, one out.

  {"types": "q8_0/q4_0", "depths": [0, 4096], "prefill": 512, "decode": 64}
      -> {"results": [{"test": "prefill", "depth": 0, "tokens_per_s": 350.1}, ...]}

Runs in the virtual environment that peers.py made. Contexts stay, and with them the caches up to the depth
where they were filled: a later request starts from there, but for models with sliding windows, whose caches
have forgotten what a step back would need.
"""
import json
import random
import sys
import time

import llama_cpp

BATCH = 512  # tokens, as in llama-bench


class Cache:
    """A context with its cache types, filled with the same random tokens as deep as needed so far."""

    def __init__(self, model, types, n_ctx, threads):
        key, value = (getattr(llama_cpp, f"GGML_TYPE_{name.upper()}") for name in types.split("/"))
        self.llm = llama_cpp.Llama(model, n_ctx=n_ctx, n_batch=BATCH, n_ubatch=BATCH, n_threads=threads,
                                   n_threads_batch=threads, flash_attn=True, type_k=key, type_v=value,
                                   n_gpu_layers=0, swa_full=False, verbose=False)
        self.windows = llama_cpp.llama_model_n_swa(self.llm.model) > 0
        self.memory = llama_cpp.llama_get_memory(self.llm.ctx)
        self.length = 0
        draw = random.Random(1)
        self.tokens = [draw.randrange(self.llm.n_vocab()) for _ in range(n_ctx)]
        self.evaluate(BATCH if n_ctx > BATCH else 1)  # warm-up, as llama-bench does
        self.cut(0)

    def cut(self, length):
        llama_cpp.llama_memory_seq_rm(self.memory, 0, length, -1)
        self.length = length

    def evaluate(self, n):
        for _ in range(0, n, BATCH):
            part = self.tokens[self.length:self.length + min(BATCH, n)]
            ids = (llama_cpp.llama_token * len(part))(*part)  # the batch points into it
            if llama_cpp.llama_decode(self.llm.ctx, llama_cpp.llama_batch_get_one(ids, len(part))) != 0:
                raise RuntimeError("llama_decode failed")
            self.length += len(part)
            n -= len(part)
        llama_cpp.llama_synchronize(self.llm.ctx)

    def timed(self, n, step):
        """-> tokens/s of n tokens, evaluated `step` at a time"""
        start = time.perf_counter()
        for _ in range(0, n, step):
            self.evaluate(step)
        return n / (time.perf_counter() - start)

    def measure(self, depths, prefill, decode):
        results = []
        for depth in sorted(depths):
            if self.windows or self.length > depth:
                self.cut(0 if self.windows else depth)
            self.evaluate(depth - self.length)
            # Decoding first: it goes few tokens beyond the depth, so that windows still hold what lies before it.
            for test, n, step in [("decode", decode, 1), ("prefill", prefill, prefill)]:
                if n > 0:
                    results.append({"test": test, "depth": depth, "tokens_per_s": self.timed(n, step)})
                    self.cut(depth)
        return results


def main():
    model, threads, n_ctx = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    caches = {}
    for line in sys.stdin:
        request = json.loads(line)
        types = request["types"]
        try:
            if types not in caches:
                caches[types] = Cache(model, types, n_ctx, threads)
            results = caches[types].measure(request["depths"], request["prefill"], request["decode"])
            print(json.dumps({"results": results}), flush=True)
        except (AttributeError, RuntimeError, ValueError) as error:
            print(json.dumps({"error": f"{types}: {error}"}), flush=True)


if __name__ == "__main__":
    main()
