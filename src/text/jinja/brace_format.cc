// '{}: {:d}'.format(values).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/numbers.h"
#include "text/jinja/python_format.h"
#include "text/jinja/runtime.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

// [[fill]align][sign][#][0][width][,][.precision][type]
struct FormatSpec {
    std::string fill = " ";
    char align = '\0';
    bool has_sign = false;
    std::int64_t width = 0;
    char type = '\0';
    NumberStyle number;
};

std::int64_t take_number(std::string_view& text) {
    std::int64_t n = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
        n = n * 10 + (text[0] - '0');
        if (n > 1'000'000'000) refuse("Too many decimal digits in format string");
        text.remove_prefix(1);
    }
    return n;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

FormatSpec parse_spec(std::string_view text) {
    FormatSpec out;
    const auto take_if = [&](std::string_view characters) {
        if (text.empty() || characters.find(text[0]) == characters.npos) return '\0';
        const char c = text[0];
        text.remove_prefix(1);
        return c;
    };
    if (!text.empty()) {
        const std::size_t first = next_utf8(text).length;
        if (first < text.size() && is_align(text[first])) {
            out.fill = text.substr(0, first);
            text.remove_prefix(first);
        }
    }
    out.align = take_if("<>=^");
    if (const char sign = take_if("+- ")) {
        out.number.sign = sign;
        out.has_sign = true;
    }
    out.number.alternate = take_if("#") != '\0';
    if (take_if("0") && out.align == '\0') {
        out.fill = "0";
        out.align = '=';
    }
    out.width = take_number(text);
    out.number.thousands = take_if(",_");
    if (take_if(".")) {
        if (text.empty() || text[0] < '0' || text[0] > '9') refuse("Format specifier missing precision");
        out.number.precision = take_number(text);
    }
    if (text.size() > 1) refuse("Invalid format specifier");
    if (!text.empty()) out.type = text[0];
    return out;
}

class BraceFormatter {
  public:
    BraceFormatter(Runtime& runtime, const Arguments& arguments, bool markup)
        : runtime_(runtime), arguments_(arguments), markup_(markup) {}

    std::string run(std::string_view format, int depth) {
        if (depth > 2) refuse("Max string recursion exceeded");
        Text out(runtime_);
        while (!format.empty()) {
            const std::size_t brace = std::min(format.find_first_of("{}"), format.size());
            out.append(format.substr(0, brace));
            format.remove_prefix(brace);
            if (format.empty()) break;
            if (format.size() > 1 && format[1] == format[0]) {
                out.append(format.substr(0, 1));
                format.remove_prefix(2);
            } else if (format[0] == '}') {
                refuse("Single '}}' encountered in format string");
            } else {
                format.remove_prefix(1);
                out.append(field(format, depth));
            }
        }
        return out.take();
    }

  private:
    // The text of {name!conversion:spec}. Removes it from `format`, which begins after the brace.
    std::string field(std::string_view& format, int depth) {
        std::size_t end = 0;
        for (int open = 1; end < format.size(); ++end) {
            open += format[end] == '{' ? 1 : format[end] == '}' ? -1 : 0;
            if (open == 0) break;
        }
        if (end == format.size()) refuse("expected '}}' before end of string");
        const std::string_view inside = format.substr(0, end);
        format.remove_prefix(end + 1);
        std::size_t name_end = 0;
        for (bool in_brackets = false; name_end < inside.size(); ++name_end) {
            in_brackets = inside[name_end] == '[' || (in_brackets && inside[name_end] != ']');
            if (!in_brackets && (inside[name_end] == '!' || inside[name_end] == ':')) break;
        }
        const std::string_view name = inside.substr(0, name_end);
        std::string_view rest = inside.substr(name_end);
        char conversion = '\0';
        if (rest.starts_with('!')) {
            if (rest.size() < 2) refuse("end of string while looking for conversion specifier");
            conversion = rest[1];
            rest.remove_prefix(2);
            if (!rest.empty() && rest[0] != ':') refuse("expected ':' after conversion specifier");
        }
        if (!rest.empty()) rest.remove_prefix(1);
        const Value value = converted(lookup(name), conversion);
        return formatted(value, run(rest, depth + 1));
    }

    Value converted(Value value, char conversion) {
        if (conversion == '\0') return value;
        if (conversion == 's') return runtime_.text(show(runtime_, value));
        if (conversion == 'r' || conversion == 'a') return runtime_.text(repr(runtime_, value));
        refuse("Unknown conversion specifier {}", conversion);
    }

    Value positional(std::int64_t index) {
        if (index >= static_cast<std::int64_t>(arguments_.positional.size()))
            refuse("Replacement index {} out of range for positional args tuple", index);
        return arguments_.positional[static_cast<std::size_t>(index)];
    }

    Value lookup(std::string_view name) {
        const std::size_t first_end = std::min(name.find_first_of(".["), name.size());
        const std::string_view first = name.substr(0, first_end);
        Value value;
        if (first.empty()) {
            if (next_ < 0)
                refuse("cannot switch from manual field specification to automatic field numbering");
            value = positional(next_++);
        } else if (const auto index = parse_integer(first, 10); index && *index >= 0) {
            if (next_ > 0)
                refuse("cannot switch from automatic field numbering to manual field specification");
            next_ = -1;
            value = positional(*index);
        } else {
            const auto it = std::find_if(arguments_.named.begin(), arguments_.named.end(),
                                         [&](const auto& argument) { return argument.first == first; });
            if (it == arguments_.named.end()) refuse("the format's name {} was not given", repr_text(first));
            value = it->second;
        }
        return member(std::move(value), name.substr(first_end));
    }

    // value.attribute[item]...
    Value member(Value value, std::string_view path) {
        while (!path.empty()) {
            const bool is_item = path[0] == '[';
            if (!is_item && path[0] != '.')
                refuse("Only '.' or '[' may follow ']' in format field specifier");
            path.remove_prefix(1);
            const std::size_t end = std::min(path.find_first_of(is_item ? "]" : ".["), path.size());
            const std::string_view key = path.substr(0, end);
            if (key.empty()) refuse("Empty attribute in format string");
            const auto index = is_item ? parse_integer(key, 10) : std::nullopt;
            const Value key_value = index ? Value{*index} : Value::string(std::string(key));
            value =
                is_item ? get_item(runtime_, value, key_value) : get_attribute(runtime_, value, key_value);
            path.remove_prefix(std::min(end + (is_item ? 1 : 0), path.size()));
        }
        return value;
    }

    std::string formatted(const Value& value, std::string_view spec) {
        const String* text = value.string();
        if (markup_ && text && text->markup) {
            if (!spec.empty()) refuse("Unsupported format specification for Markup.");
            return text->text;
        }
        std::string out = spec.empty() ? show(runtime_, value) : with_spec(value, parse_spec(spec));
        return markup_ ? escape_html(out) : out;
    }

    std::string with_spec(const Value& value, const FormatSpec& spec) {
        if (const String* text = value.string()) return text_with_spec(*text, spec);
        const bool is_float_type =
            spec.type != '\0' && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
        NumberText number;
        NumberStyle style = spec.number;
        style.type = spec.type;
        if (value.is_float() || (is_float_type && value.integer())) {
            number = float_with_style(*value.number(), style);
        } else if (const auto integer = value.integer()) {
            number = integer_with_style(*integer, style);
        } else {
            refuse("unsupported format string passed to {}.__format__", value.type_name());
        }
        return padded(number.sign, number.digits, spec, '>');
    }

    NumberText float_with_style(double value, NumberStyle style) {
        if (style.type == 'n') style.type = 'g';
        if (style.type != '\0' && std::string_view("eEfFgG%").find(style.type) == std::string_view::npos)
            refuse("Unknown format code '{}' for object of type 'float'", style.type);
        return format_float(runtime_, value, style);
    }

    static NumberText integer_with_style(std::int64_t value, NumberStyle style) {
        if (style.type == '\0' || style.type == 'n') style.type = 'd';
        if (style.type == 'c') {
            NumberText out;
            append_utf8(value >= 0 && value < 0x110000 ? static_cast<char32_t>(value) : 0xfffd, out.digits);
            return out;
        }
        if (std::string_view("bdoxX").find(style.type) == std::string_view::npos)
            refuse("Unknown format code '{}' for object of type 'int'", style.type);
        if (style.precision >= 0) refuse("Precision not allowed in integer format specifier");
        return format_integer(value, style);
    }

    std::string text_with_spec(const String& text, const FormatSpec& spec) {
        if (spec.type != '\0' && spec.type != 's')
            refuse("Unknown format code '{}' for object of type 'str'", spec.type);
        if (spec.has_sign) refuse("Sign not allowed in string format specifier");
        if (spec.number.thousands) refuse("Cannot specify '{}' with 's'.", spec.number.thousands);
        if (spec.number.alternate) refuse("Alternate form (#) not allowed in string format specifier");
        if (spec.align == '=' && spec.fill != "0")
            refuse("'=' alignment not allowed in string format specifier");
        FormatSpec plain = spec;
        if (plain.align == '=') plain.align = '<';
        const std::size_t end =
            spec.number.precision < 0 ? text.text.size() : byte_offset(text, spec.number.precision);
        return padded("", text.text.substr(0, end), plain, '<');
    }

    std::string padded(std::string_view sign, std::string text, const FormatSpec& spec, char default_align) {
        const std::int64_t length = static_cast<std::int64_t>(sign.size()) + String(text).length();
        const std::int64_t missing = std::max<std::int64_t>(spec.width - length, 0);
        const char align = spec.align == '\0' ? default_align : spec.align;
        std::int64_t before = 0;
        if (align == '>') before = missing;
        if (align == '^') before = missing / 2;
        Text out(runtime_);
        if (align == '=') {
            out.append(sign).repeat(spec.fill, missing).append(text);
        } else {
            out.repeat(spec.fill, before).append(sign).append(text).repeat(spec.fill, missing - before);
        }
        return out.take();
    }

    Runtime& runtime_;
    const Arguments& arguments_;
    bool markup_;
    std::int64_t next_ = 0;  // next positional argument; -1: the fields are numbered
};

}  // namespace

Value brace_format(Runtime& runtime, const String& format, const Arguments& arguments) {
    return runtime.text(BraceFormatter(runtime, arguments, format.markup).run(format.text, 0), format.markup);
}

}  // namespace kvsplit::text::jinja
