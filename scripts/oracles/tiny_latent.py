"""The small models of tiny_models.py with latent attention and one tensor, attn_kv_b, for keys and values."""
import dataclasses

from tiny_mixtures import deepseek
from tiny_parts import (LLAMA_LAYER, Model, Shape, config, feed_forward, gain, layers, matrix, norms, outer, renamed, rms,
                        rope)

NAMES = {"attn_q_a": "self_attn.q_a_proj", "attn_q_a_norm": "self_attn.q_a_layernorm", "attn_q_b": "self_attn.q_b_proj",
         "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa", "attn_kv_a_norm": "self_attn.kv_a_layernorm",
         "attn_kv_b": "self_attn.kv_b_proj"}
PLAIN, ROTARY, VALUE, RANK, Q_RANK = 32, 32, 64, 96, 128
HEAD = PLAIN + ROTARY
# Keys and values of a head have equal length here: files of MiniCPM 3 do not give that of values.
LENGTHS = {"attention.kv_lora_rank": RANK, "attention.key_length": HEAD, "rope.dimension_count": ROTARY}


def latent(s):
    return [matrix("attn_kv_a_mqa", RANK + ROTARY, s.embd, 1.5), gain("attn_kv_a_norm", RANK),
            matrix("attn_kv_b", s.heads * (PLAIN + VALUE), RANK, 1.5), matrix("attn_output", s.embd, s.heads * VALUE)]


def minicpm3():
    from transformers import MiniCPM3Config, MiniCPM3ForCausalLM

    s = Shape(kv_heads=4)
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + latent(s) + feed_forward(s) + [
        matrix("attn_q_a", Q_RANK, s.embd), gain("attn_q_a_norm", Q_RANK), matrix("attn_q_b", s.heads * HEAD, Q_RANK, 1.5)])
    yield Model(
        "minicpm3", "minicpm3", rms(s, **LENGTHS, **{"attention.q_lora_rank": Q_RANK}), outer(s, tied=True) + layers(s, parts),
        "MiniCPM3ForCausalLM",
        lambda: MiniCPM3ForCausalLM(config(
            s, MiniCPM3Config, rms_norm_eps=1e-5, rope_parameters=rope(10000.0), tie_word_embeddings=True, kv_lora_rank=RANK,
            q_lora_rank=Q_RANK, qk_nope_head_dim=PLAIN, qk_rope_head_dim=ROTARY, v_head_dim=VALUE, scale_emb=12.0,
            scale_depth=1.4, dim_model_base=256)),
        lambda w: renamed(w, layer_names=LLAMA_LAYER | NAMES))


def plm():
    """Not in transformers."""
    s = Shape(kv_heads=4)
    parts = (norms(s, ["attn_norm", "ffn_norm"]) + latent(s) + feed_forward(s, gated=False) +
             [matrix("attn_q", s.heads * HEAD, s.embd, 1.5)])
    yield Model("plm", "plm", rms(s, **LENGTHS, **{"attention.value_length": VALUE}), outer(s, tied=True) + layers(s, parts),
                "llama.cpp")


def older_deepseek():
    """The older layout of files, without attn_k_b and attn_v_b."""
    model = next(m for m in deepseek() if m.name == "deepseek3")
    heads = model.metadata["attention.head_count"]
    head, value = (model.metadata[f"attention.{side}_length_mla"] for side in ("key", "value"))
    rank = model.metadata["attention.kv_lora_rank"]
    metadata = {key: n for key, n in model.metadata.items() if not key.endswith("_mla")} | {
        "attention.head_count_kv": heads, "attention.key_length": head, "attention.value_length": value}
    plain = head - metadata["rope.dimension_count"]
    whole = matrix("attn_kv_b", heads * (plain + value), rank, 1.5)
    tensors = [t for t in model.tensors if not t.name.endswith(("attn_k_b.weight", "attn_v_b.weight"))]
    tensors += layers(Shape(layers=metadata["block_count"]), [whole])

    def state(weights):
        """Splits the tensor to get the newer layout first."""
        parted = {}
        for name, w in weights.items():
            if "attn_kv_b" in name:
                keys, values = w.reshape(heads, plain + value, rank).split([plain, value], 1)
                parted[name.replace("kv_b", "k_b")], parted[name.replace("kv_b", "v_b")] = keys.transpose(1, 2), values
            else:
                parted[name] = w
        return model.state(parted)
    yield dataclasses.replace(model, name="deepseek3_whole", metadata=metadata, tensors=tensors, state=state)


def models():
    for family in (minicpm3, plm, older_deepseek):
        yield from family()
