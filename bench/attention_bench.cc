// Speed of attention on page codes: one query token over a long cache (decoding), and 64 of them (prefill),
// one KV head, one core.
//
//   attention_bench [--benchmark_filter=avx512/decode/d64/g3/k8v4]
//
// "bytes_per_second" is the rate of reading keys and values, "token" the time for one cached token and one
// query token. Cases: instruction set / what / head_dim, or rotary and latent channels / query heads of the
// KV head / precision.
#include <benchmark/benchmark.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "codec/pages.h"
#include "codec/reference.h"

namespace kvsplit {
namespace {

using namespace codec;

constexpr int kPages = 128;

struct Case {
    KvHead head;
    int group, n_queries;
    KvWidths widths;
};

// A sealed page, repeated so that the run is realistic and does not fit into the caches.
class Run {
  public:
    explicit Run(const Case& c) : layout_(page_layout(c.widths, c.head, 1, 0)) {
        const int key_dim = c.head.key.head_dim;
        const auto keys = codec::test::make_tokens(codec::test::PageKind::kNormal, key_dim, 1),
                   values =
                       codec::test::make_tokens(codec::test::PageKind::kNormal, c.head.value.head_dim, 1);
        const auto smoothing = codec::test::make_smoothing(key_dim, 1);
        memory_.resize(layout_.bytes * kPages);
        for (int p = 0; p < kPages; ++p) {
            std::uint8_t* page = memory_.data() + static_cast<std::size_t>(p) * layout_.bytes;
            if (p == 0) {
                encode_key_page(layout_, 0, codec::test::open_keys(keys, key_dim).data(), smoothing.data(),
                                page);
                encode_value_page(layout_, 0, codec::test::open_values(values, c.head.value).data(), page);
            } else {
                std::copy_n(memory_.data(), layout_.bytes, page);
            }
            pages_.push_back(reinterpret_cast<const std::byte*>(page));
        }
    }
    cpu::PageRun pages() const {
        return {pages_.data(),      kPages, 0,          &layout_, 0, 1, layout_.key_bits,
                layout_.value_bits, 0,      kPageTokens};
    }
    const PageLayout& layout() const { return layout_; }

  private:
    PageLayout layout_;
    std::vector<std::uint8_t> memory_;
    std::vector<const std::byte*> pages_;
};

void attend(benchmark::State& state, const cpu::Kernels& kernels, const Case& c) {
    const Run run(c);
    const KvHead& head = c.head;
    const auto rows = static_cast<std::size_t>(c.group * c.n_queries),
               dim = static_cast<std::size_t>(head.query_dim());
    std::mt19937 rng(1);
    std::vector<float> q(rows * dim), scales(rows, 0.01f), max(rows), sum(rows * 16),
        acc(rows * static_cast<std::size_t>(head.value.padded_dim));
    std::vector<std::int8_t> codes(
        rows * static_cast<std::size_t>(std::max(head.key.head_dim, head.value.head_dim)));
    std::vector<std::int32_t> sums(rows * static_cast<std::size_t>(head.key.n_groups + head.value.n_groups),
                                   3),
        positions(rows, kPages * kPageTokens);
    for (float& x : q) x = static_cast<float>(rng() % 100) / 1000.0f;
    for (std::int8_t& x : codes) x = static_cast<std::int8_t>(rng() % 255 - 127);
    const cpu::QueryCodes query_codes{codes.data(), scales.data(), sums.data()};
    const cpu::QueryTile tile{c.group * c.n_queries, q.data(), query_codes, query_codes, positions.data(), 0};
    const cpu::AttentionShape shape{head, run.layout().key_bits, run.layout().value_bits};
    for (auto _ : state) {
        std::fill(max.begin(), max.end(), -std::numeric_limits<float>::infinity());
        std::fill(sum.begin(), sum.end(), 0.0f);
        std::fill(acc.begin(), acc.end(), 0.0f);
        cpu::SoftmaxState softmax{max.data(), sum.data(), acc.data()};
        kernels.attend(shape, run.pages(), &tile, &softmax);
        benchmark::ClobberMemory();
    }
    const auto tokens = static_cast<std::int64_t>(state.iterations()) * kPages * kPageTokens;
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * kPages *
                            static_cast<std::int64_t>(run.layout().key_bytes + run.layout().value_bytes));
    state.counters["token"] = benchmark::Counter(static_cast<double>(tokens * c.n_queries),
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_all() {
    struct Shape {
        std::string name;
        KvHead head;
        int group;
    };
    const Shape shapes[] = {{"d64/g3", head_shape(64), 3},
                            {"d64/g1", head_shape(64), 1},
                            {"d64/g8", head_shape(64), 8},
                            {"d128/g4", head_shape(128), 4},
                            {"d128/g8", head_shape(128), 8},
                            {"d256/g4", head_shape(256), 4},
                            {"latent64+512/g16", KvHead::of_latent(64, 512), 16}};
    for (const CpuIsa isa : available_isas()) {
        for (const Shape& shape : shapes) {
            for (int n_queries : {1, 64}) {
                for (int key : kv_widths()) {
                    for (int value : kv_widths()) {
                        const std::string name = std::string(isa_name(isa)) +
                                                 (n_queries == 1 ? "/decode/" : "/prefill/") + shape.name +
                                                 "/" + KvSpec{key, value}.name();
                        const Case c{shape.head, shape.group, n_queries, {key, value}};
                        benchmark::RegisterBenchmark(name.c_str(), [isa, c](benchmark::State& state) {
                            attend(state, cpu::kernels(isa), c);
                        })->Unit(benchmark::kMicrosecond);
                    }
                }
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
