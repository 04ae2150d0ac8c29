// Parameters for tests of every instruction set and several head sizes, each a separate test with a name such
// as "avx512_d64".
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "base/cpu_features.h"

namespace kvsplit::cpu::test {

using SetAndHead = std::tuple<CpuIsa, int>;

inline auto sets_and_heads(const std::vector<int>& head_dims) {
    return ::testing::Combine(::testing::ValuesIn(available_isas()), ::testing::ValuesIn(head_dims));
}

inline std::string set_and_head(const ::testing::TestParamInfo<SetAndHead>& info) {
    return fmt::format("{}_d{}", isa_name(std::get<0>(info.param)), std::get<1>(info.param));
}

}  // namespace kvsplit::cpu::test
