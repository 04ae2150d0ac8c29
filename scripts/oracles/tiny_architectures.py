"""The small models of tiny_models.py: their metadata and tensors in GGUF, and the same model in transformers.

Here those with RMS norms, gated feed-forward blocks and rotary embeddings; tiny_layer_norm.py has the others.
Sizes are small but shaped like real ones: several query heads share a key-value head, heads have 64 channels
(128 in some), windows end inside the text, vectors of norms and biases are random.
"""
import dataclasses
import math

import tiny_gates
import tiny_gemma4
import tiny_hybrids
import tiny_kin
import tiny_latent
import tiny_layer_norm
import tiny_mixtures
import tiny_more_mixtures
import tiny_odd_mixtures
from tiny_parts import (CONTEXT, WINDOW, LLAMA_LAYER, Model, Shape, attention, config, feed_forward, gain, layers,
                        norms, norms_less_one, outer, renamed, rms, rope, scale_of, scales_applied, sizes, split_qkv,
                        unpermuted, without_rotation)


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
    scales = [scale_of(t.name[:-len(".weight")]) for t in parts if len(t.shape) == 2]
    # llama.cpp reads a scale of the output only with NVFP4 blocks.
    for name, more, tolerance in [("llama_scales", [], 1e-3), ("llama_output_scale", [scale_of("output")], None)]:
        yield Model(
            name, "llama", rms(s), outer(s) + more + layers(s, parts + scales), "LlamaForCausalLM",
            lambda: LlamaForCausalLM(config(s, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                            tie_word_embeddings=False)),
            lambda w: renamed(scales_applied(w), change=unpermuted(s)), llama_cpp_tolerance=tolerance)
    biased = Shape(head_dim=128, heads=2, kv_heads=1)
    parts = (norms(biased, ["attn_norm", "ffn_norm"]) + attention(biased, True, True) +
             feed_forward(biased, biases=True))
    yield Model(
        "llama_biases", "llama", rms(biased, **{"attention.key_length": 128, "attention.value_length": 128}),
        outer(biased, tied=True) + layers(biased, parts), "LlamaForCausalLM",
        lambda: LlamaForCausalLM(config(biased, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                        attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
        lambda w: renamed(w, change=unpermuted(biased)))


def stretched():
    """A model of 70 tokens of context whose user wants three times as many."""
    from transformers import LlamaConfig, LlamaForCausalLM

    s = Shape(layers=2)
    trained, scale = 70, 3.0
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    for kind in ("linear", "yarn"):
        parameters = {"rope_type": kind, "rope_theta": 10000.0, "factor": scale} | (
            {"original_max_position_embeddings": trained} if kind == "yarn" else {})
        yield Model(
            f"llama_3x_{kind}", "llama", rms(s) | {"context_length": trained}, outer(s) + layers(s, parts),
            f"LlamaForCausalLM, rope_scaling {kind} by 3",
            lambda parameters=parameters: LlamaForCausalLM(config(s, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=parameters,
                                                                  tie_word_embeddings=False)),
            lambda w: renamed(w, change=unpermuted(s)), rope={"scaling": kind, "scale": scale})


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
        lambda w: renamed(w, layer_names=GEMMA_LAYER, change=norms_less_one), llama_cpp_tolerance=2e-2,
        llama_cpp_stretches=False)
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


def phi3():
    from transformers import Phi3Config, Phi3ForCausalLM

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, fused=True) + feed_forward(s, fused=True)
    names = LLAMA_LAYER | {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}
    # llama.cpp ignores the windows.
    for name, window, tolerance in [("phi3", 2047, 1e-3), ("phi3_window", WINDOW, None)]:
        yield Model(
            name, "phi3", rms(s, **{"rope.dimension_count": 48, "attention.sliding_window": window}),
            outer(s) + layers(s, parts), "Phi3ForCausalLM",
            lambda window=window: Phi3ForCausalLM(config(
                s, Phi3Config, rms_norm_eps=1e-5, tie_word_embeddings=False, pad_token_id=0, sliding_window=window,
                rope_parameters=rope(10000.0, partial_rotary_factor=0.75))),
            lambda w: renamed(w, layer_names=names), llama_cpp_tolerance=tolerance)


