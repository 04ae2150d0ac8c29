"""The small models of tiny_models.py whose feed-forward blocks are mixtures of experts."""
import torch

from tiny_parts import (LLAMA_LAYER, LLAMA_OUTER, VOCABULARY, WINDOW, Model, Shape, Tensor, attention, bias, config,
                        feed_forward, gain, layers, matrix, norms, outer, power_of_two, renamed, rms, rope, scale_of,
                        scales_applied, unpermuted)

EXPERTS = 8
USED = 3
EXPERT_FF = 64
COUNTS = {"expert_count": EXPERTS, "expert_used_count": USED}


def expert_matrices(name, rows, cols, spread=1.0):
    one = matrix(name, rows, cols, spread)
    return Tensor(one.name, (EXPERTS, rows, cols), 0.0, one.amplitude)


def experts(embd, ff, spread=1.5, shared=0, gate=False):
    """spread: of the router's logits"""
    tensors = [matrix("ffn_gate_inp", EXPERTS, embd, spread), expert_matrices("ffn_gate_exps", ff, embd, 1.5),
               expert_matrices("ffn_up_exps", ff, embd, 1.5), expert_matrices("ffn_down_exps", embd, ff, 2.0)]
    if shared:
        tensors += [matrix("ffn_gate_shexp", shared, embd, 1.5), matrix("ffn_up_shexp", shared, embd, 1.5),
                    matrix("ffn_down_shexp", embd, shared)]
    if gate:
        tensors.append(Tensor("ffn_gate_inp_shexp.weight", (embd,), 0.0, power_of_two(0.1)))
    return tensors


def merged(state, prefix):
    """For classes with gate and up of all experts in one tensor. `prefix` comes before the layers' names."""
    out = {}
    for name, w in state.items():
        if name.endswith("gate_exps.weight"):
            up = state[name.replace("gate_exps", "up_exps")]
            out[name.replace("gate_exps.weight", prefix + ".gate_up_proj")] = torch.cat([w, up], 1)
        elif name.endswith("down_exps.weight"):
            out[name.replace("down_exps.weight", prefix + ".down_proj")] = w
        elif not name.endswith("up_exps.weight"):
            out[name] = w
    return out


def state_of(layer_names, change=None, prefix="mlp.experts", outer_names=LLAMA_OUTER):
    """Weights -> state dict: experts under `prefix`, everything else by name."""
    names = LLAMA_LAYER | {"ffn_gate_inp": "mlp.gate", "ffn_gate_exps": "gate_exps", "ffn_up_exps": "up_exps",
                           "ffn_down_exps": "down_exps"} | layer_names
    return lambda w: merged(renamed(w, outer_names, names, change=change), prefix)


def mixtral():
    from transformers import MixtralConfig, MixtralForCausalLM

    s = Shape(ff=EXPERT_FF)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + experts(s.embd, s.ff)
    yield Model(
        "mixtral", "llama", rms(s, **COUNTS), outer(s) + layers(s, parts), "MixtralForCausalLM",
        lambda: MixtralForCausalLM(config(s, MixtralConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                          num_local_experts=EXPERTS, num_experts_per_tok=USED,
                                          sliding_window=None, tie_word_embeddings=False)),
        state_of({}, unpermuted(s)))


    scales = [scale_of(t.name[:-len(".weight")], EXPERTS) for t in parts if len(t.shape) == 3]
    plain = state_of({}, unpermuted(s))
    yield Model(
        "mixtral_scales", "llama", rms(s, **COUNTS), outer(s) + layers(s, parts + scales), "MixtralForCausalLM",
        lambda: MixtralForCausalLM(config(s, MixtralConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                          num_local_experts=EXPERTS, num_experts_per_tok=USED,
                                          sliding_window=None, tie_word_embeddings=False)),
        lambda w: plain(scales_applied(w)))


