"""The small models of tiny_models.py with the architecture gemma4, whose layers differ in their heads and widths."""
import dataclasses
import math

from tiny_mixtures import COUNTS, EXPERT_FF, EXPERTS, USED, expert_matrices
from tiny_parts import (LLAMA_LAYER, LLAMA_OUTER, VOCABULARY, WINDOW, Model, Shape, Tensor, attention, config,
                        feed_forward, gain, matrix, norms, outer, renamed, rms, scale_of)

FULL, WINDOWED = "full_attention", "sliding_attention"
FULL_DIM, WINDOW_DIM = 128, 64
ROTATED = 0.25     # of the channels of a head that sees the whole context
PER_LAYER = 32     # channels of an embedding for one layer

NAMES = LLAMA_LAYER | {
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm", "inp_gate": "per_layer_input_gate",
    "proj": "per_layer_projection", "post_norm": "post_per_layer_input_norm", "layer_output_scale": "layer_scalar",
    "ffn_gate_inp": "router.proj", "ffn_gate_up_exps": "experts.gate_up_proj",
    "ffn_down_exps": "experts.down_proj",
    "pre_ffw_norm_2": "pre_feedforward_layernorm_2", "post_ffw_norm_1": "post_feedforward_layernorm_1",
    "post_ffw_norm_2": "post_feedforward_layernorm_2"}
OUTER_NAMES = LLAMA_OUTER | {
    "per_layer_token_embd": "model.embed_tokens_per_layer", "per_layer_model_proj": "model.per_layer_model_projection",
    "per_layer_proj_norm": "model.per_layer_projection_norm"}


def state(weights):
    weights = {name: w for name, w in weights.items() if not name.startswith("rope_freqs")}
    own_names = {name + ".weight": name for name in ("layer_scalar", "experts.gate_up_proj", "experts.down_proj")} | {
        "router.proj.scale": "router.scale", "experts.down_proj.scale": "router.per_expert_scale"}
    named = renamed(weights, OUTER_NAMES, NAMES)
    for name in list(named):
        for theirs, own in own_names.items():
            if name.endswith(theirs):
                named[name.replace(theirs, own)] = named.pop(name)
    return named


