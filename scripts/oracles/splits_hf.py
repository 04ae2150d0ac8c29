#!/usr/bin/env python3
"""Pre-tokenizer goldens from Hugging Face's `tokenizers`: tests/golden/tokens/splits.json.

For the families whose vocabulary is not at hand: the patterns are those of the models' published
tokenizer.json, the texts are those of tokens_llama_cpp.py. Each entry: the byte lengths of a text's words.
"""

import json
import pathlib

from tokenizers import Regex, pre_tokenizers

from tokens_llama_cpp import AWKWARD, random_texts

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


FAMILIES = {
    "gpt-2": [byte_level()],
    "smollm": [pre_tokenizers.Digits(individual_digits=True), byte_level()],
    "llama-bpe": [split(LLAMA3)],
    "qwen2": [split(QWEN2)],
}


def main():
    # The patterns' (?i) folds the long s to s, llama.cpp's does not; no model was trained to care.
    texts = [t for t in AWKWARD + list(random_texts(150)) if t and "\u017f" not in t]
    golden = {}
    for name, steps in FAMILIES.items():
        tokenizer = pre_tokenizers.Sequence(steps)
        # Offsets count characters of the text.
        golden[name] = [[len(t[begin:end].encode()) for _, (begin, end) in tokenizer.pre_tokenize_str(t)]
                        for t in texts]
    out = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/tokens/splits.json"
    lines = ['"texts":' + json.dumps([t.encode().hex() for t in texts])]
    lines += [f'"{name}":' + json.dumps(rows, separators=(",", ":")) for name, rows in golden.items()]
    out.write_text("{" + ",\n".join(lines) + "}\n")
    print(f"{out}: {len(texts)} texts, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
