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
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
             r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""")
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
    "deepseek-v3": [split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK3)],
}

# Characters of Unicode 15.0, 15.1 and 16.0: emoji, letters, digits, marks and punctuation. Then some of 17.0, which
# `tokenizers` does not know.
NEWER = ("\U0001fa77\U0001fae8\U0001f6dc\U0001fae9\U0001f8b2\u31ef\u2427\U000323af\U0002ebf0\ua7cb\ua7da\u1c89\U0001e030"
         "\U00011f02\U0001df25\U00011f50\U0001ccf0\U00010d40\u0897\u0ece\U000113b8\u1b4e\U00010d6e\U00011f43"
         "\U000323b0\U0001faea\ua7ce\u20c1")
PLACES = [" {0}", "a{0}", "{0}'s {0}{0}", "({0})\n\n", "1{0}23", "{0}. {0}\n", "\u8fd9{0}\u5b57", " {0}A{0}b"]


def main():
    # The patterns' (?i) folds the long s to s, llama.cpp's does not; no model was trained to care.
    texts = [t for t in AWKWARD + list(random_texts(150)) if t and "\u017f" not in t]
    texts += ["".join(place.format(c) for place in PLACES) for c in NEWER]
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
