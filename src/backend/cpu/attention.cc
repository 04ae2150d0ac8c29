#include "backend/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "backend/cpu/attention_memory.h"
#include "base/check.h"
#include "base/error.h"
#include "codec/smoothing.h"

namespace kvsplit::cpu {
namespace {

constexpr int P = codec::kPageTokens;

// Whether a number becomes infinite in 16 bits. One that was infinite before is the weights' fault, and shows
// in the logits.
bool is_too_large(float magnitude) { return magnitude >= 65520.0f && !std::isinf(magnitude); }

float scale_of(const float* scales, int kv_head) { return scales ? scales[kv_head] : 1.0f; }

// Takes weight away from all keys, as a key with this logit and a value of zero would. logits: (group)
void add_sink_logits(const float* logits, int group, int n_rows, int dim, SoftmaxState& state) {
    for (int r = 0; r < n_rows; ++r) {
        const float logit = logits[r % group] * std::numbers::log2e_v<float>;
        float *sum = state.sum + r * 16, *acc = state.acc + static_cast<std::ptrdiff_t>(r) * dim;
        if (logit > state.max[r]) {
            const float shrunk = std::exp2(state.max[r] - logit);
            for (int i = 0; i < 16; ++i) sum[i] *= shrunk;
            for (int i = 0; i < dim; ++i) acc[i] *= shrunk;
            state.max[r] = logit;
        }
        sum[0] += std::exp2(logit - state.max[r]);
    }
}

}  // namespace

struct Attention::Call {
    const AttentionParams& params;
    AttentionShape shape;
    const CacheLayouts& layouts;
    int open_pages, sinks;
    const float* qkv;
    int n;
    float* out;
    int group;      // query heads per KV head
    int row_width;  // floats of a qkv row
    bool all_open;  // an exact layer: no page is coded

