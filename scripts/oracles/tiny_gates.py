"""The small models of tiny_models.py whose heads have gates."""
import dataclasses

from tiny_mixtures import EXPERT_FF, EXPERTS, SHARED_NAMES, SIGMOID, USED, experts, leading_dense
from tiny_more_mixtures import SELECTION_BIAS, WIDTHS, with_correction
from tiny_parts import WINDOW, Model, Shape, attention, config, feed_forward, gain, layers, matrix, norms, outer, rms, rope

HEAD_NORMS = [gain("attn_q_norm", 64), gain("attn_k_norm", 64)]
HEAD = {"attention.key_length": 64, "attention.value_length": 64}
SHARED = experts(256, EXPERT_FF, shared=EXPERT_FF) + [SELECTION_BIAS]


def afmoe():
    from transformers import AfmoeConfig, AfmoeForCausalLM

    s = Shape(layers=4)
    parts = (norms(s, ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]) + attention(s) + HEAD_NORMS +
             [matrix("attn_gate", s.q, s.embd, 1.5)])
    names = SHARED_NAMES | {
        "attn_gate": "self_attn.gate_proj", "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_mlp_layernorm", "post_ffw_norm": "post_mlp_layernorm", "ffn_gate_inp": "mlp.router.gate"}
    yield Model(
        "afmoe", "afmoe",
        rms(s, **WIDTHS, **HEAD, **{
            "expert_shared_count": 1, "leading_dense_block_count": 1, "expert_weights_norm": True,
            "expert_weights_scale": 2.5, "attention.sliding_window": WINDOW}),
        outer(s, embedding=1 / 16) + leading_dense(s, parts, SHARED), "AfmoeForCausalLM",
        lambda: AfmoeForCausalLM(config(
            s, AfmoeConfig, rms_norm_eps=1e-5, head_dim=64, num_experts=EXPERTS, num_experts_per_tok=USED,
            num_shared_experts=1, num_dense_layers=1, moe_intermediate_size=EXPERT_FF, route_scale=2.5,
            sliding_window=WINDOW, mup_enabled=True, rope_parameters=rope(10000.0), tie_word_embeddings=False)),
        with_correction(names, "mlp.expert_bias"), llama_cpp_stretches=False)


def laguna():
    from transformers import LagunaConfig, LagunaForCausalLM

    s = Shape(layers=4)
    names = SHARED_NAMES | {"attn_gate": "self_attn.g_proj"}
    metadata = rms(s, **WIDTHS, **HEAD, **{
        "expert_shared_feed_forward_length": EXPERT_FF, "leading_dense_block_count": 1, "expert_gating_func": SIGMOID,
        "expert_weights_norm": True, "expert_weights_scale": 2.5, "rope.dimension_count": 32, "rope.freq_base": 500000.0})

    def parts(heads, gates):
        one = dataclasses.replace(s, heads=heads)
        return norms(s, ["attn_norm", "ffn_norm"]) + attention(one) + HEAD_NORMS + [matrix("attn_gate", gates, s.embd, 1.5)]

    def model(name, heads, keys, tensors, gating, **more):
        return Model(
            name, "laguna", metadata | {"attention.head_count": heads} | keys, outer(s) + tensors, "LagunaForCausalLM",
            lambda: LagunaForCausalLM(config(
                s, LagunaConfig, rms_norm_eps=1e-5, head_dim=64, num_experts=EXPERTS, num_experts_per_tok=USED,
                moe_intermediate_size=EXPERT_FF, shared_expert_intermediate_size=EXPERT_FF, moe_routed_scaling_factor=2.5,
                gating=gating, num_attention_heads_per_layer=heads, tie_word_embeddings=False, bos_token_id=1,
                eos_token_id=2, **more)),
            with_correction(names))
    full = {"rope_type": "default", "rope_theta": 500000.0, "partial_rotary_factor": 0.5}
    yield model("laguna", [4] * 4, {}, leading_dense(s, parts(4, s.q), SHARED), "per-element",
                rope_parameters={"full_attention": full})
    # llama.cpp does not read this cap for this architecture.
    yield dataclasses.replace(
        model("laguna_capped", [4] * 4, {"router_logit_softcapping": 1.0}, leading_dense(s, parts(4, s.q), SHARED),
              "per-element", rope_parameters={"full_attention": full}, moe_router_logit_softcapping=1.0),
        llama_cpp_tolerance=None)
    # Layers with windows have more heads, and all their channels rotate.
    heads = [4, 6, 6, 6]
    tensors = [t for i, n in enumerate(heads) for t in layers(s, parts(n, n)) if t.name.startswith(f"blk.{i}.")]
    tensors += layers(Shape(layers=1), feed_forward(s)) + layers(s, SHARED)[len(SHARED):]
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256, "beta_fast": 32.0, "beta_slow": 1.0}
    yield model(
        "laguna_windows", heads,
        {"attention.sliding_window": WINDOW, "rope.dimension_count_swa": 64, "rope.freq_base_swa": 10000.0,
         "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256,
         "rope.scaling.yarn_beta_fast": 32.0, "rope.scaling.yarn_beta_slow": 1.0},
        tensors, True, sliding_window=WINDOW, layer_types=["full_attention"] + ["sliding_attention"] * 3,
        rope_parameters={"full_attention": full | yarn, "sliding_attention": rope(10000.0, partial_rotary_factor=1.0)})


def muse_glimmer():
    """transformers only has it as part of a model for pictures."""
    s = Shape(layers=4)
    parts = (norms(s, ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]) + attention(s) + feed_forward(s) +
             HEAD_NORMS + [matrix("attn_gate", s.q, s.embd, 1.5)])
    yield Model(
        "muse_glimmer", "muse-glimmer",
        rms(s, **HEAD, **{"attention.sliding_window": WINDOW, "logit_scale": 0.5, "final_logit_softcapping": 2.0,
                          "attention.sliding_window_pattern": [True, True, True, False]}),
        outer(s) + layers(s, parts), "llama.cpp")


def models():
    for family in (afmoe, laguna, muse_glimmer):
        yield from family()
