// The control groups (cgroups) of this process: where Linux keeps the limits of containers and services.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit {

struct ControlGroup {
    std::string folder;  // ends with '/'
    int version;         // of the interface, 1 or 2: the names of its files differ
};

// The groups that may limit a resource ("memory", "cpu") for this process, from its own up to the outermost
// that it can see: a limit holds for all groups inside. Folders need not exist. `root` stands before /proc
// and /sys, for tests. Nothing where there are no groups.
std::vector<ControlGroup> control_groups(std::string_view controller, const std::string& root = "");

}  // namespace kvsplit
