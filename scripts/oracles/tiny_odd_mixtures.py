"""Small models of tiny_models.py with a mixture of experts beside another block."""
import dataclasses

from tiny_layer_norm import layer_norm
from tiny_mixtures import COUNTS, EXPERT_FF, EXPERTS, SHARED_NAMES, SIGMOID, USED, experts, leading_dense, state_of
from tiny_more_mixtures import WIDTHS
from tiny_parts import WINDOW, Model, Shape, attention, config, feed_forward, layers, norms, outer, rms, rope


def cohere():
    from transformers import Cohere2MoeConfig, Cohere2MoeForCausalLM

    # The first layer is dense, and rotates although it sees the whole context.
    s = Shape(layers=5)
    kinds = ["full_attention"] + ["sliding_attention"] * 3 + ["full_attention"]
    mixture = experts(s.embd, EXPERT_FF, shared=EXPERT_FF)
    parts = norms(s, ["attn_norm"]) + attention(s)
    yield Model(
        "cohere2moe", "cohere2moe",
        layer_norm(s, **WIDTHS, **{
            "attention.key_length": 64, "attention.value_length": 64, "attention.sliding_window": WINDOW,
            "attention.sliding_window_pattern": [kind == "sliding_attention" for kind in kinds], "logit_scale": 0.25,
            "leading_dense_block_count": 1, "expert_shared_count": 1, "expert_shared_feed_forward_length": EXPERT_FF,
            "expert_gating_func": SIGMOID, "expert_weights_norm": True, "rope.scaling.type": "none"}),
        outer(s, tied=True) + leading_dense(s, parts, mixture), "Cohere2MoeForCausalLM",
        lambda: Cohere2MoeForCausalLM(config(
            dataclasses.replace(s, ff=EXPERT_FF), Cohere2MoeConfig, head_dim=64, layer_norm_eps=1e-5, logit_scale=0.25,
            sliding_window=WINDOW, layer_types=kinds, mlp_layer_types=["dense"] + ["sparse"] * 4,
            prefix_dense_intermediate_size=s.ff, num_experts=EXPERTS, num_experts_per_tok=USED, num_shared_experts=1,
            expert_selection_fn="sigmoid", rope_parameters=rope(10000.0), tie_word_embeddings=True)),
        state_of(SHARED_NAMES))


def arctic():
    """Not in transformers."""
    s = Shape(ff=256)  # as wide as the model
    narrow = dataclasses.replace(s, ff=EXPERT_FF)
    parts = (norms(s, ["attn_norm", "ffn_norm", "ffn_norm_exps"]) + attention(s) + feed_forward(s) +
             experts(s.embd, EXPERT_FF))
    yield Model("arctic", "arctic", rms(narrow, **COUNTS), outer(s) + layers(s, parts), "llama.cpp")


def grok():
    """Not in transformers. llama.cpp leaves the router's cap out, and looks GELU up in a table of 16-bit numbers, whose
    errors small gains keep small."""
    s = Shape(layers=2)
    scales = {"embedding_scale": 4.0, "logit_scale": 0.5, "attention.output_scale": 0.25, "attn_logit_softcapping": 5.0,
              "router_logit_softcapping": 10000.0}
    post = [dataclasses.replace(t, offset=0.25, amplitude=0.125)
            for t in norms(s, ["attn_output_norm", "layer_output_norm"])]
    parts = norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + post
    one = rms(dataclasses.replace(s, ff=EXPERT_FF), **COUNTS, **scales)
    yield Model("grok", "grok", one, outer(s, embedding=0.5) + layers(s, parts + experts(s.embd, EXPERT_FF)), "llama.cpp")
    parts = [dataclasses.replace(t, name=t.name.replace("layer_output_norm", "post_ffw_norm")) for t in parts]
    yield Model(
        "grok_beside", "grok", rms(s, **WIDTHS, **scales, final_logit_softcapping=2.0),
        outer(s, embedding=0.5) + layers(s, parts + experts(s.embd, EXPERT_FF) + feed_forward(s)), "llama.cpp")


def models():
    for family in (cohere, arctic, grok):
        yield from family()
