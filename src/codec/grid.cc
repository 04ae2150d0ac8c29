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
    int below = 0;  // thresholds in the cells so far
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

}  // namespace

// Lloyd-Max quantiser of the standard normal density (Max 1960; Lloyd 1982): levels are the means of their
// cells, cell borders the midpoints between levels. Iterated to a fixed point on a grid of 160,001 points
// over [-8, 8], then scaled so that the top level is 127, and rounded. scripts/oracles/codec_pages.py
// recomputes and checks it.
constexpr LevelTable kLloydMax4 = level_table({6, 18, 31, 44, 58, 75, 96, 127}, 2.7336744868765432f);
constexpr LevelTable kLloydMax3 = level_table({14, 45, 79, 127}, 2.1522261067389956f);
constexpr LevelTable kLloydMax2 = level_table({38, 127}, 1.5104984251875457f);

namespace {

template <int n_positive>
constexpr bool cells_suffice(const LevelTable& t) {
    return t.index[kCells - 1] + (t.threshold[kCells - 1] < kNever ? 1 : 0) == n_positive - 1;
}
static_assert(cells_suffice<8>(kLloydMax4) && cells_suffice<4>(kLloydMax3) && cells_suffice<2>(kLloydMax2),
              "every threshold needs a cell of its own");

#define KVSPLIT_LLOYD_MAX_SEARCH \
    7, { 0.8f, 0.88f, 0.94f, 1.0f, 1.06f, 1.13f, 1.22f }
#define KVSPLIT_LLOYD_MAX_SEARCH_2 \
    7, { 0.75f, 0.85f, 0.93f, 1.0f, 1.08f, 1.17f, 1.28f }
#define KVSPLIT_CLIP_SEARCH_6 \
    3, { 1.0f, 0.94f, 0.88f }
#define KVSPLIT_CLIP_SEARCH_5 \
    6, { 1.02f, 0.97f, 0.92f, 0.86f, 0.8f, 0.74f }

constexpr GridPolicy kKeyPolicies[] = {
    {8, GridKind::kUniform, ScaleRule::kLeastSquares, 1, {1.0f}, nullptr},
    {6, GridKind::kUniform, ScaleRule::kLeastSquares, KVSPLIT_CLIP_SEARCH_6, nullptr},
    {5, GridKind::kUniform, ScaleRule::kLeastSquares, KVSPLIT_CLIP_SEARCH_5, nullptr},
    {4, GridKind::kLloydMax, ScaleRule::kMixed, KVSPLIT_LLOYD_MAX_SEARCH, &kLloydMax4},
    {3, GridKind::kLloydMax, ScaleRule::kMixed, KVSPLIT_LLOYD_MAX_SEARCH, &kLloydMax3},
    {2, GridKind::kLloydMax, ScaleRule::kMixed, KVSPLIT_LLOYD_MAX_SEARCH_2, &kLloydMax2},
};
constexpr GridPolicy kValuePolicies[] = {
    {8, GridKind::kUniform, ScaleRule::kStep, 1, {1.0f}, nullptr},
    {6, GridKind::kUniform, ScaleRule::kStep, 1, {1.0f}, nullptr},
    {5, GridKind::kUniform, ScaleRule::kUnbiased, KVSPLIT_CLIP_SEARCH_5, nullptr},
    {4, GridKind::kLloydMax, ScaleRule::kUnbiased, KVSPLIT_LLOYD_MAX_SEARCH, &kLloydMax4},
    {3, GridKind::kLloydMax, ScaleRule::kUnbiased, KVSPLIT_LLOYD_MAX_SEARCH, &kLloydMax3},
    {2, GridKind::kLloydMax, ScaleRule::kUnbiased, KVSPLIT_LLOYD_MAX_SEARCH_2, &kLloydMax2},
};
#undef KVSPLIT_LLOYD_MAX_SEARCH
#undef KVSPLIT_LLOYD_MAX_SEARCH_2
#undef KVSPLIT_CLIP_SEARCH_6
#undef KVSPLIT_CLIP_SEARCH_5

constexpr int kWidths = 6;  // of each side

// A width's index in the tables, or -1.
constexpr int find(const GridPolicy (&policies)[kWidths], int bits) {
    for (int i = 0; i < kWidths; ++i) {
        if (policies[i].bits == bits) return i;
    }
    return -1;
}

struct PlainPolicies {
    GridPolicy of[kWidths];
};
constexpr PlainPolicies without_search(const GridPolicy (&policies)[kWidths]) {
    PlainPolicies out{};
    for (int i = 0; i < kWidths; ++i) {
        const GridPolicy& p = policies[i];
        out.of[i] = {p.bits, p.kind, ScaleRule::kStep, 1, {1.0f}, p.table};
    }
    return out;
}
constexpr PlainPolicies kPlain = without_search(kKeyPolicies);  // the grids of both sides are the same

}  // namespace

const GridPolicy& key_policy(int bits, bool search) {
    const int i = find(kKeyPolicies, bits);
    KVSPLIT_CHECK(i >= 0);
    return search ? kKeyPolicies[i] : kPlain.of[i];
}
const GridPolicy& value_policy(int bits, bool search) {
    const int i = find(kValuePolicies, bits);
    KVSPLIT_CHECK(i >= 0);
    return search ? kValuePolicies[i] : kPlain.of[i];
}

}  // namespace kvsplit::codec
