// Layout of attention's scratch memory: softmax states, prepared queries, the page of the sinks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "backend/cpu/aligned_buffer.h"
#include "backend/cpu/attention_kernels.h"
#include "codec/codec.h"

namespace kvsplit::cpu {

inline std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

inline float* floats(const AlignedBuffer& buffer) {
    return const_cast<float*>(reinterpret_cast<const float*>(buffer.data()));
}

// A state of n_rows rows in `memory`, which takes state_floats(n_rows, dim) floats.
inline std::size_t state_floats(int n_rows, int dim) {
    return round_up(static_cast<std::size_t>(n_rows) * static_cast<std::size_t>(dim + 16 + 1), 16);
}
inline SoftmaxState state_at(float* memory, int n_rows, int dim) {
    float* sum = memory + static_cast<std::ptrdiff_t>(n_rows) * dim;
    return {sum + static_cast<std::ptrdiff_t>(n_rows) * 16, sum, memory};
}
inline SoftmaxState fresh_state(float* memory, int n_rows, int dim) {
    SoftmaxState state = state_at(memory, n_rows, dim);
    std::fill_n(state.acc, static_cast<std::ptrdiff_t>(n_rows) * dim, 0.0f);
    std::fill_n(state.max, n_rows, -std::numeric_limits<float>::infinity());
    std::fill_n(state.sum, static_cast<std::ptrdiff_t>(n_rows) * 16, 0.0f);
    return state;
}

// One head's page of 64 tokens in f16; enough for the sinks.
inline std::size_t sinks_page_floats(const codec::KvHead& head) {
    return static_cast<std::size_t>((head.key.head_dim + head.value.padded_dim) * codec::kPageTokens / 2);
}

// A batch's queries for products with codes of one shape: codes, then scales, then sums.
struct PreparedQueries {
    PreparedQueries(const AlignedBuffer& buffer, std::size_t n_rows, const codec::HeadShape& side)
        : dim(static_cast<std::size_t>(side.padded_dim)), groups(static_cast<std::size_t>(side.n_groups)) {
        std::byte* at = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(buffer.data()));
        codes = reinterpret_cast<std::int8_t*>(at);
        at += round_up(n_rows * dim, 64);
        scales = reinterpret_cast<float*>(at);
        at += round_up(n_rows * sizeof(float), 64);
        sums = reinterpret_cast<std::int32_t*>(at);
    }
    static std::size_t bytes(std::size_t n_rows, const codec::HeadShape& side) {
        return round_up(n_rows * static_cast<std::size_t>(side.padded_dim), 64) +
               round_up(n_rows * sizeof(float), 64) +
               n_rows * static_cast<std::size_t>(side.n_groups) * sizeof(std::int32_t) + 64;
    }
    QueryCodes from(std::size_t row) const { return {codes + row * dim, scales + row, sums + row * groups}; }

    std::size_t dim, groups;
    std::int8_t* codes;
    float* scales;
    std::int32_t* sums;
};

}  // namespace kvsplit::cpu
