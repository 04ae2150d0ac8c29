#include "model/description.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/architecture_keys.h"

namespace kvsplit {
namespace {

void describe_common(const gguf::File& file, const ArchitectureKeys& in, ModelDescription& d) {
    d.n_layers = in.count("block_count", 1024);
    d.n_embd = in.count("embedding_length", 1 << 20);
    d.n_heads = in.head_count("attention.head_count", 4096, 0);
    if (d.n_heads == 0)
        fail(ErrorCode::kFormat, "{}: {}.attention.head_count is missing", file.path(), d.architecture);
    d.n_kv_heads = in.head_count("attention.head_count_kv", 4096, d.n_heads);
    d.head_dim = in.count_or("attention.key_length", codec::kMaxHeadDim, d.n_embd / d.n_heads);
    if (d.head_dim < 1 || d.head_dim > codec::kMaxHeadDim) {
        fail(ErrorCode::kFormat, "{}: a head of {} / {} channels is out of range", file.path(), d.n_embd,
             d.n_heads);
    }
    if (in.count_or("attention.value_length", codec::kMaxHeadDim, d.head_dim) != d.head_dim) {
        fail(ErrorCode::kUnsupported, "{}: keys and values of different lengths are not supported",
             file.path());
    }
    if (d.n_heads % d.n_kv_heads != 0) {
        fail(ErrorCode::kFormat, "{}: {} heads cannot share {} key-value heads evenly", file.path(),
             d.n_heads, d.n_kv_heads);
    }
    d.n_ff = in.count("feed_forward_length", 1 << 22);
    d.context_length = in.count("context_length", std::numeric_limits<int>::max() / 2);
    const std::int64_t vocab = file.tensor("token_embd.weight").rows();
    if (vocab > (1 << 24)) file.reject(file.tensor("token_embd.weight"), "has more rows than any vocabulary");
    d.n_vocab = static_cast<int>(vocab);
    d.norm_eps = static_cast<float>(in.positive_or("attention.layer_norm_rms_epsilon", 1e-5));
    const int rotated = in.count_or("rope.dimension_count", d.head_dim, d.head_dim);
    if (rotated % 2 != 0) fail(ErrorCode::kFormat, "{}: an odd rope.dimension_count", file.path());
    d.n_rope_pairs = rotated / 2;
    d.attention_scale = 1.0f / std::sqrt(static_cast<float>(d.head_dim));
    d.windows.assign(static_cast<std::size_t>(d.n_layers), 0);
}

void describe_llama(const gguf::File& file, const ArchitectureKeys& in, const RopeOptions& user,
                    ModelDescription& d) {
    if (in.has("expert_count"))
        fail(ErrorCode::kUnsupported, "{}: mixtures of experts are not supported", file.path());
    d.rope = read_rope(in, d.n_rope_pairs, d.context_length, user);
}

void describe_gemma3(const gguf::File&, const ArchitectureKeys& in, const RopeOptions& user,
                     ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.activation = Activation::kGeluTanh;
    d.post_norms = d.qk_norms = true;
    d.embedding_scale = std::sqrt(static_cast<float>(d.n_embd));
    // The 27B model alone scales by its embedding's share of a head.
    if (d.n_layers == 62)
        d.attention_scale = 1.0f / std::sqrt(static_cast<float>(d.n_embd) / static_cast<float>(d.n_heads));
    const int window = in.count_or("attention.sliding_window", 1 << 30, 0);
    constexpr int kGlobalEvery = 6;
    for (int i = 0; i < d.n_layers; ++i) {
        if ((i + 1) % kGlobalEvery != 0) d.windows[static_cast<std::size_t>(i)] = window;
    }
    d.rope = read_rope(in, d.n_rope_pairs, d.context_length, user, {.base = 1e6});
    d.window_rope = plain_rope(d.n_rope_pairs, in.positive_or("rope.freq_base_swa", 10000.0));
}

struct Architecture {
    std::string_view name;
    void (*describe)(const gguf::File&, const ArchitectureKeys&, const RopeOptions&, ModelDescription&);
};
constexpr Architecture kArchitectures[] = {
    {"llama", describe_llama},
    {"gemma3", describe_gemma3},
};

}  // namespace

CacheGeometry ModelDescription::geometry() const {
    return {n_kv_heads, codec::head_shape(head_dim), windows};
}

ModelDescription describe(const gguf::File& file, const RopeOptions& user) {
    ModelDescription d;
    d.architecture = file.get_string("general.architecture");
    for (const Architecture& a : kArchitectures) {
        if (a.name != d.architecture) continue;
        const ArchitectureKeys in(file);
        describe_common(file, in, d);
        a.describe(file, in, user, d);
        if (d.window_rope.frequencies.empty()) d.window_rope = d.rope;
        d.context_length = stretched_context(in, d.context_length, user);
        return d;
    }
    std::string known;
    for (const Architecture& a : kArchitectures)
        known += fmt::format("{}{}", known.empty() ? "" : ", ", a.name);
    fail(ErrorCode::kUnsupported, "{}: architecture '{}' is not supported; supported: {}", file.path(),
         d.architecture, known);
}

}  // namespace kvsplit
