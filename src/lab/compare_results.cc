#include "lab/compare_results.h"

#include <algorithm>

namespace kvsplit::lab {
namespace {

template <typename T, typename Predicate>
const T* find(const std::vector<T>& all, Predicate&& matches) {
    const auto at = std::find_if(all.begin(), all.end(), matches);
    return at == all.end() ? nullptr : &*at;
}

}  // namespace

bool CompareResults::complete() const {
    const auto measured = [&](const KvSpec& spec) {
        const auto* q = quality_of(spec);
        return q && q->whole &&
               std::all_of(settings.contexts.begin(), settings.contexts.end(),
                           [&](int context) { return memory_of(spec, context) != nullptr; });
    };
    return std::all_of(settings.specs.begin(), settings.specs.end(), measured) &&
           speed_done.size() == settings.contexts.size();
}

const CompareQuality* CompareResults::quality_of(const KvSpec& spec) const {
    return find(quality, [&](const CompareQuality& q) { return q.result.spec == spec; });
}

const CompareMemory* CompareResults::memory_of(const KvSpec& spec, int context) const {
    return find(memory, [&](const CompareMemory& m) { return m.spec == spec && m.context == context; });
}

const SpeedResult* CompareResults::speed_of(const KvSpec& spec, SpeedResult::Test test, int depth) const {
    return find(speed,
                [&](const SpeedResult& s) { return s.spec == spec && s.test == test && s.depth == depth; });
}

}  // namespace kvsplit::lab
