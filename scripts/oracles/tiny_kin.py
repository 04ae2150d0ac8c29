"""The small models of tiny_models.py that compute the same as another family, under their own name.

Each is compared with the class of that family, or where transformers has none with llama.cpp alone.
"""
from tiny_layer_norm import layer_norm
from tiny_parts import (LLAMA_LAYER, WINDOW, Model, Shape, Tensor, attention, config, feed_forward, gain, layers, norms,
                        outer, pairs_to_halves, renamed, rms, rope, scale_of, scales_applied, split_qkv, unpermuted,
                        without_rotation)


def llama_kin():
    from transformers import LlamaConfig, LlamaForCausalLM

    def model(name, architecture, s, metadata, parts, change=None, outer_parts=(), **more):
        return Model(
            name, architecture, metadata, outer(s) + list(outer_parts) + layers(s, parts), "LlamaForCausalLM",
            lambda: LlamaForCausalLM(config(s, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                            tie_word_embeddings=False, **more)),
            lambda w: renamed(w, change=change))

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    yield model("xverse", "xverse", s, rms(s, **{"rope.dimension_count": 64}), parts, unpermuted(s))
    yield model("nanbeige", "nanbeige", s, rms(s, num_loops=1), parts, unpermuted(s))
    yield model("paddleocr", "paddleocr", s, rms(s, **{"rope.dimension_sections": [8, 12, 12, 0]}), parts)
    one = Shape(heads=4, kv_heads=1)
    parts = norms(one, ["attn_norm", "ffn_norm"]) + attention(one) + feed_forward(one)
    yield without_rotation(model("refact", "refact", one, rms(one), parts), 4)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, True, True) + feed_forward(s)
    yield model("pangu_embedded", "pangu-embedded", s, rms(s), parts, attention_bias=True)


def mistral3():
    from transformers import Ministral3Config, Ministral3ForCausalLM

    s = Shape()
    trained, factor = 64, 16.0
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    metadata = rms(s, **{
        "attention.temperature_scale": 0.25, "rope.scaling.type": "yarn", "rope.scaling.factor": factor,
        "rope.scaling.original_context_length": trained, "rope.scaling.yarn_beta_fast": 32.0,
        "rope.scaling.yarn_beta_slow": 1.0, "rope.scaling.yarn_log_multiplier": 1.0})
    parameters = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": factor, "beta_fast": 32.0, "beta_slow": 1.0,
                  "original_max_position_embeddings": trained, "mscale": 1.0, "mscale_all_dim": 1.0,
                  "llama_4_scaling_beta": 0.25}
    yield Model(
        "mistral3", "mistral3", metadata, outer(s) + layers(s, parts), "Ministral3ForCausalLM",
        lambda: Ministral3ForCausalLM(config(s, Ministral3Config, rms_norm_eps=1e-5, head_dim=64,
                                             rope_parameters=parameters, tie_word_embeddings=False)),
        lambda w: renamed(w, change=unpermuted(s)))


def bitnet():
    from transformers import BitNetConfig, BitNetForCausalLM

    s = Shape()
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s) +
             [gain("attn_sub_norm", s.q), gain("ffn_sub_norm", s.ff)])
    scales = [scale_of(t.name[:-len(".weight")]) for t in parts if len(t.shape) == 2]
    names = LLAMA_LAYER | {"attn_sub_norm": "self_attn.attn_sub_norm", "ffn_sub_norm": "mlp.ffn_sub_norm"}
    yield Model(
        "bitnet", "bitnet", rms(s, **{"rope.scaling.type": "linear", "rope.scaling.factor": 1.0}),
        outer(s, tied=True) + layers(s, parts + scales), "BitNetForCausalLM",
        lambda: BitNetForCausalLM(config(s, BitNetConfig, rms_norm_eps=1e-5, hidden_act="silu", tie_word_embeddings=True,
                                         rope_parameters=rope(10000.0))),
        lambda w: renamed(scales_applied(w), layer_names=names))


def granite_swa():
    from transformers import GraniteSWAConfig, GraniteSWAForCausalLM

    s = Shape(layers=4)
    scales = {"embedding_scale": 12.0, "residual_scale": 0.25, "logit_scale": 2.0, "attention.scale": 0.1875}
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s) +
             [Tensor("attn_sinks.weight", (s.heads,), 1.0, 2.0)])
    rotary = [True, True, True, False]

    def state(w):
        out = renamed(w, layer_names=LLAMA_LAYER | {"attn_sinks": "self_attn.sinks"}, change=unpermuted(s))
        return {n.replace("sinks.weight", "sinks"): t for n, t in out.items()}
    yield Model(
        "granite_swa", "granite_swa",
        rms(s, **scales, **{"attention.sliding_window": WINDOW, "attention.sliding_window_pattern": rotary,
                            "attention.rope_pattern": rotary}),
        outer(s, tied=True) + layers(s, parts), "GraniteSWAForCausalLM",
        lambda: GraniteSWAForCausalLM(config(
            s, GraniteSWAConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0), tie_word_embeddings=True,
            embedding_multiplier=12.0, residual_multiplier=0.25, logits_scaling=2.0, attention_multiplier=0.1875,
            sliding_window=WINDOW, bos_token_id=1, eos_token_id=2,
            layer_types=["sliding_attention"] * 3 + ["full_attention"], layer_rope_theta=[10000.0] * 3 + [0])),
        state)


