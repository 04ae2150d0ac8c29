#!/usr/bin/env python3
"""Logits oracle: transformers on the dequantised weights of a GGUF file.

  logits_transformers.py golden MODEL.gguf TEXT OUT.bin
      writes the golden that tests/model/logits_test.cc reads
  logits_transformers.py peers MODEL.gguf TEXT OUT.json
      adds llama.cpp's divergence from the oracle to OUT.json
  logits_transformers.py compare MODEL.gguf TEXT --dump FILE
      the same figures for logits that any program wrote: raw f32, (n_tokens, n_vocab), the golden's tokens
Needs torch, transformers, gguf, numpy; llama-cpp-python for tokens and `peers`.

The text's first tokens (with the model's BOS where it wants one) are evaluated in one sequence. Measured are
the last 512 of them: Gemma 3 gets 768 tokens, so that its window of 512 cuts something off.

The oracle keeps keys and values in f32, where its f32 logits are within 1e-4 of the same model in f64. With
keys and values rounded to f16, as a cache holds them, no two computations agree so well: a difference in the
last bit flips a rounding, which is 2^-11 wide. `peers` records how far rounding alone moves the oracle
("f16_cache"), and how far it leaves the model in f32 and in f64 from each other ("f16_cache_f64").

Golden file, little-endian: "KVLG"; u32 version = 1, n_tokens, first, n_vocab, n_top, n_fixed, n_full;
i32 tokens[n_tokens]; i32 fixed_ids[n_fixed]; i32 full_positions[n_full]; f32 logsumexp[n];
i32 top_ids[n][n_top]; f32 top[n][n_top] (largest first); f32 fixed[n][n_fixed]; f32 full[n_full][n_vocab];
with n = n_tokens - first.
"""
import argparse
import json
import os
import struct

import numpy as np
import torch

import hf_from_gguf

N_MEASURED, N_TOP, N_FIXED, SEED = 512, 64, 64, 20
MARGIN = 0.05  # logits: with a smaller margin either token may come first
SOURCE_CHARS = 8000


def tokens_of(model_path, text_path):
    from llama_cpp import Llama

    f = hf_from_gguf.GgufFile(model_path)
    vocab = Llama(model_path, vocab_only=True, verbose=False)
    with open(text_path, encoding="utf-8", newline="") as text:
        data = text.read(SOURCE_CHARS).encode()
    ids = vocab.tokenize(data, add_bos=bool(f.field("tokenizer.ggml.add_bos_token")), special=False)
    n = N_MEASURED + (f.param("attention.sliding_window", 0) or 0) // 2
    if len(ids) < n:
        raise SystemExit(f"{text_path}: only {len(ids)} tokens, {n} needed")
    return ids[:n], n - N_MEASURED


def oracle_logits(model_path, ids, f16_cache=False, dtype=torch.float32):
    """-> (n_tokens, n_vocab) of dtype"""
    with torch.no_grad():
        model = hf_from_gguf.load(model_path).to(dtype)
        with hf_from_gguf.f16_cache(model, f16_cache):
            return model(torch.tensor([ids]), use_cache=False).logits[0]


def bucketed(lp, ids):
    """log-probabilities (n, vocab) -> (n, n_top + 1): of the given ids, and of all others together."""
    kept = lp.gather(1, ids)
    rest = (1 - kept.exp().sum(1, keepdim=True)).clamp_min(1e-12).log()
    return torch.cat([kept, rest], 1)


def divergence(oracle, logits, first):
    """Figures of logits (n_tokens, n_vocab) against the oracle's, over the positions from `first` on."""
    kld, coarse, top, sure = [], [], [], []
    biggest = squares = 0.0
    for i in range(first, len(oracle), 64):
        a, b = oracle[i:i + 64].double(), logits[i:i + 64].double()
        biggest = max(biggest, (a - b).abs().max().item())
        squares += (a - b).square().sum().item()
        best = a.topk(2).values
        sure.append(best[:, 0] - best[:, 1] > MARGIN)
        top.append(a.argmax(1) == b.argmax(1))
        ids = a.topk(N_TOP).indices
        a, b = a.log_softmax(1), b.log_softmax(1)
        kld.append((a.exp() * (a - b)).sum(1))
        ca, cb = bucketed(a, ids), bucketed(b, ids)
        coarse.append((ca.exp() * (ca - cb)).sum(1))
    kld, coarse, top, sure = (torch.cat(x) for x in (kld, coarse, top, sure))
    return {
        "max_abs_logit_difference": biggest,
        "rms_logit_difference": (squares / ((len(oracle) - first) * oracle.shape[1])) ** 0.5,
        "logit_spread": oracle[first:].std().item(),
        "kld_mean": kld.mean().item(),
        "kld_mean_stderr": (kld.std() / len(kld) ** 0.5).item(),
        "kld_median": kld.median().item(),
        "kld_p99": kld.quantile(0.99).item(),
        f"kld_mean_top{N_TOP}": coarse.mean().item(),
        "top1_agreement": top.double().mean().item(),
        "top1_wrong_where_sure": int((sure & ~top).sum()),
    }


