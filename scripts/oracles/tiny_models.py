#!/usr/bin/env python3
"""Goldens of small random models, one or more for each architecture.

    tiny_models.py golden [NAME ...]     writes tests/golden/models/NAME.json
    tiny_models.py write NAME FILE       writes the model as a GGUF file
    tiny_models.py list

For each model of tiny_architectures.py: its weights are made by a hash of their names and places, written as
a GGUF file (F32) with the layout of llama.cpp's converters, and given to transformers under their names there.
The golden has transformers' logits for a random text, and all that a test needs to write the file again: the
metadata, the tensors' shapes, and the ranges of their numbers. The file is also run by llama.cpp, whose logits
must agree; that shows that the file is laid out as real ones are. Where neither the file nor the golden's user
stretches the rotary embedding, a second, shorter set of logits is that of a user who stretches it linearly to three
times its context.

The numbers of a tensor, in f32, i counting from 0 in the order of the file:
    seed    = FNV-1a of the tensor's name, 64 bits
    z       = splitmix64(seed + i)
    number  = offset + amplitude * ((z >> 40) / 2^23 - 1)
or steps of equal numbers, where a tensor has no random ones.
"""
import argparse
import json
import os
import sys
import tempfile

import numpy as np

import tiny_architectures

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "models")
N_TOKENS = 200       # pages of 64 tokens, the last two exact: the last tokens read two pages of codes
POSITIONS = [0, 1, 40, 63, 64, 100, 127, 128, 150, 191, 192, 199]  # positions with stored logits
STRETCH = 3.0
STRETCHED_POSITIONS = [40, 70, 99]  # the same with STRETCH, in a run of 100 tokens
N_IDS = 16           # tokens with stored logits, spread over the vocabulary
N_SPECIAL = 3        # <unk> <s> </s>, then a token for each byte, then pieces


def hashes(name, n):
    seed = 0xcbf29ce484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001b3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return z ^ (z >> np.uint64(31))


def numbers(tensor):
    if tensor.steps:
        return np.concatenate([np.full(n, x, np.float32) for n, x in tensor.steps]).reshape(tensor.shape)
    n = int(np.prod(tensor.shape))
    unit = (hashes(tensor.name, n) >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)
    return (np.float32(tensor.offset) + np.float32(tensor.amplitude) * unit).reshape(tensor.shape)


def tokens_of(model):
    n_vocab = model.vocabulary
    return [int(N_SPECIAL + h % (n_vocab - N_SPECIAL)) for h in hashes("tokens", N_TOKENS).tolist()]


def vocabulary(n):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    types = [2, 3, 3] + [6] * 256
    for i in range(len(tokens), n):
        tokens.append(f"p{i}")
        types.append(1)
    return tokens, types


def write_gguf(model, path):
    import gguf

    w = gguf.GGUFWriter(path, model.architecture)
    own = {f"{model.architecture}.{key}": value for key, value in model.metadata.items()}
    for key, value in (own | model.plain_metadata).items():
        if isinstance(value, list):
            w.add_array(key, value)
        elif isinstance(value, bool):
            w.add_bool(key, value)
        elif isinstance(value, int):
            w.add_uint32(key, value)
        elif isinstance(value, float):
            w.add_float32(key, value)
        else:
            w.add_string(key, value)
    tokens, types = vocabulary(model.vocabulary)
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([-1.0] * len(tokens))
    w.add_token_types(types)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    for t in model.tensors:
        w.add_tensor(t.name, numbers(t))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def oracle_logits(model, stretch=1.0):
    import torch

    hf = model.build()
    weights = {t.name: torch.from_numpy(numbers(t)) for t in model.tensors}
    missing, unexpected = hf.load_state_dict(model.state(weights), strict=False)
    tied = {"lm_head.weight"} if hf.config.tie_word_embeddings else set()
    missing = {m for m in missing if not m.endswith(model.buffers)} - tied
    if missing or unexpected:
        raise SystemExit(f"{model.name}: missing {sorted(missing)}, unexpected {unexpected}")
    hf.tie_weights()
    if stretch != 1:
        # What "rope_type": "linear" does. Layers with windows have a rotation of their own in some models.
        for name, frequencies in hf.named_buffers():
            if name.endswith("inv_freq") and "sliding" not in name:
                frequencies /= stretch
        for module in hf.modules():
            if init := getattr(module, "rope_init_fn", None):  # Phi 3.5 MoE computes them anew
                module.rope_init_fn = lambda config, init=init: (init(config)[0] / stretch, 1.0)
    with torch.no_grad():
        return hf.eval().float()(torch.tensor([tokens_of(model)]), **model.inputs(N_TOKENS)).logits[0].numpy()