    // Index of a query row: the rows of a KV head are contiguous.
    std::size_t query_row(int kv_head, int r) const {
        return (static_cast<std::size_t>(kv_head) * static_cast<std::size_t>(n) +
                static_cast<std::size_t>(r)) *
               static_cast<std::size_t>(group);
    }
    std::size_t query_rows() const {
        return static_cast<std::size_t>(n) * static_cast<std::size_t>(params.n_heads);
    }
    bool coded_keys() const { return shape.key_bits < 16; }
    bool coded_latents() const { return shape.head.latent && shape.value_bits < 16; }
};

void Attention::Scratch::grow_to(const Scratch& other) {
    queries = std::max(queries, other.queries);
    key_queries = std::max(key_queries, other.key_queries);
    latent_queries = std::max(latent_queries, other.latent_queries);
    thread = std::max(thread, other.thread);
}

std::size_t Attention::Scratch::total(int n_threads) const {
    return queries + key_queries + latent_queries + static_cast<std::size_t>(n_threads) * thread;
}

Attention::Attention(ThreadPool& pool, const Kernels& kernels)
    : pool_(pool),
      kernels_(kernels),
      thread_memory_(static_cast<std::size_t>(pool.size())),
      lost_(static_cast<std::size_t>(pool.size())) {}

Attention::Scratch Attention::needed(const AttentionParams& params, int n, int max_rows) {
    const codec::KvHead& head = params.head;
    const auto rows = static_cast<std::size_t>(n) * static_cast<std::size_t>(params.n_heads);
    // The sinks' page, and three states: the running total, a chunk's, the exact part's.
    const std::size_t thread = sinks_page_floats(head) + 3 * state_floats(max_rows, head.value.padded_dim);
    return {.queries = rows * static_cast<std::size_t>(head.query_dim()) * sizeof(float) + 64,
            .key_queries = PreparedQueries::bytes(rows, head.key),
            .latent_queries = head.latent ? PreparedQueries::bytes(rows, head.value) : 0,
            .thread = thread * sizeof(float)};
}

std::size_t Attention::split_states(const AttentionParams& params, int position) {
    const int reach = params.window > 0 ? std::min(params.window, position) : position;
    const auto states = static_cast<std::size_t>(params.n_kv_heads) *
                        static_cast<std::size_t>(reach / (P * kChunkPages) + 3);  // both ends, the exact part
    return states * state_floats(params.n_heads / params.n_kv_heads, params.head.value.padded_dim) *
           sizeof(float);
}

void Attention::plan(const AttentionParams& params, std::span<const SequenceRun> runs) {
    pages_.resize(runs.size());
    blocks_.clear();
    seals_.clear();
    for (int r = 0; r < static_cast<int>(runs.size()); ++r) {
        const SequenceRun& run = runs[static_cast<std::size_t>(r)];
        KvCache& cache = *run.cache;
        Pages& pages = pages_[static_cast<std::size_t>(r)];
        pages.cache = &cache;
        pages.layer = &cache.layer(params.layer);
        pages.position = cache.length();
        pages.n_tokens = run.n_tokens;
        pages.first_row = run.first_row;
        LayerCache& layer = *pages.layer;
        if (params.appends) cache.grow_open(params.layer, run.n_tokens);
        const int n_seal = params.appends ? cache.pages_to_seal(params.layer, run.n_tokens) : 0;
        for (int i = 0; i < n_seal; ++i) {
            const int page = layer.first_open + i;
            seals_.push_back({r, page});
            layer.sealed.push_back(cache.allocate_sealed(params.layer, page));
        }
        const bool coded_keys = cache.layouts(params.layer).coded_keys();
        pages.first_seal = n_seal > 0 && coded_keys && !layer.smoothing_frozen;
        pages.early = pages.first_seal || (params.appends && coded_keys && !layer.smoothing_frozen &&
                                           pages.position < cache.open_pages() * P);
        const bool coded_latents = params.head.latent && cache.layouts(params.layer).sealed.value_bits < 16;
        pages.prepare = (coded_keys || coded_latents) && !layer.sealed.empty();
        pages.sealed.clear();
        for (const Page& page : layer.sealed) pages.sealed.push_back(page.get());
        pages.open.clear();
        for (const Page& page : layer.open) pages.open.push_back(page.get());
        for (int done = 0; done < run.n_tokens;) {
            const int position = pages.position + done;
            const int count = std::min(run.n_tokens - done, P - position % P);
            blocks_.push_back({r, run.first_row + done, count, position});
            done += count;
        }
    }
}

// Normalises, rotates and scales the queries of a KV head's group, appends its keys and values where the call
// brings them. What is done to keys, to keep them, is undone in the queries.
void Attention::append(const Call& call, const Block& block, int kv_head, int thread) {
    const AttentionParams& p = call.params;
    const int dim = p.head.key.head_dim, query_dim = p.head.query_dim(), value_dim = p.head.value.head_dim;
    const Pages& pages = pages_[static_cast<std::size_t>(block.run)];
    const std::byte* open =
        pages.open[static_cast<std::size_t>(block.position / P - pages.layer->first_open)];
    auto* page = const_cast<std::byte*>(open);
    const codec::PageLayout& l = call.layouts.open;
    std::byte* keys = page + l.key_codes.at(kv_head);
    std::byte* values = page + l.value_codes.at(kv_head);
    float* key = floats(thread_memory_[static_cast<std::size_t>(thread)]);
    float* value = key + dim;
    const float key_scale = scale_of(p.key_scales, kv_head), value_scale = scale_of(p.value_scales, kv_head);
    AppendedSizes& lost = lost_[static_cast<std::size_t>(thread)];
    const auto rope = p.rope == RopeKind::kPairs ? kernels_.rope_pairs : kernels_.rope_halves;
    for (int i = 0; i < block.n_tokens; ++i) {
        const int row = block.first_row + i;
        const float* source = call.qkv + static_cast<std::ptrdiff_t>(row) * call.row_width;
        const float* cos = p.cos + static_cast<std::ptrdiff_t>(row) * p.n_rope_pairs;
        const float* sin = p.sin + static_cast<std::ptrdiff_t>(row) * p.n_rope_pairs;
        float* q = floats(queries_) + call.query_row(kv_head, row) * static_cast<std::size_t>(query_dim);
        std::memcpy(q, source + kv_head * call.group * query_dim,
                    static_cast<std::size_t>(call.group * query_dim) * sizeof(float));
        // n vectors next to each other.
        const auto rotate = [&](float* x, int n, int width, const float* gain) {
            const auto normalise = [&] {
                for (int v = 0; gain && v < n; ++v)
                    kernels_.rms_norm(x + v * width, gain, width, p.norm_eps, x + v * width);
            };
            if (!p.norm_after_rope) normalise();
            rope(x, n, width, p.n_rope_pairs, cos, sin);
            if (p.norm_after_rope) normalise();
        };
        rotate(q, call.group, query_dim, p.q_norm);
        kernels_.scale(q, p.query_scales ? p.scale * p.query_scales[row] : p.scale, call.group * query_dim,
                       q);
        for (int h = 0; p.key_scales && h < call.group; ++h)
            kernels_.scale(q + h * query_dim, 1.0f / key_scale, dim, q + h * query_dim);
        for (int h = 0; p.value_scales && h < call.group; ++h) {
            float* latent = q + h * query_dim + dim;  // empty where values are no keys
            kernels_.scale(latent, 1.0f / value_scale, query_dim - dim, latent);
        }
        if (!p.appends) continue;
        const float* key_in = source + p.n_heads * query_dim + kv_head * dim;
        const float* value_in = source + p.n_heads * query_dim + p.n_kv_heads * dim + kv_head * value_dim;
        std::memcpy(key, key_in, static_cast<std::size_t>(dim) * sizeof(float));
        rotate(key, 1, dim, p.k_norm);
        if (p.v_norm) {
            kernels_.rms_norm(value_in, p.v_norm, value_dim, p.norm_eps, value);
            value_in = value;
        }
        if (p.key_scales) kernels_.scale(key, key_scale, dim, key);
        if (p.value_scales) {
            kernels_.scale(value_in, value_scale, value_dim, value);
            value_in = value;
        }
        const AppendedSizes token =
            kernels_.append_token(p.head, key, value_in, (block.position + i) % P, l.key_bits, keys, values);
        if (is_too_large(token.key)) lost.key = std::max(lost.key, token.key / key_scale);
        if (is_too_large(token.value)) lost.value = std::max(lost.value, token.value / value_scale);
    }
}

// Throws if 16 bits did not hold one of this call's keys or values.
void Attention::check_nothing_lost(const Call& call) const {
    const auto check = [&](const char* what, float AppendedSizes::*side) {
        float largest = 0;
        for (const AppendedSizes& lost : lost_) largest = std::max(largest, lost.*side);
        if (largest == 0) return;
        fail(ErrorCode::kUnsupported,
             "layer {}: a {} of magnitude {:.3g} overflows the cache: 16 bits hold up to {}, and every cache "
             "but f32 stores tokens in them first. Use --kv f32",
             call.params.layer, what, largest, 65504);
    };
    check("key", &AppendedSizes::key);
    check("value", &AppendedSizes::value);
}

void Attention::prepare(const Call& call, const Block& block, int kv_head, int thread) {
    const Pages& pages = pages_[static_cast<std::size_t>(block.run)];
    const codec::KvHead& head = call.shape.head;
    float* rotated = floats(thread_memory_[static_cast<std::size_t>(thread)]);
    const std::size_t first = call.query_row(kv_head, block.first_row),
                      end = first + static_cast<std::size_t>(block.n_tokens * call.group);
    const auto prepare = [&](const codec::HeadShape& side, int channel, const float* smoothing,
                             const AlignedBuffer& buffer) {
        const PreparedQueries to(buffer, call.query_rows(), side);
        for (std::size_t r = first; r < end; ++r) {
            const float* q = floats(queries_) + r * static_cast<std::size_t>(head.query_dim()) + channel;
            to.scales[r] = kernels_.prepare_query(side, q, smoothing, rotated, to.codes + r * to.dim,
                                                  to.sums + r * to.groups);
        }
    };
    if (call.coded_keys())
        prepare(head.key, 0, pages.layer->smoothing.data() + kv_head * head.key.padded_dim, key_queries_);
    if (call.coded_latents()) prepare(head.value, head.key.head_dim, nullptr, latent_queries_);
}

// Adds this call's queries to the sums of q^2 (in token order, for any batches), and computes the smoothing
// vector from them when the first page is about to be sealed.
void Attention::gather_statistics(const Call& call, Pages& pages, int kv_head) {
    const codec::HeadShape& shape = call.shape.head.key;
    const int dim = shape.head_dim, query_dim = call.shape.head.query_dim();
    const std::span<float> smoothing(pages.layer->smoothing.data() + kv_head * shape.padded_dim,
                                     static_cast<std::size_t>(shape.padded_dim));
    float* sums = smoothing.data();
    const int T = call.open_pages;
    const int end = std::min(pages.position + pages.n_tokens, T * P);
    for (int t = std::max(pages.position, call.sinks); t < end; ++t) {
        const float* q = floats(queries_) + call.query_row(kv_head, pages.first_row + t - pages.position) *
                                                static_cast<std::size_t>(query_dim);
        for (int g = 0; g < call.group; ++g, q += query_dim) {
            for (int c = 0; c < dim; ++c) sums[c] += q[c] * q[c];
        }
    }
    if (!pages.first_seal) return;
    if (!call.layouts.sealed.codec.smoothing) {
        std::ranges::fill(smoothing, 1.0f);
        return;
    }
    const codec::PageLayout& l = call.layouts.open;
    std::vector<const std::uint16_t*> keys;
    for (int i = 0; i < T; ++i) {
        keys.push_back(reinterpret_cast<const std::uint16_t*>(pages.open[static_cast<std::size_t>(i)] +
                                                              l.key_codes.at(kv_head)));
    }
    const std::vector<float> squares(sums, sums + dim);
    codec::compute_smoothing(shape, squares, keys, call.sinks, smoothing);
}

void Attention::seal(const Call& call, const Seal& seal, int kv_head) {
    const Pages& pages = pages_[static_cast<std::size_t>(seal.run)];
    const codec::PageLayout& layout = call.layouts.sealed_page(seal.page);
    const codec::PageLayout& l = call.layouts.open;
    const std::byte* open = pages.open[static_cast<std::size_t>(seal.page - pages.layer->first_open)];
    auto* sealed = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(
        pages.sealed[static_cast<std::size_t>(seal.page - pages.layer->first_sealed)]));
    const bool smooth = !pages.layer->smoothing.empty();
    kernels_.seal.key_page(
        layout, kv_head, reinterpret_cast<const std::uint16_t*>(open + l.key_codes.at(kv_head)),
        smooth ? pages.layer->smoothing.data() + kv_head * call.shape.head.key.padded_dim : nullptr, sealed);
    kernels_.seal.value_page(
        layout, kv_head, reinterpret_cast<const std::uint16_t*>(open + l.value_codes.at(kv_head)), sealed);
}

