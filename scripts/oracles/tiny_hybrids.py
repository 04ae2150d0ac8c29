"""The small models of tiny_models.py with layers that keep a state of fixed size."""
import dataclasses

import torch

from tiny_mixtures import (COUNTS, EXPERT_FF, EXPERTS, SIGMOID, USED, expert_matrices, experts, joined_shared, state_of)
from tiny_parts import (LLAMA_LAYER, LLAMA_OUTER, Model, Shape, Tensor, attention, bias, config, feed_forward, gain, layers,
                        matrix, norms, outer, power_of_two, renamed, rms, rope, sizes)


def each_layer(parts_of_layers):
    return [dataclasses.replace(t, name=f"blk.{i}.{t.name}") for i, parts in enumerate(parts_of_layers) for t in parts]


def convolution(name, channels, taps):
    """Taps large enough that all of them matter."""
    return Tensor(name + ".weight", (channels, taps), 0.0, 0.5)


def lfm2():
    from transformers import Lfm2Config, Lfm2ForCausalLM, Lfm2MoeConfig, Lfm2MoeForCausalLM

    s = Shape(layers=4)
    kinds = ["conv", "conv", "full_attention", "conv"]
    short = [matrix("shortconv.in_proj", 3 * s.embd, s.embd, 1.5), convolution("shortconv.conv", s.embd, 3),
             matrix("shortconv.out_proj", s.embd, s.embd)]
    attended = attention(s) + [gain("attn_q_norm", 64), gain("attn_k_norm", 64)]
    mixers = [attended if kind == "full_attention" else short for kind in kinds]
    metadata = {"attention.head_count_kv": [s.kv_heads * (kind == "full_attention") for kind in kinds],
                "shortconv.l_cache": 3, "rope.freq_base": 1000000.0}
    common = dict(norm_eps=1e-5, rope_parameters=rope(1e6), conv_L_cache=3, layer_types=kinds, conv_bias=False,
                  tie_word_embeddings=True)
    names = LLAMA_LAYER | {
        "attn_norm": "operator_norm", "ffn_norm": "ffn_norm", "attn_output": "self_attn.out_proj",
        "attn_q_norm": "self_attn.q_layernorm", "attn_k_norm": "self_attn.k_layernorm",
        "ffn_gate": "feed_forward.w1", "ffn_up": "feed_forward.w3", "ffn_down": "feed_forward.w2",
        "shortconv.in_proj": "conv.in_proj", "shortconv.conv": "conv.conv", "shortconv.out_proj": "conv.out_proj"}
    outer_names = LLAMA_OUTER | {"token_embd_norm": "model.embedding_norm"}

    def tensors(feed_forwards):
        both = norms(s, ["attn_norm", "ffn_norm"])
        return ([dataclasses.replace(t, name=t.name.replace("output_norm", "token_embd_norm")) for t in outer(s, tied=True)] +
                each_layer([both + mixer + ff for mixer, ff in zip(mixers, feed_forwards)]))

    def change(name, w):
        return w[:, None] if name == "shortconv.conv.weight" else w
    yield Model(
        "lfm2", "lfm2", rms(s) | metadata, tensors([feed_forward(s)] * s.layers), "Lfm2ForCausalLM",
        lambda: Lfm2ForCausalLM(config(s, Lfm2Config, **common, block_auto_adjust_ff_dim=False)),
        lambda w: renamed(w, outer_names, names, change=change))
    mixture = experts(s.embd, EXPERT_FF) + [Tensor("exp_probs_b.bias", (EXPERTS,), 0.0, 0.25)]
    names = names | {"ffn_gate_inp": "feed_forward.gate", "exp_probs_b": "feed_forward.expert"}

    def state(w):
        out = state_of(names, change, "feed_forward.experts", outer_names)(w)
        return {n.replace("feed_forward.expert.bias", "feed_forward.expert_bias"): t for n, t in out.items()}
    yield Model(
        "lfm2moe", "lfm2moe",
        rms(s, **COUNTS, expert_feed_forward_length=EXPERT_FF, leading_dense_block_count=1,
            expert_gating_func=SIGMOID) | metadata,
        tensors([feed_forward(s)] + [mixture] * (s.layers - 1)), "Lfm2MoeForCausalLM",
        lambda: Lfm2MoeForCausalLM(config(s, Lfm2MoeConfig, **common, num_experts=EXPERTS, num_experts_per_tok=USED,
                                          moe_intermediate_size=EXPERT_FF, num_dense_layers=1, norm_topk_prob=True,
                                          use_expert_bias=True, routed_scaling_factor=1.0)),
        state)


