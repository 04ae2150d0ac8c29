#include "text/jinja/json_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/numbers.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

Value from_json(const Json& json, int depth) {
    if (depth > kMaxValueDepth) exceed("input nested more than {} levels deep", kMaxValueDepth);
    switch (json.type()) {
        case Json::value_t::boolean:
            return json.get<bool>();
        case Json::value_t::number_integer:
            return json.get<std::int64_t>();
        case Json::value_t::number_unsigned: {
            const auto number = json.get<std::uint64_t>();
            const auto value = static_cast<std::int64_t>(number);
            return value >= 0 ? Value(value) : Value(static_cast<double>(number));
        }
        case Json::value_t::number_float:
            return json.get<double>();
        case Json::value_t::string:
            return Value::string(json.get_ref<const std::string&>());
        case Json::value_t::array: {
            List out;
            for (const Json& item : json) {
                out.items.push_back(from_json(item, depth + 1));
                out.depth = std::max(out.depth, 1 + out.items.back().depth());
            }
            return std::make_shared<const List>(std::move(out));
        }
        case Json::value_t::object: {
            Dict out;
            for (const auto& [key, value] : json.items()) out.set(key, from_json(value, depth + 1));
            return std::make_shared<const Dict>(std::move(out));
        }
        default:
            break;
    }
    return nullptr;
}

class JsonWriter {
  public:
    JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style), out_(runtime) {}

    std::string take() { return out_.take(); }

    void add(const Value& value, int level) {
        const Runtime::Nested nested(runtime_);
        if (const String* text = value.string()) {
            add_text(text->text);
        } else if (const List* list = value.list()) {
            begin("[");
            for (const Value& item : list->items) {
                separate(level + 1);
                add(item, level + 1);
            }
            end("]", level);
        } else if (const Dict* dict = value.dict()) {
            add_dict(*dict, level);
        } else {
            out_.append(scalar(value));
        }
    }

  private:
    static std::string scalar(const Value& value) {
        switch (value.kind()) {
            case Value::Kind::kNone:
                return "null";
            case Value::Kind::kBool:
                return *value.integer() ? "true" : "false";
            case Value::Kind::kInt:
                return fmt::format("{}", *value.integer());
            case Value::Kind::kFloat: {
                const double number = *value.number();
                if (std::isnan(number)) return "NaN";
                if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
                return float_repr(number);
            }
            default:
                refuse("Object of type {} is not JSON serializable", value.type_name());
        }
    }

    void begin(std::string_view bracket) {
        out_.append(bracket);
        is_empty_ = true;
    }
    void separate(int level) {
        if (!is_empty_) out_.append(style_.item_separator);
        is_empty_ = false;
        if (style_.multiline) out_.append("\n").repeat(style_.indent, level);
    }
    void end(std::string_view bracket, int level) {
        if (!is_empty_ && style_.multiline) out_.append("\n").repeat(style_.indent, level);
        out_.append(bracket);
        is_empty_ = false;
    }

    void add_dict(const Dict& dict, int level) {
        std::vector<const Dict::Entry*> entries;
        for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
        if (style_.sort_keys) {
            std::stable_sort(entries.begin(), entries.end(), [&](const Dict::Entry* a, const Dict::Entry* b) {
                return less(runtime_, a->first, b->first);
            });
        }
        begin("{");
        for (const Dict::Entry* entry : entries) {
            separate(level + 1);
            add_key(entry->first);
            out_.append(style_.key_separator);
            add(entry->second, level + 1);
        }
        end("}", level);
    }

    void add_key(const Value& key) {
        if (const String* text = key.string()) return add_text(text->text);
        if (!key.is_none() && !key.number())
            refuse("keys must be str, int, float, bool or None, not {}", key.type_name());
        out_.append("\"" + scalar(key) + "\"");
    }

    void add_text(std::string_view text) {
        out_.append("\"");
        std::size_t plain = 0;  // start of the text that needs no escape
        for (std::size_t i = 0; i < text.size();) {
            const auto byte = static_cast<unsigned char>(text[i]);
            const bool special = byte < 0x20 || byte == '"' || byte == '\\';
            if (!special && (byte < 0x80 || !style_.ascii_only)) {
                ++i;
                continue;
            }
            out_.append(text.substr(plain, i - plain));
            const Utf8Step step = next_utf8(text.substr(i));
            add_escape(step.state == Utf8State::kCharacter ? step.code_point : 0xfffd);
            i += step.length;
            plain = i;
        }
        out_.append(text.substr(plain)).append("\"");
    }

    void add_escape(char32_t c) {
        constexpr std::string_view kPlain = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
        const std::size_t i = c < 0x80 ? kPlain.find(static_cast<char>(c)) : kPlain.npos;
        const auto code = static_cast<std::uint32_t>(c);
        if (i != kPlain.npos) {
            out_.append(fmt::format("\\{}", kLetters[i]));
        } else if (code < 0x10000) {
            out_.append(fmt::format("\\u{:04x}", code));
        } else {  // as two surrogates
            const std::uint32_t rest = code - 0x10000;
            out_.append(fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff)));
        }
    }

    Runtime& runtime_;
    const JsonStyle& style_;
    Text out_;
    bool is_empty_ = true;  // nothing has been written since the last opening bracket
};

}  // namespace

Value from_json(const Json& json) { return from_json(json, 0); }

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
    JsonWriter out(runtime, style);
    out.add(value, 0);
    return out.take();
}

}  // namespace kvsplit::text::jinja