QueryTile Attention::tile(const Call& call, const Block& block, int kv_head) const {
    const codec::KvHead& head = call.shape.head;
    const std::size_t r = call.query_row(kv_head, block.first_row);
    return {.n_rows = block.n_tokens * call.group,
            .q = floats(queries_) + r * static_cast<std::size_t>(head.query_dim()),
            .key = PreparedQueries(key_queries_, call.query_rows(), head.key).from(r),
            .latent = head.latent ? PreparedQueries(latent_queries_, call.query_rows(), head.value).from(r)
                                  : QueryCodes{},
            .position = positions_.data() + static_cast<std::ptrdiff_t>(block.first_row) * call.group,
            .window = call.params.chunked ? 0 : call.params.window,  // the range of pages suffices
            .soft_cap = call.params.soft_cap,
            .group = call.group,
            .slopes = call.params.alibi_slopes ? call.params.alibi_slopes + kv_head * call.group : nullptr};
}

// The pages that a block reads in chunks: sealed ones; all, if the cache is f16.
void Attention::chunk_range(const Call& call, const Block& block, int& first, int& end) const {
    const int page = block.position / P;
    const int window = call.params.window;
    const int begin = call.params.chunked ? block.position / window * window : block.position - window + 1;
    first = window > 0 ? std::max(0, begin) / P : 0;
    end = call.all_open ? page + 1 : page - (call.open_pages - 1);
}

