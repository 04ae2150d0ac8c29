// How many threads a program uses that was not told.
#pragma once

#include <optional>
#include <string>

namespace kvsplit {

// Processors' worth of time that the control groups of this process allow it (a container's --cpus, a
// service's CPUQuota=); nothing where they set no limit. `root` stands before /proc and /sys, for tests.
std::optional<double> cpu_quota(const std::string& root = "");

// One for each physical core that this process may run on, but no more than the quota rounded up: threads
// that wait for each other, as those of a ThreadPool do, all stop when one of them has used it up. At
// least 1.
int default_threads(const std::string& root = "");

}  // namespace kvsplit
