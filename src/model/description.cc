#include "model/description.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/printable.h"
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

// One number per layer. Layers that have 0 get the largest number, which is not read.
std::vector<int> counts_of_layers(const ArchitectureKeys& in, const std::string& name, int n, int most) {
    std::vector<int> counts = in.counts(name, n, most);
    std::ranges::replace(counts, 0, *std::ranges::max_element(counts));
    return counts;
}

void describe_heads(const gguf::File& file, const ArchitectureKeys& in, ModelDescription& d) {
    const std::string kv = "attention.head_count_kv";
    d.n_kv_heads = d.n_heads;
    if (in.has(kv)) {
        const std::vector<int> counts = counts_of_layers(in, kv, d.n_layers, 4096);
        d.n_kv_heads = *std::ranges::max_element(counts);
        if (d.n_kv_heads == 0) in.reject(kv, "is 0 in all layers");
        for (std::size_t i = 0; i < counts.size(); ++i) d.heads[i].n_kv = counts[i];
    }
    d.head_dim = in.count_or("attention.key_length", codec::kMaxHeadDim, d.n_embd / d.n_heads);
    if (d.head_dim < 1 || d.head_dim > codec::kMaxHeadDim) {
        fail(ErrorCode::kFormat, "{}: a head of {} / {} channels is out of range", file.path(), d.n_embd,
             d.n_heads);
    }
    if (in.count_or("attention.value_length", codec::kMaxHeadDim, d.head_dim) != d.head_dim) {
        fail(ErrorCode::kUnsupported, "{}: keys and values of different lengths are not supported",
             file.path());
    }
    d.attention_scale = 1.0f / std::sqrt(static_cast<float>(d.head_dim));
}

// Pairs among the channels of a head that rotate.
int rope_pairs(const ArchitectureKeys& in, const std::string& name, int head_dim, int absent) {
    const int rotated = in.count_or(name, head_dim, absent);
    if (rotated % 2 != 0) fail(ErrorCode::kFormat, "{}: an odd {}", in.file().path(), name);
    return rotated / 2;
}

// Widths of feed-forward blocks. Models with experts only may give no width of other blocks.
void describe_widths(const ArchitectureKeys& in, ModelDescription& d) {
    const std::string name = "feed_forward_length";
    if (!in.has(name)) {
        d.n_ff = in.head_count("expert_feed_forward_length", 1 << 22, 0);
        return;
    }
    std::vector<int> widths = counts_of_layers(in, name, d.n_layers, 1 << 22);
    const auto [least, most] = std::ranges::minmax_element(widths);
    d.n_ff = *most;
    if (*least != *most) d.layer_ff = std::move(widths);
}

void describe_common(const gguf::File& file, const ArchitectureKeys& in, ModelDescription& d) {
    // Layers that only predict further tokens come after the others.
    d.n_layers = in.count("block_count", 1024) - in.size_or("nextn_predict_layers", 1024, 0);
    if (d.n_layers < 1) in.refuse("nextn_predict_layers", "models of such layers alone");
    d.n_embd = in.count("embedding_length", 1 << 20);
    const std::vector<int> heads = counts_of_layers(in, "attention.head_count", d.n_layers, 4096);
    d.n_heads = *std::ranges::max_element(heads);
    if (d.n_heads == 0) in.refuse("attention.head_count", "models without heads");
    d.heads.resize(heads.size());
    if (in.has("attention.kv_lora_rank")) {
        set_latent_attention(in, d);
    } else {
        describe_heads(file, in, d);
    }
    for (std::size_t i = 0; i < heads.size(); ++i) {
        LayerHeads& h = d.heads[i];
        h = {heads[i], h.n_kv > 0 ? h.n_kv : d.n_kv_heads, d.head_dim};
    }
    describe_widths(in, d);
    if (d.n_ff == 0)
        fail(ErrorCode::kFormat, "{}: {}.feed_forward_length is missing", file.path(), d.architecture);
    d.context_length = in.count("context_length", std::numeric_limits<int>::max() / 2);
    const std::int64_t vocab = file.tensor("token_embd.weight").rows();
    if (vocab > (1 << 24)) file.reject(file.tensor("token_embd.weight"), "has more rows than any vocabulary");
    d.n_vocab = static_cast<int>(vocab);
    const gguf::Value* tokens = file.find("tokenizer.ggml.tokens");
    if (tokens && tokens->is_array() && tokens->count != static_cast<std::uint64_t>(vocab)) {
        file.reject(*tokens,
                    fmt::format("names {} tokens, but token_embd.weight has {} rows", tokens->count, vocab));
    }
    d.norm_eps = static_cast<float>(in.positive_or("attention.layer_norm_rms_epsilon", 1e-5));
    d.n_rope_pairs = rope_pairs(in, "rope.dimension_count", d.head_dim, d.head_dim);
    d.rotary.assign(static_cast<std::size_t>(d.n_layers), true);
    d.windows.assign(static_cast<std::size_t>(d.n_layers), 0);
    d.blocks.assign(static_cast<std::size_t>(d.n_layers), LayerBlocks{});
    // In hybrid models 0 marks layers without keys and values.
    const std::vector<bool> attention = in.flags("attention.head_count_kv", d.n_layers);
    for (std::size_t i = 0; i < attention.size() && i < d.blocks.size(); ++i)
        d.blocks[i].attention = attention[i];
}