def llama_kin():
    """Families whose files hold Llama under another name, or with a few factors."""
    from transformers import GraniteConfig, GraniteForCausalLM, LlamaConfig, LlamaForCausalLM

    def plain(name, architecture, s, permuted=True, **rms_more):
        parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
        return Model(
            name, architecture, rms(s, **rms_more), outer(s) + layers(s, parts), "LlamaForCausalLM",
            lambda: LlamaForCausalLM(config(s, LlamaConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                            tie_word_embeddings=False)),
            lambda w: renamed(w, change=unpermuted(s) if permuted else None))

    yield plain("internlm2", "internlm2", Shape())
    yield plain("exaone", "exaone", Shape(), permuted=False)
    yield plain("baichuan_7b", "baichuan", Shape(embd=128, heads=2, ff=64, layers=32))
    yield without_rotation(plain("baichuan_13b", "baichuan", Shape(embd=192, heads=3, kv_heads=3, ff=64, layers=40)), 3)

    def scaled(name, architecture, s, embedding, residual, logits, attention_scale=None):
        keys = {"embedding_scale": embedding, "residual_scale": residual, "logit_scale": logits}
        if attention_scale:
            keys["attention.scale"] = attention_scale
        parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
        return Model(
            name, architecture, rms(s, **keys), outer(s, tied=True) + layers(s, parts), "GraniteForCausalLM",
            lambda: GraniteForCausalLM(config(
                s, GraniteConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0), tie_word_embeddings=True,
                embedding_multiplier=embedding, residual_multiplier=residual, logits_scaling=logits,
                attention_multiplier=attention_scale or s.head_dim ** -0.5)),
            lambda w: renamed(w, change=unpermuted(s)))

    yield scaled("granite", "granite", Shape(), 12.0, 0.25, 2.0, 0.1875)
    yield scaled("minicpm", "minicpm", Shape(), 12.0, 1.4 / math.sqrt(3), 0.5)


def smollm3():
    from transformers import SmolLM3Config, SmolLM3ForCausalLM

    s = Shape(layers=4)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    yield Model(
        "smollm3", "smollm3", rms(s, **{"rope.freq_base": 50000.0}), outer(s, tied=True) + layers(s, parts),
        "SmolLM3ForCausalLM",
        lambda: SmolLM3ForCausalLM(config(s, SmolLM3Config, rms_norm_eps=1e-5, rope_parameters=rope(50000.0),
                                          tie_word_embeddings=True, pad_token_id=0, no_rope_layer_interval=4)),
        lambda w: renamed(w, change=unpermuted(s)))


def olmo():
    from transformers import (Olmo2Config, Olmo2ForCausalLM, Olmo3Config, Olmo3ForCausalLM, OlmoConfig,
                              OlmoForCausalLM)

    s = Shape()
    parts = attention(s) + feed_forward(s)
    yield Model(
        "olmo", "olmo", sizes(s, **{"attention.layer_norm_epsilon": 1e-5, "attention.clamp_kqv": 2.0}),
        [t for t in outer(s) if t.name != "output_norm.weight"] + layers(s, parts), "OlmoForCausalLM",
        lambda: OlmoForCausalLM(config(s, OlmoConfig, clip_qkv=2.0, rope_parameters=rope(10000.0),
                                       tie_word_embeddings=False)),
        lambda w: renamed(w, change=unpermuted(s)))
    parts = (parts + norms(s, ["post_attention_norm", "post_ffw_norm"]) +
             [gain("attn_q_norm", s.q), gain("attn_k_norm", s.kv)])
    names = LLAMA_LAYER | {"post_attention_norm": "post_attention_layernorm",
                           "post_ffw_norm": "post_feedforward_layernorm"}
    common = dict(rms_norm_eps=1e-5, tie_word_embeddings=False, rope_parameters=rope(500000.0))
    yield Model(
        "olmo2", "olmo2", rms(s, **{"rope.freq_base": 500000.0}), outer(s) + layers(s, parts), "Olmo2ForCausalLM",
        lambda: Olmo2ForCausalLM(config(s, Olmo2Config, **common)),
        lambda w: renamed(w, layer_names=names))
    s4 = Shape(layers=4)
    yield Model(
        "olmo3", "olmo2", rms(s4, **{"rope.freq_base": 500000.0, "attention.sliding_window": WINDOW,
                                     "attention.sliding_window_pattern": [True, True, True, False]}),
        outer(s4) + layers(s4, parts), "Olmo3ForCausalLM",
        lambda: Olmo3ForCausalLM(config(s4, Olmo3Config, **common, sliding_window=WINDOW)),
        lambda w: renamed(w, layer_names=names))