def qwen():
    from transformers import Qwen2MoeConfig, Qwen2MoeForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

    s = Shape()
    shared = 96
    common = dict(rms_norm_eps=1e-5, rope_parameters=rope(1e6), num_experts=EXPERTS, num_experts_per_tok=USED,
                  moe_intermediate_size=EXPERT_FF, tie_word_embeddings=False)
    metadata = COUNTS | {"rope.freq_base": 1000000.0, "expert_feed_forward_length": EXPERT_FF}
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s, qkv_bias=True) +
             experts(s.embd, EXPERT_FF, shared=shared, gate=True))
    names = {"ffn_gate_shexp": "mlp.shared_expert.gate_proj", "ffn_up_shexp": "mlp.shared_expert.up_proj",
             "ffn_down_shexp": "mlp.shared_expert.down_proj", "ffn_gate_inp_shexp": "mlp.shared_expert_gate"}
    yield Model(
        "qwen2moe", "qwen2moe", rms(s, **metadata, expert_shared_feed_forward_length=shared),
        outer(s) + layers(s, parts), "Qwen2MoeForCausalLM",
        lambda: Qwen2MoeForCausalLM(config(s, Qwen2MoeConfig, **common, norm_topk_prob=False,
                                           shared_expert_intermediate_size=shared)),
        state_of(names, lambda name, w: w[None] if "gate_inp_shexp" in name else w))
    wide = Shape(embd=128, head_dim=128)
    parts = (norms(wide, ["attn_norm", "ffn_norm"]) + attention(wide) + experts(wide.embd, EXPERT_FF) +
             [gain("attn_q_norm", 128), gain("attn_k_norm", 128)])
    yield Model(
        "qwen3moe", "qwen3moe", rms(wide, **metadata, **{"attention.key_length": 128, "attention.value_length": 128}),
        outer(wide) + layers(wide, parts), "Qwen3MoeForCausalLM",
        lambda: Qwen3MoeForCausalLM(config(wide, Qwen3MoeConfig, **common, head_dim=128, norm_topk_prob=True)),
        state_of({}))


def olmo():
    from transformers import OlmoeConfig, OlmoeForCausalLM

    s = Shape(ff=EXPERT_FF, kv_heads=4)  # llama.cpp needs as many gains for keys as for queries
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + experts(s.embd, s.ff) +
             [gain("attn_q_norm", s.q), gain("attn_k_norm", s.kv)])
    yield Model(
        "olmoe", "olmoe", rms(s, **COUNTS), outer(s) + layers(s, parts), "OlmoeForCausalLM",
        lambda: OlmoeForCausalLM(config(s, OlmoeConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                                        num_experts=EXPERTS, num_experts_per_tok=USED, norm_topk_prob=False,
                                        eos_token_id=2, tie_word_embeddings=False)),
        state_of({}))


def sink_tensors(s):
    return [Tensor("attn_sinks.weight", (s.heads,), 1.0, 2.0)]


def expert_bias(name, rows, amplitude=0.25):
    return Tensor(name + ".bias", (EXPERTS, rows), 0.0, amplitude)


def interleaved(state):
    """gpt-oss in transformers: gate and up take turns, and matrices are transposed."""
    out = {}
    for name, w in state.items():
        if ".gate_exps." in name:
            up = state[name.replace("gate_exps", "up_exps")]
            both = torch.stack([w, up], 2).flatten(1, 2)  # (experts, 2 ff[, embd])
            suffix = "_bias" if name.endswith("bias") else ""
            out[name[:name.index("gate_exps")] + "mlp.experts.gate_up_proj" + suffix] = (
                both if suffix else both.transpose(1, 2).contiguous())
        elif ".down_exps." in name:
            suffix = "_bias" if name.endswith("bias") else ""
            out[name[:name.index("down_exps")] + "mlp.experts.down_proj" + suffix] = (
                w if suffix else w.transpose(1, 2).contiguous())
        elif name.endswith("sinks.weight"):
            out[name[:-len(".weight")]] = w
        elif ".up_exps." not in name:
            out[name] = w
    return out


