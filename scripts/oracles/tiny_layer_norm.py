"""The small models of tiny_models.py with LayerNorms: GPT-2 and its descendants."""
import dataclasses

from tiny_parts import (CONTEXT, LLAMA_LAYER, LLAMA_OUTER, VOCABULARY, WINDOW, Model, Shape, attention, bias, config,
                        feed_forward, gain, layers, matrix, norms, outer, renamed, rope, sizes)


def layer_norm(s, **more):
    return sizes(s, **{"attention.layer_norm_epsilon": 1e-5}, **more)


def interleave_heads(w, n_heads, n_kv_heads, head_dim):
    """Rows [q | k | v] -> for each key-value head its queries, its key, its value."""
    import torch

    group = n_heads // n_kv_heads
    q, k, v = w.split([n_heads * head_dim, n_kv_heads * head_dim, n_kv_heads * head_dim])
    q = q.reshape(n_kv_heads, group, head_dim, -1)
    k, v = (x.reshape(n_kv_heads, 1, head_dim, -1) for x in (k, v))
    return torch.cat([q, k, v], dim=1).reshape(w.shape)


def interleaved(s):
    def change(name, w):
        return interleave_heads(w, s.heads, s.kv_heads, s.head_dim) if name.startswith("attn_qkv.") else w
    return change


def positions(s):
    return [matrix("position_embd", CONTEXT, s.embd, 4.0)]


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel, GPTBigCodeConfig, GPTBigCodeForCausalLM

    outer_names = {"token_embd": "transformer.wte", "position_embd": "transformer.wpe",
                   "output_norm": "transformer.ln_f", "output": "lm_head"}
    names = {"attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
             "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
    common = dict(vocab_size=VOCABULARY, n_positions=CONTEXT, attn_implementation="eager", bos_token_id=1,
                  eos_token_id=2)

    def model(name, architecture, s, oracle, build, change):
        parts = (norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True, fused=True) +
                 feed_forward(s, gated=False, biases=True))
        tensors = outer(s, True, norm_bias=True) + positions(s) + layers(s, parts)
        return Model(name, architecture, layer_norm(s), tensors, oracle, build,
                     lambda w: renamed(w, outer_names, names, "transformer.h", change), llama_cpp_tolerance=2e-2)

    def transposed(name, w):
        return w.T if name.startswith(("attn_qkv.w", "attn_output.w", "ffn_")) and w.ndim == 2 else w

    s = Shape(kv_heads=4)
    yield model("gpt2", "gpt2", s, "GPT2LMHeadModel",
                lambda: GPT2LMHeadModel(GPT2Config(n_embd=s.embd, n_layer=s.layers, n_head=s.heads, n_inner=s.ff,
                                                   **common)), transposed)
    one = Shape(kv_heads=1)
    yield model("starcoder", "starcoder", one, "GPTBigCodeForCausalLM",
                lambda: GPTBigCodeForCausalLM(GPTBigCodeConfig(n_embd=one.embd, n_layer=one.layers, n_head=one.heads,
                                                               n_inner=one.ff, multi_query=True, **common)), None)


def gptneox():
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    s = Shape(kv_heads=4)
    parts = (norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True, fused=True) +
             feed_forward(s, gated=False, biases=True))
    outer_names = {"token_embd": "gpt_neox.embed_in", "output_norm": "gpt_neox.final_layer_norm", "output": "lm_head"}
    names = {"attn_norm": "input_layernorm", "attn_qkv": "attention.query_key_value", "attn_output": "attention.dense",
             "ffn_norm": "post_attention_layernorm", "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h"}
    for parallel in (True, False):
        yield Model(
            "gptneox" if parallel else "gptneox_sequential", "gptneox",
            layer_norm(s, **{"rope.dimension_count": 16, "use_parallel_residual": parallel}),
            outer(s, norm_bias=True) + layers(s, parts), "GPTNeoXForCausalLM",
            lambda parallel=parallel: GPTNeoXForCausalLM(config(
                s, GPTNeoXConfig, use_parallel_residual=parallel, tie_word_embeddings=False,
                rope_parameters=rope(10000.0, partial_rotary_factor=0.25))),
            lambda w: renamed(w, outer_names, names, "gpt_neox.layers", interleaved(s)), llama_cpp_tolerance=2e-2)


