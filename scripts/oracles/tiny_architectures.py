"""The small models of tiny_models.py: their metadata and tensors in GGUF, and the same model in transformers.

Sizes are small but shaped like real ones: several query heads share a key-value head, heads have 64 channels
(128 in some), windows end inside the text, vectors of norms and biases are random.
"""
import dataclasses
import math

VOCABULARY = 320
CONTEXT = 1024
WINDOW = 90


@dataclasses.dataclass
class Tensor:
    name: str
    shape: tuple       # rows first
    offset: float
    amplitude: float   # a power of two


@dataclasses.dataclass
class Model:
    name: str
    architecture: str
    metadata: dict
    tensors: list
    oracle: str               # the class in transformers
    build: callable           # () -> that model, weights to be overwritten
    state: callable           # {GGUF name: tensor} -> state_dict
    vocabulary: int = VOCABULARY
    llama_cpp_tolerance: float = 1e-3  # of any logit; None: llama.cpp cannot run it
    inputs: callable = lambda n: {}    # further arguments of the call, for n tokens
    buffers: tuple = ()       # endings of names in the state that are no weights


@dataclasses.dataclass
class Shape:
    embd: int = 256
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ff: int = 192
    layers: int = 3

    @property
    def q(self):
        return self.heads * self.head_dim

    @property
    def kv(self):
        return self.kv_heads * self.head_dim


def power_of_two(x):
    return 2.0 ** round(math.log2(x))


def matrix(name, rows, cols, spread=1.0):
    """Outputs have about `spread` where inputs have 1."""
    return Tensor(name + ".weight", (rows, cols), 0.0, power_of_two(spread * math.sqrt(3 / cols)))


def gain(name, n):
    return Tensor(name + ".weight", (n,), 1.0, 0.5)


def bias(name, n):
    return Tensor(name + ".bias", (n,), 0.0, 0.25)


def sizes(s, **more):
    return {"context_length": CONTEXT, "embedding_length": s.embd, "block_count": s.layers,
            "feed_forward_length": s.ff, "attention.head_count": s.heads,
            "attention.head_count_kv": s.kv_heads} | more


def rms(s, **more):
    return sizes(s, **{"attention.layer_norm_rms_epsilon": 1e-5}, **more)


def outer(s, tied=False, embedding=None, norm_bias=False):
    """Embedding, last norm, output."""
    amplitude = embedding or (0.125 if tied else 1.0)
    tensors = [Tensor("token_embd.weight", (VOCABULARY, s.embd), 0.0, power_of_two(amplitude))]
    tensors.append(gain("output_norm", s.embd))
    if norm_bias:
        tensors.append(bias("output_norm", s.embd))
    if not tied:
        tensors.append(matrix("output", VOCABULARY, s.embd))
    return tensors


def norms(s, names, with_bias=False):
    tensors = []
    for name in names:
        tensors.append(gain(name, s.embd))
        if with_bias:
            tensors.append(bias(name, s.embd))
    return tensors


def attention(s, qkv_bias=False, output_bias=False, fused=False):
    parts = [("attn_q", s.q, 1.5), ("attn_k", s.kv, 1.5), ("attn_v", s.kv, 1.0)]
    if fused:
        parts = [("attn_qkv", s.q + 2 * s.kv, 1.5)]
    tensors = []
    for name, rows, spread in parts:
        tensors.append(matrix(name, rows, s.embd, spread))
        if qkv_bias:
            tensors.append(bias(name, rows))
    tensors.append(matrix("attn_output", s.embd, s.q))
    if output_bias:
        tensors.append(bias("attn_output", s.embd))
    return tensors


def feed_forward(s, gated=True, fused=False, biases=False):
    parts = [("ffn_gate", s.ff), ("ffn_up", s.ff)] if gated and not fused else [("ffn_up", s.ff * (1 + fused))]
    tensors = []
    for name, rows in parts:
        tensors.append(matrix(name, rows, s.embd, 1.5))
        if biases:
            tensors.append(bias(name, rows))
    tensors.append(matrix("ffn_down", s.embd, s.ff))
    if biases:
        tensors.append(bias("ffn_down", s.embd))
    return tensors


def layers(s, parts):
    return [dataclasses.replace(t, name=f"blk.{i}.{t.name}") for i in range(s.layers) for t in parts]


# ---- from GGUF's names to those of transformers

LLAMA_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LLAMA_LAYER = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def renamed(weights, outer_names=LLAMA_OUTER, layer_names=LLAMA_LAYER, layer_prefix="model.layers", change=None):
    """change(name within the layer or file, tensor) -> tensor"""
    state = {}
    for name, w in weights.items():
        parts = name.split(".")
        if parts[0] == "blk":
            target = f"{layer_prefix}.{parts[1]}.{layer_names[parts[2]]}.{parts[3]}"
            local = ".".join(parts[2:])
        else:
            target = f"{outer_names[parts[0]]}.{parts[1]}"
            local = name
        state[target] = change(local, w) if change else w
    return state


