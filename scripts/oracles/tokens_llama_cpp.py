#!/usr/bin/env python3
"""Token goldens from llama.cpp (through llama-cpp-python): tests/golden/tokens/NAME.json.

usage: tokens_llama_cpp.py MODEL.gguf NAME [--corpus src/lab/data/war_and_peace.txt]

Texts are hexadecimal bytes, token lists are run-length coded [[id, count], ...]. llama.cpp replaces bytes
that are not UTF-8 before byte-level BPE, which loses them; such texts are left out for BPE models. For
SentencePiece it believes the length that a first byte announces, which swallows the letters after it; no
text here has that.
"""

import argparse
import ctypes
import itertools
import json
import pathlib
import random
import unicodedata

import llama_cpp

AWKWARD = [
    "", " ", "  ", "   ", "\t", "\t\t\t", "\n", "\n\n", "\n\n\n", "\n" * 40, "\t\n", "\r\n", "\r\n\r\n",
    "a\r\nb\r\n", "Hello world", " Hello world", "Hello World!", " Hello, world! ", "Hello\tworld",
    "Hello\n\n\n world", "  leading and trailing  ", "a   b    c     d", "\n =", "' era",
    "I'm sure they'll've said it'd be we're DON'T IT'S", "x" * 63, "!" * 77, " " * 33 + "x" + " " * 65,
    "=" * 100, "1234567890", "3 33 333 3333 33333", "1,234.5678e-10", "٣٤٥ ५६७ Ⅷ ½ ²",
    "naïve café résumé Ünïcödé", "e\u0301e\u0300 n\u0303", "Ελληνικά кириллица Ქართული հայերեն",
    "مرحبا بالعالم", "שלום עולם", "\u202eRTL override\u202c", "नमस्ते दुनिया", "สวัสดีชาวโลก", "ನಮಸ್ಕಾರ",
    "你好，世界！", "日本語のテキスト、カタカナ", "한국어 텍스트", "繁體中文 mixed with English 123", "🚀🦙", "😀😃😄 emoji",
    "👨‍👩‍👧‍👦 family", "👩🏽‍🚀 astronaut", "🇩🇪🇫🇷", "❤️ vs ❤", "#️⃣ keycap", "zero\u200bwidth\ufeffmarks",
    "nbsp\u00a0here\u3000and\u2003there", "\u180e\u0085\u2028\u2029", "\x00\x01\x7f",
    "\u017fhort '\u017f 'S", "▁ lower one eighth ▁▁", "∑∞√≠≤ €£¥ ©®™", "ﬁ ligature Ａｂｃ ｆｕｌｌ",
    "def f(x):\n    return x ** 2  # square\n\n\tif True:\n\t\tpass\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i]; }", "https://example.org/path?query=1&other=two#frag",
    "user@example.com", "<html><body><h1>Hi</h1></body></html>", "\\n \\t \\\\ \"quoted\" 'single'",
    "CamelCaseAndsnake_case_and-kebab-case", "aaaaaaaaaaaaaaaaaaaaaaaaab",
    "The quick brown fox jumps over the lazy dog. " * 5,
    "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n", "text <|im_end|> inside", "<|im_end|",
    "<|im_start|>", "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "a<bos>b<eos>c<unk>d<pad>", "<|endoftext|>x", "</s><s>", "<unused12><unused1>",
    "<table>\n\n\n<td>x</td>", "<<bos>>", "<0x0A><0x41>", "[multimodal]",
    "<file_sep>a<repo_name>b <empty_output> c", "<|im_end|><|im_end|>  <|im_end|>\n",
]
BROKEN = [
    b"\xff", b"\xe2\x96", b"ok \xf0\x9f\x9a", b"\xc0\xaf", b"\xed\xa0\x80", b"\x80\x81 x \xbf",
    bytes(range(128, 256)),
]
LONG = [
    (b"a", 100_000), (b" ", 100_000), (b"\n", 100_000), (b"ab", 50_000), ("é".encode(), 50_000),
    (b"1", 100_000),
]


def random_texts(n):
    """Strings of code points from all of Unicode 3.2; newer ones depend on a table's version."""
    rng = random.Random(42)
    old = []
    for c in map(chr, range(1, 0x20000)):
        category = unicodedata.category(c)
        if category not in ("Cn", "Cs", "Co") and category == unicodedata.ucd_3_2_0.category(c):
            old.append(ord(c))
    ascii_ = [c for c in range(32, 127)]
    for _ in range(n):
        pools = [old, ascii_, [32, 32, 10, 13, 9], [ord(c) for c in "'sStTrReE0123 "]]
        yield "".join(chr(rng.choice(rng.choice(pools))) for _ in range(rng.randint(1, 40)))


class Oracle:
    def __init__(self, path):
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.is_bpe = llama_cpp.llama_vocab_type(self.vocab) == llama_cpp.LLAMA_VOCAB_TYPE_BPE

    def tokenize(self, text, add_special, parse_special):
        room = len(text) + 8
        out = (llama_cpp.llama_token * room)()
        n = llama_cpp.llama_tokenize(self.vocab, text, len(text), out, room, add_special, parse_special)
        assert n >= 0
        return list(out[:n])

    def piece(self, token, special):
        buffer = ctypes.create_string_buffer(1024)
        n = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, 1024, 0, special)
        assert n >= 0
        return buffer.raw[:n]


def run_lengths(tokens):
    return [[token, len(list(group))] for token, group in itertools.groupby(tokens)]


def fnv1a(tokens):
    h = 0xCBF29CE484222325
    for token in tokens:
        for byte in token.to_bytes(4, "little"):
            h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def main():
    raw_text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw_text)
    parser.add_argument("model")
    parser.add_argument("name")
    parser.add_argument("--corpus", help="a long text whose tokens are stored as a hash")
    args = parser.parse_args()
    oracle = Oracle(args.model)

    texts = [(t.encode(), 1) for t in AWKWARD] + [(t.encode(), 1) for t in random_texts(150)] + LONG
    if not oracle.is_bpe:
        texts += [(t, 1) for t in BROKEN]
    cases = []
    for text, repeat in texts:
        raw = text * repeat
        cases.append({
            "hex": text.hex(), "repeat": repeat,
            "plain": run_lengths(oracle.tokenize(raw, True, False)),
            "special": run_lengths(oracle.tokenize(raw, True, True)),
        })
    sample = sorted({*range(min(320, oracle.size)), *range(0, oracle.size, 997),
                     *range(max(0, oracle.size - 60), oracle.size)})
    golden = {
        "llama_cpp_python": llama_cpp.__version__, "vocab_size": oracle.size,
        "end_of_generation": [t for t in range(oracle.size) if llama_cpp.llama_vocab_is_eog(oracle.vocab, t)],
        "pieces": [[t, oracle.piece(t, False).hex(), oracle.piece(t, True).hex()] for t in sample],
        "cases": cases,
    }
    if args.corpus:
        raw = pathlib.Path(args.corpus).read_bytes()
        tokens = oracle.tokenize(raw, True, False)
        golden["corpus"] = {"file": pathlib.Path(args.corpus).name, "bytes": len(raw), "tokens": len(tokens),
                            "fnv1a": fnv1a(tokens)}
    out = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/tokens" / f"{args.name}.json"
    lines = [json.dumps(c, separators=(",", ":")) for c in golden.pop("cases")]
    head = json.dumps(golden, separators=(",", ":"))
    out.write_text(head[:-1] + ',\n"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    print(f"{out}: {len(lines)} texts, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
