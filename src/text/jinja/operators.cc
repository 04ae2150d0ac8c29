#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/access.h"
#include "text/jinja/object.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"

namespace kvsplit::text::jinja {
namespace {

bool is_sequence_of(const Value& value, bool tuple) {
    return value.list() && (value.list()->kind != List::Kind::kList) == tuple;
}

bool equal_lists(const List& a, const List& b) {
    if ((a.kind == List::Kind::kList) != (b.kind == List::Kind::kList)) return false;
    return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                      [](const Value& x, const Value& y) { return equal(x, y); });
}

bool equal_dicts(const Dict& a, const Dict& b) {
    if (a.entries().size() != b.entries().size()) return false;
    return std::all_of(a.entries().begin(), a.entries().end(), [&](const Dict::Entry& entry) {
        const Value* other = b.find(entry.first);
        return other && equal(entry.second, *other);
    });
}

// An upper bound on the work of comparing a value.
std::size_t comparison_work(const Value& value) {
    if (const String* s = value.string()) return 1 + s->text.size() / 16;
    std::size_t work = 1;
    if (const List* list = value.list())
        for (const Value& item : list->items) work += comparison_work(item);
    if (const Dict* dict = value.dict())
        for (const auto& [key, item] : dict->entries()) work += comparison_work(key) + comparison_work(item);
    return work;
}

bool less_lists(Runtime& runtime, const List& a, const List& b, std::string_view symbol) {
    for (std::size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i) {
        if (!equal(runtime, a.items[i], b.items[i])) return less(runtime, a.items[i], b.items[i], symbol);
    }
    return a.items.size() < b.items.size();
}

}  // namespace

bool truth(Runtime& runtime, const Value& value) {
    switch (value.kind()) {
        case Value::Kind::kMissing:
        case Value::Kind::kNone:
        case Value::Kind::kUndefined:
            return false;
        case Value::Kind::kBool:
        case Value::Kind::kInt:
        case Value::Kind::kFloat:
            return *value.number() != 0;
        case Value::Kind::kString:
            return !value.string()->text.empty();
        case Value::Kind::kList:
            return !value.list()->items.empty();
        case Value::Kind::kDict:
            return !value.dict()->entries().empty();
        case Value::Kind::kObject:
            break;
    }
    return value.object()->length(runtime).value_or(1) != 0;
}

bool equal(const Value& a, const Value& b) {
    if (a.string() && b.string()) return a.string()->text == b.string()->text;
    if (a.integer() && b.integer()) return *a.integer() == *b.integer();
    if (a.number() && b.number()) return *a.number() == *b.number();
    if (a.list() && b.list()) return a.list() == b.list() || equal_lists(*a.list(), *b.list());
    if (a.dict() && b.dict()) return a.dict() == b.dict() || equal_dicts(*a.dict(), *b.dict());
    if (a.object() && b.object()) return a.object() == b.object();
    return a.kind() == b.kind();  // none, undefined
}

bool equal(Runtime& runtime, const Value& a, const Value& b) {
    if (a.kind() == b.kind()) runtime.charge(comparison_work(a));
    return equal(a, b);
}

bool less(Runtime& runtime, const Value& a, const Value& b, std::string_view symbol) {
    runtime.charge(1);
    for (const Value* side : {&a, &b})
        if (const Undefined* u = side->undefined()) refuse("{}", u->message());
    if (a.integer() && b.integer()) return *a.integer() < *b.integer();
    if (a.number() && b.number()) return *a.number() < *b.number();
    if (a.string() && b.string()) {
        runtime.charge(std::min(a.string()->text.size(), b.string()->text.size()) / 16);
        return a.string()->text < b.string()->text;  // bytes of UTF-8 have the order of the characters
    }
    if (a.list() && b.list() && is_sequence_of(a, true) == is_sequence_of(b, true))
        return less_lists(runtime, *a.list(), *b.list(), symbol);
    refuse("'{}' not supported between instances of '{}' and '{}'", symbol, a.type_name(), b.type_name());
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
    if (const String* text = container.string()) {
        const String* part = item.string();
        if (!part) refuse("'in <string>' requires string as left operand, not {}", item.type_name());
        runtime.charge(text->text.size() / 8);
        return find_text(text->text, part->text) != std::string_view::npos;
    }
    if (const Dict* dict = container.dict()) return dict->find(item) != nullptr;
    if (const Object* object = container.object(); object && !container.object()->iterate(runtime))
        refuse("argument of type '{}' is not iterable", container.type_name());
    if (!container.list() && !container.object() && !container.undefined())
        refuse("argument of type '{}' is not iterable", container.type_name());
    const auto elements = iterate(runtime, container);
    for (Value element; elements->next(runtime, element);)
        if (element.same_as(item) || equal(runtime, element, item)) return true;
    return false;
}

bool compare(Runtime& runtime, CompareOperator op, const Value& a, const Value& b) {
    switch (op) {
        case CompareOperator::kEqual:
            return equal(runtime, a, b);
        case CompareOperator::kNotEqual:
            return !equal(runtime, a, b);
        case CompareOperator::kLess:
            return less(runtime, a, b, "<");
        case CompareOperator::kGreater:
            return less(runtime, b, a, ">");
        case CompareOperator::kLessEqual:
        case CompareOperator::kGreaterEqual:
            break;
        case CompareOperator::kIn:
            return contains(runtime, b, a);
        case CompareOperator::kNotIn:
            return !contains(runtime, b, a);
    }
    const bool ascending = op == CompareOperator::kLessEqual;
    const Value& low = ascending ? a : b;
    const Value& high = ascending ? b : a;
    const bool is_less = less(runtime, low, high, ascending ? "<=" : ">=");
    return is_less || equal(runtime, a, b);
}

}  // namespace kvsplit::text::jinja
