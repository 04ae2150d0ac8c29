#include "text/jinja/attribute_path.h"

#include "text/jinja/access.h"
#include "text/jinja/numbers.h"
#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace kvsplit::text::jinja {

AttributePath::AttributePath(const Value& path) {
    if (path.is_none()) return;
    const String* text = path.string();
    if (!text) {
        parts_.push_back(path);
        return;
    }
    std::string_view rest = text->text;
    while (true) {
        const std::size_t dot = rest.find('.');
        const std::string_view part = rest.substr(0, dot);
        const bool is_number = is_all(part, CharacterClass::kDigit);
        const auto number = is_number ? parse_integer(part, 10) : std::nullopt;
        parts_.push_back(number ? Value(*number) : Value::string(std::string(part)));
        if (dot == rest.npos) return;
        rest.remove_prefix(dot + 1);
    }
}

Value AttributePath::of(Runtime& runtime, Value value, const Value& otherwise) const {
    for (const Value& part : parts_) {
        value = get_item(runtime, value, part);
        if (!otherwise.is_none() && value.undefined()) value = otherwise;
    }
    return value;
}

Value ignoring_case(Runtime& runtime, const Value& value) {
    const String* text = value.string();
    return text ? runtime.text(lower(text->text), text->markup) : value;
}

}  // namespace kvsplit::text::jinja
