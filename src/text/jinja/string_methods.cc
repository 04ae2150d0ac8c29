#include <algorithm>
#include <array>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/methods.h"
#include "text/jinja/python_format.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"
#include "text/jinja/unicode.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

// A new string of the same type as self.
Value like(Runtime& runtime, const Value& self, std::string_view text) {
    return runtime.text(std::string(text), self.string()->markup);
}

std::string_view text_of_self(const Value& self) { return self.string()->text; }

// The text of an argument to add to self: Markup escapes other strings.
std::string entering(const Value& self, const Value& argument) {
    const String* text = argument.string();
    if (!text) refuse("expected a string, got {}", argument.type_name());
    return self.string()->markup && !text->markup ? escape_html(text->text) : text->text;
}

// Looking up a character costs a few operations.
void charge_lookups(Runtime& runtime, const Value& self) {
    if (!self.string()->ascii()) runtime.charge(2 * self.string()->text.size());
}

template <std::string (*change)(std::string_view)>
Value change_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
    charge_lookups(runtime, self);
    ArgumentReader("case method", arguments).finish();
    return like(runtime, self, change(text_of_self(self)));
}

template <CharacterClass which>
Value is_class(Runtime& runtime, const Value& self, const Arguments& arguments) {
    charge_lookups(runtime, self);
    ArgumentReader("character test", arguments).finish();
    return is_all(text_of_self(self), which);
}

template <bool (*test)(std::string_view)>
Value is_case(Runtime& runtime, const Value& self, const Arguments& arguments) {
    charge_lookups(runtime, self);
    ArgumentReader("case test", arguments).finish();
    return test(text_of_self(self));
}

Value is_ascii(Runtime&, const Value& self, const Arguments& arguments) {
    ArgumentReader("isascii", arguments).finish();
    return self.string()->ascii();
}

// Whether the text begins with one of these characters.
std::size_t matching_start(std::string_view text, std::string_view characters) {
    const std::size_t length = next_utf8(text).length;
    return find_text(characters, text.substr(0, length)) != characters.npos ? length : 0;
}

std::size_t matching_end(std::string_view text, std::string_view characters) {
    std::size_t length = 1;
    while (length < 4 && length < text.size() && (text[text.size() - length] & 0xc0) == 0x80) ++length;
    return find_text(characters, text.substr(text.size() - length)) != characters.npos ? length : 0;
}

template <bool left, bool right>
Value strip_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("strip", arguments);
    const Value characters = in.optional("chars", nullptr);
    in.finish();
    std::string_view text = text_of_self(self);
    if (characters.is_none()) {
        if (left) text = strip_left(text);
        if (right) text = strip_right(text);
        return like(runtime, self, text);
    }
    const std::string_view set = text_of(characters, "strip arg");
    runtime.charge(text.size() / 16 * set.size());
    while (left && !text.empty()) {
        const std::size_t n = matching_start(text, set);
        if (n == 0) break;
        text.remove_prefix(n);
    }
    while (right && !text.empty()) {
        const std::size_t n = matching_end(text, set);
        if (n == 0) break;
        text.remove_suffix(n);
    }
    return like(runtime, self, text);
}

// The part of self between the arguments start and end, and where it begins.
struct Window {
    std::string_view text;
    std::size_t begin;
    bool is_valid;  // false: start lies beyond the end
};

Window window(const Value& self, ArgumentReader& in) {
    const auto index = [&](std::string_view name) -> std::optional<std::int64_t> {
        const Value* value = in.take(name);
        if (!value || value->is_none()) return std::nullopt;
        return index_of(*value, name);
    };
    const auto start = index("start"), end = index("end");
    const String& text = *self.string();
    if (!start && !end) return {text.text, 0, true};
    const SliceRange range = slice_range(text.length(), start, end, std::nullopt);
    const bool is_valid = !start || *start <= text.length();
    const std::size_t from = byte_offset(text, range.start);
    const std::size_t to = byte_offset(text, range.start + range.count);
    return {std::string_view(text.text).substr(from, to - from), from, is_valid};
}

