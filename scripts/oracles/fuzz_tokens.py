#!/usr/bin/env python3
"""Compares our tokens with llama.cpp's (through llama-cpp-python) on random texts.

usage: fuzz_tokens.py [--texts 5000] [--seed 1] [--pre] [--tool build/dev/tests/text/token_ids] FILE.gguf...

Texts mix scripts, emoji, control bytes, long runs, bytes that are not UTF-8 and the texts of special tokens.
With --pre each FILE's vocabulary is also tried under every name that tokenizer.ggml.pre may have, which shows
what each pre-tokenizer does. Exits with 1 if a text gives other ids.

Known and left out: llama.cpp replaces bytes that are not UTF-8 before BPE, which loses them. For BPE such
texts are compared as llama.cpp sees them, with U+FFFD in place of the bytes. For SentencePiece it believes the
length that a first byte announces, and may so take half of the next character: such texts are left out.
"""

import argparse
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unicodedata

import gguf
import llama_cpp

from tokens_llama_cpp import AWKWARD, BROKEN, Oracle

QUIET = llama_cpp.llama_log_callback(lambda level, text, data: None)
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = [
    (0x20, 0x7E, 8), (0xA0, 0x24F, 3), (0x250, 0x36F, 1), (0x370, 0x52F, 2), (0x531, 0x58A, 1), (0x590, 0x6FF, 2),
    (0x900, 0xDFF, 2), (0xE00, 0xEFF, 1), (0x1000, 0x10FF, 1), (0x1100, 0x11FF, 1), (0x1780, 0x17FF, 1),
    (0x1E00, 0x1FFF, 1), (0x2000, 0x206F, 2), (0x2070, 0x2BFF, 2), (0x3000, 0x30FF, 2), (0x3100, 0x33FF, 1),
    (0x3400, 0x4DBF, 1), (0x4E00, 0x9FFF, 3), (0xA000, 0xABFF, 1), (0xAC00, 0xD7A3, 2), (0xF900, 0xFFFD, 1),
    (0x10000, 0x10FFF, 1), (0x1D400, 0x1D7FF, 1), (0x1F000, 0x1FAFF, 3), (0x20000, 0x2FA1F, 1),
]
WORDS = [
    "the", " the", "Hello", " world", "don't", "I'LL", "we've", "they'Re", "123", "3.14159", "1,234,567", "  ", "\n",
    "\n\n", "\r\n", "\t", "\t\t", "   \n  ", "é", "É", "ÉCOLE", "naïve", "Straße", "ΣΊΣΥΦΟΣ", "привет", "你好", "日本語",
    "カタカナ", "한국어", "ㄅㄆㄇ", "สวัสดี", "नमस्ते", "🚀", "👨‍👩‍👧‍👦", "🇩🇪", "e\u0301", "…", "——", "“quoted”", "!!!", "?!",
    "/*", "*/", "//", "==", "->", "::", "$x", "\\n", "camelCase", "HTTPServer", "snake_case", "IMGIMGABCDZ",
    "<sentinel:12>", "▁", "٣٤٥", "½", "Ⅷ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u0085", "\u180e", "\x00", "\x1b[0m",
    "'s", "'S", "'ll", "'", "\"", "a/b/c", "。", "、", "!\n", "؟", "۔", "।",
]


def known(code_point):
    """Whether the character is assigned in Python's Unicode, about that of PCRE2; for newer ones tables differ."""
    return unicodedata.category(chr(code_point)) not in ("Cs",) and (
        unicodedata.category(chr(code_point)) != "Cn" or code_point > 0xFFF0)


def special_texts(path):
    reader = gguf.GGUFReader(path)
    field = reader.fields.get("tokenizer.ggml.token_type")
    tokens = reader.fields["tokenizer.ggml.tokens"]
    if field is None:
        return ["<s>"]
    types = [int(field.parts[i][0]) for i in field.data]
    return [bytes(tokens.parts[tokens.data[i]]).decode("utf-8", "replace")
            for i, kind in enumerate(types) if kind in (2, 3, 4)][:500] or ["<s>"]


def random_text(rng, specials):
    pieces = []
    ranges, weights = [s[:2] for s in SCRIPTS], [s[2] for s in SCRIPTS]
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.45:
            pieces.append(rng.choice(WORDS))
        elif kind < 0.75:
            low, high = rng.choices(ranges, weights)[0]
            pieces.append("".join(chr(c) for c in (rng.randint(low, high) for _ in range(rng.randint(1, 8)))
                                  if known(c)))
        elif kind < 0.82:
            pieces.append(rng.choice(["a", " ", "\n", "1", "é", "=", "\t", "你", "A", "'s"]) * rng.randint(2, 60))
        elif kind < 0.88:
            pieces.append(chr(rng.randint(0, 31)))
        elif kind < 0.94:
            pieces.append(str(rng.randint(0, 10 ** rng.randint(1, 20))))
        else:
            text = rng.choice(specials)
            pieces.append(text if rng.random() < 0.8 else text[:-1])
    raw = "".join(pieces).encode()
    if rng.random() < 0.05:
        at = rng.randint(0, len(raw))
        raw = raw[:at] + rng.choice(BROKEN + [bytes([rng.randint(128, 255)])]) + raw[at + rng.randint(0, 2):]
    return raw


