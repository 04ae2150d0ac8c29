"""More small models of tiny_models.py with mixtures of experts: shared experts, Llama 4, SparseMixer."""
import dataclasses

import torch

from tiny_layer_norm import layer_norm
from tiny_mixtures import (COUNTS, EXPERT_FF, EXPERTS, SHARED_NAMES, SIGMOID, USED, experts, leading_dense, state_of)
from tiny_parts import (VOCABULARY, WINDOW, Model, Shape, Tensor, attention, bias, config, feed_forward, gain, layers, norms,
                        outer, renamed, rms, rope, split_qkv, unpermuted)

SELECTION_BIAS = Tensor("exp_probs_b.bias", (EXPERTS,), 0.0, 0.25)
WIDTHS = COUNTS | {"expert_feed_forward_length": EXPERT_FF}


def plain_shared_expert(state):
    """Qwen2Moe's shared expert has a gate. Zero weights open it by a half, so the output is doubled."""
    out = {}
    for name, w in state.items():
        out[name] = 2 * w if "shared_expert.down_proj" in name else w
        if "shared_expert.up_proj" in name:
            out[name.replace("shared_expert.up_proj", "shared_expert_gate")] = torch.zeros(1, w.shape[1])
    return out


def deepseek():
    from transformers import Qwen2MoeConfig, Qwen2MoeForCausalLM

    s = Shape(kv_heads=4)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s)
    mixture = experts(s.embd, EXPERT_FF, shared=EXPERT_FF)
    names = {k: v.replace("shared_experts", "shared_expert") for k, v in SHARED_NAMES.items()}

    def model(name, tensors, keys, normalise, dense):
        state = state_of(names, unpermuted(s))
        return Model(
            name, name, rms(s, **WIDTHS, **keys, expert_shared_count=1), outer(s) + tensors, "Qwen2MoeForCausalLM",
            lambda: Qwen2MoeForCausalLM(config(
                s, Qwen2MoeConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0), num_experts=EXPERTS,
                num_experts_per_tok=USED, moe_intermediate_size=EXPERT_FF, shared_expert_intermediate_size=EXPERT_FF,
                norm_topk_prob=normalise, mlp_only_layers=dense, qkv_bias=False, tie_word_embeddings=False)),
            lambda w: plain_shared_expert(state(w)))
    yield model("deepseek", leading_dense(s, parts, mixture), {"leading_dense_block_count": 1}, False, [0])
    yield model("bailingmoe", layers(s, parts + mixture), {"expert_weights_norm": True, "rope.dimension_count": 64},
                True, [])


def with_correction(names, bias_name="mlp.gate.e_score_correction_bias"):
    plain = state_of(names | {"exp_probs_b": "mlp.selection"})
    return lambda w: {n.replace("mlp.selection.bias", bias_name): t for n, t in plain(w).items()}