template <bool at_end>
Value has_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in(at_end ? "endswith" : "startswith", arguments);
    const Value& affix = in.required("prefix");
    const Window where = window(self, in);
    in.finish();
    const auto matches = [&](const Value& value) {
        const std::string_view text = text_of(value, at_end ? "endswith first arg" : "startswith first arg");
        runtime.charge(1 + text.size() / 16);
        return where.is_valid && (at_end ? where.text.ends_with(text) : where.text.starts_with(text));
    };
    const List* several = affix.list();
    if (!several || several->kind == List::Kind::kList) return matches(affix);
    return std::any_of(several->items.begin(), several->items.end(), matches);
}

template <bool last, bool must_exist>
Value find_method_impl(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in(last ? "rfind" : "find", arguments);
    const std::string_view part = in.text("sub");
    const Window where = window(self, in);
    in.finish();
    std::size_t at = std::string_view::npos;
    if (where.is_valid) at = last ? find_last_text(runtime, where.text, part) : find_text(where.text, part);
    if (at != std::string_view::npos) return character_index(*self.string(), where.begin + at);
    if (must_exist) refuse("substring not found");
    return std::int64_t{-1};
}

Value count_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("count", arguments);
    const std::string_view part = in.text("sub");
    const Window where = window(self, in);
    in.finish();
    if (!where.is_valid) return std::int64_t{0};
    if (part.empty()) return String(std::string(where.text)).length() + 1;
    std::int64_t n = 0;
    for (std::size_t at = 0; (at = find_text(where.text, part, at)) != where.text.npos; at += part.size())
        ++n;
    runtime.charge(static_cast<std::size_t>(n));
    return n;
}

Value replace_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("replace", arguments);
    const std::string_view old = in.text("old");
    const std::string fresh = entering(self, in.required("new"));
    const std::int64_t limit = in.integer("count", -1);
    in.finish();
    return replaced(runtime, *self.string(), old, fresh, limit);
}

std::vector<Value> split_at_spaces(Runtime& runtime, const Value& self, std::int64_t limit) {
    std::vector<Value> parts;
    std::string_view rest = strip_left(text_of_self(self));
    while (!rest.empty()) {
        std::size_t end = 0;
        if (static_cast<std::int64_t>(parts.size()) == limit) {
            parts.push_back(like(runtime, self, strip_right(rest)));
            return parts;
        }
        while (end < rest.size() && strip_left(rest.substr(end)).size() == rest.size() - end)
            end += next_utf8(rest.substr(end)).length;
        parts.push_back(like(runtime, self, rest.substr(0, end)));
        rest = strip_left(rest.substr(end));
    }
    return parts;
}

std::vector<Value> split_at_spaces_from_right(Runtime& runtime, const Value& self, std::int64_t limit) {
    std::vector<Value> parts;
    std::string_view rest = strip_right(text_of_self(self));
    while (!rest.empty()) {
        if (static_cast<std::int64_t>(parts.size()) == limit) {
            parts.push_back(like(runtime, self, strip_left(rest)));
            break;
        }
        std::size_t begin = rest.size();
        while (begin > 0 && strip_right(rest.substr(0, begin)).size() == begin) {
            do --begin;
            while (begin > 0 && (rest[begin] & 0xc0) == 0x80);
        }
        parts.push_back(like(runtime, self, rest.substr(begin)));
        rest = strip_right(rest.substr(0, begin));
    }
    std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<Value> split_at(Runtime& runtime, const Value& self, std::string_view separator,
                            std::int64_t limit) {
    std::vector<Value> parts;
    std::string_view rest = text_of_self(self);
    for (std::size_t at; static_cast<std::int64_t>(parts.size()) != limit;
         rest.remove_prefix(at + separator.size())) {
        at = find_text(rest, separator);
        if (at == rest.npos) break;
        parts.push_back(like(runtime, self, rest.substr(0, at)));
    }
    parts.push_back(like(runtime, self, rest));
    return parts;
}

std::vector<Value> split_at_from_right(Runtime& runtime, const Value& self, std::string_view separator,
                                       std::int64_t limit) {
    std::vector<Value> parts;
    std::string_view rest = text_of_self(self);
    while (static_cast<std::int64_t>(parts.size()) != limit) {
        const std::size_t at = find_last_text(runtime, rest, separator);
        if (at == rest.npos) break;
        parts.push_back(like(runtime, self, rest.substr(at + separator.size())));
        rest = rest.substr(0, at);
    }
    parts.push_back(like(runtime, self, rest));
    std::reverse(parts.begin(), parts.end());
    return parts;
}

template <bool from_right>
Value split_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("split", arguments);
    const Value separator = in.optional("sep", nullptr);
    const std::int64_t limit = in.integer("maxsplit", -1);
    in.finish();
    if (separator.is_none()) {
        return runtime.list(from_right ? split_at_spaces_from_right(runtime, self, limit)
                                       : split_at_spaces(runtime, self, limit));
    }
    const std::string_view text = text_of(separator, "split separator");
    if (text.empty()) refuse("empty separator");
    return runtime.list(from_right ? split_at_from_right(runtime, self, text, limit)
                                   : split_at(runtime, self, text, limit));
}

