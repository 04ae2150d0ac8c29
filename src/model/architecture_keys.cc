#include "model/architecture_keys.h"

#include <cmath>
#include <span>

#include "base/error.h"

namespace kvsplit {

ArchitectureKeys::ArchitectureKeys(const gguf::File& file)
    : file_(file), prefix_(file.get_string("general.architecture") + ".") {}

int ArchitectureKeys::bounded(const std::string& name, std::uint64_t n, int most) const {
    if (n == 0 || n > static_cast<std::uint64_t>(most)) {
        file_.reject(*find(name), fmt::format("must be between 1 and {}, is {}", most, n));
    }
    return static_cast<int>(n);
}

int ArchitectureKeys::count(const std::string& name, int most) const {
    return bounded(name, file_.get_u64(prefix_ + name), most);
}

int ArchitectureKeys::count_or(const std::string& name, int most, int absent) const {
    return has(name) ? count(name, most) : absent;
}

int ArchitectureKeys::size_or(const std::string& name, int most, int absent) const {
    if (has(name) && file_.get_u64(prefix_ + name) == 0) return 0;
    return count_or(name, most, absent);
}

int ArchitectureKeys::head_count(const std::string& name, int most, int absent) const {
    const gguf::Value* value = find(name);
    if (!value) return absent;
    if (!value->is_array()) return count(name, most);
    const auto each = file_.get_i64_array(prefix_ + name);
    if (each.empty()) file_.reject(*value, "is empty");
    std::int64_t first = 0;
    for (auto n : each) {
        if (first == 0) first = n;
        if (n != first && n != 0) {
            fail(ErrorCode::kUnsupported, "{}: {}{} differs between layers, which is not supported",
                 file_.path(), prefix_, name);
        }
    }
    return bounded(name, static_cast<std::uint64_t>(first), most);
}

std::vector<int> ArchitectureKeys::counts(const std::string& name, int n, int most) const {
    const gguf::Value* value = find(name);
    if (!value || !value->is_array()) return std::vector<int>(static_cast<std::size_t>(n), count(name, most));
    const auto each = file_.get_i64_array(prefix_ + name);
    if (each.size() < static_cast<std::size_t>(n))
        file_.reject(*value, fmt::format("has {} entries for {} layers", each.size(), n));
    std::vector<int> counts;
    for (const std::int64_t x : std::span(each).first(static_cast<std::size_t>(n)))
        counts.push_back(x == 0 ? 0 : bounded(name, static_cast<std::uint64_t>(x), most));
    return counts;
}

double ArchitectureKeys::number_or(const std::string& name, double absent) const {
    const double x = file_.get_f64_or(prefix_ + name, absent);
    if (!std::isfinite(x)) file_.reject(*find(name), "is not a finite number");
    return x;
}

double ArchitectureKeys::positive_or(const std::string& name, double absent) const {
    const double x = number_or(name, absent);
    if (!(x > 0)) file_.reject(*find(name), "must be positive");
    return x;
}

std::vector<bool> ArchitectureKeys::flags(const std::string& name, int n) const {
    const gguf::Value* value = find(name);
    if (!value || !value->is_array()) return {};
    if (value->count < static_cast<std::uint64_t>(n))
        file_.reject(*value, fmt::format("has {} entries for {} layers", value->count, n));
    if (value->element_type == gguf::ValueType::kBool) return file_.get_bool_array(prefix_ + name);
    std::vector<bool> flags;
    for (const std::int64_t flag : file_.get_i64_array(prefix_ + name)) flags.push_back(flag != 0);
    return flags;
}

std::vector<std::int64_t> ArchitectureKeys::numbers(const std::string& name) const {
    return file_.get_i64_array(prefix_ + name);
}

bool ArchitectureKeys::flag_or(const std::string& name, bool absent) const {
    return file_.get_bool_or(prefix_ + name, absent);
}

void ArchitectureKeys::reject(const std::string& name, std::string_view what) const {
    file_.reject(*find(name), what);
}

void ArchitectureKeys::refuse(const std::string& name, std::string_view what) const {
    fail(ErrorCode::kUnsupported, "{}: {}{}: {} are not supported", file_.path(), prefix_, name, what);
}

std::string ArchitectureKeys::text_or(const std::string& name, std::string_view absent) const {
    return file_.get_string_or(prefix_ + name, absent);
}

}  // namespace kvsplit