void describe_rope(const ArchitectureKeys& in, const RopeOptions& user, const RopeDefaults& defaults,
                   ModelDescription& d) {
    if (d.n_rope_pairs == 0) return;
    d.rope = read_rope(in, d.n_rope_pairs, d.context_length, user, defaults);
    d.attention_scale *= static_cast<float>(d.rope.attention_scale);
    d.window_rope = d.rope;
    const double base = in.positive_or("rope.freq_base", defaults.base);
    const double window_base =
        in.positive_or("rope.freq_base_swa", defaults.window_base > 0 ? defaults.window_base : base);
    int window_dim = 0;
    for (int i = 0; i < d.n_layers; ++i) {
        if (d.window(i) > 0) window_dim = d.heads_of(i).dim;
    }
    if (window_dim == 0) window_dim = d.head_dim;
    const int window_pairs =
        rope_pairs(in, "rope.dimension_count_swa", window_dim, std::min(window_dim, 2 * d.n_rope_pairs));
    if (window_base != base || window_pairs != d.n_rope_pairs || !defaults.windows_stretched)
        d.window_rope = plain_rope(window_pairs, window_base);
    d.context_length = stretched_context(in, d.context_length, user);
}

void check_blocks(const gguf::File& file, const ModelDescription& d) {
    for (int i = 0; i < d.n_layers; ++i) {
        const LayerBlocks& blocks = d.blocks[static_cast<std::size_t>(i)];
        const LayerHeads& h = d.heads_of(i);
        if (h.n % h.n_kv != 0) {
            fail(ErrorCode::kFormat, "{}: {} heads cannot share {} key-value heads evenly", file.path(), h.n,
                 h.n_kv);
        }
        if (blocks.attention || d.recurrence.kind != RecurrentBlock::Kind::kNone) continue;
        fail(ErrorCode::kUnsupported,
             "{}: {}.attention.head_count_kv gives layer {} no heads, which is not supported", file.path(),
             d.architecture, i);
    }
    if (std::ranges::none_of(d.blocks, &LayerBlocks::attention))
        fail(ErrorCode::kUnsupported, "{}: models without attention are not supported", file.path());
}

std::vector<Architecture> all_architectures() {
    std::vector<Architecture> all;
    for (const auto family :
         {llama_family(), gpt_family(), deepseek_family(), mixture_family(), gemma_family(), hybrid_family()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace

codec::KvHead ModelDescription::kv_head(int layer) const {
    const int dim = heads_of(layer).dim;
    if (latent.kv_rank == 0) return codec::head_shape(dim);
    return codec::KvHead::of_latent(dim - latent.kv_rank, latent.kv_rank);
}

int ModelDescription::qkv_width(int layer) const {
    const codec::KvHead head = kv_head(layer);
    const LayerHeads& h = heads_of(layer);
    return h.n * head.query_dim() + (keeps_kv(layer) ? h.n_kv * head.token_dim() : 0);
}

int ModelDescription::widest(int (ModelDescription::*width)(int layer) const) const {
    int most = 0;
    for (int i = 0; i < n_layers; ++i) most = std::max(most, (this->*width)(i));
    return most;
}

CacheGeometry ModelDescription::geometry() const {
    CacheGeometry geometry;
    for (int i = 0; i < n_layers; ++i) {
        if (!blocks[static_cast<std::size_t>(i)].attention) continue;
        if (keeps_kv(i)) {
            geometry.layers.push_back({heads_of(i).n_kv, kv_head(i), window(i)});
        } else {
            ++geometry.layers[static_cast<std::size_t>(cache_layer(i))].n_readers;
        }
    }
    geometry.recurrent = recurrence.shape(recurrent_layer(n_layers));
    return geometry;
}

bool ModelDescription::keeps_kv(int layer) const {
    return blocks[static_cast<std::size_t>(layer)].attention && kv_layer(layer) == layer;
}

bool ModelDescription::reads_last(int layer) const {
    if (kv_layers.empty()) return true;
    for (int i = layer + 1; i < n_layers; ++i) {
        if (blocks[static_cast<std::size_t>(i)].attention && kv_layer(i) == kv_layer(layer)) return false;
    }
    return true;
}

int ModelDescription::cache_layer(int layer) const {
    int n = 0;
    for (int i = 0; i < kv_layer(layer); ++i) n += keeps_kv(i);
    return n;
}

int ModelDescription::recurrent_layer(int layer) const {
    return static_cast<int>(
        std::count_if(blocks.begin(), blocks.begin() + layer, [](const auto& b) { return b.recurrence; }));
}

ModelDescription describe(const gguf::File& file, const RopeOptions& user) {
    ModelDescription d;
    d.architecture = file.get_string("general.architecture");
    for (const Architecture& a : all_architectures()) {
        if (a.name != d.architecture) continue;
        const ArchitectureKeys in(file);
        describe_common(file, in, d);
        a.describe(in, d);
        if (d.routing.n_experts == 0 && in.number_or("expert_count", 0) > 0) {
            fail(ErrorCode::kUnsupported, "{}: {} with experts is not supported", file.path(),
                 d.architecture);
        }
        check_blocks(file, d);
        describe_rope(in, user, a.rope, d);
        return d;
    }
    if (const std::string_view lacking = lacking_for(d.architecture); !lacking.empty()) {
        fail(ErrorCode::kUnsupported, "{}: architecture '{}' is not supported: {}", file.path(),
             d.architecture, lacking);
    }
    fail(ErrorCode::kUnsupported, "{}: architecture '{}' is not supported; supported: {}", file.path(),
         printable(d.architecture), fmt::join(known_architectures(), ", "));
}

std::vector<std::string_view> known_architectures() {
    std::vector<std::string_view> names;
    for (const Architecture& a : all_architectures()) names.push_back(a.name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace kvsplit
