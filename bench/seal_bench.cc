// Cost of sealing: encoding one token's keys and values of a whole model, on one core.
//
//   seal_bench [--benchmark_filter=...]
//
// "per_token" is the processor time for all layers and KV heads divided by the tokens of a page. Models:
// SmolLM2-135M has 30 layers x 3 KV heads of 64 channels, Gemma-3-270M 18 x 1 of 256.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "codec/pages.h"
#include "codec/reference.h"

namespace kvsplit {
namespace {

using namespace codec;

struct Model {
    const char* name;
    int layers, kv_heads, head_dim;
};
constexpr Model kModels[] = {{"smollm2", 30, 3, 64}, {"gemma3", 18, 1, 256}};

// A layer's page is sealed repeatedly, from one of several open pages, so that branches cannot be learnt.
void seal_model(benchmark::State& state, const cpu::SealKernels& seal, const Model& model, int key_bits,
                int value_bits) {
    constexpr unsigned kPages = 8;
    const HeadShape shape = head_shape(model.head_dim);
    const PageLayout layout = page_layout({key_bits, value_bits}, shape, model.kv_heads, 0);
    const std::vector<float> smoothing = codec::test::make_smoothing(model.head_dim, 1);
    std::vector<std::vector<std::uint16_t>> keys, values;
    for (unsigned i = 0; i < kPages; ++i) {
        const auto tokens = codec::test::make_tokens(codec::test::PageKind::kOutliers, model.head_dim, i);
        keys.push_back(codec::test::open_keys(tokens, model.head_dim));
        values.push_back(codec::test::open_values(tokens, shape));
    }
    std::vector<std::uint8_t> page(layout.bytes);
    std::size_t next = 0;
    for (auto _ : state) {
        for (int head = 0; head < model.kv_heads; ++head, next = (next + 1) % kPages) {
            seal.key_page(layout, head, keys[next].data(), smoothing.data(), page.data());
            seal.value_page(layout, head, values[next].data(), page.data());
        }
        benchmark::DoNotOptimize(page.data());
        benchmark::ClobberMemory();
    }
    state.counters["per_token"] =
        benchmark::Counter(static_cast<double>(state.iterations()) / model.layers * kPageTokens,
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_all() {
    const auto add = [](const std::string& isa, const cpu::SealKernels& seal) {
        for (const Model& model : kModels) {
            for (const auto& [k, v] : {std::pair{8, 8}, {8, 4}, {5, 4}, {4, 4}, {3, 2}}) {
                const std::string name =
                    isa + "/" + model.name + "/k" + std::to_string(k) + "v" + std::to_string(v);
                benchmark::RegisterBenchmark(name.c_str(), [&seal, model, k = k,
                                                            v = v](benchmark::State& state) {
                    seal_model(state, seal, model, k, v);
                })->Unit(benchmark::kMicrosecond);
            }
        }
    };
    static const cpu::SealKernels reference = {encode_key_page, encode_value_page};
    add("reference", reference);
    for (const CpuIsa isa : available_isas()) add(std::string(isa_name(isa)), cpu::kernels(isa).seal);
}

}  // namespace
}  // namespace kvsplit

int main(int argc, char** argv) {
    kvsplit::register_all();
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
