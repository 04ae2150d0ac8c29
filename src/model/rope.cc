#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "base/printable.h"
#include "gguf/blocks.h"

namespace kvsplit {
namespace {

constexpr int kLongestContext = std::numeric_limits<int>::max() / 2;

enum class ScalingKind { kNone, kLinear, kYarn, kLongRope };

struct Scaling {
    ScalingKind kind = ScalingKind::kNone;
    double factor = 1;         // how many times longer
    int original_context = 0;  // tokens that the model was trained for before it was stretched
};

ScalingKind kind_of(const ArchitectureKeys& keys) {
    const std::string kind = keys.text_or("rope.scaling.type", "linear");
    if (kind == "none") return ScalingKind::kNone;
    if (kind == "linear") return ScalingKind::kLinear;
    if (kind == "yarn") return ScalingKind::kYarn;
    if (kind == "longrope") return ScalingKind::kLongRope;
    fail(ErrorCode::kUnsupported, "{}: RoPE scaling '{}' is not supported", keys.file().path(),
         printable(kind));
}

Scaling scaling_of(const ArchitectureKeys& keys, int context_length, const RopeOptions& user) {
    Scaling s;
    switch (user.scaling) {
        case RopeOptions::Scaling::kFile:
            s.kind = kind_of(keys);
            break;
        case RopeOptions::Scaling::kNone:
            s.kind = ScalingKind::kNone;
            break;
        case RopeOptions::Scaling::kLinear:
            s.kind = ScalingKind::kLinear;
            break;
        case RopeOptions::Scaling::kYarn:
            s.kind = ScalingKind::kYarn;
            break;
    }
    // Some files write 0 for "none".
    double factor = keys.number_or("rope.scaling.factor", keys.number_or("rope.scale_linear", 0));
    if (user.scale > 0) factor = user.scale;
    if (factor < 0) fail(ErrorCode::kFormat, "{}: a negative rope.scaling.factor", keys.file().path());
    if (s.kind != ScalingKind::kNone && factor > 0) s.factor = factor;
    s.original_context = user.original_context > 0 ? user.original_context
                                                   : keys.count_or("rope.scaling.original_context_length",
                                                                   kLongestContext, context_length);
    return s;
}

// A tensor of divisors, one per pair; empty if absent.
std::vector<double> divisors(const gguf::File& file, const char* name, int n_pairs) {
    const gguf::Tensor* t = file.find_tensor(name);
    if (!t) return {};
    if (t->elements() < n_pairs || t->type != gguf::TensorType::kF32) {
        file.reject(*t, fmt::format("must hold {} F32 numbers", n_pairs));
    }
    std::vector<float> all(static_cast<std::size_t>(t->elements()));
    gguf::dequantize_row(t->type, file.data(*t).data(), all.data(), t->elements());
    all.resize(static_cast<std::size_t>(n_pairs));
    for (float d : all) {
        if (!(std::isfinite(d) && d > 0)) file.reject(*t, "holds a number that is not positive");
    }
    return {all.begin(), all.end()};
}

void divide(std::vector<double>& frequencies, const std::vector<double>& by) {
    for (std::size_t i = 0; i < by.size(); ++i) frequencies[i] /= by[i];
}

// YaRN (Peng et al., arXiv 2309.00071): pairs that turn more than beta_fast times within the trained context
// keep their speed, those that turn less than beta_slow times are slowed down by the whole factor, and those
// between by a mixture of both.
struct Yarn {
    double extrapolation;  // weight of the ramp; 0: all pairs are slowed down
    double first, last;    // the pairs where the ramp begins and ends

    Yarn(const ArchitectureKeys& keys, int n_pairs, double base, const Scaling& scaling, bool whole_pairs)
        : extrapolation(keys.number_or("rope.scaling.yarn_ext_factor", 1)) {
        // The pair that turns `turns` times within the trained context.
        const auto pair = [&](double turns) {
            const double tokens = scaling.original_context / (turns * 2 * std::numbers::pi);
            return n_pairs * std::log(tokens) / std::log(base);
        };
        first = pair(keys.positive_or("rope.scaling.yarn_beta_fast", 32));
        last = pair(keys.positive_or("rope.scaling.yarn_beta_slow", 1));
        if (whole_pairs) {
            first = std::floor(first);
            last = std::ceil(last);
        }
        first = std::max(first, 0.0);
        last = std::min(last, 2.0 * n_pairs - 1);
        last = std::max(last, first + 0.001);  // a step instead of a division by zero
    }

