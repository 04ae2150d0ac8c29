// The share of the memory's bandwidth that attention reaches in decoding: one query token over long caches of
// several layers, all KV heads, all threads, through the backend.
//
//   decode_bench [--benchmark_filter=d64/g4/k8v4]
//
// Cases: head_dim / query heads of a KV head / precision / tokens. "GB/s" counts the keys and values read,
// "of_memory" relates it to a plain read loop with the same number of threads (in the same minute, since
// machines drift).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "base/cpu_features.h"
#include "cache/kv_traffic.h"
#include "lab/read_bandwidth.h"
#include "model/random_fill.h"

namespace kvsplit {
namespace {

constexpr int kCacheChannels = 512;  // of the KV heads together

// The number of layers such that none stays in the processor's caches: a fifth more than the largest cache.
int layers_for(int head_dim, KvWidths widths, int tokens) {
    const auto layout = codec::page_layout(widths, codec::head_shape(head_dim), kCacheChannels / head_dim, 0);
    const double layer = static_cast<double>(layout.bytes) * (tokens / codec::kPageTokens);
    double largest = 0;
    for (const auto& cache : benchmark::CPUInfo::Get().caches)
        largest = std::max(largest, static_cast<double>(cache.size));
    return std::clamp(static_cast<int>(std::ceil(1.2 * largest / layer)), 6, 32);
}

ModelDescription describe(int head_dim, int group, int n_layers) {
    ModelDescription d;
    d.n_layers = n_layers;
    d.n_kv_heads = kCacheChannels / head_dim;
    d.n_heads = d.n_kv_heads * group;
    d.head_dim = head_dim;
    d.heads.assign(static_cast<std::size_t>(n_layers), {d.n_heads, d.n_kv_heads, head_dim});
    d.windows.assign(static_cast<std::size_t>(n_layers), 0);
    d.blocks.resize(static_cast<std::size_t>(n_layers));
    return d;
}

// A filled cache.
struct Filled {
    Filled(int head_dim, int group, const std::string& kv, int tokens)
        : d(describe(head_dim, group, layers_for(head_dim, KvSpec::parse(kv).widths(), tokens))),
          backend(make_cpu_backend({})),
          cache(d.geometry(), KvSpec::parse(kv), backend->page_memory()) {
        fill_randomly(*backend, d, cache, tokens, 1);
    }
    ModelDescription d;
    std::unique_ptr<Backend> backend;
    KvCache cache;
};

// The library runs a case several times to find its number of repetitions; the last run counts.
Filled& filled(int head_dim, int group, const std::string& kv, int tokens) {
    static std::string last;
    static std::unique_ptr<Filled> kept;
    const std::string name = fmt::format("{} {} {} {}", head_dim, group, kv, tokens);
    if (name != last) {
        kept.reset();
        kept = std::make_unique<Filled>(head_dim, group, kv, tokens);
        last = name;
    }
    return *kept;
}

void decode(benchmark::State& state, int head_dim, int group, const std::string& kv, int tokens) {
    auto& [d, backend, cache] = filled(head_dim, group, kv, tokens);
    const auto qkv = backend->allocate(static_cast<std::size_t>(d.qkv_width(0)));
    const auto out = backend->allocate(static_cast<std::size_t>(d.n_heads * d.head_dim));
    std::fill_n(qkv->data(), qkv->size(), 0.1f);
    const SequenceRun run{&cache, 0, 1};
    for (auto _ : state) {
        for (int layer = 0; layer < d.n_layers; ++layer) {
            AttentionParams params{};
            params.layer = layer;
            params.n_heads = d.n_heads;
            params.n_kv_heads = d.n_kv_heads;
            params.head = codec::head_shape(d.head_dim);
            params.scale = 0.125f;
            backend->attention(params, {&run, 1}, qkv->data(), 1, out->data());
        }
    }
    const double speed = static_cast<double>(kv_bytes_read(cache)) * static_cast<double>(state.iterations());
    state.counters["GB/s"] = benchmark::Counter(speed / 1e9, benchmark::Counter::kIsRate);
    state.counters["of_memory"] = benchmark::Counter(
        speed / 1e9 / lab::measure_read_bandwidth(physical_cores()), benchmark::Counter::kIsRate);
}

void register_all() {
    for (const int head_dim : {64, 128, 256}) {
        for (const int group : {1, 4, 8}) {
            for (const char* kv : {"f16", "k8v8", "k8v4", "k5v4", "k4v4"}) {
                benchmark::RegisterBenchmark(fmt::format("d{}/g{}/{}/32768", head_dim, group, kv).c_str(),
                                             decode, head_dim, group, kv, 32768)
                    ->Unit(benchmark::kMillisecond)
                    ->UseRealTime();
            }
        }
    }
}

}  // namespace
}  // namespace kvsplit

int main(int argc, char** argv) {
    kvsplit::register_all();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
