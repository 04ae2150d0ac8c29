#include "base/default_threads.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/control_groups.h"
#include "base/cpu_features.h"

namespace kvsplit {
namespace {

// Version 2: "200000 100000" or "max 100000", microseconds of CPU time in each period. Version 1 has two
// files; -1 in the first means no limit.
std::optional<double> quota_of(const ControlGroup& group) {
    double quota = 0, period = 0;
    if (group.version == 2) {
        std::ifstream(group.folder + "cpu.max") >> quota >> period;
    } else {
        std::ifstream(group.folder + "cpu.cfs_quota_us") >> quota;
        std::ifstream(group.folder + "cpu.cfs_period_us") >> period;
    }
    if (!(quota > 0 && period > 0)) return std::nullopt;
    return quota / period;
}

}  // namespace

std::optional<double> cpu_quota(const std::string& root) {
    std::optional<double> least;
    for (const ControlGroup& group : control_groups("cpu", root)) {
        if (const auto quota = quota_of(group)) least = std::min(*quota, least.value_or(*quota));
    }
    return least;
}

int default_threads(const std::string& root) {
    const int cores = physical_cores();
    const auto quota = cpu_quota(root);
    if (!quota || *quota >= cores) return cores;
    return std::max(1, static_cast<int>(std::ceil(*quota)));
}

}  // namespace kvsplit