// Computes the states of some heads for one chunk; memory: for each head, where its state goes.
void Attention::attend_chunk(const Call& call, const Block& block, int chunk, HeadRange heads,
                             float* const* memory) {
    int first, end;
    chunk_range(call, block, first, end);
    first = std::max(first, chunk * kChunkPages);
    end = std::min(end, (chunk + 1) * kChunkPages);
    const Pages& pages = pages_[static_cast<std::size_t>(block.run)];
    QueryTile tiles[kItemHeads];
    SoftmaxState states[kItemHeads];
    for (int i = 0; i < heads.n; ++i) {
        tiles[i] = tile(call, block, heads.first + i);
        states[i] = fresh_state(memory[i], block.n_tokens * call.group, call.shape.head.value.padded_dim);
    }
    if (first >= end) return;
    const auto& list = call.all_open ? pages.open : pages.sealed;
    const int list_first = call.all_open ? pages.layer->first_open : pages.layer->first_sealed;
    const PageRun run{.pages = list.data() + (first - list_first),
                      .n_pages = end - first,
                      .first_page = first,
                      .layout = call.all_open ? &call.layouts.open : &call.layouts.sealed,
                      .head = heads.first,
                      .n_heads = heads.n,
                      .key_bits = call.shape.key_bits,
                      .value_bits = call.shape.value_bits,
                      .first_token = call.all_open ? 0 : call.sinks,
                      .n_tokens = P};
    kernels_.attend(call.shape, run, tiles, states);
}