def scored():
    from transformers import (ExaoneMoeConfig, ExaoneMoeForCausalLM, Glm4MoeConfig, Glm4MoeForCausalLM, HYV3Config,
                              HYV3ForCausalLM, MiniMaxM2Config, MiniMaxM2ForCausalLM)

    s = Shape()
    head_norms = [gain("attn_q_norm", 64), gain("attn_k_norm", 64)]
    shared = experts(s.embd, EXPERT_FF, shared=EXPERT_FF) + [SELECTION_BIAS]
    keys = WIDTHS | {"expert_shared_count": 1, "leading_dense_block_count": 1, "expert_gating_func": SIGMOID,
                     "expert_weights_norm": True, "expert_weights_scale": 2.5}
    common = dict(rms_norm_eps=1e-5, tie_word_embeddings=False, num_experts_per_tok=USED,
                  moe_intermediate_size=EXPERT_FF, first_k_dense_replace=1, norm_topk_prob=True,
                  routed_scaling_factor=2.5, head_dim=64)

    # Two groups of four.
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s, fused=True) + head_norms
    state = with_correction(SHARED_NAMES)
    yield Model(
        "bailingmoe2", "bailingmoe2",
        rms(s, **keys, **{"rope.dimension_count": 32, "expert_group_count": 4, "expert_group_used_count": 2}),
        outer(s) + leading_dense(s, parts, shared), "Glm4MoeForCausalLM",
        lambda: Glm4MoeForCausalLM(config(
            s, Glm4MoeConfig, **common, n_routed_experts=EXPERTS, n_shared_experts=1, n_group=4, topk_group=2,
            attention_bias=False, use_qk_norm=True, rope_parameters=rope(10000.0, partial_rotary_factor=0.5))),
        lambda w: state(split_qkv(w, s)))

    s4 = Shape(layers=4)
    parts = norms(s4, ["attn_norm", "ffn_norm"]) + attention(s4) + head_norms
    yield Model(
        "exaone_moe", "exaone-moe", rms(s4, **keys, **{"attention.sliding_window": WINDOW}),
        outer(s4) + leading_dense(s4, parts, shared), "ExaoneMoeForCausalLM",
        lambda: ExaoneMoeForCausalLM(config(
            s4, ExaoneMoeConfig, **common, num_experts=EXPERTS, num_shared_experts=1, sliding_window=WINDOW,
            bos_token_id=1, eos_token_id=2, rope_parameters=rope(10000.0))),
        with_correction(SHARED_NAMES))

    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + head_norms
    own_name = [dataclasses.replace(t, name="exp_probs_b") if t is SELECTION_BIAS else t for t in shared]
    own_state = with_correction(SHARED_NAMES, "mlp.e_score_correction_bias")
    yield Model(
        "hy_v3", "hy_v3", rms(s, **keys), outer(s) + leading_dense(s, parts, own_name), "HYV3ForCausalLM",
        lambda: HYV3ForCausalLM(config(
            s, HYV3Config, rms_norm_eps=1e-5, head_dim=64, num_experts=EXPERTS, num_experts_per_tok=USED,
            num_shared_experts=1, moe_intermediate_size=EXPERT_FF, router_scaling_factor=2.5, bos_token_id=1,
            eos_token_id=2, mlp_layer_types=["dense"] + ["sparse"] * (s.layers - 1), rope_parameters=rope(10000.0),
            tie_word_embeddings=False)),
        lambda w: own_state({n + ".bias" * n.endswith("exp_probs_b"): t for n, t in w.items()}))

    narrow = Shape(ff=EXPERT_FF)
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + experts(s.embd, EXPERT_FF) +
             [gain("attn_q_norm", s.q), gain("attn_k_norm", s.kv), SELECTION_BIAS])
    yield Model(
        "minimax_m2", "minimax-m2",
        rms(narrow, **WIDTHS, **{"expert_gating_func": SIGMOID, "rope.dimension_count": 32,
                                 "attention.key_length": 64, "attention.value_length": 64}),
        outer(s) + layers(s, parts), "MiniMaxM2ForCausalLM",
        lambda: MiniMaxM2ForCausalLM(config(
            narrow, MiniMaxM2Config, rms_norm_eps=1e-5, head_dim=64, num_local_experts=EXPERTS, num_experts_per_tok=USED,
            bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
            rope_parameters=rope(10000.0, partial_rotary_factor=0.5))),
        with_correction({}, "mlp.e_score_correction_bias"))


def hunyuan():
    from transformers import HunYuanMoEV1Config, HunYuanMoEV1ForCausalLM

    s = Shape(ff=EXPERT_FF)
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + experts(s.embd, s.ff, shared=s.ff) +
             [gain("attn_q_norm", 64), gain("attn_k_norm", 64)])
    names = {k: v.replace("shared_experts", "shared_mlp") for k, v in SHARED_NAMES.items()} | {
        "ffn_gate_inp": "mlp.gate.wg", "attn_q_norm": "self_attn.query_layernorm",
        "attn_k_norm": "self_attn.key_layernorm"}
    yield Model(
        "hunyuan_moe", "hunyuan-moe", rms(s, **WIDTHS, expert_shared_feed_forward_length=s.ff),
        outer(s) + layers(s, parts), "HunYuanMoEV1ForCausalLM",
        lambda: HunYuanMoEV1ForCausalLM(config(
            s, HunYuanMoEV1Config, rms_norm_eps=1e-5, head_dim=64, num_experts=EXPERTS, moe_topk=USED,
            rope_parameters=rope(10000.0), tie_word_embeddings=False)),
        state_of(names))