def apertus():
    """The file has the numbers of xIELU before softplus."""
    import torch
    from transformers import ApertusConfig, ApertusForCausalLM

    s = Shape()
    alpha_p, alpha_n = [0.5, 0.25, -0.5], [0.75, -0.25, 0.125]
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s, gated=False) +
             [gain("attn_q_norm", 64), gain("attn_k_norm", 64)])
    names = LLAMA_LAYER | {"attn_norm": "attention_layernorm", "ffn_norm": "feedforward_layernorm"}

    def state(w):
        out = renamed(w, layer_names=names)
        for i in range(s.layers):
            out[f"model.layers.{i}.mlp.act_fn.alpha_p"] = torch.tensor([alpha_p[i]])
            out[f"model.layers.{i}.mlp.act_fn.alpha_n"] = torch.tensor([alpha_n[i]])
        return out
    yield Model(
        "apertus", "apertus", rms(s), outer(s) + layers(s, parts), "ApertusForCausalLM",
        lambda: ApertusForCausalLM(config(s, ApertusConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                          bos_token_id=1, eos_token_id=2, tie_word_embeddings=False)),
        state, buffers=("act_fn.beta", "act_fn.eps"),
        plain_metadata={"xielu.alpha_p": alpha_p, "xielu.alpha_n": alpha_n, "xielu.beta": [0.5] * s.layers,
                        "xielu.eps": [-1e-6] * s.layers})


def qwen_kin():
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

    all_heads = Shape(kv_heads=4)
    parts = norms(all_heads, ["attn_norm", "ffn_norm"]) + attention(all_heads, True, fused=True) + feed_forward(all_heads)
    common = dict(rms_norm_eps=1e-5, tie_word_embeddings=False)
    yield Model(
        "qwen", "qwen", rms(all_heads) | {"feed_forward_length": 2 * all_heads.ff},
        outer(all_heads) + layers(all_heads, parts), "Qwen2ForCausalLM",
        lambda: Qwen2ForCausalLM(config(all_heads, Qwen2Config, rope_parameters=rope(10000.0), **common)),
        lambda w: renamed(split_qkv(w, all_heads)))
    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, qkv_bias=True) + feed_forward(s)
    yield Model(
        "qwen2vl", "qwen2vl", rms(s, **{"rope.freq_base": 1000000.0, "rope.dimension_sections": [8, 12, 12, 0]}),
        outer(s) + layers(s, parts), "Qwen2ForCausalLM",
        lambda: Qwen2ForCausalLM(config(s, Qwen2Config, rope_parameters=rope(1e6), **common)), renamed)
    wide = Shape(embd=128, head_dim=128)
    head = {"attention.key_length": 128, "attention.value_length": 128}
    parts = (norms(wide, ["attn_norm", "ffn_norm"]) + attention(wide) + feed_forward(wide) +
             [gain("attn_q_norm", 128), gain("attn_k_norm", 128)])
    yield Model(
        "qwen3vl", "qwen3vl", rms(wide, **head, **{"rope.freq_base": 1000000.0, "n_deepstack_layers": 3,
                                                   "rope.dimension_sections": [24, 20, 20, 0]}),
        outer(wide) + layers(wide, parts), "Qwen3ForCausalLM",
        lambda: Qwen3ForCausalLM(config(wide, Qwen3Config, head_dim=128, rope_parameters=rope(1e6), **common)), renamed)


def hunyuan():
    from transformers import HunYuanDenseV1Config, HunYuanDenseV1ForCausalLM

    s = Shape()
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s) +
             [gain("attn_q_norm", 64), gain("attn_k_norm", 64)])
    names = LLAMA_LAYER | {"attn_q_norm": "self_attn.query_layernorm", "attn_k_norm": "self_attn.key_layernorm"}

    def model(name, architecture, change=None, **keys):
        return Model(
            name, architecture, rms(s, **keys), outer(s, tied=True) + layers(s, parts), "HunYuanDenseV1ForCausalLM",
            lambda: HunYuanDenseV1ForCausalLM(config(s, HunYuanDenseV1Config, rms_norm_eps=1e-5, head_dim=64,
                                                     rope_parameters=rope(10000.0), tie_word_embeddings=True)),
            lambda w: renamed(w, layer_names=names, change=change))
    yield model("hunyuan_dense", "hunyuan-dense")
    yield model("hunyuan_vl", "hunyuan_vl", **{"rope.dimension_sections": [8, 12, 12, 0]})

    def with_gains(name, w):
        return pairs_to_halves(w, 1) if name.endswith("_norm.weight") and w.shape == (64,) else unpermuted(s)(name, w)
    yield model("maincoder", "maincoder", with_gains)