def gpt_oss():
    from transformers import GptOssConfig, GptOssForCausalLM

    s = Shape(layers=4, heads=8, kv_heads=2, ff=EXPERT_FF)
    parts = (norms(s, ["attn_norm", "post_attention_norm"]) + attention(s, True, True) + experts(s.embd, s.ff) +
             sink_tensors(s) + [bias("ffn_gate_inp", EXPERTS), expert_bias("ffn_gate_exps", s.ff, 4.0),
                                expert_bias("ffn_up_exps", s.ff, 4.0), expert_bias("ffn_down_exps", s.embd)])
    names = LLAMA_LAYER | {"post_attention_norm": "post_attention_layernorm", "attn_sinks": "self_attn.sinks",
                           "ffn_gate_inp": "mlp.router", "ffn_gate_exps": "gate_exps", "ffn_up_exps": "up_exps",
                           "ffn_down_exps": "down_exps"}
    metadata = rms(s, **COUNTS, **{
        "attention.key_length": 64, "attention.value_length": 64, "attention.sliding_window": WINDOW,
        "expert_feed_forward_length": s.ff, "rope.freq_base": 150000.0})
    yarn = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256}
    scaled = {"rope_type": "yarn", "rope_theta": 150000.0, "factor": 4.0, "original_max_position_embeddings": 256,
              "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False}

    def model(name, more, rope_parameters, tolerance):
        return Model(
            name, "gpt-oss", metadata | more, outer(s) + layers(s, parts), "GptOssForCausalLM",
            lambda: GptOssForCausalLM(config(s, GptOssConfig, rms_norm_eps=1e-5, rope_parameters=rope_parameters,
                                             head_dim=64, num_local_experts=EXPERTS, num_experts_per_tok=USED,
                                             sliding_window=WINDOW, tie_word_embeddings=False)),
            lambda w: interleaved(renamed(w, layer_names=names)), llama_cpp_tolerance=tolerance,
            llama_cpp_stretches=False)
    yield model("gpt_oss", {}, rope(150000.0), 1e-3)
    # llama.cpp rounds where YaRN begins and ends to whole pairs, which OpenAI's own code and transformers do not. At
    # so short a context that is much; at that of the published models hardly anything.
    yield model("gpt_oss_yarn", yarn, scaled, None)


SHARED_NAMES = {"ffn_gate_shexp": "mlp.shared_experts.gate_proj", "ffn_up_shexp": "mlp.shared_experts.up_proj",
                "ffn_down_shexp": "mlp.shared_experts.down_proj"}


def joined_shared(state):
    """Gate and up of Granite's shared expert in one tensor."""
    for name in [n for n in state if n.endswith("shared_gate.weight")]:
        both = [state.pop(name), state.pop(name.replace("shared_gate", "shared_up"))]
        state[name.replace("shared_gate", "shared_mlp.input_linear")] = torch.cat(both)
    return state


def granite():
    from transformers import GraniteMoeSharedConfig, GraniteMoeSharedForCausalLM

    s = Shape(ff=EXPERT_FF)
    shared = 96
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + experts(s.embd, s.ff, shared=shared)

    def state(w):
        names = {"ffn_gate_inp": "block_sparse_moe.router", "ffn_gate_shexp": "shared_gate", "ffn_up_shexp": "shared_up",
                 "ffn_down_shexp": "shared_mlp.output_linear"}
        return joined_shared(state_of(names, unpermuted(s), "block_sparse_moe.experts")(w))
    scales = {"embedding_scale": 6.0, "residual_scale": 0.4, "attention.scale": 0.0625, "logit_scale": 4.0}
    yield Model(
        "granitemoe", "granitemoe", rms(s, **COUNTS, **scales, expert_shared_feed_forward_length=shared),
        outer(s) + layers(s, parts), "GraniteMoeSharedForCausalLM",
        lambda: GraniteMoeSharedForCausalLM(config(
            s, GraniteMoeSharedConfig, rms_norm_eps=1e-5, rope_parameters=rope(10000.0), num_local_experts=EXPERTS,
            num_experts_per_tok=USED, shared_intermediate_size=shared, embedding_multiplier=6.0, residual_multiplier=0.4,
            attention_multiplier=0.0625, logits_scaling=4.0, tie_word_embeddings=False)),
        state)


def leading_dense(s, attention_parts, mixture):
    """The first layer has an ordinary feed-forward block, the others a mixture."""
    tensors = layers(s, attention_parts) + layers(s, mixture)[len(mixture):]
    return tensors + layers(Shape(layers=1), feed_forward(s))


SIGMOID = 2  # as files number kinds of gates


def with_selection_bias():
    from transformers import (Dots1Config, Dots1ForCausalLM, Ernie4_5_MoeConfig, Ernie4_5_MoeForCausalLM, Glm4MoeConfig,
                              Glm4MoeForCausalLM)

    s = Shape()
    mixture = experts(s.embd, EXPERT_FF, shared=EXPERT_FF) + [Tensor("exp_probs_b.bias", (EXPERTS,), 0.0, 0.25)]
    counts = COUNTS | {"expert_feed_forward_length": EXPERT_FF, "leading_dense_block_count": 1}
    scored = counts | {"expert_shared_count": 1, "expert_gating_func": SIGMOID, "expert_weights_norm": True,
                       "expert_weights_scale": 1.5}
    common = dict(rms_norm_eps=1e-5, moe_intermediate_size=EXPERT_FF, tie_word_embeddings=False)
    router = dict(n_routed_experts=EXPERTS, num_experts_per_tok=USED, n_shared_experts=1, first_k_dense_replace=1,
                  n_group=1, topk_group=1, norm_topk_prob=True, routed_scaling_factor=1.5)
    names = SHARED_NAMES | {"exp_probs_b": "mlp.gate.e_score_correction"}

    def state(layer_names, bias_name, shape, change=None):
        plain = state_of(names | layer_names, change)
        return lambda w: {n.replace("e_score_correction.bias", bias_name): t.reshape(shape) if "score_corr" in n else t
                          for n, t in plain(w).items()}
    head_norms = [gain("attn_q_norm", 64), gain("attn_k_norm", 64)]
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + head_norms
    all_heads = Shape(kv_heads=4)  # llama.cpp supports no others for this architecture
    yield Model(
        "dots1", "dots1", rms(all_heads, **scored), outer(s) + leading_dense(
            all_heads, norms(s, ["attn_norm", "ffn_norm"]) + attention(all_heads) + head_norms, mixture),
        "Dots1ForCausalLM",
        lambda: Dots1ForCausalLM(config(all_heads, Dots1Config, **common, **router, rope_parameters=rope(10000.0))),
        state({}, "e_score_correction_bias", (EXPERTS,)))
    parts = norms(s, ["attn_norm", "post_attention_norm"]) + attention(s, qkv_bias=True) + head_norms
    yield Model(
        "glm4moe", "glm4moe", rms(s, **scored, **{"rope.dimension_count": 32}),
        outer(s) + leading_dense(s, parts, mixture), "Glm4MoeForCausalLM",
        lambda: Glm4MoeForCausalLM(config(s, Glm4MoeConfig, **common, **router, head_dim=64, attention_bias=True,
                                          use_qk_norm=True,
                                          rope_parameters=rope(10000.0, partial_rotary_factor=0.5))),
        state({"post_attention_norm": "post_attention_layernorm"}, "e_score_correction_bias", (EXPERTS,)))
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s)
    yield Model(
        "ernie4_5_moe", "ernie4_5-moe",
        rms(s, **counts, **{"interleave_moe_layer_step": 1, "expert_shared_feed_forward_length": EXPERT_FF}),
        outer(s) + leading_dense(s, parts, mixture), "Ernie4_5_MoeForCausalLM",
        lambda: Ernie4_5_MoeForCausalLM(config(s, Ernie4_5_MoeConfig, **common, moe_num_experts=EXPERTS, moe_k=USED,
                                               moe_num_shared_experts=1, moe_layer_start_index=1,
                                               rope_parameters=rope(10000.0))),
        state({}, "moe_statics.e_score_correction_bias", (1, EXPERTS)))


