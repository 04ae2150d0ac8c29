#include "lab/plan.h"

#include <algorithm>

#include "base/error.h"
#include "cache/page_memory.h"
#include "engine/memory_plan.h"

namespace kvsplit::lab {
namespace {

constexpr int P = codec::kPageTokens;

void check(const PlanOptions& options) {
    if (options.specs.empty()) fail(ErrorCode::kInvalidArgument, "no cache precision to plan for");
    for (const KvSpec& spec : options.specs) spec.validate();
    if (options.context < 0 || options.context > kLongestPlan) {
        fail(ErrorCode::kInvalidArgument, "a context of {} tokens: at most {}", options.context,
             kLongestPlan);
    }
}

std::string mebibytes(std::size_t bytes) {
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::vector<LayerKind> kinds_of(const CacheGeometry& geometry) {
    std::vector<LayerKind> kinds;
    for (const CacheLayer& layer : geometry.layers) {
        const auto same = [&](const LayerKind& kind) { return kind.window == layer.window; };
        const auto found = std::find_if(kinds.begin(), kinds.end(), same);
        if (found == kinds.end()) {
            kinds.push_back({layer.window, 1});
        } else {
            ++found->layers;
        }
    }
    std::sort(kinds.begin(), kinds.end(),
              [](const LayerKind& a, const LayerKind& b) { return a.window < b.window; });
    return kinds;
}

class Planner {
  public:
    Planner(const std::string& path, const PlanOptions& options)
        : options_(options), model_(path, options.model) {
        plan_.model = model_.info();
        plan_.memory = options.memory;
        plan_.program = options.program > 0 ? options.program : model_.program();
        plan_.weights = model_.weights();
        plan_.kinds = kinds_of(model_.geometry());
    }

    Plan run() {
        const PlanResult f16 = result(KvSpec::parse("f16"));
        for (const KvSpec& spec : options_.specs) {
            PlanResult& r = plan_.results.emplace_back();
            try {
                r = result(spec);
                r.times_f16 = times(r, f16);
            } catch (const Error& error) {
                r.spec = spec;
                r.refusal = error.what();
            }
        }
        if (options_.context == 0) require_one_page();
        return plan_;
    }

  private:
    KvStats cache(const KvSpec& spec, int context) const {
        return plan_cache(model_.geometry(), spec, context);
    }

    PlanResult at(const KvSpec& spec, int context) const {
        PlanResult r;
        r.spec = spec;
        r.context = context;
        r.kv = cache(spec, context);
        const std::size_t pages = r.kv.bytes.total();
        r.working = model_.working(context) + (PageMemory::footprint(pages) - pages);
        r.total = plan_.resident() + r.working + r.kv.bytes.total();
        r.fits = r.total <= options_.memory;
        return r;
    }

    PlanResult result(const KvSpec& spec) const {
        PlanResult r = options_.context > 0 ? at(spec, options_.context) : longest(spec);
        r.kind_bytes.assign(plan_.kinds.size(), 0);
        const auto layers = plan_layers(model_.geometry(), spec, r.context);
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const int window = model_.geometry().layers[i].window;
            for (std::size_t k = 0; k < plan_.kinds.size(); ++k) {
                if (plan_.kinds[k].window == window) r.kind_bytes[k] += layers[i].total();
            }
        }
        const int pages = (r.context + P - 1) / P;
        const auto bytes_of = [&](int n) { return double(cache(spec, n * P).bytes.total()); };
        r.bytes_per_token = (bytes_of(pages + 1) - bytes_of(pages)) / P;
        return r;
    }

    // As many whole pages as fit. If not even one does, the context is 0.
    PlanResult longest(const KvSpec& spec) const {
        const auto fits = [&](int pages) { return at(spec, pages * P).fits; };
        int most = 0, too_many = 1;
        while (too_many <= kLongestPlan / P && fits(too_many)) {
            most = too_many;
            too_many *= 2;
        }
        while (most + 1 < too_many) {
            const int middle = most + (too_many - most) / 2;
            (middle <= kLongestPlan / P && fits(middle) ? most : too_many) = middle;
        }
        PlanResult r = at(spec, most * P);
        r.capped = most == kLongestPlan / P;
        return r;
    }

    std::optional<double> times(const PlanResult& r, const PlanResult& f16) const {
        const bool by_bytes = options_.context > 0;
        const auto numerator = by_bytes ? double(f16.kv.bytes.total()) : double(r.context);
        const auto denominator = by_bytes ? double(r.kv.bytes.total()) : double(f16.context);
        if (denominator == 0) return std::nullopt;
        return numerator / denominator;
    }

    void require_one_page() const {
        const auto holds = [](const PlanResult& r) { return r.context > 0 || !r.refusal.empty(); };
        if (std::any_of(plan_.results.begin(), plan_.results.end(), holds)) return;
        const PlanResult& r = plan_.results.front();
        const PlanResult least = at(r.spec, P);
        fail(
            ErrorCode::kOutOfMemory,
            "{} do not hold the model: weights {} + working memory {} + the program with its vocabulary {} + "
            "{} tokens of {} cache {} = {}",
            mebibytes(plan_.memory), mebibytes(plan_.weights), mebibytes(least.working),
            mebibytes(plan_.program), P, r.spec.name(), mebibytes(least.kv.bytes.total()),
            mebibytes(least.total));
    }

    const PlanOptions& options_;
    MemoryPlan model_;
    Plan plan_;
};

}  // namespace

Plan make_plan(const std::string& path, const PlanOptions& options) {
    check(options);
    return Planner(path, options).run();
}

}  // namespace kvsplit::lab
