// Filters that make texts.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/attribute_path.h"
#include "text/jinja/filters.h"
#include "text/jinja/json_values.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_format.h"
#include "text/jinja/runtime.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"
#include "text/jinja/unicode.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

// A string itself, other values as they print.
Value soft_text(Runtime& runtime, const Value& value) {
    return value.string() ? value : runtime.text(show(runtime, value));
}

template <std::string (*change)(std::string_view)>
Value change_case(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("case filter", arguments).finish();
    const Value text = soft_text(runtime, value);
    if (!text.string()->ascii()) runtime.charge(2 * text.string()->text.size());
    return runtime.text(change(text.string()->text), text.string()->markup);
}

// Unlike in str.title(), words begin only after spaces, hyphens and brackets.
std::string title_words(std::string_view text) {
    std::string out;
    const auto separates = [](std::string_view piece) {
        return piece.find_first_of("-({[<") != piece.npos || strip(piece).empty();
    };
    while (!text.empty()) {
        const std::size_t first = next_utf8(text).length;
        const bool is_separator = separates(text.substr(0, first));
        std::size_t end = first;
        while (end < text.size() &&
               separates(text.substr(end, next_utf8(text.substr(end)).length)) == is_separator)
            end += next_utf8(text.substr(end)).length;
        if (is_separator) {
            out += text.substr(0, end);
        } else {
            out += upper(text.substr(0, first)) + lower(text.substr(first, end - first));
        }
        text.remove_prefix(end);
    }
    return out;
}

// A filter that is a method of strings.
Value call_method(Runtime& runtime, std::string_view name, const Value& value, const Arguments& arguments) {
    const Value text = soft_text(runtime, value);
    return find_method(text, name)->call(runtime, text, arguments);
}

Value filter_trim(Runtime& runtime, const Value& value, const Arguments& arguments) {
    return call_method(runtime, "strip", value, arguments);
}

Value filter_center(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("center", arguments);
    const Arguments width{{in.integer("width", 80)}, {}};
    in.finish();
    return call_method(runtime, "center", value, width);
}

Value filter_string(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("string", arguments).finish();
    return soft_text(runtime, value);
}

Value filter_safe(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("safe", arguments).finish();
    if (value.string() && value.string()->markup) return value;
    return runtime.text(show(runtime, value), true);
}

Value filter_escape(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("escape", arguments).finish();
    if (value.string() && value.string()->markup) return value;
    return runtime.text(escape_html(show(runtime, value)), true);
}

Value filter_forceescape(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("forceescape", arguments).finish();
    return runtime.text(escape_html(show(runtime, value)), true);
}

Value filter_replace(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("replace", arguments);
    const std::string old = show(runtime, in.required("old")), fresh = show(runtime, in.required("new"));
    const Value count = in.optional("count", nullptr);
    in.finish();
    const String text(show(runtime, value));
    return replaced(runtime, text, old, fresh, count.is_none() ? -1 : index_of(count, "count"));
}

Value filter_join(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("join", arguments);
    const Value* separator_value = in.take("d");
    const std::string separator = separator_value ? show(runtime, *separator_value) : "";
    const AttributePath path(in.optional("attribute", nullptr));
    in.finish();
    Text out(runtime);
    const auto parts = iterate(runtime, value);
    bool is_first = true;
    for (Value part; parts->next(runtime, part); is_first = false) {
        if (!is_first) out.append(separator);
        out.append(show(runtime, path.of(runtime, part)));
    }
    return out.value();
}

Value filter_format(Runtime& runtime, const Value& value, const Arguments& arguments) {
    if (!arguments.positional.empty() && !arguments.named.empty())
        refuse("can't handle positional and keyword arguments at the same time");
    const Value text = soft_text(runtime, value);
    if (arguments.named.empty()) {
        return percent_format(runtime, *text.string(), runtime.tuple(arguments.positional));
    }
    Dict named;
    for (const auto& [name, argument] : arguments.named) named.set(name, argument);
    return percent_format(runtime, *text.string(), runtime.dict(std::move(named)));
}

Value filter_indent(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("indent", arguments);
    const Value width = in.optional("width", std::int64_t{4});
    const bool first = in.flag(runtime, "first", false), blank = in.flag(runtime, "blank", false);
    in.finish();
    if (const Undefined* u = value.undefined()) refuse("{}", u->message());
    const std::string_view text = text_of(value, "indent");
    const bool markup = value.string()->markup;
    std::string indentation;
    if (const String* given = width.string()) {
        indentation = markup && !given->markup ? escape_html(given->text) : given->text;
    } else {
        indentation = Text(runtime).repeat(" ", index_of(width, "indent's width")).take();
    }
    // A line end at the end of the text counts as another, empty line.
    const std::string with_end = std::string(text) + "\n";
    Text out(runtime);
    bool is_first = true;
    for (const std::string_view line : split_lines(with_end)) {
        if (!is_first) out.append("\n");
        if (is_first ? first : blank || !line.empty()) out.append(indentation);
        out.append(line);
        is_first = false;
    }
    return out.value(markup);
}