def qwen_kin():
    from transformers import MellumConfig, MellumForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

    wide = Shape(embd=128, head_dim=128, layers=4)
    head = {"attention.key_length": 128, "attention.value_length": 128}
    parts = (norms(wide, ["attn_norm", "ffn_norm"]) + attention(wide) + experts(wide.embd, EXPERT_FF) +
             [gain("attn_q_norm", 128), gain("attn_k_norm", 128)])
    common = dict(rms_norm_eps=1e-5, head_dim=128, num_experts=EXPERTS, num_experts_per_tok=USED, norm_topk_prob=True,
                  moe_intermediate_size=EXPERT_FF, tie_word_embeddings=False)
    # Beyond three times a section's length llama.cpp leaves two of three pairs as they are: such that hardly turn, with a
    # base like that of the published models.
    two = dataclasses.replace(wide, layers=2)
    yield Model(
        "qwen3vlmoe", "qwen3vlmoe",
        rms(two, **WIDTHS, **head, **{"rope.freq_base": 5000000.0, "n_deepstack_layers": 3, "rope.dimension_sections": [24, 20, 20, 0]}),
        outer(two) + layers(two, parts), "Qwen3MoeForCausalLM",
        lambda: Qwen3MoeForCausalLM(config(two, Qwen3MoeConfig, **common, rope_parameters=rope(5e6))), state_of({}))
    yarn = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256}
    scaled = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 256,
              "beta_fast": 32.0, "beta_slow": 1.0}
    yield Model(
        "mellum", "mellum", rms(wide, **WIDTHS, **head, **yarn, **{
            "attention.sliding_window": WINDOW, "attention.sliding_window_pattern": [True, True, True, False]}),
        outer(wide) + layers(wide, parts), "MellumForCausalLM",
        lambda: MellumForCausalLM(config(
            wide, MellumConfig, **common, sliding_window=WINDOW,
            layer_types=["sliding_attention"] * 3 + ["full_attention"],
            rope_parameters={"full_attention": scaled, "sliding_attention": rope(10000.0)})),
        state_of({}))


def phimoe():
    from transformers import PhimoeConfig, PhimoeForCausalLM

    s = Shape(ff=EXPERT_FF)
    # Weights are near 1 each, or jump to a half where two experts come near each other: these add less than others.
    mixture = [dataclasses.replace(t, amplitude=t.amplitude / 4) if t.name.startswith("ffn_down_exps") else t
               for t in experts(s.embd, s.ff)]
    parts = norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True) + mixture
    yield Model(
        "phimoe", "phimoe", rms(s, **COUNTS | {"expert_used_count": 2}),
        outer(s, norm_bias=True) + [bias("output", VOCABULARY)] + layers(s, parts), "PhimoeForCausalLM",
        lambda: PhimoeForCausalLM(config(
            s, PhimoeConfig, rms_norm_eps=1e-5, num_local_experts=EXPERTS, num_experts_per_tok=2, attention_bias=True,
            lm_head_bias=True, rope_parameters=rope(10000.0), tie_word_embeddings=False)),
        state_of({"ffn_gate_inp": "mlp.router"}),
        llama_cpp_tolerance=None)  # which normalises by mean squares, and divides the weights by their sum


def smallthinker():
    """Not in transformers."""
    s = Shape(layers=5)  # llama.cpp rotates all of four
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + experts(s.embd, EXPERT_FF, spread=0.75)
    # llama.cpp knows no other window.
    yield Model("smallthinker", "smallthinker",
                rms(s, **WIDTHS, **{"expert_gating_func": SIGMOID, "attention.sliding_window": 4096}),
                outer(s, tied=True) + layers(s, parts), "llama.cpp")


