// A made-up comparison, for tests of reports.
#pragma once

#include <string>

#include "lab/compare_results.h"

namespace kvsplit::lab::test {

struct MadeUpCache {
    const char* kv;
    std::size_t bytes;  // at 2,048 tokens; f16 has 1,000,000
    double kld;         // nats
};

inline void add_cache(CompareResults& results, const MadeUpCache& cache) {
    const KvSpec spec = KvSpec::parse(cache.kv);
    results.settings.specs.push_back(spec);

    CompareQuality quality;
    quality.whole = true;
    quality.tokens_scored = 4092;
    quality.result.spec = spec;
    quality.result.nll = {2.9, 0.03};
    quality.result.perplexity = {18.5, 0.4};
    Divergence d;
    d.kld_mean = cache.kld;
    d.kld_stderr = cache.kld / 100;
    d.kld_median = cache.kld / 2;
    d.kld_p99 = 8 * cache.kld;
    d.kld_p999 = 30 * cache.kld;
    d.ppl_change_pct = 100 * cache.kld;
    d.ppl_change_stderr_pct = 0.05;
    d.top1_agreement = 0.98;
    d.rms_dp = 0.01;
    quality.result.vs_f16 = d;
    results.quality.push_back(quality);

    for (const int context : results.settings.contexts) {
        const std::size_t scale = static_cast<std::size_t>(context);
        CompareMemory memory{spec, context, {}, 200'000'000 + cache.bytes};
        memory.kv.bytes = {cache.bytes / 2 * scale / 2048, cache.bytes / 4 * scale / 2048,
                           cache.bytes / 4 * scale / 2048};
        memory.kv.f16_total = 1'000'000 * scale / 2048;
        results.memory.push_back(memory);
        for (const auto test : {SpeedResult::Test::kPrefill, SpeedResult::Test::kDecode}) {
            SpeedResult speed;
            speed.spec = spec;
            speed.test = test;
            speed.depth = context;
            speed.tokens = 64;
            speed.tokens_per_s = 100 + 1e8 / double(cache.bytes) / context;
            speed.stddev = 1.25;
            speed.samples = {speed.tokens_per_s - 1.25, speed.tokens_per_s + 1.25};
            results.speed.push_back(speed);
        }
    }
}

// Plausible figures for the usual caches.
inline CompareResults made_up_results() {
    CompareResults r;
    r.subject.program = "kvsplit 0.1.0 (test)";
    r.subject.machine = {"A processor", "avx2", 2};
    r.subject.model.path = "models/tiny.gguf";
    r.subject.model.name = "Tiny";
    r.subject.model.architecture = "llama";
    r.subject.model.weight_type = "Q4_1";
    r.subject.model.n_parameters = 135'000'000;
    r.subject.model.n_layers = 30;
    r.subject.model.n_heads = 9;
    r.subject.model.n_kv_heads = 3;
    r.subject.model.head_dim = 64;
    r.subject.model.context_length = 8192;
    r.subject.model_hash = "0123456789abcdef";
    r.subject.text = {"book.txt", 278530, "fedcba9876543210"};
    r.settings.exact = true;
    r.settings.quality_context = 2048;
    r.settings.quality_chunks = 4;
    r.settings.contexts = {128, 2048};
    r.settings.prefill_tokens = 512;
    r.settings.decode_tokens = 64;
    r.settings.repeats = 2;
    r.read_gb_per_s = 12.5;
    r.seconds = 83;
    for (const MadeUpCache& cache : {MadeUpCache{"f16", 1'000'000, 0},
                                     {"k8v8", 560'000, 0.000009},
                                     {"k6v6", 440'000, 0.00013},
                                     {"k8v4", 440'000, 0.00036},
                                     {"k4v8", 440'000, 0.0015},
                                     {"k5v4", 350'000, 0.00075},
                                     {"k4v4", 320'000, 0.0018}}) {
        add_cache(r, cache);
    }
    r.speed_done = r.settings.contexts;
    return r;
}

}  // namespace kvsplit::lab::test