// The sinks and the open pages that a block of queries reads exactly.
void Attention::attend_exact(const Call& call, const Block& block, int kv_head, SoftmaxState& state,
                             int thread) {
    const Pages& pages = pages_[static_cast<std::size_t>(block.run)];
    const codec::HeadShape &key = call.shape.head.key, &value = call.shape.head.value;
    const QueryTile queries = tile(call, block, kv_head);
    int first, end;
    chunk_range(call, block, first, end);
    if (first == 0 && end > 0 && call.sinks > 0) {
        // The sinks as the first tokens of a page in the open layout, one head.
        const codec::PageLayout& l = call.layouts.first_sealed;
        const int S = call.sinks;
        const std::byte* page = pages.sealed[0];
        auto* keys =
            reinterpret_cast<std::uint16_t*>(thread_memory_[static_cast<std::size_t>(thread)].data());
        std::uint16_t* values = keys + key.head_dim * P;
        const bool coded = call.shape.key_bits < 16;
        const auto* sink_keys = reinterpret_cast<const std::uint16_t*>(
            coded ? page + l.sink_keys.at(kv_head) : page + l.key_codes.at(kv_head));
        for (int c = 0; c < key.head_dim; ++c) {
            std::memset(keys + c * P, 0, 16 * sizeof(std::uint16_t));
            for (int t = 0; t < S; ++t)
                keys[c * P + t] = coded ? sink_keys[t * key.head_dim + c] : sink_keys[c * P + t];
        }
        const std::byte* sink_values =
            call.shape.value_bits < 16 ? page + l.sink_values.at(kv_head) : page + l.value_codes.at(kv_head);
        std::memcpy(values, sink_values,
                    static_cast<std::size_t>(S * value.padded_dim) * sizeof(std::uint16_t));
        // Latents are read sixteen tokens at a time, like keys.
        std::memset(values + S * value.padded_dim, 0,
                    static_cast<std::size_t>((16 - S) * value.padded_dim) * sizeof(std::uint16_t));
        codec::PageLayout sink_layout = call.layouts.open;
        sink_layout.key_codes.offset = 0;
        sink_layout.value_codes.offset = static_cast<std::size_t>(key.head_dim * P) * sizeof(std::uint16_t);
        const std::byte* sinks = reinterpret_cast<const std::byte*>(keys);
        const PageRun run{.pages = &sinks,
                          .n_pages = 1,
                          .first_page = 0,
                          .layout = &sink_layout,
                          .head = 0,
                          .n_heads = 1,
                          .key_bits = 16,
                          .value_bits = 16,
                          .first_token = 0,
                          .n_tokens = S};
        kernels_.attend(call.shape, run, &queries, &state);
    }
    const int first_open = std::max({first, end, 0});
    const PageRun run{.pages = pages.open.data() + (first_open - pages.layer->first_open),
                      .n_pages = block.position / P + 1 - first_open,
                      .first_page = first_open,
                      .layout = &call.layouts.open,
                      .head = kv_head,
                      .n_heads = 1,
                      .key_bits = 16,
                      .value_bits = 16,
                      .first_token = 0,
                      .n_tokens = P};
    kernels_.attend(call.shape, run, &queries, &state);
}

