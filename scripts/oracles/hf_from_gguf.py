"""A Hugging Face transformers model with the weights of a GGUF file, dequantised to f32.

Used by the logits oracle: the forward pass is transformers', the dequantisation is the gguf package's.
Only the names are mapped here, and two conventions of GGUF files undone:
  llama   the rows of attn_q and attn_k are ordered so that RoPE pairs neighbours; transformers pairs halves;
  gemma3  norm weights are stored as w + 1; transformers adds the 1 itself.
"""
import contextlib
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize

GEMMA_LOCAL_ROPE_BASE = 10000.0  # sliding-window layers; GGUF files of Gemma 3 hold only the global base
GEMMA_WINDOW_PATTERN = 6         # every sixth layer sees the whole context

BLOCK_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
}
LLAMA_NAMES = BLOCK_NAMES | {"ffn_norm": "post_attention_layernorm"}
GEMMA_NAMES = BLOCK_NAMES | {
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}


class GgufFile:
    """Metadata and dequantised tensors of one file."""

    def __init__(self, path):
        self.reader = GGUFReader(path)
        self.arch = self.field("general.architecture")

    def field(self, key, default=None):
        return self.reader.fields[key].contents() if key in self.reader.fields else default

    def param(self, key, default=None):
        return self.field(f"{self.arch}.{key}", default)

    def tensors(self):
        for t in self.reader.tensors:
            w = dequantize(t.data, t.tensor_type).astype(np.float32)
            yield t.name, torch.from_numpy(np.ascontiguousarray(w))


def unpermute(w, n_heads):
    """(n_heads * head_dim, n_in) with interleaved RoPE pairs -> pairs half a head apart."""
    rows, n_in = w.shape
    return w.reshape(n_heads, rows // n_heads // 2, 2, n_in).swapaxes(1, 2).reshape(rows, n_in)


def hf_name(name, block_names):
    outer = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
             "output.weight": "lm_head.weight"}
    if name in outer:
        return outer[name]
    _, layer, part, suffix = name.split(".")
    return f"model.layers.{layer}.{block_names[part]}.{suffix}"


def common_config(f, n_vocab):
    n_heads, n_embd = f.param("attention.head_count"), f.param("embedding_length")
    return dict(
        vocab_size=n_vocab,
        hidden_size=n_embd,
        intermediate_size=f.param("feed_forward_length"),
        num_hidden_layers=f.param("block_count"),
        num_attention_heads=n_heads,
        num_key_value_heads=f.param("attention.head_count_kv"),
        head_dim=f.param("attention.key_length", n_embd // n_heads),
        rms_norm_eps=f.param("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=f.param("context_length"),
        attn_implementation="eager",
        dtype="float32",
    )


def llama_model(f, weights):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **common_config(f, weights["token_embd.weight"].shape[0]),
        tie_word_embeddings="output.weight" not in weights,
        rope_parameters={"rope_type": "default", "rope_theta": f.param("rope.freq_base", 10000.0)},
    )
    state = {}
    for name, w in weights.items():
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            side = "head_count" if "attn_q" in name else "head_count_kv"
            w = unpermute(w, f.param(f"attention.{side}"))
        state[hf_name(name, LLAMA_NAMES)] = w
    return LlamaForCausalLM(config), state


def gemma3_model(f, weights):
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    common = common_config(f, weights["token_embd.weight"].shape[0])
    layer_types = ["full_attention" if (i + 1) % GEMMA_WINDOW_PATTERN == 0 else "sliding_attention"
                   for i in range(common["num_hidden_layers"])]
    config = Gemma3TextConfig(
        **common,
        tie_word_embeddings="output.weight" not in weights,
        hidden_activation="gelu_pytorch_tanh",
        query_pre_attn_scalar=common["head_dim"],
        sliding_window=f.param("attention.sliding_window"),
        layer_types=layer_types,
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": f.param("rope.freq_base")},
            "sliding_attention": {"rope_type": "default", "rope_theta": GEMMA_LOCAL_ROPE_BASE},
        },
    )
    state = {hf_name(name, GEMMA_NAMES): w - 1 if name.endswith("norm.weight") else w
             for name, w in weights.items()}
    return Gemma3ForCausalLM(config), state


def load(path):
    """-> transformers model in f32, ready to be called."""
    f = GgufFile(path)
    weights = dict(f.tensors())
    model, state = {"llama": llama_model, "gemma3": gemma3_model}[f.arch](f, weights)
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    if set(missing) - tied or unexpected:
        raise SystemExit(f"{path}: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    return model.eval()


@contextlib.contextmanager
def f16_cache(model, enabled=True):
    """Inside this context the model reads keys (after RoPE) and values rounded as by an f16 cache."""
    module = sys.modules[type(model).__module__]
    plain = module.eager_attention_forward

    def rounded(layer, query, key, value, *args, **kwargs):
        return plain(layer, query, key.half().to(key.dtype), value.half().to(value.dtype), *args, **kwargs)

    module.eager_attention_forward = rounded if enabled else plain
    try:
        yield
    finally:
        module.eager_attention_forward = plain