def alibi():
    from transformers import BloomConfig, BloomForCausalLM, MptConfig, MptForCausalLM

    s = Shape(kv_heads=4, ff=1024)
    parts = (norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True, fused=True) +
             feed_forward(s, gated=False, biases=True))
    outer_names = {"token_embd": "transformer.word_embeddings", "output_norm": "transformer.ln_f",
                   "token_embd_norm": "transformer.word_embeddings_layernorm"}
    names = {"attn_norm": "input_layernorm", "attn_qkv": "self_attention.query_key_value",
             "attn_output": "self_attention.dense", "ffn_norm": "post_attention_layernorm",
             "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h"}
    yield Model(
        "bloom", "bloom", layer_norm(s),
        outer(s, True, norm_bias=True) + norms(s, ["token_embd_norm"], True) + layers(s, parts), "BloomForCausalLM",
        lambda: BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=s.embd, n_layer=s.layers,
                                             n_head=s.heads, attn_implementation="eager")),
        lambda w: renamed(w, outer_names, names, "transformer.h", interleaved(s)), llama_cpp_tolerance=2e-2)
    six = Shape(embd=384, heads=6, kv_heads=6, ff=1536)
    parts = norms(six, ["attn_norm", "ffn_norm"]) + attention(six, fused=True) + feed_forward(six, gated=False)
    outer_names = {"token_embd": "transformer.wte", "output_norm": "transformer.norm_f"}
    names = {"attn_norm": "norm_1", "attn_qkv": "attn.Wqkv", "attn_output": "attn.out_proj", "ffn_norm": "norm_2",
             "ffn_up": "ffn.up_proj", "ffn_down": "ffn.down_proj"}
    yield Model(
        "mpt", "mpt", layer_norm(six, **{"attention.clamp_kqv": 3.0, "attention.max_alibi_bias": 8.0}),
        outer(six, True) + layers(six, parts), "MptForCausalLM",
        lambda: MptForCausalLM(MptConfig(d_model=six.embd, n_heads=6, n_layers=six.layers, expansion_ratio=4,
                                         max_seq_len=CONTEXT, vocab_size=VOCABULARY, attn_implementation="eager",
                                         attn_config={"clip_qkv": 3.0, "alibi": True, "alibi_bias_max": 8})),
        lambda w: renamed(w, outer_names, names, "transformer.blocks"), llama_cpp_tolerance=2e-2)


def falcon():
    from transformers import FalconConfig, FalconForCausalLM

    outer_names = {"token_embd": "transformer.word_embeddings", "output_norm": "transformer.ln_f", "output": "lm_head"}
    names = {"attn_norm": "input_layernorm", "attn_qkv": "self_attention.query_key_value",
             "attn_output": "self_attention.dense", "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h"}

    def model(name, s, norm_names, names, change, **more):
        parts = norms(s, norm_names, True) + attention(s, fused=True) + feed_forward(s, gated=False)
        return Model(
            name, "falcon", layer_norm(s), outer(s, True, norm_bias=True) + layers(s, parts), "FalconForCausalLM",
            lambda: FalconForCausalLM(FalconConfig(
                vocab_size=VOCABULARY, hidden_size=s.embd, num_hidden_layers=s.layers, num_attention_heads=s.heads,
                ffn_hidden_size=s.ff, parallel_attn=True, bias=False, alibi=False, attn_implementation="eager",
                rope_parameters=rope(10000.0), bos_token_id=1, eos_token_id=2, **more)),
            lambda w: renamed(w, outer_names, names, "transformer.h", change), llama_cpp_tolerance=2e-2)

    yield model("falcon_7b", Shape(kv_heads=1), ["attn_norm"], names, None, multi_query=True,
                new_decoder_architecture=False)
    s = Shape()
    names = names | {"attn_norm": "ln_mlp", "attn_norm_2": "ln_attn"}
    yield model("falcon_40b", s, ["attn_norm", "attn_norm_2"], names, interleaved(s), num_kv_heads=2, new_decoder_architecture=True)


