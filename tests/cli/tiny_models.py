"""Makes small models for tests: scripted ones, whose answers are known, and random ones of any head size."""
import random
import struct

from gguf_file import ARRAY, BOOL, F32, GgufFile, I32, STRING, U32

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6  # token types
TYPE_F32, TYPE_F16 = 0, 1                                      # tensor types

CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
ZEPHYR = ("{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}")


def _byte_alphabet():
    """The character that stands for each byte in vocabularies of byte-level BPE."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


BYTES = _byte_alphabet()


def say(text, start, end):
    """A chain for scripted_model: after `start` comes `text`, none of its characters twice, then `end`."""
    steps = [start, *text, end]
    assert len(set(steps[:-1])) == len(steps) - 1, "a token has one successor"
    return dict(zip(steps, steps[1:]))


def _f32(values):
    return struct.pack(f"<{len(values)}f", *values)


def _f16_matrix(n_rows, n_columns, ones=()):
    data = bytearray(2 * n_rows * n_columns)
    for row, column in ones:
        struct.pack_into("<e", data, 2 * (row * n_columns + column), 1.0)
    return bytes(data)


def _llama(model, **numbers):
    numbers = {"context_length": 4096, "block_count": 1, **numbers}
    model.set("general.architecture", STRING, "llama")
    model.set("general.name", STRING, "tiny")
    for key, value in numbers.items():
        model.set("llama." + key.replace("attention_", "attention.").replace("rope_", "rope."), U32, value)
    model.set("llama.attention.layer_norm_rms_epsilon", F32, 1e-6)


def scripted_model(path, specials, chain, template=None, eos=None, bos=None, words=(), pre="gpt-2", metadata=()):
    """Writes a llama model whose next token depends on the last one alone.

    specials: (text, token type); words: tokens of two letters; chain: the text of a token -> that of the next, where a text
    is a byte's character, a word or a special. Returns the ids of all by text.
    """
    tokens = [BYTES[b] for b in range(256)] + ["".join(BYTES[b] for b in w.encode()) for w in words]
    ids = {chr(b): b for b in range(256)}
    ids.update({text: 256 + i for i, text in enumerate([*words, *(text for text, _ in specials)])})
    tokens += [text for text, _ in specials]
    types = [NORMAL] * (256 + len(words)) + [kind for _, kind in specials]
    n_vocab, n_ff = len(tokens), 64
    n_embd = -(-n_vocab // 64) * 64  # every token has a channel of its own

    model = GgufFile()
    _llama(model, embedding_length=n_embd, feed_forward_length=n_ff, attention_head_count=n_embd // 64,
           attention_head_count_kv=1, rope_dimension_count=64)
    tokenizer = "tokenizer.ggml."
    model.set(tokenizer + "model", STRING, "gpt2")
    model.set(tokenizer + "pre", STRING, pre)
    model.set(tokenizer + "tokens", ARRAY, (STRING, tokens))
    model.set(tokenizer + "token_type", ARRAY, (I32, types))
    merges = [" ".join(BYTES[b] for b in word.encode()) for word in words if len(word.encode()) == 2]
    model.set(tokenizer + "merges", ARRAY, (STRING, merges))
    model.set(tokenizer + "add_bos_token", BOOL, bos is not None)
    if bos is not None:
        model.set(tokenizer + "bos_token_id", U32, ids[bos])
    if eos is not None:
        model.set(tokenizer + "eos_token_id", U32, ids[eos])
    if template is not None:
        model.set("tokenizer.chat_template", STRING, template)
    for key, kind, value in metadata:
        model.set(key, kind, value)

    def matrix(name, n_rows, n_columns, ones=()):
        model.tensors.append([name, [n_columns, n_rows], TYPE_F16, _f16_matrix(n_rows, n_columns, ones)])

    def norm(name):
        model.tensors.append([name, [n_embd], TYPE_F32, _f32([1.0] * n_embd)])

    matrix("token_embd.weight", n_vocab, n_embd, [(i, i) for i in range(n_vocab)])
    norm("output_norm.weight")
    matrix("output.weight", n_vocab, n_embd, [(ids[after], ids[before]) for before, after in chain.items()])
    norm("blk.0.attn_norm.weight")
    matrix("blk.0.attn_q.weight", n_embd, n_embd)
    matrix("blk.0.attn_k.weight", 64, n_embd)
    matrix("blk.0.attn_v.weight", 64, n_embd)
    matrix("blk.0.attn_output.weight", n_embd, n_embd)
    norm("blk.0.ffn_norm.weight")
    matrix("blk.0.ffn_gate.weight", n_ff, n_embd)
    matrix("blk.0.ffn_up.weight", n_ff, n_embd)
    matrix("blk.0.ffn_down.weight", n_embd, n_ff)
    model.save(path)
    return ids


def random_model(path, head_dim=64, context=512, n_heads=2, n_kv_heads=1, n_layers=2, seed=1):
    """Writes a random llama model in f32 with a vocabulary of bytes."""
    source = random.Random(seed)
    n_embd, n_ff = n_heads * head_dim, 64
    letters = ["\u2581" + c for c in "abcdefgh"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *letters]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(letters)
    n_vocab = len(tokens)

    model = GgufFile()
    _llama(model, context_length=context, embedding_length=n_embd, feed_forward_length=n_ff, block_count=n_layers,
           attention_head_count=n_heads, attention_head_count_kv=n_kv_heads, rope_dimension_count=head_dim)
    model.set("tokenizer.ggml.model", STRING, "llama")
    model.set("tokenizer.ggml.tokens", ARRAY, (STRING, tokens))
    model.set("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * n_vocab))
    model.set("tokenizer.ggml.token_type", ARRAY, (I32, types))

    def matrix(name, n_rows, n_columns):
        values = [source.gauss(0, 0.05) for _ in range(n_rows * n_columns)]
        model.tensors.append([name, [n_columns, n_rows], TYPE_F32, _f32(values)])

    def norm(name):
        model.tensors.append([name, [n_embd], TYPE_F32, _f32([1.0] * n_embd)])

    matrix("token_embd.weight", n_vocab, n_embd)
    norm("output_norm.weight")
    matrix("output.weight", n_vocab, n_embd)
    for layer in range(n_layers):
        block = f"blk.{layer}."
        norm(block + "attn_norm.weight")
        matrix(block + "attn_q.weight", n_heads * head_dim, n_embd)
        matrix(block + "attn_k.weight", n_kv_heads * head_dim, n_embd)
        matrix(block + "attn_v.weight", n_kv_heads * head_dim, n_embd)
        matrix(block + "attn_output.weight", n_embd, n_heads * head_dim)
        norm(block + "ffn_norm.weight")
        matrix(block + "ffn_gate.weight", n_ff, n_embd)
        matrix(block + "ffn_up.weight", n_ff, n_embd)
        matrix(block + "ffn_down.weight", n_embd, n_ff)
    return model.save(path)