def dbrx():
    from transformers import DbrxConfig, DbrxForCausalLM

    s = Shape(ff=EXPERT_FF)
    parts = norms(s, ["attn_norm", "attn_output_norm"]) + attention(s, fused=True) + experts(s.embd, s.ff)
    outer_names = {"token_embd": "transformer.wte", "output_norm": "transformer.norm_f", "output": "lm_head"}
    names = {"attn_norm": "norm_attn_norm.norm_1", "attn_output_norm": "norm_attn_norm.norm_2",
             "attn_qkv": "norm_attn_norm.attn.Wqkv", "attn_output": "norm_attn_norm.attn.out_proj",
             "ffn_gate_inp": "ffn.router.layer", "ffn_gate_exps": "ffn.experts.mlp.w1",
             "ffn_up_exps": "ffn.experts.mlp.v1", "ffn_down_exps": "ffn.experts.mlp.w2"}

    def state(w):
        """Stacks the experts and transposes the down matrix."""
        out = {}
        for name, t in renamed(w, outer_names, names, "transformer.blocks").items():
            if "experts.mlp" in name:
                t = t.transpose(1, 2) if ".w2." in name else t
                out[name[:-len(".weight")]] = t.flatten(0, 1).contiguous()
            else:
                out[name] = t
        return out
    yield Model(
        "dbrx", "dbrx", layer_norm(s, **COUNTS, **{"attention.clamp_kqv": 2.0}), outer(s) + layers(s, parts),
        "DbrxForCausalLM",
        lambda: DbrxForCausalLM(DbrxConfig(
            d_model=s.embd, n_heads=s.heads, n_layers=s.layers, vocab_size=VOCABULARY, tie_word_embeddings=False,
            rope_parameters=rope(10000.0), attn_implementation="eager",
            attn_config={"clip_qkv": 2.0, "kv_n_heads": s.kv_heads, "rope_theta": 10000.0},
            ffn_config={"hidden_size": s.embd, "ffn_hidden_size": s.ff, "moe_num_experts": EXPERTS, "moe_top_k": USED})),
        state)


def llama4():
    from transformers import Llama4ForCausalLM, Llama4TextConfig

    s = Shape(layers=4)
    dense = [t for t in layers(s, feed_forward(s)) if t.name.startswith(("blk.0.", "blk.2."))]
    mixture = [t for t in layers(s, experts(s.embd, EXPERT_FF, shared=EXPERT_FF))
               if t.name.startswith(("blk.1.", "blk.3."))]
    tensors = layers(s, norms(s, ["attn_norm", "ffn_norm"]) + attention(s)) + dense + mixture
    names = {"attn_q": "self_attn.q_proj", "ffn_gate": "feed_forward.gate_proj", "ffn_up": "feed_forward.up_proj",
             "ffn_down": "feed_forward.down_proj", "ffn_gate_inp": "feed_forward.router"} | {
        k: v.replace("mlp.shared_experts", "feed_forward.shared_expert") for k, v in SHARED_NAMES.items()}

    def state(w):
        out = state_of(names, prefix="feed_forward.experts")(w)
        return {n: t.transpose(1, 2).contiguous() if ".experts." in n else t for n, t in out.items()}

    def model(name, keys, stretch, floor, tolerance):
        return Model(
            name, "llama4", rms(s, **COUNTS, **keys, interleave_moe_layer_step=2, expert_feed_forward_length=EXPERT_FF),
            outer(s) + tensors, "Llama4ForCausalLM",
            lambda: Llama4ForCausalLM(Llama4TextConfig(
                vocab_size=VOCABULARY, hidden_size=s.embd, intermediate_size=EXPERT_FF, intermediate_size_mlp=s.ff,
                num_hidden_layers=s.layers, num_attention_heads=s.heads, num_key_value_heads=s.kv_heads, head_dim=64,
                max_position_embeddings=1024, rms_norm_eps=1e-5, num_local_experts=EXPERTS, num_experts_per_tok=USED,
                interleave_moe_layer_step=2, use_qk_norm=True, attention_chunk_size=stretch, floor_scale=floor,
                rope_parameters=rope(10000.0), tie_word_embeddings=False, attn_implementation="eager")),
            state, llama_cpp_tolerance=tolerance, llama_cpp_stretches=False)
    yield model("llama4", {}, 8192, 8192, 1e-3)
    # Short, to fit the text; llama.cpp only supports the stretch of the published models.
    yield model("llama4_stretches", {"attention.sliding_window": 128, "attention.temperature_length": 64}, 128, 64, None)


def models():
    for family in (deepseek, scored, hunyuan, qwen_kin, phimoe, smallthinker, dbrx, llama4):
        yield from family()
