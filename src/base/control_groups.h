// The control groups (cgroups) of this process, which hold the limits of containers and services on Linux.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit {

struct ControlGroup {
    std::string folder;  // ends with '/'
    int version;         // of the interface, 1 or 2: file names differ
};

// The groups that may limit a resource ("memory", "cpu") for this process, from its own to the outermost
// visible one; a group's limit also holds for the groups inside it. Folders may not exist. Empty if there are
// no groups. `root` is prepended to /proc and /sys, for tests.
std::vector<ControlGroup> control_groups(std::string_view controller, const std::string& root = "");

}  // namespace kvsplit