// Merges the chunks' states and the exact part into output rows.
void Attention::merge_chunks(const Call& call, const Block& block, int kv_head, int n_chunks, float* memory) {
    const codec::HeadShape& value = call.shape.head.value;
    const int n_rows = block.n_tokens * call.group;
    const std::size_t stride = state_floats(n_rows, value.padded_dim);
    SoftmaxState total = state_at(memory, n_rows, value.padded_dim);
    for (int c = 1; c < n_chunks; ++c) {
        kernels_.merge_states(
            total, state_at(memory + static_cast<std::size_t>(c) * stride, n_rows, value.padded_dim), n_rows,
            value.padded_dim);
    }
    SoftmaxState exact{nullptr, nullptr, nullptr};
    if (!call.all_open) {
        exact = state_at(memory + static_cast<std::size_t>(n_chunks) * stride, n_rows, value.padded_dim);
    }
    if (n_chunks == 0) total = {nullptr, nullptr, nullptr};
    float* out = call.out + (static_cast<std::ptrdiff_t>(block.first_row) * call.params.n_heads +
                             static_cast<std::ptrdiff_t>(kv_head) * call.group) *
                                value.head_dim;
    const std::ptrdiff_t token_stride = static_cast<std::ptrdiff_t>(call.params.n_heads) * value.head_dim;
    if (call.shape.value_bits >= 16 && total.max && exact.max) {  // nothing is rotated
        kernels_.merge_states(total, exact, n_rows, value.padded_dim);
        exact = {nullptr, nullptr, nullptr};
    }
    SoftmaxState none{nullptr, nullptr, nullptr};
    if (call.params.sink_logits) {
        add_sink_logits(call.params.sink_logits + kv_head * call.group, call.group, n_rows, value.padded_dim,
                        exact.max ? exact : total);
    }
    if (call.shape.value_bits >= 16) {
        kernels_.finish_rows(value, none, total.max ? total : exact, n_rows, call.group, out, token_stride);
    } else {
        kernels_.finish_rows(value, total, exact, n_rows, call.group, out, token_stride);
    }
    for (int t = 0; call.params.value_scales && t < block.n_tokens; ++t) {
        float* row = out + t * token_stride;
        kernels_.scale(row, 1.0f / call.params.value_scales[kv_head], call.group * value.head_dim, row);
    }
}

// Processes one block, in this thread's memory: running total | chunk | exact part, as merge_chunks expects
// for one chunk.
void Attention::attend_tile(const Call& call, const Block& block, int kv_head, int thread) {
    const int dim = call.shape.head.value.padded_dim;
    const int n_rows = block.n_tokens * call.group;
    const std::size_t stride = state_floats(n_rows, dim);
    float* memory = floats(thread_memory_[static_cast<std::size_t>(thread)]) +
                    sinks_page_floats(call.shape.head);  // after the sinks' page
    float* chunk_memory = memory + 2 * stride;
    int first, end;
    chunk_range(call, block, first, end);
    int n_chunks = 0;
    for (int c = first / kChunkPages; c * kChunkPages < end; ++c, ++n_chunks) {
        float* const at = n_chunks == 0 ? memory : chunk_memory;
        attend_chunk(call, block, c, {kv_head, 1}, &at);
        if (n_chunks == 0) continue;
        SoftmaxState total = state_at(memory, n_rows, dim);
        kernels_.merge_states(total, state_at(chunk_memory, n_rows, dim), n_rows, dim);
    }
    n_chunks = std::min(n_chunks, 1);
    if (!call.all_open) {
        SoftmaxState exact = fresh_state(memory + static_cast<std::size_t>(n_chunks) * stride, n_rows, dim);
        attend_exact(call, block, kv_head, exact, thread);
    }
    merge_chunks(call, block, kv_head, n_chunks, memory);
}

