#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/jinja/object.h"
#include "text/jinja/operators.h"
#include "text/jinja/template_error.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

constexpr std::size_t kSmallDict = 8;  // up to this size a linear search is faster

std::size_t hash_text(std::string_view text) { return std::hash<std::string_view>{}(text); }

std::size_t hash_number(double value) { return std::hash<double>{}(value == 0 ? 0 : value); }

}  // namespace

Value Value::string(std::string text) { return std::make_shared<const String>(std::move(text)); }

Object* Value::object() const {
    const auto* shared = std::get_if<std::shared_ptr<Object>>(&data_);
    return shared ? shared->get() : nullptr;
}

std::optional<std::int64_t> Value::integer() const {
    if (const auto* value = std::get_if<std::int64_t>(&data_)) return *value;
    if (const auto* value = std::get_if<bool>(&data_)) return *value ? 1 : 0;
    return std::nullopt;
}

std::optional<double> Value::number() const {
    if (const auto* value = std::get_if<double>(&data_)) return *value;
    if (const auto value = integer()) return static_cast<double>(*value);
    return std::nullopt;
}

std::string_view Value::type_name() const {
    switch (kind()) {
        case Kind::kMissing:
        case Kind::kUndefined:
            return "Undefined";
        case Kind::kNone:
            return "NoneType";
        case Kind::kBool:
            return "bool";
        case Kind::kInt:
            return "int";
        case Kind::kFloat:
            return "float";
        case Kind::kString:
            return string()->markup ? "Markup" : "str";
        case Kind::kList:
            return list()->kind == List::Kind::kList ? "list" : "tuple";
        case Kind::kDict:
            return "dict";
        case Kind::kObject:
            return object()->type_name();
    }
    return "object";
}

int Value::depth() const {
    if (const List* l = list()) return l->depth;
    if (const Dict* d = dict()) return d->depth();
    if (const Object* o = object()) return o->depth();
    return 0;
}

std::string Undefined::message() const {
    switch (what) {
        case What::kVariable:
            return fmt::format("'{}' is undefined", name);
        case What::kAttribute:
            return fmt::format("'{}' has no attribute '{}'", owner, name);
        case What::kElement:
            return fmt::format("{} has no element {}", owner, name);
        case What::kOther:
            break;
    }
    return name;
}

std::int64_t String::length() const {
    std::int64_t known = length_.load(std::memory_order_relaxed);
    if (known >= 0) return known;
    known = 0;
    for (std::string_view rest = text; !rest.empty(); ++known) {
        rest.remove_prefix(next_utf8(rest).length);
    }
    length_.store(known, std::memory_order_relaxed);
    return known;
}

template <typename Equal>
std::optional<std::size_t> Dict::position(std::size_t hash, const Equal& equal) const {
    if (index_.empty()) {
        for (std::size_t i = 0; i < entries_.size(); ++i)
            if (equal(entries_[i].first)) return i;
        return std::nullopt;
    }
    const auto [begin, end] = index_.equal_range(hash);
    for (auto it = begin; it != end; ++it)
        if (equal(entries_[it->second].first)) return it->second;
    return std::nullopt;
}

const Value* Dict::find(const Value& key) const {
    const auto at = position(hash_of(key), [&](const Value& other) { return equal(key, other); });
    return at ? &entries_[*at].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
    const auto at = position(index_.empty() ? 0 : hash_text(key), [&](const Value& other) {
        return other.string() && other.string()->text == key;
    });
    return at ? &entries_[*at].second : nullptr;
}

void Dict::set(Value key, Value value) {
    const std::size_t hash = hash_of(key);
    depth_ = std::max({depth_, 1 + key.depth(), 1 + value.depth()});
    if (const auto at = position(hash, [&](const Value& other) { return equal(key, other); })) {
        entries_[*at].second = std::move(value);
        return;
    }
    entries_.emplace_back(std::move(key), std::move(value));
    if (!index_.empty()) {
        index_.emplace(hash, entries_.size() - 1);
    } else if (entries_.size() > kSmallDict) {
        for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(hash_of(entries_[i].first), i);
    }
}

std::size_t hash_of(const Value& value) {
    if (const String* s = value.string()) return hash_text(s->text);
    if (const auto number = value.number()) return hash_number(*number);
    if (const List* list = value.list(); list && list->kind != List::Kind::kList) {
        std::size_t hash = list->items.size();
        for (const Value& item : list->items) hash = hash * 31 + hash_of(item);
        return hash;
    }
    if (value.list() || value.dict()) refuse("unhashable type: '{}'", value.type_name());
    if (const Object* object = value.object()) return std::hash<const void*>{}(object);
    return static_cast<std::size_t>(value.kind());  // none, undefined
}

}  // namespace kvsplit::text::jinja
