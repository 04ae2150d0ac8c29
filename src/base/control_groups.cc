#include "base/control_groups.h"

#include <fmt/core.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

namespace kvsplit {
namespace {

bool lists(std::string_view comma_separated, std::string_view word) {
    return fmt::format(",{},", comma_separated).find(fmt::format(",{},", word)) != std::string::npos;
}

// A mounted part of the group hierarchy.
struct Mount {
    std::string group;   // the group at the mount point
    std::string folder;  // the mount point
};

// Undoes the octal escapes (\040 for a space) of /proc/self/mountinfo.
std::string unescape(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
            octal(text[i + 3])) {
            out +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

// Whether `group` is `outer` or inside it.
bool inside(std::string_view group, std::string_view outer) {
    if (outer == "/") return true;
    return group.starts_with(outer) && (group.size() == outer.size() || group[outer.size()] == '/');
}

// A line of mountinfo: "36 35 98:0 /group /folder options [more] - type source options".
std::optional<Mount> parse_mount(const std::string& line, std::string_view controller, int version) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) return std::nullopt;
    std::string skipped, group, folder, type, source, options;
    if (!(std::istringstream(line) >> skipped >> skipped >> skipped >> group >> folder)) return std::nullopt;
    if (!(std::istringstream(line.substr(dash + 3)) >> type >> source >> options)) return std::nullopt;
    const bool right = version == 2 ? type == "cgroup2" : type == "cgroup" && lists(options, controller);
    if (!right) return std::nullopt;
    return Mount{unescape(group), unescape(folder)};
}

// The mount that contains the group, else any mount. Without a list of mounts, the usual place.
Mount mount_of(std::string_view group, std::string_view controller, int version, const std::string& root) {
    std::optional<Mount> found;
    std::ifstream file(root + "/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        const auto mount = parse_mount(line, controller, version);
        if (!mount) continue;
        const bool shows = inside(group, mount->group);
        if (!found || shows) found = mount;
        if (shows) break;
    }
    if (found) return *found;
    return {"/", version == 2 ? "/sys/fs/cgroup" : fmt::format("/sys/fs/cgroup/{}", controller)};
}

// Adds the groups from `group` up to the mount point.
void add_groups(std::string_view group, const Mount& mount, int version, const std::string& root,
                std::vector<ControlGroup>& out) {
    const bool shown = inside(group, mount.group) && group.find("..") == std::string_view::npos;
    std::string below(shown && mount.group != "/" ? group.substr(mount.group.size()) : group);
    if (!shown) below.clear();  // a container that sees the host's names: its own group is the mount point
    while (below.ends_with('/')) below.pop_back();
    while (true) {
        out.push_back({fmt::format("{}{}{}/", root, mount.folder, below), version});
        if (below.empty()) return;
        below.resize(below.rfind('/') == std::string::npos ? 0 : below.rfind('/'));
    }
}

}  // namespace

std::vector<ControlGroup> control_groups(std::string_view controller, const std::string& root) {
    std::vector<ControlGroup> out;
    std::ifstream file(root + "/proc/self/cgroup");
    // Lines "id:controllers:group"; version 2 has no controllers.
    for (std::string line; std::getline(file, line);) {
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (!group.starts_with('/')) continue;
        if (!controllers.empty() && !lists(controllers, controller)) continue;
        const int version = controllers.empty() ? 2 : 1;
        add_groups(group, mount_of(group, controller, version, root), version, root, out);
    }
    return out;
}

}  // namespace kvsplit