// Adds a block's items. An item has several heads, so that pages are read front to back; fewer if there would
// be too few items, and at the end, so that threads finish together.
void Attention::add_items(const Call& call, int block, int n_chunks) {
    const int n_heads = call.params.n_kv_heads, n_slots = n_chunks + !call.all_open;
    const auto items_with = [&](int heads) { return n_slots * ((n_heads + heads - 1) / heads); };
    int most = std::min(n_heads, kItemHeads);
    while (most > 1 && items_with(most) < 3 * pool_.size()) most = (most + 1) / 2;
    for (int slot = n_slots - 1; slot >= 0; --slot) {
        const int heads = slot < pool_.size() ? 1 : most;
        for (int h = 0; h < n_heads; h += heads)
            items_.push_back({block, h, std::min(heads, n_heads - h), slot});
    }
}

// Plans items and merges for all blocks, and allocates their states.
void Attention::plan_split(const Call& call) {
    items_.clear();
    merges_.clear();
    std::size_t at = 0;
    for (int b = 0; b < static_cast<int>(blocks_.size()); ++b) {
        const Block& block = blocks_[static_cast<std::size_t>(b)];
        const std::size_t stride =
            state_floats(block.n_tokens * call.group, call.shape.head.value.padded_dim);
        int first, end;
        chunk_range(call, block, first, end);
        const int n_chunks = end > first ? (end - 1) / kChunkPages - first / kChunkPages + 1 : 0;
        for (int h = 0; h < call.params.n_kv_heads; ++h) {
            merges_.push_back({b, h, n_chunks, at});
            at += stride * static_cast<std::size_t>(n_chunks + !call.all_open);
        }
        add_items(call, b, n_chunks);
    }
    states_.reserve(at * sizeof(float));
}

void Attention::attend_item(const Call& call, const Item& item, int thread) {
    const Block& block = blocks_[static_cast<std::size_t>(item.block)];
    const int n_rows = block.n_tokens * call.group, dim = call.shape.head.value.padded_dim;
    const Merge* merges =
        &merges_[static_cast<std::size_t>(item.block * call.params.n_kv_heads + item.kv_head)];
    float* memory[kItemHeads];
    for (int i = 0; i < item.n_heads; ++i) {
        memory[i] = floats(states_) + merges[i].memory +
                    static_cast<std::size_t>(item.slot) * state_floats(n_rows, dim);
    }
    if (item.slot < merges->n_chunks) {
        int first, end;
        chunk_range(call, block, first, end);
        return attend_chunk(call, block, first / kChunkPages + item.slot, {item.kv_head, item.n_heads},
                            memory);
    }
    for (int i = 0; i < item.n_heads; ++i) {
        SoftmaxState exact = fresh_state(memory[i], n_rows, dim);
        attend_exact(call, block, item.kv_head + i, exact, thread);
    }
}

