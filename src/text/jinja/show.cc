#include "text/jinja/show.h"

#include <fmt/format.h>

#include "text/jinja/numbers.h"
#include "text/jinja/object.h"
#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

std::string scalar(const Value& value) {
    switch (value.kind()) {
        case Value::Kind::kNone:
            return "None";
        case Value::Kind::kBool:
            return *value.integer() ? "True" : "False";
        case Value::Kind::kInt:
            return fmt::format("{}", *value.integer());
        case Value::Kind::kFloat:
            return float_repr(*value.number());
        default:
            break;
    }
    return "Undefined";
}

void escape_character(char32_t c, std::string& out) {
    const auto code = static_cast<std::uint32_t>(c);
    if (c == '\n') {
        out += "\\n";
    } else if (c == '\r') {
        out += "\\r";
    } else if (c == '\t') {
        out += "\\t";
    } else if (code < 0x100) {
        out += fmt::format("\\x{:02x}", code);
    } else {
        out += code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
    }
}

class Representation {
  public:
    explicit Representation(Runtime& runtime) : runtime_(runtime), out_(runtime) {}

    std::string take() { return out_.take(); }

    void add(const Value& value) {
        const Runtime::Nested nested(runtime_);
        if (const String* text = value.string()) {
            if (!text->ascii()) runtime_.charge(2 * text->text.size());  // looks each character up
            const std::string quoted = repr_text(text->text);
            out_.append(text->markup ? "Markup(" + quoted + ")" : quoted);
        } else if (const List* list = value.list()) {
            add_list(*list);
        } else if (const Dict* dict = value.dict()) {
            add_dict(*dict);
        } else if (const Object* object = value.object()) {
            out_.append(object->repr(runtime_));
        } else {
            out_.append(scalar(value));
        }
    }

  private:
    void add_list(const List& list) {
        const bool is_list = list.kind == List::Kind::kList;
        out_.append(is_list ? "[" : "(");
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            if (i > 0) out_.append(", ");
            add(list.items[i]);
        }
        if (!is_list && list.items.size() == 1) out_.append(",");
        out_.append(is_list ? "]" : ")");
    }

    void add_dict(const Dict& dict) {
        out_.append("{");
        bool is_first = true;
        for (const auto& [key, value] : dict.entries()) {
            if (!is_first) out_.append(", ");
            is_first = false;
            add(key);
            out_.append(": ");
            add(value);
        }
        out_.append("}");
    }

    Runtime& runtime_;
    Text out_;
};

}  // namespace

std::string repr_text(std::string_view text) {
    const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
    std::string out(1, quote);
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        const std::string_view piece = text.substr(0, step.length);
        const char32_t c = step.code_point;
        if (step.state != Utf8State::kCharacter) {
            for (const char byte : piece) escape_character(static_cast<unsigned char>(byte), out);
        } else if (c == static_cast<unsigned char>(quote) || c == '\\') {
            out += '\\';
            out += piece;
        } else if (is_printable(c)) {
            out += piece;
        } else {
            escape_character(c, out);
        }
        text.remove_prefix(step.length);
    }
    return out + quote;
}

std::string show(Runtime& runtime, const Value& value) {
    if (const String* text = value.string()) {
        runtime.charge(text->text.size());
        return text->text;
    }
    return value.undefined() ? std::string{} : repr(runtime, value);
}

std::string repr(Runtime& runtime, const Value& value) {
    if (!value.list() && !value.dict() && !value.object() && !value.string()) return scalar(value);
    Representation out(runtime);
    out.add(value);
    return out.take();
}

std::string plain_repr(const Value& value) {
    if (const String* text = value.string()) return repr_text(text->text);
    if (value.list() || value.dict() || value.object()) return fmt::format("<{}>", value.type_name());
    return scalar(value);
}

}  // namespace kvsplit::text::jinja
