// All kernels of one instruction set. Included by kernels_portable.cc, kernels_avx2.cc, ... only.
#pragma once

#include "backend/cpu/attention_impl.h"
#include "backend/cpu/attention_rows.h"
#include "backend/cpu/elementwise_impl.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/matmul_impl.h"
#include "backend/cpu/recurrence_impl.h"
#include "backend/cpu/seal_impl.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

extern const Kernels table;
constinit const Kernels table = {
    .isa = KVSPLIT_ISA_ENUM,
    .rms_norm = rms_norm<false>,
    .add_rms_norm = rms_norm<true>,
    .layer_norm = layer_norm<false>,
    .add_layer_norm = layer_norm<true>,
    .gated = {gated<silu>, gated<gelu>, gated<gelu_tanh>, gated<relu>, gated<relu_squared>, gated<sigmoid>,
              gated<identity>, gated<softplus>, gated_swiglu_clamped},
    .activation = {activate<silu>, activate<gelu>, activate<gelu_tanh>, activate<relu>,
                   activate<relu_squared>, activate<sigmoid>, activate<identity>, activate<softplus>,
                   nullptr},
    .xielu = xielu,
    .add = add,
    .scale = scale,
    .clamp = clamp,
    .soft_cap = soft_cap,
    .rope_pairs = rope_pairs,
    .rope_halves = rope_halves,
    .attend = attend,
    .merge_states = merge_states,
    .finish_rows = finish_rows,
    .prepare_query = prepare_query,
    .append_token = append_token,
    .matmul = matmul_kernels(),
    .recurrence = recurrence_kernels(),
    .seal = {.key_page = seal_key_page, .value_page = seal_value_page},
};

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
