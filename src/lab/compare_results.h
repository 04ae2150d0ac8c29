// Settings and results of `kvsplit compare`: plain data. lab/compare.h measures it, lab/report shows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"
#include "lab/perplexity.h"
#include "lab/speed.h"

namespace kvsplit::lab {

struct CompareSettings {
    std::vector<KvSpec> specs;  // f16 first: what all others are compared with
    bool exact = true;          // arithmetic of the divergence: see ModelOptions
    int quality_context = 0;    // tokens per chunk of the text
    int quality_chunks = 0;
    std::vector<int> contexts;  // tokens in the cache where speed and memory are measured; ascending
    int prefill_tokens = 0;     // as in SpeedOptions
    int decode_tokens = 0;
    int repeats = 0;
};

// What was measured. Figures of different subjects do not belong in one table.
struct CompareSubject {
    std::string program;  // version and commit
    struct Machine {
        std::string processor;
        std::string kernels;  // "avx512"
        int threads = 0;
    } machine;
    ModelInfo model;
    std::string model_hash;  // of the file's size, beginning and end
    struct Text {
        std::string name;  // a path, or the built-in text's name
        std::size_t bytes = 0;
        std::string hash;
    } text;
};

struct CompareQuality {
    PerplexityResult result;
    std::size_t tokens_scored = 0;
    bool whole = false;  // false: interrupted, with fewer chunks than asked for
};

struct CompareMemory {
    KvSpec spec;
    int context = 0;           // tokens held
    KvStats kv;                // counted as allocated
    std::size_t peak_rss = 0;  // bytes, of the process: weights, working memory and this cache; 0: unknown
};

struct CompareResults {
    CompareSubject subject;
    CompareSettings settings;
    std::vector<std::string> notes;  // what was left out, and why

    std::vector<CompareQuality> quality;  // each spec at most once
    // The divergence of f32 keys and values, a harmless change: the noise floor. Only with rounded
    // activations; exact arithmetic has no such noise.
    std::optional<Divergence> floor;
    std::vector<CompareMemory> memory;  // each spec and context at most once
    std::vector<SpeedResult> speed;     // each spec, test and depth at most once
    std::vector<int> speed_done;        // the depths whose speeds are complete
    double read_gb_per_s = 0;           // of memory: see SpeedReport
    double seconds = 0;                 // of measuring, over all runs

    // Whether nothing is left to measure.
    bool complete() const;

    // The results for one cache, or null.
    const CompareQuality* quality_of(const KvSpec& spec) const;
    const CompareMemory* memory_of(const KvSpec& spec, int context) const;
    const SpeedResult* speed_of(const KvSpec& spec, SpeedResult::Test test, int depth) const;
};

}  // namespace kvsplit::lab