Value splitlines_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("splitlines", arguments);
    const bool keep = in.flag(runtime, "keepends", false);
    in.finish();
    std::vector<Value> lines;
    for (const std::string_view line : split_lines(text_of_self(self), keep))
        lines.push_back(like(runtime, self, line));
    return runtime.list(std::move(lines));
}

template <bool last>
Value partition_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("partition", arguments);
    const std::string_view separator = in.text("sep");
    in.finish();
    if (separator.empty()) refuse("empty separator");
    const std::string_view text = text_of_self(self);
    const std::size_t at = last ? find_last_text(runtime, text, separator) : find_text(text, separator);
    std::array<std::string_view, 3> parts = {text, {}, {}};
    if (at != text.npos) {
        parts = {text.substr(0, at), separator, text.substr(at + separator.size())};
    } else if (last) {
        parts = {std::string_view{}, {}, text};
    }
    return runtime.tuple(
        {like(runtime, self, parts[0]), like(runtime, self, parts[1]), like(runtime, self, parts[2])});
}

template <bool at_end>
Value remove_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("removeprefix", arguments);
    const std::string_view affix = in.text("affix");
    in.finish();
    std::string_view text = text_of_self(self);
    if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
    if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
    return like(runtime, self, text);
}

enum class Side { kLeft, kRight, kBoth };  // alignment of the text

template <Side side>
Value pad_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("justify", arguments);
    const std::int64_t width = index_of(in.required("width"), "width");
    const Value* given = in.take("fillchar");
    in.finish();
    const std::string fill = given ? entering(self, *given) : " ";
    if (String(fill).length() != 1) refuse("The fill character must be exactly one character long");
    const std::int64_t length = self.string()->length();
    const std::int64_t missing = std::max<std::int64_t>(width, length) - length;
    std::int64_t before = side == Side::kLeft ? 0 : missing;
    // Python's choice for an odd number of spaces.
    if (side == Side::kBoth) before = missing / 2 + (missing & width & 1);
    return Text(runtime)
        .repeat(fill, before)
        .append(text_of_self(self))
        .repeat(fill, missing - before)
        .value(self.string()->markup);
}

Value zfill_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("zfill", arguments);
    const std::int64_t width = index_of(in.required("width"), "width");
    in.finish();
    std::string_view text = text_of_self(self);
    const std::int64_t length = self.string()->length();
    Text out(runtime);
    if (text.starts_with('-') || text.starts_with('+')) {
        out.append(text.substr(0, 1));
        text.remove_prefix(1);
    }
    return out.repeat("0", std::max(width, length) - length).append(text).value(self.string()->markup);
}

Value expandtabs_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("expandtabs", arguments);
    const std::int64_t size = in.integer("tabsize", 8);
    in.finish();
    Text out(runtime);
    std::int64_t column = 0;
    for (std::string_view rest = text_of_self(self); !rest.empty();) {
        const std::string_view piece = rest.substr(0, next_utf8(rest).length);
        rest.remove_prefix(piece.size());
        if (piece == "\t") {
            const std::int64_t spaces = size > 0 ? size - column % size : 0;
            out.repeat(" ", spaces);
            column += spaces;
        } else {
            out.append(piece);
            column = piece == "\n" || piece == "\r" ? 0 : column + 1;
        }
    }
    return out.value(self.string()->markup);
}

