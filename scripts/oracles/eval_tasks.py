#!/usr/bin/env python3
"""Scores of hellaswag and lambada questions by transformers on the dequantised weights of a GGUF file.

  eval_tasks.py MODEL.gguf HELLASWAG.txt LAMBADA.jsonl OUT_DIR [--items N]
      writes OUT_DIR/hellaswag.txt and lambada.jsonl, the first N questions of each, and OUT_DIR/scores.json, which
      tests/lab/eval_model_test.cc reads
Needs torch, transformers, gguf, numpy; llama-cpp-python for the tokens.

The rules are those of llama-perplexity --hellaswag and of the LM evaluation harness, written down here a second time:
an ending's score is the mean log-probability of its tokens from the first one on in which the four endings differ; a
passage's last word is right if each of its tokens is the most likely one. Keys and values are f32.
Every sequence is evaluated on its own, without a cache.
"""
import argparse
import json
import pathlib

import llama_cpp
import torch
import transformers

import hf_from_gguf

LINES = 6  # of a hellaswag question


class Oracle:
    def __init__(self, path):
        self.model = hf_from_gguf.load(path)
        self.vocab = llama_cpp.Llama(path, vocab_only=True, verbose=False)
        self.add_bos = bool(hf_from_gguf.GgufFile(path).field("tokenizer.ggml.add_bos_token"))

    def tokens(self, text):
        return self.vocab.tokenize(text.encode(), add_bos=self.add_bos, special=False)

    def answer(self, ids, first):
        """-> log-probabilities of ids[first:], and whether greedy decoding writes them."""
        with torch.no_grad():
            logits = self.model(torch.tensor([ids]), use_cache=False).logits[0, first - 1:-1].double()
        target = torch.tensor(ids[first:])
        logp = logits.log_softmax(1).gather(1, target[:, None])[:, 0]
        return logp, bool((logits.argmax(1) == target).all())


def common_length(sequences):
    n = 0
    while all(n < len(s) and s[n] == sequences[0][n] for s in sequences):
        n += 1
    return n


def hellaswag(oracle, lines):
    sequences = [oracle.tokens(lines[0] + " " + ending) for ending in lines[2:]]
    first = common_length(sequences)
    scores = [oracle.answer(ids, first)[0].mean().item() for ids in sequences]
    best = max(range(len(scores)), key=scores.__getitem__)
    return {"scored_from": first, "mean_logp": scores, "right": best == int(lines[1])}


def lambada(oracle, line):
    text = json.loads(line)["text"]
    context, whole = oracle.tokens(text.rsplit(" ", 1)[0]), oracle.tokens(text)
    logp, greedy = oracle.answer(whole, common_length([context, whole]))
    return {"logp": logp.sum().item(), "tokens": len(logp), "right": greedy}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("hellaswag", type=pathlib.Path)
    parser.add_argument("lambada", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--items", type=int, default=20)
    args = parser.parse_args()
    endings = args.hellaswag.read_text(encoding="utf-8").split("\n")[:LINES * args.items]
    passages = args.lambada.read_text(encoding="utf-8").split("\n")[:args.items]
    oracle = Oracle(args.model)
    scores = {
        "model": pathlib.Path(args.model).name,
        "versions": {m.__name__: m.__version__ for m in (transformers, torch, llama_cpp)},
        "hellaswag": [hellaswag(oracle, endings[i:i + LINES]) for i in range(0, len(endings), LINES)],
        "lambada": [lambada(oracle, line) for line in passages],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "hellaswag.txt").write_text("\n".join(endings) + "\n", encoding="utf-8")
    (args.out / "lambada.jsonl").write_text("\n".join(passages) + "\n", encoding="utf-8")
    (args.out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    for task in ("hellaswag", "lambada"):
        print(task, sum(item["right"] for item in scores[task]), "of", len(scores[task]))


if __name__ == "__main__":
    main()