Value filter_truncate(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("truncate", arguments);
    const std::int64_t length = in.integer("length", 255);
    const bool kill_words = in.flag(runtime, "killwords", false);
    const std::string_view end = in.text("end", "...");
    const Value leeway_value = in.optional("leeway", nullptr);
    in.finish();
    const std::int64_t leeway = leeway_value.is_none() ? 5 : index_of(leeway_value, "leeway");
    const std::int64_t end_length = String(std::string(end)).length();
    if (length < end_length) refuse("expected length >= {}, got {}", end_length, length);
    if (leeway < 0) refuse("expected leeway >= 0, got {}", leeway);
    const auto value_length = length_of(runtime, value);
    if (!value_length) refuse("object of type '{}' has no len()", value.type_name());
    if (*value_length - leeway <= length) return value;
    const std::string_view text = text_of(value, "truncate");
    const String& whole = *value.string();
    std::string_view kept = text.substr(0, byte_offset(whole, length - end_length));
    if (!kill_words) kept = kept.substr(0, std::min(kept.rfind(' '), kept.size()));
    return Text(runtime).append(kept).append(end).value(whole.markup);
}

Value filter_wordcount(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("wordcount", arguments).finish();
    const Value text = soft_text(runtime, value);
    std::int64_t words = 0;
    bool in_word = false;
    for (std::string_view rest = text.string()->text; !rest.empty();) {
        const Utf8Step step = next_utf8(rest);
        const bool is_word = is_word_character(step.code_point);
        if (is_word && !in_word) ++words;
        in_word = is_word;
        rest.remove_prefix(step.length);
    }
    return words;
}

std::string url_quote(std::string_view text, bool for_query) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                           std::string_view("_.-~").find(c) != std::string_view::npos ||
                           (c == '/' && !for_query);
        if (plain) {
            out += c;
        } else {
            out += for_query && c == ' ' ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

Value filter_urlencode(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("urlencode", arguments).finish();
    if (value.string() || !is_iterable(runtime, value))
        return runtime.text(url_quote(show(runtime, value), false));
    std::vector<Value> pairs;
    if (const Dict* dict = value.dict()) {
        for (const auto& [key, item] : dict->entries()) pairs.push_back(runtime.tuple({key, item}));
    } else {
        pairs = elements(runtime, value);
    }
    Text out(runtime);
    for (const Value& pair : pairs) {
        const std::vector<Value> parts = elements(runtime, pair);
        if (parts.size() != 2) refuse("urlencode: expected pairs of key and value");
        if (out.size() > 0) out.append("&");
        out.append(url_quote(show(runtime, parts[0]), true)).append("=");
        out.append(url_quote(show(runtime, parts[1]), true));
    }
    return out.value();
}

Value filter_xmlattr(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("xmlattr", arguments);
    const bool space = in.flag(runtime, "autospace", true);
    in.finish();
    if (!value.dict()) refuse("xmlattr: expected a dict, got {}", value.type_name());
    Text out(runtime);
    for (const auto& [key, item] : value.dict()->entries()) {
        if (item.is_none() || item.undefined()) continue;
        const std::string_view name = text_of(key, "xmlattr key");
        if (name.find_first_of(" \t\n\r\v\f/>=") != name.npos)
            refuse("Invalid character in attribute name: {}", repr_text(name));
        if (space || out.size() > 0) out.append(" ");
        const bool is_safe = item.string() && item.string()->markup;
        const std::string text = show(runtime, item);
        out.append(escape_html(name)).append("=\"").append(is_safe ? text : escape_html(text)).append("\"");
    }
    return out.value();
}

Value filter_tojson(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("tojson", arguments);
    JsonStyle style;
    style.ascii_only = in.flag(runtime, "ensure_ascii", false);
    const Value indent = in.optional("indent", nullptr), separators = in.optional("separators", nullptr);
    style.sort_keys = in.flag(runtime, "sort_keys", false);
    in.finish();
    if (!indent.is_none()) {
        style.multiline = true;
        style.item_separator = ",";
        style.indent = indent.string()
                           ? indent.string()->text
                           : Text(runtime).repeat(" ", index_of(indent, "tojson's indent")).take();
    }
    if (!separators.is_none()) {
        const std::vector<Value> both = elements(runtime, separators);
        if (both.size() != 2) refuse("tojson: separators are two texts");
        style.item_separator = text_of(both[0], "item separator");
        style.key_separator = text_of(both[1], "key separator");
    }
    return runtime.text(to_json(runtime, value, style));
}

constexpr std::array kTextFilters = std::to_array<FilterEntry>({
    {"capitalize", change_case<capitalize>},
    {"center", filter_center},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"forceescape", filter_forceescape},
    {"format", filter_format},
    {"indent", filter_indent},
    {"join", filter_join},
    {"lower", change_case<lower>},
    {"replace", filter_replace},
    {"safe", filter_safe},
    {"string", filter_string},
    {"title", change_case<title_words>},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"truncate", filter_truncate},
    {"upper", change_case<upper>},
    {"urlencode", filter_urlencode},
    {"wordcount", filter_wordcount},
    {"xmlattr", filter_xmlattr},
});

}  // namespace

std::span<const FilterEntry> text_filters() { return kTextFilters; }

}  // namespace kvsplit::text::jinja