Value join_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("join", arguments);
    const Value& parts = in.required("iterable");
    in.finish();
    return join_texts(runtime, *self.string(), parts);
}

Value format_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    return brace_format(runtime, *self.string(), arguments);
}

Value format_map_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("format_map", arguments);
    const Value& mapping = in.required("mapping");
    in.finish();
    const Dict* dict = mapping.dict();
    if (!dict) refuse("format_map() expects a dict, got {}", mapping.type_name());
    Arguments values;
    for (const auto& [key, value] : dict->entries())
        if (key.string()) values.named.emplace_back(key.string()->text, value);
    return brace_format(runtime, *self.string(), values);
}

constexpr std::array kMethods = std::to_array<Method>({
    {"strip", strip_method<true, true>},
    {"lstrip", strip_method<true, false>},
    {"rstrip", strip_method<false, true>},
    {"split", split_method<false>},
    {"rsplit", split_method<true>},
    {"splitlines", splitlines_method},
    {"startswith", has_affix<false>},
    {"endswith", has_affix<true>},
    {"replace", replace_method},
    {"find", find_method_impl<false, false>},
    {"rfind", find_method_impl<true, false>},
    {"index", find_method_impl<false, true>},
    {"rindex", find_method_impl<true, true>},
    {"count", count_method},
    {"join", join_method},
    {"format", format_method},
    {"format_map", format_map_method},
    {"upper", change_case<upper>},
    {"lower", change_case<lower>},
    {"title", change_case<title>},
    {"capitalize", change_case<capitalize>},
    {"swapcase", change_case<swapcase>},
    {"partition", partition_method<false>},
    {"rpartition", partition_method<true>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"ljust", pad_method<Side::kLeft>},
    {"rjust", pad_method<Side::kRight>},
    {"center", pad_method<Side::kBoth>},
    {"zfill", zfill_method},
    {"expandtabs", expandtabs_method},
    {"isalpha", is_class<CharacterClass::kAlpha>},
    {"isalnum", is_class<CharacterClass::kAlnum>},
    {"isdigit", is_class<CharacterClass::kDigit>},
    {"isdecimal", is_class<CharacterClass::kDecimal>},
    {"isnumeric", is_class<CharacterClass::kNumeric>},
    {"isspace", is_class<CharacterClass::kSpace>},
    {"isprintable", is_class<CharacterClass::kPrintable>},
    {"isidentifier", is_class<CharacterClass::kIdentifier>},
    {"isascii", is_ascii},
    {"islower", is_case<is_lower>},
    {"isupper", is_case<is_upper>},
    {"istitle", is_case<is_title>},
});

}  // namespace

std::span<const Method> string_methods() { return kMethods; }

Value join_texts(Runtime& runtime, const String& separator, const Value& parts) {
    Text out(runtime);
    const auto iterator = iterate(runtime, parts);
    bool is_first = true;
    for (Value part; iterator->next(runtime, part); is_first = false) {
        const String* text = part.string();
        if (!text) refuse("sequence item: expected str instance, {} found", part.type_name());
        if (!is_first) out.append(separator.text);
        out.append(separator.markup && !text->markup ? escape_html(text->text) : text->text);
    }
    return out.value(separator.markup);
}

Value replaced(Runtime& runtime, const String& self, std::string_view old, std::string_view fresh,
               std::int64_t limit) {
    Text out(runtime);
    std::string_view rest = self.text;
    std::int64_t done = 0;
    while (limit < 0 || done < limit) {
        const std::size_t at = find_text(rest, old);
        if (at == rest.npos) break;
        ++done;
        out.append(rest.substr(0, at)).append(fresh);
        rest.remove_prefix(at + old.size());
        if (!old.empty()) continue;
        // Between all characters.
        if (rest.empty()) break;
        const std::size_t length = next_utf8(rest).length;
        out.append(rest.substr(0, length));
        rest.remove_prefix(length);
    }
    return out.append(rest).value(self.markup);
}

}  // namespace kvsplit::text::jinja
