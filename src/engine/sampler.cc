#include "kvsplit/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace kvsplit {
namespace {

struct Candidate {
    float logit;
    Token token;
};

// A total order, so that ties break the same way everywhere: the lower token id wins.
bool better(const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}
bool worse(const Candidate& a, const Candidate& b) { return better(b, a); }

// e^x for x <= 0, from IEEE additions and multiplications only: the last bits of the C library's exp differ
// between systems, and draws must not. Taylor on |r| <= ln2/2, relative error below 1e-15.
double portable_exp(double x) {
    if (!(x > -700.0)) return 0.0;
    constexpr double kLog2e = 1.4426950408889634, kLn2High = 0.693147180369123816490,
                     kLn2Low = 1.90821492927058770002e-10;
    const double k = std::floor(x * kLog2e + 0.5);
    const double r = (x - k * kLn2High) - k * kLn2Low;
    double sum = 1.0;
    for (int i = 14; i > 0; --i) sum = 1.0 + sum * r / i;
    return std::ldexp(sum, static_cast<int>(k));
}

// A NaN logit counts as impossible, an infinite one as the largest number.
float clean(float logit) {
    if (std::isnan(logit)) return -std::numeric_limits<float>::infinity();
    return std::min(logit, std::numeric_limits<float>::max());
}

// The k best (all possible ones if k is 0 or too large), in no particular order. A bounded heap: most logits
// cost one comparison with the worst kept, so a vocabulary of 262,144 is never sorted.
std::vector<Candidate> best_candidates(std::span<const float> logits, std::size_t k) {
    constexpr float kImpossible = -std::numeric_limits<float>::infinity();
    std::vector<Candidate> heap;
    if (k == 0 || k > logits.size()) k = logits.size();
    heap.reserve(k);
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const float logit = clean(logits[i]);
        if (logit == kImpossible) continue;
        if (heap.size() < k) {
            heap.push_back({logit, static_cast<Token>(i)});
            if (heap.size() == k) std::make_heap(heap.begin(), heap.end(), better);
        } else if (logit > heap.front().logit) {
            std::pop_heap(heap.begin(), heap.end(), better);
            heap.back() = {logit, static_cast<Token>(i)};
            std::push_heap(heap.begin(), heap.end(), better);
        }
    }
    return heap;
}

// top-p and min-p in one pass from the most likely down: both stop at the first candidate they reject, and
// renormalising for top-p changes neither min-p's ratio nor the order.
std::vector<Candidate> keep_likely(std::vector<Candidate> pool, float top_p, float min_p) {
    std::make_heap(pool.begin(), pool.end(), worse);
    const double best = pool.front().logit;
    double total = 0;
    if (top_p < 1.0f) {
        for (const Candidate& c : pool) total += portable_exp(c.logit - best);
    }
    std::vector<Candidate> kept;
    double mass = 0;
    while (!pool.empty()) {
        std::pop_heap(pool.begin(), pool.end(), worse);
        const Candidate c = pool.back();
        pool.pop_back();
        const double weight = portable_exp(c.logit - best);
        if (!kept.empty() && weight < min_p) break;
        kept.push_back(c);
        mass += weight;
        if (top_p < 1.0f && mass >= top_p * total) break;
    }
    return kept;
}

Token draw(const std::vector<Candidate>& candidates, float temperature, std::uint64_t& state) {
    double best = -std::numeric_limits<double>::infinity();
    for (const Candidate& c : candidates) best = std::max(best, double(c.logit));
    std::vector<double> cumulative;
    cumulative.reserve(candidates.size());
    double total = 0;
    for (const Candidate& c : candidates) {
        total += portable_exp((c.logit - best) / temperature);
        cumulative.push_back(total);
    }
    const double point = static_cast<double>(next_random(state) >> 11) * 0x1p-53 * total;
    const auto it = std::upper_bound(cumulative.begin(), cumulative.end(), point);
    const auto index =
        std::min<std::size_t>(static_cast<std::size_t>(it - cumulative.begin()), candidates.size() - 1);
    return candidates[index].token;
}

std::vector<float> penalise(std::span<const float> logits, std::vector<Token> recent, float penalty) {
    std::vector<float> out(logits.begin(), logits.end());
    std::sort(recent.begin(), recent.end());
    recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
    for (const Token token : recent) {
        if (token < 0 || static_cast<std::size_t>(token) >= out.size()) continue;
        float& logit = out[static_cast<std::size_t>(token)];
        logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    return out;
}

void require(bool good, const char* name, double value, const char* range) {
    if (!good) fail(ErrorCode::kInvalidArgument, "{} is {}: it must be {}", name, value, range);
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options), state_(options.seed) {
    const auto& o = options;
    require(std::isfinite(o.temperature) && o.temperature >= 0, "temperature", o.temperature, "0 or more");
    require(o.top_k >= 0, "top_k", o.top_k, "0 (off) or more");
    require(o.top_p > 0 && o.top_p <= 1, "top_p", o.top_p, "above 0 and at most 1");
    require(o.min_p >= 0 && o.min_p <= 1, "min_p", o.min_p, "between 0 and 1");
    require(std::isfinite(o.repeat_penalty) && o.repeat_penalty > 0, "repeat_penalty", o.repeat_penalty,
            "above 0");
    require(o.repeat_last >= 0, "repeat_last", o.repeat_last, "0 or more");
}

Token Sampler::sample(std::span<const float> logits) {
    std::vector<float> penalised;
    if (options_.repeat_penalty != 1.0f && !recent_.empty()) {
        penalised = penalise(logits, recent_, options_.repeat_penalty);
        logits = penalised;
    }
    const bool greedy = options_.temperature == 0.0f;
    auto candidates = best_candidates(logits, greedy ? 1 : static_cast<std::size_t>(options_.top_k));
    if (candidates.empty()) {
        fail(ErrorCode::kInvalidArgument, "none of the {} logits is a number: the model's weights are broken",
             logits.size());
    }
    if (candidates.size() == 1) return candidates[0].token;
    if (options_.top_p < 1.0f || options_.min_p > 0.0f) {
        candidates = keep_likely(std::move(candidates), options_.top_p, options_.min_p);
    } else {
        std::sort(candidates.begin(), candidates.end(),
                  [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
    }
    return draw(candidates, options_.temperature, state_);
}

void Sampler::accept(Token token) {
    recent_.push_back(token);
    const auto keep = static_cast<std::size_t>(options_.repeat_last);
    if (recent_.size() > keep)
        recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(keep));
}

}  // namespace kvsplit
