#include "cli/byte_size.h"

#include <charconv>
#include <cmath>

#include "cli/options.h"
#include "cli/output.h"

namespace kvsplit::cli {
namespace {

// The factor of a unit, 0 if unknown. Single letters are powers of 1,024, as in dd, ulimit and containers.
double factor(std::string unit) {
    for (char& c : unit) c = static_cast<char>(c | 0x20);  // lower-cases letters
    if (unit.empty() || unit == "b") return 1;
    constexpr std::string_view kPrefixes = "kmgt";
    const auto power = kPrefixes.find(unit[0]);
    if (power == std::string_view::npos) return 0;
    const std::string rest = unit.substr(1);
    if (rest != "" && rest != "b" && rest != "ib") return 0;
    return std::pow(rest == "b" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
}

}  // namespace

std::size_t parse_byte_size(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    const double bytes = error == std::errc() ? number * factor(std::string(unit)) : 0;
    if (!(bytes >= 1 && bytes < 0x1p60)) {
        throw UsageError(fmt::format("'{}' is not an amount of memory: say 4G, 512M, 1.5GiB or 8GB", text));
    }
    return static_cast<std::size_t>(bytes);
}

}  // namespace kvsplit::cli