def glm4_with_pictures():
    """The same rotary pairs, with their channels half of the rotated part apart."""
    from transformers import Glm4Config, Glm4ForCausalLM

    s = Shape()
    rotated = 32

    def pairs_from_halves(name, w):
        if not name.startswith(("attn_q.", "attn_k.")):
            return w
        w = w.reshape(-1, 64, *w.shape[1:])
        turned = w[:, :rotated].unflatten(1, (2, rotated // 2)).swapaxes(1, 2).flatten(1, 2)
        w = w.clone()
        w[:, :rotated] = turned
        return w.flatten(0, 1)
    parts = (norms(s, ["attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"]) + attention(s, True) +
             feed_forward(s, fused=True))
    names = LLAMA_LAYER | {"ffn_up": "mlp.gate_up_proj", "post_attention_norm": "post_self_attn_layernorm",
                           "post_ffw_norm": "post_mlp_layernorm"}
    yield Model(
        "glm4v", "glm4", rms(s, **{"rope.dimension_count": rotated, "rope.dimension_sections": [4, 6, 6, 0]}),
        outer(s) + layers(s, parts), "Glm4ForCausalLM",
        lambda: Glm4ForCausalLM(config(s, Glm4Config, rms_norm_eps=1e-5, tie_word_embeddings=False, pad_token_id=0,
                                       head_dim=64, attention_bias=True,
                                       rope_parameters=rope(10000.0, partial_rotary_factor=0.5))),
        lambda w: renamed(w, layer_names=names, change=pairs_from_halves))


def layer_norm_kin():
    from transformers import (Jais2Config, Jais2ForCausalLM, StableLmConfig, StableLmForCausalLM, Starcoder2Config,
                              Starcoder2ForCausalLM)

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"], True) + attention(s) + feed_forward(s)
    yield Model(
        "orion", "orion", layer_norm(s), outer(s, norm_bias=True) + layers(s, parts), "StableLmForCausalLM",
        lambda: StableLmForCausalLM(config(s, StableLmConfig, layer_norm_eps=1e-5, tie_word_embeddings=False,
                                           rope_parameters=rope(10000.0, partial_rotary_factor=1.0))), renamed)
    parts = (norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True, fused=True) +
             feed_forward(s, gated=False, biases=True))
    names = LLAMA_LAYER | {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
    yield Model(
        "codeshell", "codeshell", layer_norm(s), outer(s, norm_bias=True) + layers(s, parts), "Starcoder2ForCausalLM",
        lambda: Starcoder2ForCausalLM(config(s, Starcoder2Config, use_bias=True, norm_epsilon=1e-5,
                                             tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
                                             rope_parameters=rope(10000.0))),
        lambda w: renamed(split_qkv(w, s), layer_names=names), llama_cpp_tolerance=2e-2)
    parts = (norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True) +
             feed_forward(s, gated=False, biases=True))
    names = LLAMA_LAYER | {"ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    yield Model(
        "jais2", "jais2", layer_norm(s), outer(s, norm_bias=True) + layers(s, parts), "Jais2ForCausalLM",
        lambda: Jais2ForCausalLM(config(s, Jais2Config, layer_norm_eps=1e-5, tie_word_embeddings=False, head_dim=64,
                                        bos_token_id=1, eos_token_id=2, rope_parameters=rope(10000.0))),
        lambda w: renamed(w, layer_names=names))


def without_a_class():
    """Models that have no equivalent in transformers."""
    s = Shape(kv_heads=4)
    parts = norms(s, ["attn_norm"]) + attention(s) + feed_forward(s)
    yield Model("plamo", "plamo", rms(s), outer(s) + layers(s, parts), "llama.cpp")
    parts = norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True, fused=True) + feed_forward(s, biases=True)
    yield Model("jais", "jais", layer_norm(s, **{"attention.max_alibi_bias": 8.0}),
                outer(s, norm_bias=True) + layers(s, parts), "llama.cpp")


def models():
    for family in (llama_kin, mistral3, bitnet, granite_swa, apertus, qwen_kin, hunyuan, glm4_with_pictures, layer_norm_kin,
                   without_a_class):
        yield from family()