def as_llama_cpp_sees(raw):
    """A byte at which no character starts becomes U+FFFD, by llama.cpp's lax rules for what a character is."""
    out, at = bytearray(), 0
    while at < len(raw):
        first = raw[at]
        size = 1 if first < 0x80 else 0 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        if first >= 0xF8:
            size = 0
        tail = raw[at + 1:at + size]
        if size and len(tail) == size - 1 and all(0x80 <= b < 0xC0 for b in tail):
            out += raw[at:at + size]
            at += size
        else:
            out += b"\xef\xbf\xbd"
            at += 1
    return bytes(out)


def swallows(raw):
    """Whether a first byte announces more bytes than follow: llama.cpp then swallows part of the next character."""
    at = 0
    while at < len(raw):
        size = 1 if raw[at] < 0xC0 else 2 if raw[at] < 0xE0 else 3 if raw[at] < 0xF0 else 4
        if any(not 0x80 <= b < 0xC0 for b in raw[at + 1:at + size]):
            return True
        at += size
    return False


def is_utf8(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


def texts_for(path, n, seed, bpe):
    rng, specials = random.Random(seed), special_texts(path)
    texts = [t.encode() for t in AWKWARD] + BROKEN + [random_text(rng, specials) for _ in range(n)]
    if not bpe:
        return [t for t in texts if not swallows(t)]
    # Surrogates and overlong forms are characters to llama.cpp, so they are not compared.
    texts = [as_llama_cpp_sees(t) for t in texts]
    return [t for t in texts if is_utf8(t)]


def ours(tool, path, texts):
    lines = "".join(t.hex() + "\n" for t in texts)
    done = subprocess.run([tool, path], input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{path}: {done.stderr.strip()}")
    return [tuple([int(i) for i in part.split()] for part in line.split("|")) for line in done.stdout.splitlines()]


def compare(tool, path, label, texts):
    oracle = Oracle(path)
    rows = ours(tool, path, texts)
    assert len(rows) == len(texts)
    bad = 0
    for raw, (plain, special) in zip(texts, rows):
        for name, got, parse in (("plain", plain, False), ("special", special, True)):
            want = oracle.tokenize(raw, True, parse)
            if got == want:
                continue
            bad += 1
            if bad <= 3:
                where = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                print(f"  {label}: {name} {raw!r}\n    at token {where}: {got[where:where + 6]}"
                      f" {[oracle.piece(t, True) for t in got[where:where + 6]]}, llama.cpp"
                      f" {want[where:where + 6]} {[oracle.piece(t, True) for t in want[where:where + 6]]}")
    print(f"{label}: {len(texts)} texts, {bad} differ")
    llama_cpp.llama_model_free(oracle.model)
    return bad


def pre_names():
    source = (ROOT / "src/text/pretokenizer_table.cc").read_text()
    return [name for names in re.findall(r"constexpr Names k\w+ = \{(.*?)\};", source, re.S)
            for name in re.findall(r'"([^"]*)"', names) if name]


def with_pre(path, pre, folder):
    """The vocabulary of a file under another name of a pre-tokenizer."""
    reader = gguf.GGUFReader(path)
    out = str(pathlib.Path(folder) / f"{pre}.gguf")
    writer = gguf.GGUFWriter(out, "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "tokenizer.ggml.pre"):
            continue
        value = field.contents()
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, value)
        else:
            writer.add_key_value(key, value, field.types[0])
    writer.add_tokenizer_pre(pre)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pre", action="store_true")
    parser.add_argument("--tool", default=str(ROOT / "build/dev/tests/text/token_ids"))
    args = parser.parse_args()
    llama_cpp.llama_log_set(QUIET, None)
    bad = 0
    for path in args.files:
        oracle = Oracle(path)
        bpe = oracle.is_bpe
        llama_cpp.llama_model_free(oracle.model)
        texts = texts_for(path, args.texts, args.seed, bpe)
        bad += compare(args.tool, path, pathlib.Path(path).stem, texts)
        for pre in pre_names() if args.pre else []:
            with tempfile.TemporaryDirectory() as folder:
                bad += compare(args.tool, with_pre(path, pre, folder), pre, texts)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