def nll(logits, ids, first):
    lp = logits[first:-1].double().log_softmax(1)
    return -lp.gather(1, torch.tensor(ids[first + 1:])[:, None]).mean().item()


def cmd_golden(args):
    ids, first = tokens_of(args.model, args.text)
    logits = oracle_logits(args.model, ids)
    print(f"perplexity of tokens {first + 1}..{len(ids) - 1}: {np.exp(nll(logits, ids, first)):.4f}")
    measured = logits[first:].numpy()
    n_vocab = measured.shape[1]
    fixed_ids = np.sort(np.random.default_rng(SEED).choice(n_vocab, N_FIXED, replace=False))
    n_full = 3 if n_vocab < 100_000 else 1
    full_positions = np.linspace(N_MEASURED - 1, 0, n_full, endpoint=False).astype(np.int64)[::-1] + first
    top = logits[first:].topk(N_TOP)
    with open(args.out, "wb") as out:
        out.write(b"KVLG" + struct.pack("<7I", 1, len(ids), first, n_vocab, N_TOP, N_FIXED, n_full))
        for integers in (ids, fixed_ids, full_positions):
            out.write(np.asarray(integers, dtype="<i4").tobytes())
        out.write(logits[first:].double().logsumexp(1).numpy().astype("<f4").tobytes())
        out.write(top.indices.numpy().astype("<i4").tobytes())
        for floats in (top.values.numpy(), measured[:, fixed_ids], logits.numpy()[full_positions]):
            out.write(floats.astype("<f4").tobytes())
    print(args.out, os.path.getsize(args.out), "bytes")


def cmd_compare(args):
    ids, first = tokens_of(args.model, args.text)
    oracle = oracle_logits(args.model, ids)
    dump = torch.from_numpy(np.fromfile(args.dump, dtype="<f4").reshape(len(ids), oracle.shape[1]))
    print(json.dumps(divergence(oracle, dump, first), indent=2))


def llama_cpp_logits(model_path, ids, flash_attention):
    from llama_cpp import Llama

    llm = Llama(model_path, n_ctx=1024, n_batch=1024, n_ubatch=512, n_threads=2, n_threads_batch=2,
                logits_all=True, flash_attn=flash_attention, verbose=False)
    llm.eval(ids)
    return torch.from_numpy(llm.scores[:len(ids)].copy())


def cmd_peers(args):
    import llama_cpp
    import transformers

    ids, first = tokens_of(args.model, args.text)
    oracle = oracle_logits(args.model, ids)
    figures = {"tokens": len(ids), "first_measured": first, "oracle_nll": nll(oracle, ids, first)}
    runs = {name: llama_cpp_logits(args.model, ids, fa) for name, fa in (("fa_on", True), ("fa_off", False))}
    for name, logits in runs.items():
        figures[name] = divergence(oracle, logits, first) | {"nll": nll(logits, ids, first)}
    figures["fa_off_from_fa_on"] = divergence(runs["fa_on"], runs["fa_off"], first)
    rounded = oracle_logits(args.model, ids, f16_cache=True)
    figures["f16_cache"] = divergence(oracle, rounded, first)
    figures["f16_cache_f64"] = divergence(rounded, oracle_logits(args.model, ids, True, torch.float64), first)
    result = json.load(open(args.out)) if os.path.exists(args.out) else {}
    result["versions"] = {"llama-cpp-python": llama_cpp.__version__, "transformers": transformers.__version__,
                          "torch": torch.__version__}
    result[os.path.basename(args.model)] = figures
    with open(args.out, "w") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    print(json.dumps(figures, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("golden", cmd_golden), ("peers", cmd_peers), ("compare", cmd_compare)):
        command = commands.add_parser(name)
        command.add_argument("model")
        command.add_argument("text")
        if name == "compare":
            command.add_argument("--dump", required=True)
        else:
            command.add_argument("out")
        command.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
