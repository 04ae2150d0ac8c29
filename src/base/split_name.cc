#include "base/split_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kvsplit {
namespace {

// Removes five digits from the end of text and returns their number; -1 if there are none.
int take_number(std::string_view& text) {
    constexpr std::size_t kDigits = 5;
    if (text.size() < kDigits) return -1;
    const std::string_view digits = text.substr(text.size() - kDigits);
    if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return -1;
    int number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    text.remove_suffix(kDigits);
    return number;
}

bool take(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

}  // namespace

std::string SplitName::part(int n) const { return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, n, count); }

std::optional<SplitName> parse_split_name(std::string_view path) {
    SplitName name;
    if (!take(path, ".gguf")) return std::nullopt;
    name.count = take_number(path);
    if (!take(path, "-of-")) return std::nullopt;
    name.number = take_number(path);
    if (!take(path, "-") || name.number < 1 || name.number > name.count) return std::nullopt;
    name.prefix = path;
    return name;
}

}  // namespace kvsplit
