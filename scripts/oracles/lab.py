#!/usr/bin/env python3
"""Golden statistics for tests/lab: perplexity and divergence of random rows of logits, by numpy and scipy's rules.

Writes tests/golden/lab/statistics.json. Needs numpy alone.
"""
import json
import pathlib

import numpy as np

N_VOCAB = 1003  # no multiple of a vector's width
N_ROWS = 40
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "lab" / "statistics.json"


def lcg(n, seed):
    """The generator that the test repeats: n numbers in [-1, 1), exact in float32."""
    x, out = seed, np.empty(n, np.float64)
    for i in range(n):
        x = (x * 1664525 + 1013904223) % 2**32
        out[i] = (x >> 8) / 2.0**23 - 1
    return out


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def main():
    base = (np.float32(8) * lcg(N_ROWS * N_VOCAB, 1).astype(np.float32)).reshape(N_ROWS, N_VOCAB)
    noise = lcg(N_ROWS * N_VOCAB, 2).astype(np.float32).reshape(N_ROWS, N_VOCAB)
    targets = np.array([(7 * i * i + 3) % N_VOCAB for i in range(N_ROWS)])
    rows = np.arange(N_ROWS)
    reference = log_softmax(base.astype(np.float64))
    results = {}
    for name, scale in {"same": 0.0, "near": 2.0**-7, "far": 1.0}.items():
        logits = base + np.float32(scale) * noise
        logp = log_softmax(logits.astype(np.float64))
        nll, nll_ref = -logp[rows, targets], -reference[rows, targets]
        kld = (np.exp(reference) * (reference - logp)).sum(axis=1)
        change = nll - nll_ref

        def stderr(x):
            return float(x.std(ddof=1) / np.sqrt(len(x)))

        ppl = float(np.exp(nll.mean()))
        ratio = float(np.exp(change.mean()))
        results[name] = {
            "scale": scale,
            "ppl": ppl,
            "ppl_stderr": ppl * stderr(nll),
            "ppl_change_pct": 100 * (ratio - 1),
            "ppl_change_stderr_pct": 100 * ratio * stderr(change),
            "kld_mean": float(kld.mean()),
            "kld_stderr": stderr(kld),
            "kld_median": float(np.quantile(kld, 0.5)),
            "kld_p99": float(np.quantile(kld, 0.99)),
            "kld_p999": float(np.quantile(kld, 0.999)),
            "top1_agreement": float((logits.argmax(axis=1) == base.argmax(axis=1)).mean()),
            "rms_dp": float(np.sqrt(((np.exp(-nll) - np.exp(-nll_ref)) ** 2).mean())),
        }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"n_vocab": N_VOCAB, "n_rows": N_ROWS, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
