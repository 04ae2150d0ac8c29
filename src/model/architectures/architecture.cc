#include "model/architectures/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace kvsplit {

bool first_layer_has(const ArchitectureKeys& in, std::string_view tensor) {
    return in.file().find_tensor(fmt::format("blk.0.{}", tensor)) != nullptr;
}

void set_layer_norm(const ArchitectureKeys& in, ModelDescription& d) {
    d.norm = NormKind::kLayer;
    d.norm_eps = static_cast<float>(in.positive_or("attention.layer_norm_epsilon", 1e-5));
}

void set_windows(const ArchitectureKeys& in, ModelDescription& d, int window, int period, bool full_first) {
    const std::vector<bool> named = in.flags("attention.sliding_window_pattern", d.n_layers);
    if (named.empty()) period = in.count_or("attention.sliding_window_pattern", 1 << 20, period);
    const int full = full_first ? 0 : period - 1;
    for (std::size_t i = 0; i < d.windows.size(); ++i) {
        const bool windowed =
            named.empty() ? period == 0 || static_cast<int>(i) % period != full : static_cast<bool>(named[i]);
        d.windows[i] = windowed ? window : 0;
    }
}

void rotate_windows_alone(ModelDescription& d) {
    for (std::size_t i = 0; i < d.rotary.size(); ++i) d.rotary[i] = d.windows[i] > 0;
}

void set_clamp(const ArchitectureKeys& in, ModelDescription& d) {
    if (in.number_or("attention.clamp_kqv", 0) > 0)
        d.clamp_qkv = static_cast<float>(in.positive_or("attention.clamp_kqv", 1.0));
}

void set_temperature(const ArchitectureKeys& in, ModelDescription& d, double scale, int period) {
    scale = in.number_or("attention.temperature_scale", scale);
    if (scale < 0) in.refuse("attention.temperature_scale", "negative scales");
    d.temperature.scale = static_cast<float>(scale);
    const int longest = std::numeric_limits<int>::max() / 2;
    if (period == 0) period = in.count_or("rope.scaling.original_context_length", longest, d.context_length);
    d.temperature.period = in.count_or("attention.temperature_length", longest, period);
}

std::vector<double> numbers_of_layers(const gguf::File& file, const std::string& key, int n_layers) {
    const gguf::Value* value = file.find(key);
    std::vector<double> numbers;
    if (value && value->is_array()) {
        const auto each = file.get_f32_array(key);
        numbers.assign(each.begin(), each.end());
    } else {
        numbers.assign(static_cast<std::size_t>(n_layers), file.get_f64(key));
    }
    if (numbers.size() < static_cast<std::size_t>(n_layers))
        file.reject(*value, fmt::format("has {} entries for {} layers", numbers.size(), n_layers));
    if (!std::ranges::all_of(numbers, [](double x) { return std::isfinite(x); }))
        file.reject(*value, "has a number that is not finite");
    return numbers;
}

bool has_rope_sections(const ArchitectureKeys& in) {
    if (!in.has("rope.dimension_sections")) return false;
    const auto sections = in.numbers("rope.dimension_sections");
    return sections.size() > 1 && sections[0] > 0 && sections[1] > 0;
}

void set_alibi(ModelDescription& d, float max_bias) {
    d.n_rope_pairs = 0;
    // Slopes are powers of one number for the first 2^k heads, then every second power of its root.
    const auto whole = static_cast<int>(std::bit_floor(static_cast<unsigned>(d.n_heads)));
    for (int h = 0; h < d.n_heads; ++h) {
        const float exponent =
            h < whole ? static_cast<float>(h + 1) : static_cast<float>(2 * (h - whole) + 1) / 2.0f;
        d.alibi_slopes.push_back(std::exp2(-max_bias * exponent / static_cast<float>(whole)));
    }
}

}  // namespace kvsplit