@dataclasses.dataclass
class Mamba2:
    inner: int = 512
    heads: int = 8
    groups: int = 2
    state: int = 64
    taps: int = 4

    @property
    def convolved(self):
        return self.inner + 2 * self.groups * self.state

    def parts(self, embd, norm=True):
        """Decays of 0.7 to 0.99 for each token."""
        tensors = [matrix("ssm_in", self.inner + self.convolved + self.heads, embd, 1.5),
                   convolution("ssm_conv1d", self.convolved, self.taps), bias("ssm_conv1d", self.convolved),
                   Tensor("ssm_dt.bias", (self.heads,), -1.0, 1.0), Tensor("ssm_a", (self.heads, 1), -0.515625, 0.5),
                   Tensor("ssm_d", (self.heads, 1), 1.0, 0.5), matrix("ssm_out", embd, self.inner)]
        if norm:
            tensors.append(Tensor("ssm_norm.weight", (self.groups, self.inner // self.groups), 1.0, 0.5))
        return tensors

    def metadata(self):
        return {"ssm.conv_kernel": self.taps, "ssm.inner_size": self.inner, "ssm.state_size": self.state,
                "ssm.group_count": self.groups, "ssm.time_step_rank": self.heads}

    def config(self):
        return dict(mamba_n_heads=self.heads, mamba_n_groups=self.groups, mamba_d_state=self.state,
                    mamba_d_head=self.inner // self.heads, mamba_d_conv=self.taps, mamba_chunk_size=64)

    names = {"ssm_in": "mamba.in_proj", "ssm_conv1d": "mamba.conv1d", "ssm_out": "mamba.out_proj",
             "ssm_norm": "mamba.norm", "ssm_dt": "mamba.dt", "ssm_a": "mamba.a", "ssm_d": "mamba.d"}

    @staticmethod
    def change(name, w):
        if name == "ssm_conv1d.weight":
            return w[:, None]
        return w.flatten() if name.startswith("ssm_norm") else w

    @staticmethod
    def state_dict(state):
        """Per-head numbers, without a suffix in transformers, and the logarithm of decays."""
        out = {}
        for name, w in state.items():
            if name.endswith(".a.weight"):
                out[name.replace("a.weight", "A_log")] = (-w).log().flatten()
            elif name.endswith(".d.weight"):
                out[name.replace("d.weight", "D")] = w.flatten()
            else:
                out[name.replace(".dt.bias", ".dt_bias")] = w
        return out


def with_suffixes(weights):
    """Restores suffixes that some names lack in files."""
    short = ("ssm_a", "ssm_d", "ffn_norm")
    return {name + ".weight" if name.endswith(short) else name: w for name, w in weights.items()}


def granite():
    from transformers import GraniteMoeHybridConfig, GraniteMoeHybridForCausalLM

    kinds = ["linear_attention", "linear_attention", "attention", "linear_attention"]
    mamba = Mamba2()
    scales = {"embedding_scale": 6.0, "residual_scale": 0.4, "attention.scale": 0.0625, "logit_scale": 4.0}
    for name, ff, n_experts in [("granitehybrid", 192, 0), ("granitehybrid_experts", EXPERT_FF, EXPERTS)]:
        s = Shape(layers=4, ff=ff)
        shared = 96 if n_experts else ff
        block = experts(s.embd, ff, shared=shared) if n_experts else feed_forward(s)
        mixers = [attention(s) if kind == "attention" else mamba.parts(s.embd) for kind in kinds]
        metadata = rms(s, **scales, **mamba.metadata()) | {
            "attention.head_count_kv": [s.kv_heads * (kind == "attention") for kind in kinds],
            "rope.scaling.finetuned": False, "rope.dimension_count": 64}
        if n_experts:
            metadata |= COUNTS | {"expert_shared_feed_forward_length": shared}
        names = Mamba2.names | {
            "ffn_gate_inp": "block_sparse_moe.router", "ffn_gate_shexp": "shared_gate", "ffn_up_shexp": "shared_up",
            "ffn_down_shexp": "shared_mlp.output_linear"}
        if not n_experts:
            names |= {"ffn_gate": "shared_gate", "ffn_up": "shared_up", "ffn_down": "shared_mlp.output_linear"}

        def state(w, names=names):
            out = state_of(names, Mamba2.change, "block_sparse_moe.experts")(with_suffixes(w))
            return joined_shared(Mamba2.state_dict(out))
        yield Model(
            name, "granitehybrid", metadata,
            outer(s) + each_layer([norms(s, ["attn_norm", "ffn_norm"]) + mixer + block for mixer in mixers]),
            "GraniteMoeHybridForCausalLM",
            lambda s=s, n_experts=n_experts, shared=shared: GraniteMoeHybridForCausalLM(config(
                s, GraniteMoeHybridConfig, rms_norm_eps=1e-5, tie_word_embeddings=False, embedding_multiplier=6.0,
                residual_multiplier=0.4, attention_multiplier=0.0625, logits_scaling=4.0, num_local_experts=n_experts,
                num_experts_per_tok=USED, shared_intermediate_size=shared, layer_types=kinds, **mamba.config())),
            state)


def nemotron_h():
    from transformers import NemotronHConfig, NemotronHForCausalLM

    kinds = ["linear_attention", "mlp", "full_attention", "mlp", "linear_attention"]
    mamba = Mamba2()
    names = {name: target.replace("mamba.", "mixer.") for name, target in Mamba2.names.items()} | {
        "attn_norm": "norm", "attn_q": "mixer.q_proj", "attn_k": "mixer.k_proj", "attn_v": "mixer.v_proj",
        "attn_output": "mixer.o_proj", "ffn_up": "mixer.up_proj", "ffn_down": "mixer.down_proj",
        "ffn_gate_inp": "mixer.gate", "exp_probs_b": "mixer.selection", "ffn_up_exps": "mixer.experts.up_proj",
        "ffn_down_exps": "mixer.experts.down_proj", "ffn_up_shexp": "mixer.shared_experts.up_proj",
        "ffn_down_shexp": "mixer.shared_experts.down_proj", "ffn_latent_down": "mixer.fc1_latent_proj",
        "ffn_latent_up": "mixer.fc2_latent_proj"}
    outer_names = {"token_embd": "model.embeddings", "output_norm": "model.norm_f", "output": "lm_head"}

    def state(w):
        out = Mamba2.state_dict(renamed(with_suffixes(w), outer_names, names, change=Mamba2.change))
        out = {n.removesuffix(".weight") if ".mixer.experts." in n else n: t for n, t in out.items()}
        return {n.replace("selection.bias", "gate.e_score_correction_bias"): t for n, t in out.items()}

    def model(name, architecture, s, block, keys, kinds=kinds, **more):
        parts = {"linear_attention": mamba.parts(s.embd), "mlp": block, "moe": block, "full_attention": attention(s)}
        return Model(
            name, architecture,
            sizes(s, **mamba.metadata(), **keys, **{"attention.layer_norm_epsilon": 1e-5, "attention.key_length": 64,
                                                    "attention.value_length": 64}) |
            {"attention.head_count_kv": [s.kv_heads * (kind == "full_attention") for kind in kinds],
             "feed_forward_length": [s.ff * (kind in ("mlp", "moe")) for kind in kinds]},
            outer(s) + each_layer([norms(s, ["attn_norm"]) + parts[kind] for kind in kinds]), "NemotronHForCausalLM",
            lambda: NemotronHForCausalLM(config(
                s, NemotronHConfig, layer_norm_epsilon=1e-5, head_dim=64, tie_word_embeddings=False, layer_types=kinds,
                mamba_num_heads=mamba.heads, mamba_head_dim=mamba.inner // mamba.heads, n_groups=mamba.groups,
                ssm_state_size=mamba.state, conv_kernel=mamba.taps, chunk_size=64, **more)),
            state)

    s = Shape(layers=5)
    yield model("nemotron_h", "nemotron_h", s, feed_forward(s, gated=False), {})
    narrow, shared = Shape(layers=5, ff=EXPERT_FF), 96
    sparse = ["moe" if kind == "mlp" else kind for kind in kinds]
    keys = COUNTS | {"expert_feed_forward_length": EXPERT_FF, "expert_shared_count": 1, "expert_weights_norm": True,
                     "expert_shared_feed_forward_length": shared, "expert_weights_scale": 2.5, "expert_group_count": 1}
    # Published models of 120B and more have a latent for their experts.
    for name, latent in [("nemotron_h_moe", 0), ("nemotron_h_moe_latent", 128)]:
        width = latent or s.embd
        block = [matrix("ffn_gate_inp", EXPERTS, s.embd, 1.5), Tensor("exp_probs_b.bias", (EXPERTS,), 0.0, 0.25),
                 expert_matrices("ffn_up_exps", EXPERT_FF, width, 1.5), expert_matrices("ffn_down_exps", width, EXPERT_FF),
                 matrix("ffn_up_shexp", shared, s.embd, 1.5), matrix("ffn_down_shexp", s.embd, shared)]
        if latent:
            block += [matrix("ffn_latent_down", latent, s.embd), matrix("ffn_latent_up", s.embd, latent)]
        yield model(
            name, "nemotron_h_moe", narrow, block, keys | ({"moe_latent_size": latent} if latent else {}), sparse,
            n_routed_experts=EXPERTS, num_experts_per_tok=USED, moe_intermediate_size=EXPERT_FF,
            moe_shared_expert_intermediate_size=shared, moe_latent_size=latent or None, routed_scaling_factor=2.5)


def falcon_h1():
    """Files have its many factors multiplied into the matrices."""
    from transformers import FalconH1Config, FalconH1ForCausalLM

    s = Shape(layers=3)
    # Of the published models only the smallest has the norm.
    for name, norm in [("falcon_h1", False), ("falcon_h1_norm", True)]:
        mamba = Mamba2(inner=384)
        parts = (norms(s, ["attn_norm", "ffn_norm"]) + attention(s) + mamba.parts(s.embd, norm) + feed_forward(s))
        short = [dataclasses.replace(t, name="ffn_norm") if t.name == "ffn_norm.weight" else t for t in parts]
        names = LLAMA_LAYER | Mamba2.names | {
            "ffn_norm": "pre_ff_layernorm", "ffn_gate": "feed_forward.gate_proj", "ffn_up": "feed_forward.up_proj",
            "ffn_down": "feed_forward.down_proj"}
        yield Model(
            name, "falcon-h1",
            rms(s, **mamba.metadata(), **{"rope.freq_base": 100000.0, "attention.key_length": 64,
                                          "attention.value_length": 64}),
            outer(s) + layers(s, short), "FalconH1ForCausalLM",
            lambda norm=norm, mamba=mamba: FalconH1ForCausalLM(config(
                s, FalconH1Config, rms_norm_eps=1e-5, rope_parameters=rope(1e5), head_dim=64, mamba_d_ssm=mamba.inner,
                mamba_rms_norm=norm, mamba_norm_before_gate=False, tie_word_embeddings=False, **mamba.config())),
            lambda w, names=names: Mamba2.state_dict(renamed(
                with_suffixes(w), LLAMA_OUTER | {"output_norm": "model.final_layernorm"}, names, change=Mamba2.change)))


@dataclasses.dataclass
class DeltaNet:
    """The gated delta rule of Qwen3-Next and Qwen3.5, in whose files value heads are in different orders."""
    tiled: bool
    key_heads: int = 2
    value_heads: int = 4
    dim: int = 64  # of keys and values, which must be equal in llama.cpp
    taps: int = 4

    @property
    def keys(self):
        return self.key_heads * self.dim

    @property
    def values(self):
        return self.value_heads * self.dim

    @property
    def each(self):
        return self.value_heads // self.key_heads

    def parts(self, embd):
        steps = [("ssm_beta", self.value_heads), ("ssm_alpha", self.value_heads)] if self.tiled else [
            ("ssm_ba", 2 * self.value_heads)]
        convolved = 2 * self.keys + self.values
        return ([matrix("attn_qkv", convolved, embd, 1.5), matrix("attn_gate", self.values, embd, 1.5)] +
                [matrix(name, rows, embd) for name, rows in steps] +
                [convolution("ssm_conv1d", convolved, self.taps), Tensor("ssm_dt.bias", (self.value_heads,), -1.0, 1.0),
                 Tensor("ssm_a", (self.value_heads,), -0.515625, 0.5), gain("ssm_norm", self.dim),
                 matrix("ssm_out", embd, self.values)])

    def metadata(self):
        return {"ssm.conv_kernel": self.taps, "ssm.inner_size": self.values, "ssm.state_size": self.dim,
                "ssm.group_count": self.key_heads, "ssm.time_step_rank": self.value_heads}

    def config(self):
        return dict(linear_conv_kernel_dim=self.taps, linear_key_head_dim=self.dim, linear_value_head_dim=self.dim,
                    linear_num_key_heads=self.key_heads, linear_num_value_heads=self.value_heads)

    names = {"attn_qkv": "linear_attn.qkv", "attn_gate": "linear_attn.in_proj_z", "ssm_ba": "linear_attn.in_proj_ba",
             "ssm_beta": "linear_attn.in_proj_b", "ssm_alpha": "linear_attn.in_proj_a", "ssm_norm": "linear_attn.norm",
             "ssm_conv1d": "linear_attn.conv1d", "ssm_dt": "linear_attn.dt", "ssm_a": "linear_attn.A",
             "ssm_out": "linear_attn.out_proj"}

    def grouped(self, w, dim=1):
        """Reorders heads of `dim` rows from files to transformers, which groups them by key head."""
        if not self.tiled:
            return w
        return w.reshape(self.each, self.key_heads, dim, -1).swapaxes(0, 1).reshape(w.shape)

    def change(self, name, w):
        tensor = name.split(".")[0]
        if tensor in ("attn_qkv", "ssm_conv1d"):
            rest, values = w[:2 * self.keys], w[2 * self.keys:]
            w = torch.cat([rest, self.grouped(values, self.dim)])
            return w[:, None] if tensor == "ssm_conv1d" else w
        if tensor == "attn_gate":
            return self.grouped(w, self.dim)
        if tensor == "ssm_out":
            return self.grouped(w.T, self.dim).T
        if tensor in ("ssm_beta", "ssm_alpha", "ssm_dt", "ssm_a"):
            return self.grouped(w)
        if name.endswith("_norm.weight") and tensor != "ssm_norm":
            return w - 1
        return w[None] if "gate_inp_shexp" in name else w

    def state_dict(self, state):
        out = {}
        for name, w in state.items():
            if name.endswith("linear_attn.A.weight"):
                out[name.replace("A.weight", "A_log")] = (-w).log()
            elif name.endswith("linear_attn.dt.bias"):
                out[name.replace("dt.bias", "dt_bias")] = w
            elif name.endswith("linear_attn.qkv.weight"):
                if self.tiled:
                    out[name.replace("qkv", "in_proj_qkv")] = w
                    continue
                z = state[name.replace("qkv", "in_proj_z")]
                parts = [*w.split([self.keys, self.keys, self.values]), z]
                by_head = [part.reshape(self.key_heads, -1, w.shape[1]) for part in parts]
                out[name.replace("qkv", "in_proj_qkvz")] = torch.cat(by_head, 1).flatten(0, 1)
            elif self.tiled or not name.endswith("in_proj_z.weight"):
                out[name] = w
        return out


def qwen():
    from transformers import (Qwen3_5ForCausalLM, Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig, Qwen3_5TextConfig,
                              Qwen3NextConfig, Qwen3NextForCausalLM)

    s = Shape(layers=4)
    shared = 96
    head_norms = [gain("attn_q_norm", 64), gain("attn_k_norm", 64)]
    gated = [matrix("attn_q", 2 * s.q, s.embd, 1.5) if t.name == "attn_q.weight" else t for t in attention(s)] + head_norms
    common = dict(rms_norm_eps=1e-6, tie_word_embeddings=False, head_dim=64)
    counts = COUNTS | {"expert_feed_forward_length": EXPERT_FF, "expert_shared_feed_forward_length": shared}
    mixture = dict(num_experts=EXPERTS, num_experts_per_tok=USED, moe_intermediate_size=EXPERT_FF,
                   shared_expert_intermediate_size=shared)
    pictures = {"rope.dimension_sections": [6, 5, 5, 0]}
    rotated = rope(1e6, partial_rotary_factor=0.5)
    with_pictures = rotated | {"mrope_section": [6, 5, 5], "mrope_interleaved": True}
    for name, cls, config_class, delta, with_experts, more, rope_parameters in [
            ("qwen3next", Qwen3NextForCausalLM, Qwen3NextConfig, DeltaNet(False), True, {}, rotated),
            ("qwen35", Qwen3_5ForCausalLM, Qwen3_5TextConfig, DeltaNet(True), False, pictures, with_pictures),
            ("qwen35moe", Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig, DeltaNet(True), True, pictures, with_pictures)]:
        block = experts(s.embd, EXPERT_FF, shared=shared, gate=True) if with_experts else feed_forward(s)
        mixers = [delta.parts(s.embd)] * 3 + [gated]
        metadata = rms(s, **delta.metadata(), **more, **(counts if with_experts else {}), **{
            "rope.freq_base": 1000000.0, "rope.dimension_count": 32, "attention.key_length": 64,
            "attention.value_length": 64, "full_attention_interval": 4}) | {"attention.layer_norm_rms_epsilon": 1e-6}
        names = DeltaNet.names | {
            "post_attention_norm": "post_attention_layernorm", "ffn_gate_shexp": "mlp.shared_expert.gate_proj",
            "ffn_up_shexp": "mlp.shared_expert.up_proj", "ffn_down_shexp": "mlp.shared_expert.down_proj",
            "ffn_gate_inp_shexp": "mlp.shared_expert_gate"}
        yield Model(
            name, name, metadata,
            outer(s) + each_layer([norms(s, ["attn_norm", "post_attention_norm"]) + mixer + block for mixer in mixers]),
            cls.__name__,
            lambda cls=cls, config_class=config_class, delta=delta, parameters=rope_parameters, with_experts=with_experts: cls(
                config(s, config_class, **common, **delta.config(), **(mixture if with_experts else {}),
                       rope_parameters=parameters)),
            lambda w, delta=delta, names=names: delta.state_dict(
                state_of(names, delta.change)(with_suffixes(w))))


def older_qwen3next():
    """The older layout of files, without attn_qkv and attn_gate."""
    model = next(m for m in qwen() if m.name == "qwen3next")
    delta, embd = DeltaNet(False), model.metadata["embedding_length"]
    pieces = [delta.dim, delta.dim, delta.each * delta.dim, delta.each * delta.dim]
    fused = matrix("ssm_in", sum(pieces) * delta.key_heads, embd, 1.5)
    tensors = [dataclasses.replace(fused, name=t.name.replace("attn_qkv", "ssm_in")) if "attn_qkv." in t.name else t
               for t in model.tensors if "attn_gate." not in t.name]

    def state(weights):
        """Reorders the tensors to the newer layout first."""
        sorted_weights = {}
        for name, w in weights.items():
            if ".ssm_in." in name:
                parts = [part.flatten(0, 1) for part in w.reshape(delta.key_heads, -1, embd).split(pieces, 1)]
                sorted_weights[name.replace("ssm_in", "attn_qkv")] = torch.cat(parts[:3])
                sorted_weights[name.replace("ssm_in", "attn_gate")] = parts[3]
            else:
                sorted_weights[name] = w
        return model.state(sorted_weights)
    yield dataclasses.replace(model, name="qwen3next_fused", tensors=tensors, state=state)


def jamba():
    from transformers import JambaConfig, JambaForCausalLM

    s = Shape(layers=4, ff=EXPERT_FF)
    inner, states, rank = 512, 16, 16
    mamba = [matrix("ssm_in", 2 * inner, s.embd, 1.5), convolution("ssm_conv1d", inner, 4), bias("ssm_conv1d", inner),
             matrix("ssm_x", rank + 2 * states, inner, 1.5), gain("ssm_dt_norm", rank), gain("ssm_b_norm", states),
             gain("ssm_c_norm", states), matrix("ssm_dt", inner, rank), Tensor("ssm_dt.bias", (inner,), -1.0, 1.0),
             Tensor("ssm_a", (inner, states), -0.515625, 0.5), Tensor("ssm_d", (inner,), 1.0, 0.5),
             matrix("ssm_out", s.embd, inner)]
    mixers = [mamba, mamba, attention(s), mamba]
    blocks = [feed_forward(s), experts(s.embd, s.ff)] * 2
    names = {"ffn_norm": "pre_ff_layernorm", "ssm_in": "mamba.in_proj", "ssm_conv1d": "mamba.conv1d",
             "ssm_x": "mamba.x_proj", "ssm_dt": "mamba.dt_proj", "ssm_dt_norm": "mamba.dt_layernorm",
             "ssm_b_norm": "mamba.b_layernorm", "ssm_c_norm": "mamba.c_layernorm", "ssm_a": "mamba.a",
             "ssm_d": "mamba.d", "ssm_out": "mamba.out_proj", "ffn_gate": "feed_forward.gate_proj",
             "ffn_up": "feed_forward.up_proj", "ffn_down": "feed_forward.down_proj", "ffn_gate_inp": "feed_forward.router"}

    def state(w):
        out = state_of(names, Mamba2.change, "feed_forward.experts", LLAMA_OUTER | {"output_norm": "model.final_layernorm"})(
            with_suffixes(w))
        return {n.replace("mamba.a.weight", "mamba.A_log").replace("mamba.d.weight", "mamba.D"):
                (-t).log() if n.endswith("mamba.a.weight") else t for n, t in out.items()}
    yield Model(
        "jamba", "jamba",
        rms(s, **COUNTS, **{"ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": states,
                            "ssm.time_step_rank": rank}) |
        {"attention.head_count_kv": [0, 0, s.kv_heads, 0]},
        outer(s) + each_layer([norms(s, ["attn_norm", "ffn_norm"]) + mixer + block for mixer, block in zip(mixers, blocks)]),
        "JambaForCausalLM",
        lambda: JambaForCausalLM(config(s, JambaConfig, rms_norm_eps=1e-5, num_experts=EXPERTS, num_experts_per_tok=USED,
                                        attn_layer_period=4, attn_layer_offset=2, mamba_dt_rank=rank)),
        state)


def models():
    for family in (lfm2, granite, falcon_h1, nemotron_h, qwen, older_qwen3next, jamba):
        yield from family()
