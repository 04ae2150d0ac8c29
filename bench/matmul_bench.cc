// Matrix products of every weight type, in multiply-adds per second (prefill shapes) and bytes of weights per
// second (decode shapes).
//
//   matmul_bench --benchmark_filter='Q4_1/avx512' --benchmark_repetitions=5
//
// Names: shape/type/instruction set/mode/rows of activations. Clock changes and other load change single runs
// by tens of percent: compare medians of repetitions within one run.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>

#include "backend/cpu/matmul.h"
#include "backend/random_weights.h"

namespace kvsplit::cpu {
namespace {

struct Mode {
    const char* name;
    Activations activations;
};

struct Shape {
    const char* name;
    int rows, cols;
};

void product(benchmark::State& state, Shape shape, gguf::TensorType type, CpuIsa isa, Mode mode, int n,
             int threads) {
    std::mt19937 rng(1);
    ThreadPool pool(threads);
    const std::vector<std::uint8_t> data = test::random_weights(type, shape.rows, shape.cols, rng);
    const WeightSource source{type, data, shape.rows};
    const PackedMatrix w = PackedMatrix::pack(pool, {&source, 1}, shape.cols, mode.activations);
    const std::vector<float> x = test::random_rows(n, shape.cols, rng);
    std::vector<float> out(static_cast<std::size_t>(n) * static_cast<std::size_t>(shape.rows));
    MatmulScratch scratch;
    for (auto _ : state) {
        matmul(pool, kernels(isa), w, x.data(), n, out.data(), shape.rows, false, scratch);
        benchmark::ClobberMemory();
    }
    const double runs = static_cast<double>(state.iterations());
    state.counters["MAC/s"] =
        benchmark::Counter(runs * shape.rows * shape.cols * n, benchmark::Counter::kIsRate);
    state.counters["B/s"] =
        benchmark::Counter(runs * static_cast<double>(w.bytes()), benchmark::Counter::kIsRate);
}

void register_all() {
    // In cache, like the layers of a small model; beyond the caches, like its vocabulary.
    const Shape layer{"layer1536x576", 1536, 576}, wide{"layer2048x1024", 2048, 1024},
        output{"output131072x1024", 131072, 1024};
    for (const gguf::TensorType type : test::kWeightTypes) {
        const Shape fit = layer.cols % gguf::block_size(type) == 0 ? layer : wide;
        for (const CpuIsa isa : available_isas()) {
            for (const Mode mode : {Mode{"int8", Activations::kInt8}, Mode{"int16", Activations::kInt16},
                                    Mode{"exact", Activations::kF32}}) {
                const auto add = [&](const Shape& shape, int n, int threads) {
                    const std::string name =
                        fmt::format("{}/{}/{}/{}/{}/threads{}", shape.name, gguf::type_name(type),
                                    isa_name(isa), mode.name, n, threads);
                    benchmark::RegisterBenchmark(name.c_str(), product, shape, type, isa, mode, n, threads)
                        ->UseRealTime();
                };
                for (const int n : {1, 8, 512}) add(fit, n, 2);
                for (const int n : {1, 8, 512}) add(fit, n, 1);
                for (const int threads : {1, 2}) add(output, 1, threads);
            }
        }
    }
}

}  // namespace
}  // namespace kvsplit::cpu

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    kvsplit::cpu::register_all();
    benchmark::RunSpecifiedBenchmarks();
}
