"""Building blocks of the small models of tiny_models.py: sizes, tensors, names in transformers."""
import dataclasses
import math

VOCABULARY = 320
CONTEXT = 1024
WINDOW = 90


@dataclasses.dataclass
class Tensor:
    name: str
    shape: tuple       # rows first
    offset: float = 0.0
    amplitude: float = 0.0  # a power of two
    steps: list = None      # [count, number] in order, instead of both


@dataclasses.dataclass
class Model:
    name: str
    architecture: str
    metadata: dict
    tensors: list
    oracle: str               # the class in transformers, or llama.cpp
    build: callable = None    # () -> that model, weights to be overwritten; None: llama.cpp is the oracle
    state: callable = None    # {GGUF name: tensor} -> state_dict
    vocabulary: int = VOCABULARY
    llama_cpp_tolerance: float = 1e-3  # of any logit; None: llama.cpp cannot run it
    # Its user stretches layers with windows as well, as transformers' does where they have no rotation of their own.
    llama_cpp_stretches: bool = True
    inputs: callable = lambda n: {}    # further arguments of the call, for n tokens
    buffers: tuple = ()       # endings of names in the state that are not weights
    plain_metadata: dict = dataclasses.field(default_factory=dict)  # keys without the architecture's name
    rope: dict = dataclasses.field(default_factory=dict)  # what the user changes: scaling, scale


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
    """A matrix whose outputs have a spread of about `spread` for inputs of spread 1."""
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
            local = ".".join(parts[2:])
            stem, _, kind = local.rpartition(".")
            target = f"{layer_prefix}.{parts[1]}.{layer_names[stem]}.{kind}"
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
    """Undoes the row order that converters use for queries and keys of Llama-like models."""
    def change(name, w):
        if name.startswith("attn_q."):
            return pairs_to_halves(w, s.heads)
        if name.startswith("attn_k."):
            return pairs_to_halves(w, s.kv_heads)
        return w
    return change


def norms_less_one(name, w):
    return w - 1 if name.endswith("norm.weight") else w


def split_qkv(weights, s):
    """One tensor of queries, keys and values -> three."""
    split = {}
    for name, w in weights.items():
        if "attn_qkv." in name:
            for part, rows in zip("qkv", w.split([s.q, s.kv, s.kv])):
                split[name.replace("attn_qkv", f"attn_{part}")] = rows
        else:
            split[name] = w
    return split


def scale_of(name, *shape):
    """A tensor's scale, as with NVFP4 blocks: one number, or one per expert."""
    return Tensor(name + ".scale", shape or (1,), 0.75, 0.25)


def scales_applied(weights):
    applied = {}
    for name, w in weights.items():
        scale = weights.get(name.replace(".weight", ".scale"))
        if not name.endswith(".scale"):
            applied[name] = w if scale is None or name.endswith(".bias") else w * scale.reshape(-1, *[1] * (w.ndim - 1))
    return applied


def rope(base, **more):
    return {"rope_type": "default", "rope_theta": base} | more


def config(s, cls, **more):
    return cls(vocab_size=VOCABULARY, hidden_size=s.embd, intermediate_size=s.ff, num_hidden_layers=s.layers,
               num_attention_heads=s.heads, num_key_value_heads=s.kv_heads, max_position_embeddings=CONTEXT,
               attn_implementation="eager", **more)


def without_rotation(model, n_heads):
    """ALiBi instead of rotation."""
    import torch

    build = model.build

    def unrotated():
        hf = build()
        hf.model.rotary_emb.forward = lambda x, position_ids: (torch.ones(1, x.shape[1], 64),
                                                               torch.zeros(1, x.shape[1], 64))
        return hf

    def inputs(n):
        slopes = torch.tensor(alibi_slopes(n_heads)).view(1, n_heads, 1, 1)
        back = torch.arange(n).view(n, 1) - torch.arange(n).view(1, n)
        return {"attention_mask": torch.where(back >= 0, -slopes * back, torch.tensor(torch.finfo().min))}

    return dataclasses.replace(model, build=unrotated, inputs=inputs,
                               oracle="LlamaForCausalLM without rotation, with a bias on its logits")


def alibi_slopes(n_heads):
    whole = 2 ** int(math.log2(n_heads))
    return ([2 ** (-8 * (h + 1) / whole) for h in range(whole)] +
            [2 ** (-4 * (2 * h + 1) / whole) for h in range(n_heads - whole)])