def pairs_to_halves(w, n_heads):
    """Rows whose rotary pairs are neighbours -> pairs half a head apart."""
    rows = w.shape[0]
    return w.reshape(n_heads, rows // n_heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


def unpermuted(s):
    """Undoes the order of rows that converters give to queries and keys of Llama and its kin."""
    def change(name, w):
        if name.startswith("attn_q."):
            return pairs_to_halves(w, s.heads)
        if name.startswith("attn_k."):
            return pairs_to_halves(w, s.kv_heads)
        return w
    return change


def norms_less_one(name, w):
    return w - 1 if name.endswith("norm.weight") else w


def rope(base, **more):
    return {"rope_type": "default", "rope_theta": base} | more


def config(s, cls, **more):
    return cls(vocab_size=VOCABULARY, hidden_size=s.embd, intermediate_size=s.ff, num_hidden_layers=s.layers,
               num_attention_heads=s.heads, num_key_value_heads=s.kv_heads, max_position_embeddings=CONTEXT,
               attn_implementation="eager", **more)


# ---- the models

def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    yield Model(
        "llama", "llama", rms(s, **{"rope.freq_base": 5000.0, "rope.dimension_count": 64}),
        outer(s) + layers(s, parts), "LlamaForCausalLM",
        lambda: LlamaForCausalLM(config(s, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=rope(5000.0),
                                        tie_word_embeddings=False)),
        lambda w: renamed(w, change=unpermuted(s)))
    biased = Shape(head_dim=128, heads=2, kv_heads=1)
    parts = (norms(biased, ["attn_norm", "ffn_norm"]) + attention(biased, True, True) +
             feed_forward(biased, biases=True))
    yield Model(
        "llama_biases", "llama", rms(biased, **{"attention.key_length": 128, "attention.value_length": 128}),
        outer(biased, tied=True) + layers(biased, parts), "LlamaForCausalLM",
        lambda: LlamaForCausalLM(config(biased, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                        attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
        lambda w: renamed(w, change=unpermuted(biased)))


def qwen():
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, qkv_bias=True) + feed_forward(s)
    yield Model(
        "qwen2", "qwen2", rms(s, **{"rope.freq_base": 1000000.0}), outer(s, tied=True) + layers(s, parts),
        "Qwen2ForCausalLM",
        lambda: Qwen2ForCausalLM(config(s, Qwen2Config, rms_norm_eps=1e-5, rope_parameters=rope(1e6),
                                        tie_word_embeddings=True)),
        renamed)
    wide = Shape(embd=128, head_dim=128, heads=4, kv_heads=2)
    parts = (norms(wide, ["attn_norm", "ffn_norm"]) + attention(wide) + feed_forward(wide) +
             [gain("attn_q_norm", 128), gain("attn_k_norm", 128)])
    yield Model(
        "qwen3", "qwen3", rms(wide, **{"rope.freq_base": 1000000.0, "attention.key_length": 128,
                                       "attention.value_length": 128}),
        outer(wide) + layers(wide, parts), "Qwen3ForCausalLM",
        lambda: Qwen3ForCausalLM(config(wide, Qwen3Config, head_dim=128, rms_norm_eps=1e-5,
                                        rope_parameters=rope(1e6), tie_word_embeddings=False)),
        renamed)


GEMMA_LAYER = LLAMA_LAYER | {"post_attention_norm": "post_attention_layernorm",
                             "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}


def gemma():
    from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig,
                              GemmaForCausalLM)

    s = Shape(layers=4)
    embedding = 1 / math.sqrt(s.embd)
    head = {"attention.key_length": 64, "attention.value_length": 64}
    common = dict(rms_norm_eps=1e-5, head_dim=64, tie_word_embeddings=True)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    yield Model(
        "gemma", "gemma", rms(s, **head), outer(s, True, embedding) + layers(s, parts), "GemmaForCausalLM",
        lambda: GemmaForCausalLM(config(s, GemmaConfig, hidden_act="gelu_pytorch_tanh", **common,
                                        rope_parameters=rope(10000.0))),
        lambda w: renamed(w, change=norms_less_one), llama_cpp_tolerance=2e-2)
    post = parts + norms(s, ["post_attention_norm", "post_ffw_norm"])
    yield Model(
        "gemma2", "gemma2", rms(s, **head, **{"attention.sliding_window": WINDOW, "attn_logit_softcapping": 5.0,
                                              "final_logit_softcapping": 1.0}),
        outer(s, True, embedding) + layers(s, post), "Gemma2ForCausalLM",
        lambda: Gemma2ForCausalLM(config(s, Gemma2Config, **common, query_pre_attn_scalar=64,
                                         sliding_window=WINDOW, attn_logit_softcapping=5.0,
                                         final_logit_softcapping=1.0, rope_parameters=rope(10000.0))),
        lambda w: renamed(w, layer_names=GEMMA_LAYER, change=norms_less_one), llama_cpp_tolerance=2e-2)
    six = dataclasses.replace(s, layers=6)
    post = post + [gain("attn_q_norm", 64), gain("attn_k_norm", 64)]
    yield Model(
        "gemma3", "gemma3", rms(six, **head, **{"attention.sliding_window": WINDOW, "rope.freq_base": 1000000.0}),
        outer(six, True, embedding) + layers(six, post), "Gemma3ForCausalLM",
        lambda: Gemma3ForCausalLM(config(six, Gemma3TextConfig, **common, query_pre_attn_scalar=64,
                                         sliding_window=WINDOW,
                                         rope_parameters={"full_attention": rope(1e6),
                                                          "sliding_attention": rope(1e4)})),
        lambda w: renamed(w, layer_names=GEMMA_LAYER, change=norms_less_one), llama_cpp_tolerance=2e-2)


def phi():
    from transformers import Phi3Config, Phi3ForCausalLM

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, fused=True) + feed_forward(s, fused=True)
    names = LLAMA_LAYER | {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}
    yield Model(
        "phi3", "phi3", rms(s, **{"rope.dimension_count": 48, "attention.sliding_window": 2047}),
        outer(s) + layers(s, parts), "Phi3ForCausalLM",
        lambda: Phi3ForCausalLM(config(s, Phi3Config, rms_norm_eps=1e-5, tie_word_embeddings=False, pad_token_id=0,
                                       rope_parameters=rope(10000.0, partial_rotary_factor=0.75))),
        lambda w: renamed(w, layer_names=names))


def models():
    for family in (llama, qwen, gemma, phi):
        yield from family()