def phi2():
    from transformers import PhiConfig, PhiForCausalLM

    s = Shape(kv_heads=4)
    parts = norms(s, ["attn_norm"], True) + attention(s, True, True) + feed_forward(s, gated=False, biases=True)
    outer_names = LLAMA_OUTER | {"output_norm": "model.final_layernorm"}
    names = LLAMA_LAYER | {"attn_output": "self_attn.dense", "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
    yield Model(
        "phi2", "phi2", layer_norm(s, **{"rope.dimension_count": 32}),
        outer(s, norm_bias=True) + [bias("output", VOCABULARY)] + layers(s, parts), "PhiForCausalLM",
        lambda: PhiForCausalLM(config(s, PhiConfig, tie_word_embeddings=False,
                                      rope_parameters=rope(10000.0, partial_rotary_factor=0.5))),
        lambda w: renamed(w, outer_names, names), llama_cpp_tolerance=2e-2)


def stablelm():
    from transformers import StableLmConfig, StableLmForCausalLM

    s = Shape()

    def state(weights):
        """Each head's norm is a module of its own."""
        out = {}
        for name, w in weights.items():
            if "_norm.weight" in name and ("attn_q" in name or "attn_k" in name):
                _, layer, part, _ = name.split(".")
                for h, row in enumerate(w):
                    out[f"model.layers.{layer}.self_attn.{part[5]}_layernorm.norms.{h}.weight"] = row
            else:
                out |= renamed({name: w})
        return out

    def model(name, parallel, qk_norms):
        parts = (norms(s, ["attn_norm"] if parallel else ["attn_norm", "ffn_norm"], True) + attention(s, not parallel) +
                 feed_forward(s))
        if qk_norms:
            parts += [each_head("attn_q_norm", s.heads, 64), each_head("attn_k_norm", s.kv_heads, 64)]
        return Model(
            name, "stablelm", layer_norm(s, **{"rope.dimension_count": 16, "use_parallel_residual": parallel}),
            outer(s, norm_bias=True) + layers(s, parts), "StableLmForCausalLM",
            lambda: StableLmForCausalLM(config(
                s, StableLmConfig, layer_norm_eps=1e-5, use_qkv_bias=not parallel, qk_layernorm=qk_norms,
                use_parallel_residual=parallel, tie_word_embeddings=False,
                rope_parameters=rope(10000.0, partial_rotary_factor=0.25))),
            state)

    yield model("stablelm", False, False)
    yield model("stablelm_12b", True, True)


def each_head(name, n_heads, head_dim):
    return dataclasses.replace(gain(name, 1), shape=(n_heads, head_dim))


def starcoder2():
    from transformers import Starcoder2Config, Starcoder2ForCausalLM

    s = Shape()
    parts = (norms(s, ["attn_norm", "ffn_norm"], True) + attention(s, True, True) +
             feed_forward(s, gated=False, biases=True))
    names = LLAMA_LAYER | {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
    yield Model(
        "starcoder2", "starcoder2", layer_norm(s), outer(s, True, norm_bias=True) + layers(s, parts),
        "Starcoder2ForCausalLM",
        lambda: Starcoder2ForCausalLM(config(s, Starcoder2Config, use_bias=True, norm_epsilon=1e-5,
                                             tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
                                             rope_parameters=rope(10000.0))),
        lambda w: renamed(w, layer_names=names), llama_cpp_tolerance=2e-2)


def nemotron():
    from transformers import NemotronConfig, NemotronForCausalLM

    s = Shape()
    parts = norms(s, ["attn_norm", "ffn_norm"], True) + attention(s) + feed_forward(s, gated=False)
    yield Model(
        "nemotron", "nemotron", layer_norm(s, **{"rope.dimension_count": 32}),
        outer(s, norm_bias=True) + layers(s, parts), "NemotronForCausalLM",
        lambda: NemotronForCausalLM(config(s, NemotronConfig, norm_eps=1e-5, tie_word_embeddings=False, head_dim=64,
                                           rope_parameters=rope(10000.0, partial_rotary_factor=0.5))),
        lambda w: renamed(w, change=lambda name, t: t - 1 if name.endswith("norm.weight") else t))


def cohere():
    from transformers import Cohere2Config, Cohere2ForCausalLM, CohereConfig, CohereForCausalLM

    common = dict(layer_norm_eps=1e-5, logit_scale=0.25, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
                  rope_parameters=rope(10000.0))

    def command_r(name, s, qk_norms):
        parts = norms(s, ["attn_norm"]) + attention(s) + feed_forward(s)
        if qk_norms:
            parts += [each_head("attn_q_norm", s.heads, 64), each_head("attn_k_norm", s.kv_heads, 64)]
        return Model(
            name, "command-r", layer_norm(s, **{"logit_scale": 0.25}), outer(s, True) + layers(s, parts),
            "CohereForCausalLM",
            lambda: CohereForCausalLM(config(s, CohereConfig, use_qk_norm=qk_norms, **common)), renamed)

    yield command_r("command_r", Shape(), False)
    # llama.cpp expects the norms in models of 64 layers.
    yield command_r("command_r_plus", Shape(embd=128, heads=2, kv_heads=1, ff=64, layers=64), True)
    s = Shape(layers=4)
    parts = norms(s, ["attn_norm"]) + attention(s) + feed_forward(s)
    yield Model(
        "cohere2", "cohere2", layer_norm(s, **{"logit_scale": 0.25, "attention.sliding_window": WINDOW}),
        outer(s, True) + layers(s, parts), "Cohere2ForCausalLM",
        lambda: Cohere2ForCausalLM(config(s, Cohere2Config, sliding_window=WINDOW, **common)), renamed)


def models():
    for family in (gpt2, gptneox, alibi, falcon, phi2, stablelm, starcoder2, nemotron, cohere):
        yield from family()
