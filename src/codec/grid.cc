#include "codec/grid.h"

#include "base/check.h"

namespace kvsplit::codec {
namespace {

constexpr float kNever = 1e30f;
constexpr int kCells = 8;

constexpr float midpoint(int a, int b) {
    return (static_cast<float>(a) / 127.0f + static_cast<float>(b) / 127.0f) / 2.0f;
}

// Fills the cells from the positive levels, which are ascending and end at 127.
template <int n_positive>
constexpr LevelTable level_table(const int (&positive)[n_positive], float top) {
    LevelTable t{};
    t.top = top;
    for (int i = 0; i < n_positive; ++i) {
        t.levels[n_positive + i] = static_cast<std::int8_t>(positive[i]);
        t.levels[n_positive - 1 - i] = static_cast<std::int8_t>(-positive[i]);
    }
    int below = 0;  // how many thresholds the cells so far hold
    for (int cell = 0; cell < kCells; ++cell) {
        t.index[cell] = below;
        t.lower[cell] = static_cast<float>(positive[below]) / 127.0f;
        const bool has_threshold = below + 1 < n_positive && midpoint(positive[below], positive[below + 1]) <
                                                                 static_cast<float>(cell + 1) / kCells;
        t.threshold[cell] = has_threshold ? midpoint(positive[below], positive[below + 1]) : kNever;
        if (has_threshold) ++below;
        t.upper[cell] = static_cast<float>(positive[below]) / 127.0f;
    }
    return t;
}

// Lloyd-Max quantiser of the standard normal density (Max 1960; Lloyd 1982): levels are the means of their
// cells, cell borders the midpoints between levels. Iterated to a fixed point on a grid of 160,001 points
// over
// [-8, 8], then scaled so that the top level is 127, and rounded. scripts/oracles/codec_pages.py recomputes
// and checks it.
constexpr LevelTable kLloydMax4 = level_table({6, 18, 31, 44, 58, 75, 96, 127}, 2.7336744868765432f);
static_assert(kLloydMax4.index[kCells - 1] + (kLloydMax4.threshold[kCells - 1] < kNever ? 1 : 0) == 7,
              "every threshold needs a cell of its own");

#define KVSPLIT_LLOYD_MAX_SEARCH \
    7, { 0.8f, 0.88f, 0.94f, 1.0f, 1.06f, 1.13f, 1.22f }

constexpr GridPolicy kKeyPolicies[] = {
    {8, GridKind::kUniform, ScaleRule::kLeastSquares, 1, {1.0f}, nullptr},
    {4, GridKind::kLloydMax, ScaleRule::kMixed, KVSPLIT_LLOYD_MAX_SEARCH, &kLloydMax4},
};
constexpr GridPolicy kValuePolicies[] = {
    {8, GridKind::kUniform, ScaleRule::kStep, 1, {1.0f}, nullptr},
    {4, GridKind::kLloydMax, ScaleRule::kUnbiased, KVSPLIT_LLOYD_MAX_SEARCH, &kLloydMax4},
};
#undef KVSPLIT_LLOYD_MAX_SEARCH

template <int n>
const GridPolicy& find(const GridPolicy (&policies)[n], int bits) {
    const GridPolicy* found = nullptr;
    for (const GridPolicy& policy : policies) {
        if (policy.bits == bits) found = &policy;
    }
    KVSPLIT_CHECK(found != nullptr);
    return *found;
}

}  // namespace

const GridPolicy& key_policy(int bits) { return find(kKeyPolicies, bits); }
const GridPolicy& value_policy(int bits) { return find(kValuePolicies, bits); }
const std::int8_t* lloyd_max_4bit() { return kLloydMax4.levels; }

}  // namespace kvsplit::codec