def llama_cpp_logits(model, path, stretch=1.0):
    from llama_cpp import Llama

    f32 = 0
    rope = {"rope_scaling_type": 1, "rope_freq_scale": 1 / stretch} if stretch != 1 else {}
    if model.rope:
        kinds = {"linear": 1, "yarn": 2}
        rope = {"rope_scaling_type": kinds[model.rope["scaling"]], "rope_freq_scale": 1 / model.rope["scale"]}
    llm = Llama(path, **rope, n_ctx=256, n_batch=256, n_ubatch=256, n_threads=1, n_threads_batch=1, logits_all=True,
                flash_attn=False, type_k=f32, type_v=f32, verbose=bool(os.environ.get("VERBOSE")))
    llm.eval(tokens_of(model))
    return llm.scores[:N_TOKENS].copy()


def compact(value):
    return json.dumps(value, separators=(", ", ": "))


def oracle_name(model):
    if not model.build:
        import llama_cpp

        return f"llama.cpp of llama-cpp-python {llama_cpp.__version__}"
    import transformers

    return f"transformers {transformers.__version__}, {model.oracle}"


def write_golden(model, oracle, peer_difference, stretched):
    ids = [int(i) for i in np.linspace(0, model.vocabulary - 1, N_IDS)]

    def rows(logits, positions):
        return "[\n  " + ",\n  ".join(compact([round(float(x), 5) for x in logits[p, ids]]) for p in positions) + "\n ]"
    tensors = [compact([t.name, list(reversed(t.shape)), *([t.steps] if t.steps else [t.offset, t.amplitude])])
               for t in model.tensors]
    fields = [
        ("oracle", compact(oracle_name(model))),
        ("llama_cpp_max_difference", "null" if peer_difference is None else f"{peer_difference:.1e}"),
        ("architecture", compact(model.architecture)),
        ("vocabulary", compact(model.vocabulary)),
        ("metadata", compact(model.metadata)),
        *([("plain_metadata", compact(model.plain_metadata))] if model.plain_metadata else []),
        ("tensors", "[\n  " + ",\n  ".join(tensors) + "\n ]"),
        *([("rope", compact(model.rope))] if model.rope else []),
        ("n_tokens", compact(N_TOKENS)),
        ("positions", compact(POSITIONS)),
        ("ids", compact(ids)),
        ("logits", rows(oracle, POSITIONS)),
    ]
    if stretched is not None:
        fields += [("stretch", compact(STRETCH)), ("stretched_positions", compact(STRETCHED_POSITIONS)),
                   ("stretched_logits", rows(stretched, STRETCHED_POSITIONS))]
    with open(os.path.join(FOLDER, model.name + ".json"), "w") as out:
        out.write("{\n " + ",\n ".join(f'"{key}": {text}' for key, text in fields) + "\n}\n")


def is_stretched(model):
    return model.rope or model.metadata.get("rope.scaling.factor", 1) != 1


def cmd_golden(args):
    failed = False
    for model in tiny_architectures.models():
        if args.names and model.name not in args.names:
            continue
        logits, differences = [], []
        for stretch in [1.0] if is_stretched(model) else [1.0, STRETCH]:
            oracle = oracle_logits(model, stretch) if model.build else None
            peer = None
            if model.llama_cpp_tolerance:
                with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
                    write_gguf(model, file.name)
                    peer = llama_cpp_logits(model, file.name, stretch)
            logits.append(peer if oracle is None else oracle)
            differences.append(None if oracle is None or peer is None else float(np.abs(peer - oracle).max()))
        apart = [f"{d:.1e} away" if d is not None else "not run" for d in differences]
        moved = f", moved by {np.abs(logits[1] - logits[0]).max():.1e}" if len(logits) > 1 else ""
        print(f"{model.name}: logits of {logits[0].std():.2f}, llama.cpp {', stretched '.join(apart)}{moved}", flush=True)
        if not model.llama_cpp_stretches:
            differences = differences[:1]
        if any(d is not None and not d <= model.llama_cpp_tolerance for d in differences):
            failed = True
            continue
        write_golden(model, logits[0], differences[0], logits[1] if len(logits) > 1 else None)
    return 1 if failed else 0


def cmd_write(args):
    for model in tiny_architectures.models():
        if model.name == args.name:
            write_gguf(model, args.file)
            return 0
    raise SystemExit(f"no model {args.name}")


def cmd_list(_):
    for model in tiny_architectures.models():
        print(model.name, model.architecture)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    golden = commands.add_parser("golden")
    golden.add_argument("names", nargs="*")
    golden.set_defaults(run=cmd_golden)
    write = commands.add_parser("write")
    write.add_argument("name")
    write.add_argument("file")
    write.set_defaults(run=cmd_write)
    commands.add_parser("list").set_defaults(run=cmd_list)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