void Attention::run(const AttentionParams& params, std::span<const SequenceRun> runs, const float* qkv, int n,
                    float* out) {
    plan(params, runs);
    const KvCache& cache = *runs[0].cache;
    const CacheLayouts& layouts = cache.layouts(params.layer);
    const codec::KvHead& head = layouts.sealed.head;
    const Call call{.params = params,
                    .shape = {head, layouts.sealed.key_bits, layouts.sealed.value_bits},
                    .layouts = layouts,
                    .open_pages = cache.open_pages(),
                    .sinks = cache.sinks(),
                    .qkv = qkv,
                    .n = n,
                    .out = out,
                    .group = params.n_heads / params.n_kv_heads,
                    .row_width = params.n_heads * head.query_dim() +
                                 (params.appends ? params.n_kv_heads * head.token_dim() : 0),
                    .all_open = !layouts.coded()};
    const int n_kv = params.n_kv_heads;
    positions_.resize(static_cast<std::size_t>(n * call.group));
    int max_rows = 0;
    for (const Block& block : blocks_) {
        max_rows = std::max(max_rows, block.n_tokens * call.group);
        for (int i = 0; i < block.n_tokens * call.group; ++i) {
            positions_[static_cast<std::size_t>(block.first_row * call.group + i)] =
                block.position + i / call.group;
        }
    }
    const Scratch scratch = needed(params, n, max_rows);
    queries_.reserve(scratch.queries);
    key_queries_.reserve(scratch.key_queries);
    latent_queries_.reserve(scratch.latent_queries);
    for (AlignedBuffer& m : thread_memory_) m.reserve(scratch.thread);

    // Few tiles: split each into chunks, so that every thread has work.
    const int n_tiles = static_cast<int>(blocks_.size()) * n_kv;
    const bool split = n_tiles < 2 * pool_.size() || n <= 2;
    if (split) plan_split(call);

    bool any_early = false, any_first_seal = false, any_prepare = false;
    for (const Pages& pages : pages_) {
        any_early |= pages.early;
        any_first_seal |= pages.first_seal;
        any_prepare |= pages.prepare;
    }
    const bool prepare_at_once = any_prepare && !any_first_seal;
    const auto block_of = [&](int i) -> const Block& { return blocks_[static_cast<std::size_t>(i / n_kv)]; };
    const auto pages_of = [&](const Block& block) -> const Pages& {
        return pages_[static_cast<std::size_t>(block.run)];
    };
    const int n_seals = static_cast<int>(seals_.size()) * n_kv,
              n_runs = static_cast<int>(pages_.size()) * n_kv;

    std::ranges::fill(lost_, AppendedSizes{});
    pool_.for_each(n_tiles, [&](int i, int thread) {
        append(call, block_of(i), i % n_kv, thread);
        if (prepare_at_once && pages_of(block_of(i)).prepare) prepare(call, block_of(i), i % n_kv, thread);
    });
    check_nothing_lost(call);
    if (any_early) {
        pool_.for_each(n_runs, [&](int i) {
            Pages& pages = pages_[static_cast<std::size_t>(i / n_kv)];
            if (pages.early) gather_statistics(call, pages, i % n_kv);
        });
    }
    pool_.for_each(n_seals, [&](int i) { seal(call, seals_[static_cast<std::size_t>(i / n_kv)], i % n_kv); });
    if (any_first_seal) {
        pool_.for_each(n_tiles, [&](int i, int thread) {
            if (pages_of(block_of(i)).prepare) prepare(call, block_of(i), i % n_kv, thread);
        });
    }
    if (split) {
        pool_.for_each(static_cast<int>(items_.size()), [&](int i, int thread) {
            attend_item(call, items_[static_cast<std::size_t>(i)], thread);
        });
        pool_.for_each(static_cast<int>(merges_.size()), [&](int i) {
            const Merge& merge = merges_[static_cast<std::size_t>(i)];
            merge_chunks(call, blocks_[static_cast<std::size_t>(merge.block)], merge.kv_head, merge.n_chunks,
                         floats(states_) + merge.memory);
        });
    } else {
        // Later blocks see more pages. They go first, so that the last ones to finish are short.
        pool_.for_each(n_tiles, [&](int i, int thread) {
            const int j = n_tiles - 1 - i;
            attend_tile(call, block_of(j), j % n_kv, thread);
        });
    }
    for (const Pages& pages : pages_) {
        if (pages.first_seal) pages.layer->smoothing_frozen = true;
        if (params.retires) pages.cache->retire(params.layer, pages.n_tokens);
    }
}

}  // namespace kvsplit::cpu
