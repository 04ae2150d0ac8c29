// Ten thousand damaged files: each is refused with an Error or can be read in full, and none makes the reader
// allocate more than a small multiple of its size.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "gguf/exercise_file.h"
#include "gguf/gguf_writer.h"
#include "gguf/mutate.h"

namespace {
std::atomic<std::size_t> g_largest{0};  // the largest single allocation
std::atomic<std::size_t> g_total{0};    // bytes allocated since the last reset, freed or not
}  // namespace

// Measures every allocation of this binary. Not inlined: g++ would see malloc paired with delete and warn.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    g_total += size;
    for (std::size_t seen = g_largest; size > seen && !g_largest.compare_exchange_weak(seen, size);) {
    }
    return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
    if (void* p = operator new(size, std::nothrow)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace kvsplit::test {
namespace {

using gguf::TensorType;

GgufWriter tiny_model(std::mt19937& rng) {
    GgufWriter w;
    w.add("general.architecture", "llama").add<std::uint32_t>("general.alignment", 32);
    w.add<std::uint32_t>("llama.block_count", 1).add<std::uint64_t>("llama.context_length", 128);
    w.add("llama.rope.freq_base", 10000.0f)
        .add("general.double", 1e-5)
        .add("tokenizer.ggml.add_bos_token", true);
    std::vector<std::string> tokens, merges;
    for (int i = 0; i < 40; ++i) tokens.push_back("tok" + std::to_string(i));
    for (int i = 0; i < 10; ++i) merges.push_back("a b" + std::to_string(i));
    w.add("tokenizer.ggml.model", "gpt2").add_array("tokenizer.ggml.tokens", tokens);
    w.add_array("tokenizer.ggml.merges", merges)
        .add_array("tokenizer.ggml.scores", std::vector<float>(40, -1.5f));
    w.add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>(40, 1));
    w.add_array("attention.pattern", std::vector<std::uint8_t>{1, 0, 1});
    for (const TensorType type :
         {TensorType::kF32,     TensorType::kF16,    TensorType::kBF16,   TensorType::kQ8_0,
          TensorType::kQ4_0,    TensorType::kQ4_1,   TensorType::kQ5_0,   TensorType::kQ5_1,
          TensorType::kQ2_K,    TensorType::kQ3_K,   TensorType::kQ4_K,   TensorType::kQ5_K,
          TensorType::kQ6_K,    TensorType::kIQ4_NL, TensorType::kIQ4_XS, TensorType::kMXFP4,
          TensorType::kQ1_0,    TensorType::kNVFP4,  TensorType::kTQ1_0,  TensorType::kTQ2_0,
          TensorType::kIQ2_XXS, TensorType::kIQ2_XS, TensorType::kIQ2_S,  TensorType::kIQ3_XXS,
          TensorType::kIQ3_S,   TensorType::kIQ1_S,  TensorType::kIQ1_M}) {
        const std::int64_t n = gguf::block_size(type) == 1 ? 16 : gguf::block_size(type);
        Bytes data(static_cast<std::size_t>(2 * n / gguf::block_size(type) * gguf::block_bytes(type)));
        for (auto& byte : data) byte = static_cast<std::uint8_t>(rng());
        w.tensor("blk.0." + std::string(type_name(type)), type, {n, 2}, data);
    }
    return w;
}

void expect_refused_or_readable(const TempFile& file, std::size_t size, int& readable) {
    g_largest = g_total = 0;
    std::string why;
    const bool ok = exercise_file(file.path(), why);
    EXPECT_LE(g_largest, 12 * size + 4096) << why;
    EXPECT_LE(g_total, 400 * size + 65536) << why;  // ten accesses to each value, error messages, rows
    readable += ok;
    EXPECT_TRUE(ok || why.starts_with(file.path())) << why;
}

TEST(GgufMutation, TenThousandDamagedFiles) {
    std::mt19937 rng(12345);
    const Bytes valid = tiny_model(rng).bytes();
    const std::size_t header = gguf::File(TempFile(valid).path()).tensors().front().file_offset;
    TempFile file;
    int readable = 0;
    for (int i = 0; i < 10000; ++i) {
        Bytes damaged = valid;
        for (unsigned n = 1 + rng() % 2; n-- > 0 && !damaged.empty();) {
            mutate(damaged, std::min(header, damaged.size()), rng);
        }
        file.write(damaged);
        expect_refused_or_readable(file, damaged.size(), readable);
        if (HasFailure()) FAIL() << "mutation " << i;
    }
    EXPECT_GT(readable, 500);  // the test reaches the reading of tensors, too
    EXPECT_LT(readable, 9500);
}

TEST(GgufMutation, HugeNumbersAtEveryPlaceOfTheHeader) {
    std::mt19937 rng(1);
    const Bytes valid = tiny_model(rng).bytes();
    TempFile file;
    int readable = 0;
    for (std::size_t at = 0; at < 600; ++at) {
        Bytes damaged = valid;
        const std::uint64_t number = nasty_number(rng);
        std::memcpy(damaged.data() + at, &number, sizeof number);
        file.write(damaged);
        expect_refused_or_readable(file, damaged.size(), readable);
        if (HasFailure()) FAIL() << "at " << at;
    }
}

TEST(GgufMutation, EveryTruncation) {
    std::mt19937 rng(1);
    const Bytes valid = tiny_model(rng).bytes();
    TempFile file;
    int readable = 0;
    for (std::size_t size = 0; size < valid.size(); size += size < 2000 ? 3 : 29) {
        file.write(Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size)));
        expect_refused_or_readable(file, size, readable);
        if (HasFailure()) FAIL() << "at " << size;
    }
    EXPECT_EQ(readable, 0);
}

}  // namespace
}  // namespace kvsplit::test