def deepseek():
    """Latent attention: kv_b is split into a transposed part for keys and one for values, as by converters."""
    from transformers import (DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM,
                              Mistral4Config, Mistral4ForCausalLM)

    s = Shape(heads=4, kv_heads=4)
    plain, rotary, value, rank, q_rank = 64, 32, 64, 96, 128
    head = plain + rotary
    names = SHARED_NAMES | {
        "exp_probs_b": "mlp.gate.e_score_correction", "attn_q_a": "self_attn.q_a_proj",
        "attn_q_a_norm": "self_attn.q_a_layernorm", "attn_q_b": "self_attn.q_b_proj",
        "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa", "attn_kv_a_norm": "self_attn.kv_a_layernorm",
        "attn_k_b": "self_attn.k_b", "attn_v_b": "self_attn.v_b"}

    def state(w):
        out = state_of(names)(w)
        for name in [n for n in out if n.endswith("k_b.weight")]:
            keys, values = out.pop(name), out.pop(name.replace("k_b", "v_b"))
            out[name.replace("k_b", "kv_b_proj")] = torch.cat([keys.transpose(1, 2), values], 1).flatten(0, 1)
        return {n.replace("e_score_correction.bias", "e_score_correction_bias"): t for n, t in out.items()}

    def heads_of(name, rows, cols, spread=1.0):
        one = matrix(name, rows, cols, spread)
        return Tensor(one.name, (s.heads, rows, cols), 0.0, one.amplitude)
    latent = [matrix("attn_kv_a_mqa", rank + rotary, s.embd, 1.5), gain("attn_kv_a_norm", rank),
              heads_of("attn_k_b", rank, plain), heads_of("attn_v_b", value, rank),
              matrix("attn_output", s.embd, s.heads * value)]
    sizes = {"attention.kv_lora_rank": rank, "attention.key_length": rank + rotary, "attention.value_length": rank,
             "attention.key_length_mla": head, "attention.value_length_mla": value, "rope.dimension_count": rotary,
             "attention.head_count_kv": 1, "expert_feed_forward_length": EXPERT_FF, "leading_dense_block_count": 1,
             "expert_shared_count": 1}
    common = dict(rms_norm_eps=1e-5, moe_intermediate_size=EXPERT_FF, tie_word_embeddings=False, n_shared_experts=1,
                  n_routed_experts=EXPERTS, num_experts_per_tok=USED, first_k_dense_replace=1, kv_lora_rank=rank,
                  qk_nope_head_dim=plain, qk_rope_head_dim=rotary, v_head_dim=value)
    mixture = experts(s.embd, EXPERT_FF, shared=EXPERT_FF)
    parts = norms(s, ["attn_norm", "ffn_norm"]) + [matrix("attn_q", s.heads * head, s.embd, 1.5)] + latent
    yield Model(
        "deepseek2", "deepseek2", rms(s, **COUNTS) | sizes, outer(s) + leading_dense(s, parts, mixture),
        "DeepseekV2ForCausalLM",
        lambda: DeepseekV2ForCausalLM(config(s, DeepseekV2Config, **common, q_lora_rank=None, norm_topk_prob=False,
                                             routed_scaling_factor=1.0, topk_method="greedy",
                                             rope_parameters=rope(10000.0))),
        state, llama_cpp_tolerance=None)  # which knows queries without a latent by the number of layers alone
    parts = norms(s, ["attn_norm", "ffn_norm"]) + [
        matrix("attn_q_a", q_rank, s.embd), gain("attn_q_a_norm", q_rank), matrix("attn_q_b", s.heads * head, q_rank, 1.5)
    ] + latent
    mixture = mixture + [Tensor("exp_probs_b.bias", (EXPERTS,), 0.0, 0.25)]
    yarn = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256,
            "rope.scaling.yarn_log_multiplier": 0.1}
    scaled = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 256,
              "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0}
    scored = {"attention.q_lora_rank": q_rank, "expert_group_count": 4, "expert_group_used_count": 2,
              "expert_gating_func": SIGMOID, "expert_weights_norm": True, "expert_weights_scale": 2.5}
    yield Model(
        "deepseek3", "deepseek2", rms(s, **COUNTS) | sizes | scored | yarn,
        outer(s) + leading_dense(s, parts, mixture), "DeepseekV3ForCausalLM",
        lambda: DeepseekV3ForCausalLM(config(s, DeepseekV3Config, **common, q_lora_rank=q_rank, norm_topk_prob=True,
                                             routed_scaling_factor=2.5, n_group=4, topk_group=2,
                                             rope_parameters=scaled)),
        state)
    queries = {"attention.temperature_scale": 0.25, "attention.temperature_length": 64, "expert_weights_norm": True}
    mixture = experts(s.embd, EXPERT_FF, shared=EXPERT_FF)
    scaled = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 16.0, "original_max_position_embeddings": 64,
              "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.25}
    yarn = yarn | {"rope.scaling.factor": 16.0, "rope.scaling.original_context_length": 64}
    yield Model(
        "mistral4", "mistral4", rms(s, **COUNTS) | sizes | yarn | queries | {"attention.q_lora_rank": q_rank},
        outer(s) + leading_dense(s, parts, mixture), "Mistral4ForCausalLM",
        lambda: Mistral4ForCausalLM(config(s, Mistral4Config, **common, q_lora_rank=q_rank, norm_topk_prob=True,
                                           bos_token_id=1, eos_token_id=2, rope_parameters=scaled)),
        state)


def models():
    for family in (mixtral, qwen, olmo, gpt_oss, granite, with_selection_bias, deepseek):
        yield from family()