    double stretch(double frequency, int pair, double factor) const {
        const double kept = extrapolation * (1 - std::clamp((pair - first) / (last - first), 0.0, 1.0));
        return frequency / factor * (1 - kept) + frequency * kept;
    }
};

double yarn_magnitude(double factor, double multiplier) {
    return factor <= 1 ? 1 : 1 + 0.1 * multiplier * std::log(factor);
}

double log_multiplier(const ArchitectureKeys& keys) {
    return keys.number_or("rope.scaling.yarn_log_multiplier", 0);
}

// Rope::magnitude, from the file or the method.
double magnitude_of(const ArchitectureKeys& keys, const Scaling& scaling) {
    double magnitude = keys.positive_or("rope.scaling.attn_factor", 1);
    if (scaling.kind != ScalingKind::kYarn) return magnitude;
    if (keys.has("rope.scaling.yarn_attn_factor"))
        return magnitude * keys.positive_or("rope.scaling.yarn_attn_factor", 1);
    const double multiplier = log_multiplier(keys);
    return magnitude * yarn_magnitude(scaling.factor, 1) / yarn_magnitude(scaling.factor, multiplier);
}

}  // namespace

Rope plain_rope(int n_pairs, double base) {
    Rope rope;
    for (int i = 0; i < n_pairs; ++i)
        rope.frequencies.push_back(std::pow(base, -static_cast<double>(i) / n_pairs));
    return rope;
}

Rope read_rope(const ArchitectureKeys& keys, int n_pairs, int context_length, const RopeOptions& user,
               const RopeDefaults& defaults) {
    const double base =
        user.frequency_base > 0 ? user.frequency_base : keys.positive_or("rope.freq_base", defaults.base);
    if (!(base > 1)) fail(ErrorCode::kFormat, "{}: rope.freq_base must exceed 1", keys.file().path());
    const Scaling scaling = scaling_of(keys, context_length, user);
    Rope rope = plain_rope(n_pairs, base);
    rope.magnitude = magnitude_of(keys, scaling);
    std::vector<double>& f = rope.frequencies;
    if (scaling.kind == ScalingKind::kYarn) {
        if (defaults.log_multiplier_unit != 1 && log_multiplier(keys) > 0) {
            const double all =
                yarn_magnitude(scaling.factor, log_multiplier(keys) / defaults.log_multiplier_unit);
            rope.magnitude = 1;
            rope.attention_scale = all * all;
        }
        const Yarn yarn(keys, n_pairs, base, scaling, defaults.whole_pairs);
        for (int i = 0; i < n_pairs; ++i) {
            double& each = f[static_cast<std::size_t>(i)];
            each = yarn.stretch(each, i, scaling.factor);
        }
    } else {
        const double scale = 1.0 / scaling.factor;
        for (double& each : f) each *= scale;
    }

    const gguf::File& file = keys.file();
    divide(f, divisors(file, "rope_freqs.weight", n_pairs));  // Llama 3's stretching
    const std::vector<double> by_long = divisors(file, "rope_factors_long.weight", n_pairs);
    const std::vector<double> by_short = divisors(file, "rope_factors_short.weight", n_pairs);
    if (by_long.empty() != by_short.empty()) {
        fail(ErrorCode::kFormat,
             "{}: of rope_factors_long.weight and rope_factors_short.weight only one is there", file.path());
    }
    if (!by_long.empty()) {
        rope.long_frequencies = f;
        rope.short_context = scaling.original_context;
        divide(rope.long_frequencies, by_long);
        divide(f, by_short);
    }
    return rope;
}

int stretched_context(const ArchitectureKeys& keys, int context_length, const RopeOptions& user) {
    if (user.scale <= 0 || user.scaling == RopeOptions::Scaling::kNone) return context_length;
    const double reach = scaling_of(keys, context_length, user).original_context * user.scale;
    return static_cast<int>(std::clamp<double>(reach, context_length, kLongestContext));
}

}  // namespace kvsplit
