// The default number of threads.
#pragma once

#include <optional>
#include <string>

namespace kvsplit {

// The CPU time that the process's control groups allow it, in processors (a container's --cpus, a service's
// CPUQuota=); nullopt if unlimited. `root` is prepended to /proc and /sys, for tests.
std::optional<double> cpu_quota(const std::string& root = "");

// One thread per physical core that this process may run on, at most the quota rounded up, at least 1. (The
// threads of a ThreadPool wait for each other, so all stall once the quota is used up.)
int default_threads(const std::string& root = "");

}  // namespace kvsplit
