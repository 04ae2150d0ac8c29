#!/usr/bin/env python3
"""Frequencies of rotary embeddings under every kind of scaling, as transformers computes them: tests/golden/rope/rope.json.

Each case has the metadata and tensors that a GGUF file of such a model carries, what a user changes about it, and the
frequencies and the magnitude that come out. Where the user stretches a model, transformers is given the same scaling in
the model's configuration.

    python3 scripts/oracles/rope.py tests/golden/rope/rope.json
"""
import argparse
import json
import math

import torch
from transformers import LlamaConfig, Phi3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

CONTEXT = 4096


def frequencies(head_dim, parameters, seq_len=None, context=CONTEXT):
    """(inverse frequencies, magnitude) of a model with one head of this many channels."""
    kind = parameters["rope_type"]
    config_type = Phi3Config if kind == "longrope" else LlamaConfig
    config = config_type(hidden_size=head_dim, num_attention_heads=1, max_position_embeddings=context,
                         original_max_position_embeddings=parameters.get("original_max_position_embeddings", context),
                         rope_parameters=dict(parameters))
    if kind == "default":
        base = parameters["rope_theta"]
        return 1.0 / base ** (torch.arange(0, head_dim, 2, dtype=torch.float) / head_dim), 1.0
    return ROPE_INIT_FUNCTIONS[kind](config, device=torch.device("cpu"), seq_len=seq_len)


def case(name, head_dim, parameters, metadata, tensors=None, user=None, long_context=None):
    """long_context: a length beyond the original context, at which the frequencies differ."""
    inv, magnitude = frequencies(head_dim, parameters)
    out = {"name": name, "n_pairs": head_dim // 2, "context_length": CONTEXT, "metadata": metadata,
           "tensors": tensors or {}, "user": user or {},
           "whole_pairs": parameters.get("truncate", True), "magnitude": magnitude, "frequencies": inv.tolist()}
    if long_context:
        out["long_context"] = long_context
        out["long_frequencies"] = frequencies(head_dim, parameters, long_context)[0].tolist()
    return out


def yarn(base, factor, original, **more):
    return {"rope_type": "yarn", "rope_theta": base, "factor": factor, "original_max_position_embeddings": original} | more


def cases():
    default = {"rope_type": "default", "rope_theta": 10000.0}
    yield case("none", 64, default, {"rope.freq_base": 10000.0})
    yield case("linear", 128, {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
               {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0})
    yield case("linear_by_old_key", 64, {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5},
               {"rope.scale_linear": 2.5})

    llama3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 1024}
    plain = frequencies(128, {"rope_type": "default", "rope_theta": 500000.0})[0]
    divisors = (plain / frequencies(128, llama3)[0]).tolist()
    yield case("llama3", 128, llama3, {"rope.freq_base": 500000.0}, {"rope_freqs.weight": divisors})

    yield case("yarn", 128, yarn(1e6, 4.0, 1024),
               {"rope.freq_base": 1e6, "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
                "rope.scaling.original_context_length": 1024})
    yield case("yarn_with_everything", 64, yarn(150000.0, 32.0, 128, beta_fast=16.0, beta_slow=2.0, attention_factor=0.75),
               {"rope.freq_base": 150000.0, "rope.scaling.type": "yarn", "rope.scaling.factor": 32.0,
                "rope.scaling.original_context_length": 128, "rope.scaling.yarn_beta_fast": 16.0,
                "rope.scaling.yarn_beta_slow": 2.0, "rope.scaling.yarn_attn_factor": 0.75})
    yield case("yarn_log_multiplier", 64, yarn(10000.0, 16.0, 256, mscale=1.0, mscale_all_dim=0.7),
               {"rope.freq_base": 10000.0, "rope.scaling.type": "yarn", "rope.scaling.factor": 16.0,
                "rope.scaling.original_context_length": 256, "rope.scaling.yarn_log_multiplier": 0.7})
    # Between the pairs' indices, as gpt-oss has it.
    yield case("yarn_unrounded", 64, yarn(150000.0, 32.0, 4096, truncate=False),
               {"rope.freq_base": 150000.0, "rope.scaling.type": "yarn", "rope.scaling.factor": 32.0,
                "rope.scaling.original_context_length": 4096})

    short = [1 + 0.01 * i for i in range(32)]
    long = [1.05 + 0.9 * i ** 1.2 for i in range(32)]
    longrope = {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": short, "long_factor": long,
                "original_max_position_embeddings": 1024, "factor": 4.0}
    attention = math.sqrt(1 + math.log(4) / math.log(1024))
    yield case("longrope", 64, longrope,
               {"rope.scaling.type": "longrope", "rope.scaling.original_context_length": 1024,
                "rope.scaling.attn_factor": attention},
               {"rope_factors_long.weight": long, "rope_factors_short.weight": short}, long_context=1025)

    yield case("user_linear", 64, {"rope_type": "linear", "rope_theta": 10000.0, "factor": 3.0},
               {}, user={"scaling": "linear", "scale": 3.0})
    yield case("user_scale_alone", 64, {"rope_type": "linear", "rope_theta": 10000.0, "factor": 3.0}, {}, user={"scale": 3.0})
    yield case("user_yarn", 64, yarn(10000.0, 3.0, CONTEXT), {}, user={"scaling": "yarn", "scale": 3.0})
    yield case("user_yarn_original", 64, yarn(20000.0, 8.0, 512), {},
               user={"scaling": "yarn", "scale": 8.0, "original_context": 512, "frequency_base": 20000.0})
    yield case("user_yarn_over_linear", 64, yarn(10000.0, 6.0, CONTEXT),
               {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0}, user={"scaling": "yarn", "scale": 6.0})
    yield case("user_none", 64, default, {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0},
               user={"scaling": "none"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    args = parser.parse_args()
    with open(args.out, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(c) for c in cases()) + "\n]\n")


if __name__ == "__main__":
    main()
