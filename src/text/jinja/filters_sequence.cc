// Filters on sequences and dicts.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/attribute_path.h"
#include "text/jinja/filters.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"

namespace kvsplit::text::jinja {
namespace {

Value filter_default(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("default", arguments);
    const Value* given = in.take("default_value");
    const bool if_false = in.flag(runtime, "boolean", false);
    in.finish();
    if (!value.undefined() && !(if_false && !truth(runtime, value))) return value;
    return given ? *given : runtime.text("");
}

Value filter_first(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("first", arguments).finish();
    Value out;
    if (iterate(runtime, value)->next(runtime, out)) return out;
    return Runtime::undefined("No first item, sequence was empty.");
}

Value filter_last(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("last", arguments).finish();
    const auto iterator = iterate_backwards(runtime, value);
    if (!iterator) refuse("'{}' object is not reversible", value.type_name());
    Value out;
    if (iterator->next(runtime, out)) return out;
    return Runtime::undefined("No last item, sequence was empty.");
}

Value filter_list(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("list", arguments).finish();
    return runtime.list(elements(runtime, value));
}

Value filter_items(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("items", arguments).finish();
    return make_generator(runtime, [value, at = std::size_t{0}](Runtime& rt, Value& out) mutable {
        if (value.undefined()) return false;
        if (!value.dict()) refuse("Can only get item pairs from a mapping.");
        const auto& entries = value.dict()->entries();
        if (at == entries.size()) return false;
        out = rt.tuple({entries[at].first, entries[at].second});
        ++at;
        return true;
    });
}

Value filter_reverse(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("reverse", arguments).finish();
    if (value.string()) return get_slice(runtime, value, nullptr, nullptr, std::int64_t{-1});
    if (const auto iterator = iterate_backwards(runtime, value)) {
        return make_generator(
            runtime, [iterator](Runtime& rt, Value& out) { return iterator->next(rt, out); }, "reversed");
    }
    std::vector<Value> items = elements(runtime, value);
    std::reverse(items.begin(), items.end());
    return runtime.list(std::move(items));
}

struct Keyed {
    std::vector<Value> keys;
    Value value;
};

enum class KeyOrder {
    kOne,      // items have one key; all pairs of keys must be comparable
    kSeveral,  // items have a list of keys; equal keys need no order
};

// Stable, also in descending order.
void sort_by_keys(Runtime& runtime, std::vector<Keyed>& items, bool descending, KeyOrder order) {
    const auto before = [&](const Keyed& a, const Keyed& b) {
        if (order == KeyOrder::kOne) return less(runtime, a.keys[0], b.keys[0]);
        for (std::size_t i = 0; i < a.keys.size(); ++i) {
            if (!equal(runtime, a.keys[i], b.keys[i])) return less(runtime, a.keys[i], b.keys[i]);
        }
        return false;
    };
    if (descending) {
        std::stable_sort(items.begin(), items.end(),
                         [&](const Keyed& a, const Keyed& b) { return before(b, a); });
    } else {
        std::stable_sort(items.begin(), items.end(), before);
    }
}

Value filter_sort(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("sort", arguments);
    const bool descending = in.flag(runtime, "reverse", false);
    const bool case_sensitive = in.flag(runtime, "case_sensitive", false);
    const Value attribute = in.optional("attribute", nullptr);
    in.finish();
    std::vector<AttributePath> paths;
    if (const String* names = attribute.string()) {
        for (std::string_view rest = names->text;;) {
            const std::size_t comma = rest.find(',');
            paths.emplace_back(Value::string(std::string(rest.substr(0, comma))));
            if (comma == rest.npos) break;
            rest.remove_prefix(comma + 1);
        }
    } else {
        paths.emplace_back(attribute);
    }
    std::vector<Keyed> items;
    for (const Value& item : elements(runtime, value)) {
        Keyed keyed{{}, item};
        for (const AttributePath& path : paths) {
            const Value key = path.of(runtime, item);
            keyed.keys.push_back(case_sensitive ? key : ignoring_case(runtime, key));
        }
        items.push_back(std::move(keyed));
    }
    sort_by_keys(runtime, items, descending, KeyOrder::kSeveral);
    std::vector<Value> out;
    for (Keyed& item : items) out.push_back(std::move(item.value));
    return runtime.list(std::move(out));
}

Value filter_dictsort(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("dictsort", arguments);
    const bool case_sensitive = in.flag(runtime, "case_sensitive", false);
    const std::string_view by = in.text("by", "key");
    const bool descending = in.flag(runtime, "reverse", false);
    in.finish();
    if (by != "key" && by != "value") refuse("You can only sort by either \"key\" or \"value\"");
    if (const Undefined* u = value.undefined()) refuse("{}", u->message());
    if (!value.dict()) refuse("'{}' object has no attribute 'items'", value.type_name());
    std::vector<Keyed> items;
    for (const auto& [key, item] : value.dict()->entries()) {
        const Value& what = by == "key" ? key : item;
        items.push_back({{case_sensitive ? what : ignoring_case(runtime, what)}, runtime.tuple({key, item})});
    }
    sort_by_keys(runtime, items, descending, KeyOrder::kOne);
    std::vector<Value> out;
    for (Keyed& item : items) out.push_back(std::move(item.value));
    return runtime.list(std::move(out));
}

Value filter_groupby(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("groupby", arguments);
    const AttributePath path(in.required("attribute"));
    const Value otherwise = in.optional("default", nullptr);
    const bool case_sensitive = in.flag(runtime, "case_sensitive", false);
    in.finish();
    std::vector<Keyed> items;
    for (const Value& item : elements(runtime, value)) {
        const Value key = path.of(runtime, item, otherwise);
        items.push_back({{case_sensitive ? key : ignoring_case(runtime, key)}, item});
    }
    sort_by_keys(runtime, items, false, KeyOrder::kOne);
    std::vector<Value> groups;
    for (std::size_t i = 0; i < items.size();) {
        std::vector<Value> members;
        const std::size_t first = i;
        for (; i < items.size() && equal(runtime, items[i].keys[0], items[first].keys[0]); ++i)
            members.push_back(items[i].value);
        if (i == first) members.push_back(items[i++].value);  // a key that does not equal itself: nan
        const Value key = path.of(runtime, members[0], otherwise);
        groups.push_back(runtime.list({key, runtime.list(std::move(members))}, List::Kind::kGroup));
    }
    return runtime.list(std::move(groups));
}

template <bool maximum>
Value filter_extreme(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in(maximum ? "max" : "min", arguments);
    const bool case_sensitive = in.flag(runtime, "case_sensitive", false);
    const AttributePath path(in.optional("attribute", nullptr));
    in.finish();
    const auto iterator = iterate(runtime, value);
    Value best, best_key;
    for (Value item; iterator->next(runtime, item);) {
        Value key = path.of(runtime, item);
        if (!case_sensitive) key = ignoring_case(runtime, key);
        const bool is_better = best.is_missing() || (maximum ? less(runtime, best_key, key, ">")
                                                             : less(runtime, key, best_key, "<"));
        if (!is_better) continue;
        best = item;
        best_key = std::move(key);
    }
    return best.is_missing() ? Runtime::undefined("No aggregated item, sequence was empty.") : best;
}

Value filter_sum(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("sum", arguments);
    const AttributePath path(in.optional("attribute", nullptr));
    Value out = in.optional("start", std::int64_t{0});
    in.finish();
    if (out.string()) refuse("sum() can't sum strings [use ''.join(seq) instead]");
    const auto iterator = iterate(runtime, value);
    for (Value item; iterator->next(runtime, item);)
        out = binary(runtime, BinaryOperator::kAdd, out, path.of(runtime, item));
    return out;
}

struct HashedValue {
    std::size_t operator()(const Value& value) const { return hash_of(value); }
    bool operator()(const Value& a, const Value& b) const { return equal(a, b); }
};

Value filter_unique(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("unique", arguments);
    const bool case_sensitive = in.flag(runtime, "case_sensitive", false);
    const AttributePath path(in.optional("attribute", nullptr));
    in.finish();
    std::unordered_set<Value, HashedValue, HashedValue> seen;
    std::shared_ptr<Iterator> iterator;
    return make_generator(runtime, [=](Runtime& rt, Value& out) mutable {
        if (!iterator) iterator = iterate(rt, value);
        while (iterator->next(rt, out)) {
            const Value key = path.of(rt, out);
            rt.charge(sizeof(Value) + 32);
            if (seen.insert(case_sensitive ? key : ignoring_case(rt, key)).second) return true;
        }
        return false;
    });
}

Value filter_batch(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("batch", arguments);
    const std::int64_t size = index_of(in.required("linecount"), "linecount");
    const Value fill = in.optional("fill_with", nullptr);
    in.finish();
    std::shared_ptr<Iterator> iterator;
    Value pending;  // the first element of the next batch
    return make_generator(runtime, [=](Runtime& rt, Value& out) mutable {
        if (!iterator) {
            iterator = iterate(rt, value);
            if (size == 0) {  // Python's first batch is empty then
                if (!iterator->next(rt, pending)) return false;
                out = rt.list({});
                return true;
            }
        }
        std::vector<Value> batch;
        if (!pending.is_missing()) batch.push_back(std::exchange(pending, {}));
        for (Value item; iterator->next(rt, item); batch.push_back(std::move(item))) {
            rt.charge(sizeof(Value));
            if (static_cast<std::int64_t>(batch.size()) == size) {
                pending = std::move(item);
                break;
            }
        }
        if (batch.empty()) return false;
        while (pending.is_missing() && !fill.is_none() && static_cast<std::int64_t>(batch.size()) < size) {
            rt.charge(sizeof(Value));
            batch.push_back(fill);
        }
        out = rt.list(std::move(batch));
        return true;
    });
}

Value filter_slice(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("slice", arguments);
    const std::int64_t slices = index_of(in.required("slices"), "slices");
    const Value fill = in.optional("fill_with", nullptr);
    in.finish();
    std::vector<Value> all;
    return make_generator(runtime, [=, number = std::int64_t{0}](Runtime& rt, Value& out) mutable {
        if (number == 0) all = elements(rt, value);
        if (slices == 0) refuse("integer division or modulo by zero");
        if (number >= slices) return false;
        const auto length = static_cast<std::int64_t>(all.size());
        const std::int64_t each = length / slices, with_extra = length % slices;
        const auto begin_of = [&](std::int64_t i) { return i * each + std::min(i, with_extra); };
        std::vector<Value> part(all.begin() + begin_of(number), all.begin() + begin_of(number + 1));
        if (!fill.is_none() && number >= with_extra) part.push_back(fill);
        ++number;
        out = rt.list(std::move(part));
        return true;
    });
}

Value filter_attr(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("attr", arguments);
    const Value& name = in.required("name");
    in.finish();
    if (!name.string()) refuse("attribute name must be string, not '{}'", name.type_name());
    Value out = own_attribute(runtime, value, name.string()->text);
    return out.is_missing() ? Runtime::undefined(value, name) : out;
}

constexpr std::array kSequenceFilters = std::to_array<FilterEntry>({
    {"attr", filter_attr},
    {"batch", filter_batch},
    {"d", filter_default},
    {"default", filter_default},
    {"dictsort", filter_dictsort},
    {"first", filter_first},
    {"groupby", filter_groupby},
    {"items", filter_items},
    {"last", filter_last},
    {"list", filter_list},
    {"max", filter_extreme<true>},
    {"min", filter_extreme<false>},
    {"reverse", filter_reverse},
    {"slice", filter_slice},
    {"sort", filter_sort},
    {"sum", filter_sum},
    {"unique", filter_unique},
});

}  // namespace

std::span<const FilterEntry> sequence_filters() { return kSequenceFilters; }

}  // namespace kvsplit::text::jinja
