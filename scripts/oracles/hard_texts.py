#!/usr/bin/env python3
"""Token goldens of hard texts from llama.cpp: tests/golden/tokens/hard_texts.json.

usage: hard_texts.py FILE.gguf...

- For every way to cut words (one name of tokenizer.ggml.pre for each): hashes of the ids with a vocabulary that
  the test builds anew: all bytes, and a merge for every two neighbours in the texts, so that a cut shows.
- For every FILE: hashes of the ids with its own vocabulary, without and with special tokens. They are the files that
  scripts/test_data.sh and models.sh get, and those of tests/golden/tokens with tokens for bytes.
"""

import json
import pathlib
import random
import sys
import tempfile

import gguf
import llama_cpp

from fuzz_tokens import QUIET, ROOT, is_utf8, random_text
from tokens_llama_cpp import AWKWARD, Oracle, fnv1a

# One for each entry of the table in src/text/pretokenizer_table.cc.
NAMES = [
    "gpt-2", "llama-bpe", "dbrx", "chatglm-bpe", "glm4", "qwen2", "smollm", "falcon", "default", "deepseek-coder",
    "deepseek-llm", "deepseek-v3", "spark2_5", "youtu", "jais-2", "qwen35", "bloom", "viking", "tekken", "gpt-4o",
    "granite-embed-multi-97m", "tiny_aya", "afmoe", "superbpe", "chameleon", "kimi-k2", "bailingmoe", "seed-coder",
    "ufakzeka", "laguna", "gemma4", "sarvam-moe", "minicpm5", "exaone-moe",
]
OF_CHARACTERS = ("gemma4", "sarvam-moe")
SPECIALS = ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "<bos>", "<start_of_turn>", "<|endoftext|>", "<|end|>",
            "<|assistant|>", "<unk>", "<fim_prefix>", "<reserved_106>", "<｜end▁of▁sentence｜>"]


def texts():
    rng = random.Random(7)
    # No zero bytes: llama.cpp reads the texts of tokens as C strings.
    out = [t.encode() for t in AWKWARD if t and len(t) < 200 and "\0" not in t]
    while len(out) < 320:
        raw = random_text(rng, SPECIALS)
        if is_utf8(raw) and b"\0" not in raw and 0 < len(raw) < 160:
            out.append(raw)
    return out


def byte_letter(byte):
    printable = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    moved = [b for b in range(256) if b not in printable]
    return chr(byte if byte in printable else 0x100 + moved.index(byte))


def pair_vocabulary(of_characters):
    """Tokens, types and merges: all bytes, then each unit and each pair of neighbours where it first appears."""
    letters = [byte_letter(b) for b in range(256)]
    tokens = [f"<0x{b:02X}>" for b in range(256)] if of_characters else list(letters)
    types = [6 if of_characters else 1] * 256
    known, merges = set(tokens), []

    def add(token):
        if token in known:
            return False
        known.add(token)
        tokens.append(token)
        types.append(1)
        return True

    for raw in texts():
        units = raw.decode().replace(" ", "▁") if of_characters else [letters[b] for b in raw]
        for unit in units:
            add(unit)
        for left, right in zip(units, units[1:]):
            if add(left + right):
                merges.append(f"{left} {right}")
    return tokens, types, merges


def pair_file(folder, pre):
    tokens, types, merges = pair_vocabulary(pre in OF_CHARACTERS)
    path = str(pathlib.Path(folder) / "pairs.gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([t.encode() for t in tokens])
    writer.add_token_types(types)
    writer.add_token_merges([m.encode() for m in merges])
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def hashes(path, special):
    oracle = Oracle(path)
    rows = []
    for raw in texts():
        tokens = oracle.tokenize(raw, special, False)
        if special:
            tokens += oracle.tokenize(raw, True, True)
        rows.append(fnv1a(tokens)[-8:])
    llama_cpp.llama_model_free(oracle.model)
    return " ".join(rows)


def main():
    llama_cpp.llama_log_set(QUIET, None)
    lines = ['"texts":' + json.dumps([t.hex() for t in texts()])]
    with tempfile.TemporaryDirectory() as folder:
        pre = {name: hashes(pair_file(folder, name), False) for name in NAMES}
    lines.append('"pre":' + json.dumps(pre, indent=0))
    lines.append('"files":' + json.dumps({pathlib.Path(p).name: hashes(p, True) for p in sys.argv[1:]}, indent=0))
    out = ROOT / "tests/golden/tokens/hard_texts.json"
    out.write_text("{" + ",\n".join(lines) + "}\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
