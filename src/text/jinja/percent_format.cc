// '%s: %d' % values.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/numbers.h"
#include "text/jinja/python_format.h"
#include "text/jinja/runtime.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

class PercentFormatter {
  public:
    PercentFormatter(Runtime& runtime, const String& format, const Value& values)
        : runtime_(runtime), rest_(format.text), markup_(format.markup), values_(values), out_(runtime) {
        const List* list = values.list();
        tuple_ = list && list->kind != List::Kind::kList ? list : nullptr;
    }

    Value run() {
        while (!rest_.empty()) {
            const std::size_t percent = std::min(rest_.find('%'), rest_.size());
            out_.append(rest_.substr(0, percent));
            rest_.remove_prefix(percent);
            if (!rest_.empty()) conversion();
        }
        const bool is_mapping = !tuple_ && !values_.string() && (values_.dict() || values_.list());
        const std::size_t given = tuple_ ? tuple_->items.size() : 1;
        if (!is_mapping && !used_mapping_ && !values_.undefined() && next_ < given)
            refuse("not all arguments converted during string formatting");
        return out_.value(markup_);
    }

  private:
    struct Spec {
        bool left = false, zeros = false;
        std::int64_t width = 0;
        NumberStyle number;
    };

    char take() {
        if (rest_.empty()) refuse("incomplete format");
        const char c = rest_[0];
        rest_.remove_prefix(1);
        return c;
    }

    const Value& next_value() {
        if (!tuple_ && next_ == 0) return ++next_, values_;
        if (!tuple_ || next_ >= tuple_->items.size()) refuse("not enough arguments for format string");
        return tuple_->items[next_++];
    }

    std::int64_t number_or_star() {
        if (rest_.starts_with('*')) {
            take();
            return index_of_star(next_value());
        }
        std::int64_t n = 0;
        while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
            n = n * 10 + (take() - '0');
            if (n > 1'000'000'000) refuse("width too big");
        }
        return n;
    }

    static std::int64_t index_of_star(const Value& value) {
        const auto integer = value.integer();
        if (!integer) refuse("* wants int");
        return std::clamp<std::int64_t>(*integer, -1'000'000'000, 1'000'000'000);
    }

    // The value of %(name)s, if the conversion names one.
    std::optional<Value> named_value() {
        if (!rest_.starts_with('(')) return std::nullopt;
        int open = 0;
        std::size_t end = 0;
        for (; end < rest_.size(); ++end) {
            open += rest_[end] == '(' ? 1 : rest_[end] == ')' ? -1 : 0;
            if (open == 0) break;
        }
        if (end == rest_.size()) refuse("incomplete format key");
        if (!values_.dict()) refuse("format requires a mapping");
        const std::string_view name = rest_.substr(1, end - 1);
        const Value* value = values_.dict()->find(name);
        if (!value) refuse("the format's key {} is not in the mapping", repr_text(name));
        rest_.remove_prefix(end + 1);
        used_mapping_ = true;
        return *value;
    }

    void conversion() {
        take();
        Spec spec;
        const auto named = named_value();
        for (bool is_flag = true; is_flag && !rest_.empty();) {
            switch (rest_[0]) {
                case '-':
                    spec.left = true;
                    break;
                case '+':
                    spec.number.sign = '+';
                    break;
                case ' ':
                    if (spec.number.sign == '-') spec.number.sign = ' ';
                    break;
                case '#':
                    spec.number.alternate = true;
                    break;
                case '0':
                    spec.zeros = true;
                    break;
                default:
                    is_flag = false;
            }
            if (is_flag) take();
        }
        spec.width = number_or_star();
        if (spec.width < 0) {
            spec.left = true;
            spec.width = -spec.width;
        }
        if (rest_.starts_with('.')) {
            take();
            spec.number.precision = std::max<std::int64_t>(number_or_star(), 0);
        }
        while (!rest_.empty() && (rest_[0] == 'h' || rest_[0] == 'l' || rest_[0] == 'L')) take();
        spec.number.type = take();
        if (spec.number.type == '%') {
            out_.append("%");
        } else {
            put(spec, named ? *named : next_value());
        }
    }

    void put(const Spec& spec, const Value& value) {
        switch (spec.number.type) {
            case 's':
            case 'r':
            case 'a':
                return put_text(spec, value);
            case 'c':
                return put_character(spec, value);
            case 'd':
            case 'i':
            case 'u':
            case 'x':
            case 'X':
            case 'o':
                return put_integer(spec, value);
            case 'e':
            case 'E':
            case 'f':
            case 'F':
            case 'g':
            case 'G': {
                const auto number = value.number();
                if (!number) refuse("must be real number, not {}", value.type_name());
                return pad_number(spec, format_float(runtime_, *number, spec.number));
            }
            default:
                refuse("unsupported format character '{}'", spec.number.type);
        }
    }

    void put_text(const Spec& spec, const Value& value) {
        std::string text = spec.number.type == 's' ? show(runtime_, value) : repr(runtime_, value);
        if (markup_ && !(value.string() && value.string()->markup)) text = escape_html(text);
        pad_text(spec, std::move(text));
    }

    void put_character(const Spec& spec, const Value& value) {
        std::string text;
        if (const String* s = value.string(); s && s->length() == 1) {
            text = s->text;
        } else if (const auto code = value.integer(); code && *code >= 0 && *code < 0x110000) {
            append_utf8(static_cast<char32_t>(*code), text);
        } else {
            refuse("%c requires int or char");
        }
        pad_text(spec, std::move(text));
    }

    void put_integer(const Spec& spec, const Value& value) {
        auto integer = value.integer();
        const bool is_decimal = std::string_view("diu").find(spec.number.type) != std::string_view::npos;
        if (!integer && is_decimal && value.is_float()) {
            if (!(std::fabs(*value.number()) < 9.2e18)) refuse("cannot convert this float to an integer");
            integer = static_cast<std::int64_t>(*value.number());
        }
        if (!integer)
            refuse("%{} format: a real number is required, not {}", spec.number.type, value.type_name());
        NumberText text = format_integer(*integer, spec.number);
        const auto digits = static_cast<std::int64_t>(text.digits.size());
        Text padded(runtime_);
        text.digits = padded.repeat("0", spec.number.precision - digits).append(text.digits).take();
        pad_number(spec, text);
    }

    void pad_text(const Spec& spec, std::string text) {
        if (spec.number.precision >= 0) {
            const String whole(text);
            text.resize(byte_offset(whole, spec.number.precision));
        }
        const std::int64_t missing = spec.width - String(text).length();
        if (!spec.left) out_.repeat(" ", missing);
        out_.append(text);
        if (spec.left) out_.repeat(" ", missing);
    }

    void pad_number(const Spec& spec, const NumberText& number) {
        const std::int64_t missing =
            spec.width - static_cast<std::int64_t>(number.sign.size() + number.digits.size());
        const bool zeros = spec.zeros && !spec.left;
        if (!spec.left && !zeros) out_.repeat(" ", missing);
        out_.append(number.sign);
        if (zeros) out_.repeat("0", missing);
        out_.append(number.digits);
        if (spec.left) out_.repeat(" ", missing);
    }

    Runtime& runtime_;
    std::string_view rest_;  // of the format
    bool markup_;
    const Value& values_;
    const List* tuple_;
    std::size_t next_ = 0;
    bool used_mapping_ = false;
    Text out_;
};

}  // namespace

Value percent_format(Runtime& runtime, const String& format, const Value& values) {
    return PercentFormatter(runtime, format, values).run();
}

}  // namespace kvsplit::text::jinja
