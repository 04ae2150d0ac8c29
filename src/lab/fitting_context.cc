#include "lab/fitting_context.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvsplit::lab {
namespace {

constexpr int kLeast = 4;  // tokens of a chunk

}  // namespace

FittingContext fitting_context(const Model& model, const Model* base, std::string_view text, int chunks,
                               int wanted) {
    FittingContext out{wanted, ""};
    const auto allow = [&](int most, auto why) {
        if (most >= out.tokens) return;
        out.tokens = std::max(most, kLeast);
        out.why = why();
    };
    for (const Model* m : {&model, base}) {
        if (m) allow(m->info().context_length, [] { return "the model was made for no more"; });
    }
    const auto n = model.tokenize(text, true, false).size();
    const auto share = n / static_cast<std::size_t>(std::max(chunks, 1));
    allow(static_cast<int>(std::min<std::size_t>(share, static_cast<std::size_t>(wanted))),
          [&] { return fmt::format("the text has {} tokens", n); });
    return out;
}

}  // namespace kvsplit::lab