def layer(s, per_layer=0, own=True, values=True):
    tensors = norms(s, ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"])
    lacking = set() if own else {"attn_k.weight", "attn_v.weight"}
    lacking |= set() if values else {"attn_v.weight"}
    tensors += [t for t in attention(s) if t.name not in lacking] + feed_forward(s)
    # Attention has no scale of its own.
    tensors += [Tensor(f"attn_{x}_norm.weight", (s.head_dim,), 0.375, 0.125) for x in ("qk" if own else "q")]
    tensors.append(Tensor("layer_output_scale.weight", (1,), 0.75, 0.25))
    if per_layer:
        tensors += [matrix("inp_gate", per_layer, s.embd, 1.5), matrix("proj", s.embd, per_layer), gain("post_norm", s.embd)]
    return tensors


def numbered(i, tensors):
    return [dataclasses.replace(t, name=f"blk.{i}.{t.name}") for t in tensors]


def rope_freqs():
    """Divisors: pairs that do not rotate get a period longer than any context."""
    rotated = int(FULL_DIM * ROTATED / 2)
    return Tensor("rope_freqs.weight", (FULL_DIM // 2,), steps=[[rotated, 1.0], [FULL_DIM // 2 - rotated, 1e30]])


def metadata(s, kinds, more):
    return rms(s) | {
        "attention.key_length": FULL_DIM, "attention.value_length": FULL_DIM,
        "attention.key_length_swa": WINDOW_DIM, "attention.value_length_swa": WINDOW_DIM,
        "rope.dimension_count": FULL_DIM, "rope.dimension_count_swa": WINDOW_DIM, "rope.freq_base": 1000000.0,
        "rope.freq_base_swa": 10000.0, "attention.sliding_window": WINDOW,
        "attention.sliding_window_pattern": [kind == WINDOWED for kind in kinds],
        "embedding_length_per_layer_input": 0, "attention.shared_kv_layers": 0, "final_logit_softcapping": 2.0} | more


def hf_config(s, kinds, **more):
    from transformers import Gemma4TextConfig

    return config(s, Gemma4TextConfig, rms_norm_eps=1e-5, tie_word_embeddings=True, head_dim=WINDOW_DIM,
                  global_head_dim=FULL_DIM, layer_types=kinds, sliding_window=WINDOW, final_logit_softcapping=2.0,
                  rope_parameters={
                      FULL: {"rope_type": "proportional", "partial_rotary_factor": ROTATED, "rope_theta": 1000000.0},
                      WINDOWED: {"rope_type": "default", "rope_theta": 10000.0}}, **more)


def of_kind(s, kind, **changes):
    return dataclasses.replace(s, head_dim=WINDOW_DIM if kind == WINDOWED else FULL_DIM, **changes)


def models():
    from transformers import Gemma4ForCausalLM

    kinds = [WINDOWED, WINDOWED, FULL] * 2
    embedding = 1 / math.sqrt(Shape().embd)

    def model(name, s, tensors, keys, kinds=kinds, **more):
        return Model(name, "gemma4", metadata(s, kinds, keys), outer(s, True, embedding) + [rope_freqs()] + tensors,
                     "Gemma4ForCausalLM", lambda: Gemma4ForCausalLM(hf_config(s, kinds, **more)), state,
                     llama_cpp_tolerance=5e-3)

    # As E2B and E4B: the second half of the layers reads the keys and values of the first.
    s = Shape(layers=6, kv_heads=1)
    tensors = [Tensor("per_layer_token_embd.weight", (VOCABULARY, s.layers * PER_LAYER), 0.0, 0.25),
               matrix("per_layer_model_proj", s.layers * PER_LAYER, s.embd), gain("per_layer_proj_norm", PER_LAYER)]
    widths = []
    for i, kind in enumerate(kinds):
        own = i < 3
        widths.append(s.ff if own else 2 * s.ff)
        tensors += numbered(i, layer(of_kind(s, kind, ff=widths[i]), PER_LAYER, own))
    yield model("gemma4_e2b", s, tensors, {
        "embedding_length_per_layer_input": PER_LAYER, "attention.shared_kv_layers": 3, "feed_forward_length": widths},
        hidden_size_per_layer_input=PER_LAYER, vocab_size_per_layer_input=VOCABULARY, num_kv_shared_layers=3,
        use_double_wide_mlp=True)

    # As 31B: layers that see the whole context have fewer and larger heads, and values from the same product as keys.
    s = Shape(layers=6, kv_heads=2)
    tensors, kv_heads = [], []
    for i, kind in enumerate(kinds):
        kv_heads.append(2 if kind == WINDOWED else 1)
        tensors += numbered(i, layer(of_kind(s, kind, kv_heads=kv_heads[i]), values=kind == WINDOWED))
    keys, more = {"attention.head_count_kv": kv_heads}, {
        "hidden_size_per_layer_input": 0, "attention_k_eq_v": True, "num_global_key_value_heads": 1}
    yield model("gemma4_31b", s, tensors, keys, **more)

    # As 26B-A4B: the first half of the same, with experts beside the feed-forward blocks.
    s = dataclasses.replace(s, layers=3)
    tensors = [t for t in tensors if int(t.name.split(".")[1]) < s.layers]
    keys = {"attention.head_count_kv": kv_heads[:s.layers]}
    mixture = norms(s, ["pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2"]) + [
        matrix("ffn_gate_inp", EXPERTS, s.embd, 3.0 * math.sqrt(s.embd)),  # its input has length 1
        Tensor("ffn_gate_inp.scale", (s.embd,), 1.0, 0.5),
        expert_matrices("ffn_gate_up_exps", 2 * EXPERT_FF, s.embd, 1.5),
        expert_matrices("ffn_down_exps", s.embd, EXPERT_FF, 2.0),
        scale_of("ffn_down_exps", EXPERTS)]
    tensors += [t for i in range(s.layers) for t in numbered(i, mixture)]
    yield model("gemma4_26b_a4b", s, tensors, keys | COUNTS | {"expert_feed_forward_length": EXPERT_FF},
                kinds[:s.layers], **more,
                enable_moe_block=True, num_experts=EXPERTS, top_k_experts=USED, moe_intermediate_size=EXPERT_FF)
