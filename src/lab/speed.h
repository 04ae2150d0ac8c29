// Speed of prefill and decode with several caches at several depths, and what share of the memory's bandwidth
// decoding reaches.
//
// Machines drift, so the caches take turns: every repeat measures each cache once; results are medians over
// the repeats. A cache is filled to a depth once; the repeats start from there.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"

namespace kvsplit::lab {

// The cost of decoding a token, in tokens of prefill: a guess, to estimate the time left.
inline constexpr double kDecodeCost = 5;

struct SpeedOptions {
    std::vector<KvSpec> specs;   // at least one; the same one twice shows the noise
    std::vector<int> depths{0};  // tokens in the cache where a test begins
    int prefill_tokens = 512;    // evaluated together; 0: no such test
    int decode_tokens = 64;      // evaluated one by one; 0: no such test
    int repeats = 3;
    bool fast_fill = false;   // fill with random keys and values instead of evaluating as many tokens
    bool read_memory = true;  // also measure a plain read loop; takes half a second
};

struct SpeedResult {
    enum class Test { kPrefill, kDecode };

    KvSpec spec;
    Test test = Test::kPrefill;
    int tokens = 0;
    int depth = 0;
    double tokens_per_s = 0;        // median of the samples
    double stddev = 0;              // of the samples; 0 for a single one
    std::vector<double> samples;    // tokens/s, in the order of measuring
    double kv_bytes_per_token = 0;  // decode: bytes of the cache that a token reads, on average; else 0
    double kv_gb_per_s = 0;         // decode: kv_bytes_per_token * tokens_per_s / 1e9; else 0
    KvStats kv;                     // of the cache at the end of the test
};

struct SpeedReport {
    std::vector<SpeedResult> results;  // measured at least once; by spec, then depth, then test
    double read_gb_per_s = 0;  // of a plain read loop over memory, with the model's threads; 1e9 bytes
    std::size_t peak_rss = 0;  // bytes, of the process so far; 0 if unknown
};

// fraction of the work in [0, 1]; false stops: the report so far is then the result.
using SpeedCallback = std::function<bool(double fraction, const SpeedReport& so_far)>;

// Depths may lie beyond the context that the model was trained for. Throws Error(kInvalidArgument) for a
// figure out of range.
SpeedReport measure_speed(const std::shared_ptr<Model>& model, const SpeedOptions& options,
                          const SpeedCallback& callback = {});

}  // namespace kvsplit::lab