def glm():
    from transformers import Glm4Config, Glm4ForCausalLM, GlmConfig, GlmForCausalLM

    s = Shape()
    common = dict(rms_norm_eps=1e-5, tie_word_embeddings=False, pad_token_id=0, head_dim=64, attention_bias=True,
                  rope_parameters=rope(10000.0, partial_rotary_factor=0.5))
    names = LLAMA_LAYER | {"ffn_up": "mlp.gate_up_proj"}
    half = {"rope.dimension_count": 32}
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, True, fused=True) + feed_forward(s, fused=True)
    yield Model(
        "chatglm", "chatglm", rms(s, **half), outer(s) + layers(s, parts), "GlmForCausalLM",
        lambda: GlmForCausalLM(config(s, GlmConfig, **common)),
        lambda w: renamed(split_qkv(w, s), layer_names=names))
    parts = (norms(s, ["attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"]) + attention(s, True) +
             feed_forward(s, fused=True))
    names = names | {"post_attention_norm": "post_self_attn_layernorm", "post_ffw_norm": "post_mlp_layernorm"}
    yield Model(
        "glm4", "glm4", rms(s, **half), outer(s) + layers(s, parts), "Glm4ForCausalLM",
        lambda: Glm4ForCausalLM(config(s, Glm4Config, **common)),
        lambda w: renamed(w, layer_names=names))


def exaone4():
    from transformers import Exaone4Config, Exaone4ForCausalLM

    s = Shape(layers=4)
    parts = (norms(s, ["post_attention_norm", "post_ffw_norm"]) + attention(s) + feed_forward(s) +
             [gain("attn_q_norm", 64), gain("attn_k_norm", 64)])
    names = LLAMA_LAYER | {"post_attention_norm": "post_attention_layernorm",
                           "post_ffw_norm": "post_feedforward_layernorm"}
    # llama.cpp identifies the models with windows by their 64 layers.
    for name, windows, more, tolerance in [
            ("exaone4", {}, {"sliding_window": None, "layer_types": ["full_attention"] * 4}, 1e-3),
            ("exaone4_32b", {"attention.sliding_window": WINDOW}, {"sliding_window": WINDOW}, None)]:
        yield Model(
            name, "exaone4", rms(s, **windows), outer(s, tied=True) + layers(s, parts), "Exaone4ForCausalLM",
            lambda more=more: Exaone4ForCausalLM(config(s, Exaone4Config, rms_norm_eps=1e-5, tie_word_embeddings=True,
                                                        head_dim=64, rope_parameters=rope(10000.0), **more)),
            lambda w: renamed(w, layer_names=names), llama_cpp_tolerance=tolerance)


def others():
    from transformers import (ArceeConfig, ArceeForCausalLM, Ernie4_5Config, Ernie4_5ForCausalLM, SeedOssConfig,
                              SeedOssForCausalLM)

    s = Shape()
    common = dict(rms_norm_eps=1e-5, rope_parameters=rope(10000.0), bos_token_id=1, eos_token_id=2, pad_token_id=0)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s, gated=False)
    yield Model("arcee", "arcee", rms(s), outer(s) + layers(s, parts), "ArceeForCausalLM",
                lambda: ArceeForCausalLM(config(s, ArceeConfig, tie_word_embeddings=False, **common)),
                lambda w: renamed(w, change=unpermuted(s)))
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + feed_forward(s)
    yield Model("ernie4_5", "ernie4_5", rms(s), outer(s, tied=True) + layers(s, parts), "Ernie4_5ForCausalLM",
                lambda: Ernie4_5ForCausalLM(config(s, Ernie4_5Config, tie_word_embeddings=True, head_dim=64, **common)),
                renamed)
    parts = norms(s, ["attn_norm", "post_attention_norm"]) + attention(s, qkv_bias=True) + feed_forward(s)
    names = LLAMA_LAYER | {"post_attention_norm": "post_attention_layernorm"}
    yield Model("seed_oss", "seed_oss", rms(s), outer(s) + layers(s, parts), "SeedOssForCausalLM",
                lambda: SeedOssForCausalLM(config(s, SeedOssConfig, tie_word_embeddings=False, head_dim=64,
                                                  attention_bias=True, attention_out_bias=False, **common)),
                lambda w: renamed(w, layer_names=names))


def models():
    for family in (llama, stretched, llama_kin, qwen, gemma, phi3, smollm3, olmo, glm, exaone4, others):
        yield from family()
    for module in (tiny_kin, tiny_layer_norm, tiny_mixtures, tiny_more_mixtures, tiny_odd_mixtures, tiny_latent, tiny_gates, tiny_gemma4,
                   tiny_hybrids):
        yield from module.models()
