#include "text/jinja/access.h"

#include <algorithm>
#include <array>

#include "text/jinja/arguments.h"
#include "text/jinja/iterators.h"
#include "text/jinja/methods.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

constexpr std::array<std::string_view, 8> kListChanges = {"append", "clear",  "extend",  "insert",
                                                          "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> kDictChanges = {"clear", "pop", "popitem", "setdefault", "update"};

// Whether Python has this attribute, which the sandbox hides.
bool is_hidden(const Value& owner, std::string_view name) {
    const auto is_one_of = [&](const auto& names) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (owner.list() && owner.list()->kind == List::Kind::kList && is_one_of(kListChanges)) return true;
    if (owner.dict() && is_one_of(kDictChanges)) return true;
    return name == "__class__" || name == "__init__" || name == "__doc__" || name == "__len__";
}

Value hidden(const Value& owner, std::string_view name) {
    return Runtime::undefined(
        fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, owner.type_name()));
}

// owner[key] of lists, tuples and strings. Missing if there is no such element.
Value sequence_item(Runtime& runtime, const Value& owner, std::int64_t index) {
    const std::int64_t length = *length_of(runtime, owner);
    if (index < 0) index += length;
    if (index < 0 || index >= length) return {};
    if (const List* list = owner.list()) return list->items[static_cast<std::size_t>(index)];
    const String& text = *owner.string();
    if (!text.ascii()) runtime.charge(text.text.size() / 4);
    const std::size_t at = byte_offset(text, index);
    const std::string_view rest = std::string_view(text.text).substr(at);
    return runtime.text(std::string(rest.substr(0, next_utf8(rest).length)), text.markup);
}

// Missing if there is no such element or the type has no elements.
Value own_item(Runtime& runtime, const Value& owner, const Value& key) {
    if (const Dict* dict = owner.dict()) {
        if (key.list() && key.list()->kind == List::Kind::kList) return {};
        if (key.dict()) return {};
        const Value* value = key.string() ? dict->find(key.string()->text) : dict->find(key);
        return value ? *value : Value{};
    }
    if (owner.list() || owner.string()) {
        const auto index = key.integer();
        return index ? sequence_item(runtime, owner, *index) : Value{};
    }
    return owner.object() ? owner.object()->item(runtime, key) : Value{};
}

Value sliced_text(Runtime& runtime, const String& text, const SliceRange& range) {
    if (!text.ascii()) runtime.charge(text.text.size() / 4);
    if (range.step == 1) {
        const std::size_t begin = byte_offset(text, range.start);
        const std::size_t end = byte_offset(text, range.start + range.count);
        return runtime.text(text.text.substr(begin, end - begin), text.markup);
    }
    Text out(runtime);
    if (text.ascii()) {
        for (std::int64_t i = 0; i < range.count; ++i)
            out.append({&text.text[static_cast<std::size_t>(range.start + i * range.step)], 1});
        return out.value(text.markup);
    }
    runtime.charge(text.text.size() * sizeof(std::string_view));
    std::vector<std::string_view> characters;
    for (std::string_view rest = text.text; !rest.empty();) {
        characters.push_back(rest.substr(0, next_utf8(rest).length));
        rest.remove_prefix(characters.back().size());
    }
    for (std::int64_t i = 0; i < range.count; ++i)
        out.append(characters[static_cast<std::size_t>(range.start + i * range.step)]);
    return out.value(text.markup);
}

std::optional<std::int64_t> slice_index(const Value& value) {
    if (value.is_missing() || value.is_none()) return std::nullopt;
    if (const Undefined* u = value.undefined()) refuse_undefined(*u);
    if (const auto integer = value.integer()) return integer;
    refuse("slice indices must be integers or None or have an __index__ method");
}

}  // namespace

Value own_attribute(Runtime& runtime, const Value& owner, std::string_view name) {
    if (is_hidden(owner, name)) return hidden(owner, name);
    if (const Undefined* u = owner.undefined()) refuse_undefined(*u);
    if (const Method* method = find_method(owner, name)) return bound_method(runtime, owner, *method);
    if (const List* list = owner.list(); list && list->kind == List::Kind::kGroup) {
        if (name == "grouper") return list->items[0];
        if (name == "list") return list->items[1];
    }
    return owner.object() ? owner.object()->attribute(runtime, name) : Value{};
}

Value get_attribute(Runtime& runtime, const Value& owner, const Value& name) {
    Value out = own_attribute(runtime, owner, name.string()->text);
    if (out.is_missing()) out = own_item(runtime, owner, name);
    return out.is_missing() ? Runtime::undefined(owner, name) : out;
}

Value get_item(Runtime& runtime, const Value& owner, const Value& key) {
    if (const Undefined* u = owner.undefined()) refuse_undefined(*u);
    Value out = own_item(runtime, owner, key);
    if (out.is_missing() && key.string()) out = own_attribute(runtime, owner, key.string()->text);
    return out.is_missing() ? Runtime::undefined(owner, key) : out;
}

Value get_slice(Runtime& runtime, const Value& owner, const Value& start, const Value& stop,
                const Value& step) {
    if (const Undefined* u = owner.undefined()) refuse_undefined(*u);
    if (!owner.list() && !owner.string() && !(owner.object() && owner.object()->has_items()))
        refuse("'{}' object cannot be sliced", owner.type_name());
    const SliceRange range =
        slice_range(*length_of(runtime, owner), slice_index(start), slice_index(stop), slice_index(step));
    if (const String* text = owner.string()) return sliced_text(runtime, *text, range);
    if (Object* object = owner.object()) return object->slice(runtime, range);
    const List& list = *owner.list();
    runtime.charge(static_cast<std::size_t>(range.count));
    std::vector<Value> items;
    for (std::int64_t i = 0; i < range.count; ++i)
        items.push_back(list.items[static_cast<std::size_t>(range.start + i * range.step)]);
    return runtime.list(std::move(items),
                        list.kind == List::Kind::kList ? List::Kind::kList : List::Kind::kTuple);
}

std::optional<std::int64_t> length_of(Runtime& runtime, const Value& value) {
    if (const String* text = value.string()) return text->length();
    if (const List* list = value.list()) return static_cast<std::int64_t>(list->items.size());
    if (const Dict* dict = value.dict()) return static_cast<std::int64_t>(dict->entries().size());
    if (value.undefined()) return 0;
    return value.object() ? value.object()->length(runtime) : std::nullopt;
}

std::shared_ptr<Iterator> iterate(Runtime& runtime, const Value& value) {
    std::shared_ptr<Iterator> out = iterator_of(runtime, value, false);
    if (!out) refuse("'{}' object is not iterable", value.type_name());
    return out;
}

std::shared_ptr<Iterator> iterate_backwards(Runtime& runtime, const Value& value) {
    return iterator_of(runtime, value, true);
}

bool is_iterable(Runtime& runtime, const Value& value) {
    return iterator_of(runtime, value, false) != nullptr;
}

std::vector<Value> elements(Runtime& runtime, const Value& value) {
    std::vector<Value> out;
    const auto iterator = iterate(runtime, value);
    for (Value element; iterator->next(runtime, element);) {
        runtime.charge(sizeof(Value));
        out.push_back(std::move(element));
    }
    return out;
}

Value call(Runtime& runtime, const Value& callee, Arguments& arguments) {
    if (const Undefined* u = callee.undefined()) refuse_undefined(*u);
    if (!callee.object()) refuse("'{}' object is not callable", callee.type_name());
    return callee.object()->call(runtime, arguments);
}

}  // namespace kvsplit::text::jinja
