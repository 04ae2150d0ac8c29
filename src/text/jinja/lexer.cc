#include "text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "text/jinja/numbers.h"
#include "text/jinja/template_error.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

constexpr std::string_view kBlockBegin = "{%", kVariableBegin = "{{", kCommentBegin = "{#";
constexpr std::string_view kBlockEnd = "%}", kVariableEnd = "}}", kCommentEnd = "#}";
constexpr std::string_view kOperators2[] = {"//", "**", "==", "!=", ">=", "<="};
constexpr std::string_view kOperators1 = "+-/*%~[](){}><=.:|,;";

// Turns all line ends into \n and drops the last one.
std::string normalise_lines(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            out += '\n';
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        } else {
            out += source[i];
        }
    }
    if (out.ends_with('\n')) out.pop_back();
    return out;
}

bool is_name_start(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
  public:
    explicit Lexer(std::string_view source) : source_(normalise_lines(source)) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) {
            if (!next_tag()) break;
        }
        tokens_.push_back({TokenKind::kEnd, line_, ""});
        return std::move(tokens_);
    }

  private:
    [[noreturn]] void fail_here(std::string message) const {
        throw TemplateError(Fault::kSyntax, line_, std::move(message));
    }

    std::string_view rest() const { return std::string_view(source_).substr(at_); }
    bool looking_at(std::string_view text) const { return rest().starts_with(text); }

    void advance(std::size_t n) {
        line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                             source_.begin() + static_cast<std::ptrdiff_t>(at_ + n), '\n'));
        at_ += n;
        line_starts_ = n > 0 && source_[at_ - 1] == '\n';
    }

    std::size_t spaces_at(std::size_t at) const {
        const std::string_view text = std::string_view(source_).substr(at);
        return text.size() - strip_left(text).size();
    }

    void push(TokenKind kind, std::string_view text) { tokens_.push_back({kind, line_, std::string(text)}); }

    void push_data(std::string_view text) {
        if (!text.empty()) push(TokenKind::kData, text);
    }

    // Text before a tag, trimmed by the tag's sign ('-', '+' or none) and the rules for blocks.
    std::string_view trimmed(std::string_view text, char sign, bool is_variable) const {
        if (sign == '-') return strip_right(text);
        if (sign == '+' || is_variable) return text;
        const std::size_t newline = text.rfind('\n');
        const std::size_t line_start = newline == text.npos ? 0 : newline + 1;
        if (line_start == 0 && !line_starts_) return text;
        return strip(text.substr(line_start)).empty() ? text.substr(0, line_start) : text;
    }

    char sign_at(std::size_t at) const {
        return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
    }

    // Reads up to the next tag, and that tag. False at the end.
    bool next_tag() {
        const auto begins_tag = [&](std::size_t i) {
            const std::string_view two = std::string_view(source_).substr(i, 2);
            return two == kBlockBegin || two == kVariableBegin || two == kCommentBegin;
        };
        std::size_t begin = source_.find('{', at_);
        while (begin != source_.npos && !begins_tag(begin)) begin = source_.find('{', begin + 1);
        if (begin == source_.npos) {
            push_data(rest());
            advance(source_.size() - at_);
            return false;
        }
        const std::string_view opening = std::string_view(source_).substr(begin, 2);
        const char sign = sign_at(begin + 2);
        const std::string_view before = std::string_view(source_).substr(at_, begin - at_);
        push_data(trimmed(before, sign, opening == kVariableBegin));
        const auto raw_end = opening == kBlockBegin ? raw_begin(begin) : std::nullopt;
        advance((raw_end ? *raw_end : begin + 2 + (sign ? 1 : 0)) - at_);
        if (raw_end) {
            raw();
        } else if (opening == kCommentBegin) {
            comment();
        } else {
            const bool is_block = opening == kBlockBegin;
            push(is_block ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, opening);
            tag(is_block);
        }
        return true;
    }

    // The end of the {% raw %} that begins at `begin`, if there is one.
    std::optional<std::size_t> raw_begin(std::size_t begin) const {
        std::size_t at = begin + 2 + (sign_at(begin + 2) ? 1 : 0);
        at += spaces_at(at);
        if (source_.compare(at, 3, "raw") != 0) return std::nullopt;
        at += 3;
        at += spaces_at(at);
        if (source_.compare(at, 3, "-%}") == 0) return at + 3 + spaces_at(at + 3);
        return source_.compare(at, 2, kBlockEnd) == 0 ? std::optional(at + 2) : std::nullopt;
    }

    // The length of a block's or comment's end at this place, with the white space that it swallows.
    std::optional<std::size_t> end_length(std::size_t at, std::string_view end) const {
        const std::string_view text = std::string_view(source_).substr(std::min(at, source_.size()));
        if (text.starts_with('+') && text.substr(1).starts_with(end)) return 1 + end.size();
        if (text.starts_with('-') && text.substr(1).starts_with(end))
            return 1 + end.size() + spaces_at(at + 1 + end.size());
        if (!text.starts_with(end)) return std::nullopt;
        return end.size() + (text.substr(end.size()).starts_with('\n') ? 1 : 0);
    }

    void comment() {
        for (std::size_t i = at_; i < source_.size(); ++i) {
            if (const auto length = end_length(i, kCommentEnd)) return advance(i + *length - at_);
        }
        fail_here("Missing end of comment tag");
    }

    void raw() {
        for (std::size_t i = source_.find(kBlockBegin, at_); i != source_.npos;
             i = source_.find(kBlockBegin, i + 1)) {
            const char sign = sign_at(i + 2);
            std::size_t at = i + 2 + (sign ? 1 : 0);
            at += spaces_at(at);
            if (source_.compare(at, 6, "endraw") != 0) continue;
            at += 6;
            at += spaces_at(at);
            const auto length = end_length(at, kBlockEnd);
            if (!length) continue;
            push_data(trimmed(std::string_view(source_).substr(at_, i - at_), sign, false));
            return advance(at + *length - at_);
        }
        fail_here("Missing end of raw directive");
    }

    // The inside of a block or of a variable, up to its end or to the end of the template.
    void tag(bool is_block) {
        brackets_.clear();
        while (at_ < source_.size()) {
            if (brackets_.empty() && tag_end(is_block)) return;
            if (const std::size_t spaces = spaces_at(at_)) {
                advance(spaces);
            } else if (!number() && !name() && !string() && !operation()) {
                const Utf8Step step = next_utf8(rest());
                fail_here(fmt::format("unexpected char '{}'", rest().substr(0, step.length)));
            }
        }
    }

    bool tag_end(bool is_block) {
        std::optional<std::size_t> length;
        if (is_block) {
            length = end_length(at_, kBlockEnd);
        } else if (looking_at("-}}")) {
            length = 3 + spaces_at(at_ + 3);
        } else if (looking_at(kVariableEnd)) {
            length = kVariableEnd.size();
        }
        if (!length) return false;
        push(is_block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, is_block ? kBlockEnd : kVariableEnd);
        advance(*length);
        return true;
    }

    // Digits, which may be separated by single underscores.
    std::size_t digits(std::size_t at) const {
        std::size_t end = at;
        while (end < source_.size() && is_digit(source_[end])) {
            ++end;
            if (end + 1 < source_.size() && source_[end] == '_' && is_digit(source_[end + 1])) ++end;
        }
        return end;
    }

    std::size_t float_end() const {
        if (at_ > 0 && source_[at_ - 1] == '.') return at_;
        std::size_t end = digits(at_);
        bool is_float = false;
        if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
            end = digits(end + 1);
            is_float = true;
        }
        if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
            std::size_t exponent = end + 1;
            if (sign_at(exponent)) ++exponent;
            if (exponent < source_.size() && is_digit(source_[exponent])) return digits(exponent);
        }
        return is_float ? end : at_;
    }

    // Also sets the base: 0x1f, 0o17, 0b11 or decimal. Decimals do not begin with 0 unless they are 0.
    std::size_t integer_end(int& base) const {
        constexpr std::string_view kPrefixes = "box";
        constexpr std::array kBases = {2, 8, 16};
        const char letter = at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : '\0';
        if (const auto prefix = kPrefixes.find(letter); source_[at_] == '0' && prefix != kPrefixes.npos) {
            base = kBases[prefix];
            std::size_t end = at_ + 2;
            for (std::size_t i = end; i < source_.size(); end = ++i) {
                if (source_[i] == '_' && i + 1 < source_.size()) ++i;
                if (digit_value(source_[i]) >= base) break;
            }
            if (end > at_ + 2) return end;
        }
        base = 10;
        if (source_[at_] != '0') return digits(at_);
        std::size_t end = at_ + 1;
        while (end < source_.size() && (source_[end] == '0' || source_.compare(end, 2, "_0") == 0)) ++end;
        return end;
    }

    bool number() {
        if (!is_digit(source_[at_])) return false;
        if (const std::size_t end = float_end(); end != at_) {
            Token token{TokenKind::kFloat, line_, source_.substr(at_, end - at_)};
            token.number = parse_float(token.text).value_or(0);
            tokens_.push_back(std::move(token));
            advance(end - at_);
            return true;
        }
        int base = 10;
        const std::size_t end = integer_end(base);
        Token token{TokenKind::kInteger, line_, source_.substr(at_, end - at_)};
        const auto value = parse_integer(token.text, base);
        if (!value) fail_here(fmt::format("the number {} is too large", token.text));
        token.integer = *value;
        tokens_.push_back(std::move(token));
        advance(end - at_);
        return true;
    }

    bool name() {
        if (!is_name_start(source_[at_])) return false;
        std::size_t end = at_;
        while (end < source_.size() && is_name_part(source_[end])) ++end;
        push(TokenKind::kName, std::string_view(source_).substr(at_, end - at_));
        advance(end - at_);
        return true;
    }

    bool string() {
        const char quote = source_[at_];
        if (quote != '\'' && quote != '"') return false;
        std::size_t end = at_ + 1;
        while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
        if (end >= source_.size()) return false;
        push(TokenKind::kString, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
        advance(end + 1 - at_);
        return true;
    }

    std::string unescape(std::string_view text) const;
    std::size_t unescape_one(std::string_view after_backslash, std::string& out) const;

    bool operation() {
        std::string_view text = rest().substr(0, 2);
        if (std::find(std::begin(kOperators2), std::end(kOperators2), text) == std::end(kOperators2)) {
            text = text.substr(0, 1);
            if (kOperators1.find(text[0]) == kOperators1.npos) return false;
        }
        balance(text[0]);
        push(TokenKind::kOperator, text);
        advance(text.size());
        return true;
    }

    void balance(char c) {
        if (c == '(') brackets_ += ')';
        if (c == '[') brackets_ += ']';
        if (c == '{') brackets_ += '}';
        if (c != ')' && c != ']' && c != '}') return;
        if (brackets_.empty()) fail_here(fmt::format("unexpected '{}'", c));
        if (brackets_.back() != c)
            fail_here(fmt::format("unexpected '{}', expected '{}'", c, brackets_.back()));
        brackets_.pop_back();
    }

    const std::string source_;
    std::size_t at_ = 0;
    int line_ = 1;
    bool line_starts_ = true;  // the previous text ended with a line end
    std::string brackets_;     // open brackets of the tag, innermost last
    std::vector<Token> tokens_;
};

std::string Lexer::unescape(std::string_view text) const {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i++];
        } else {
            i += 1 + unescape_one(text.substr(i + 1), out);
        }
    }
    return out;
}

// Returns the number of bytes of the escape after the backslash.
std::size_t Lexer::unescape_one(std::string_view text, std::string& out) const {
    constexpr std::string_view kLetters = "\\'\"abfnrtv", kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const char c = text[0];
    if (const std::size_t i = kLetters.find(c); i != kLetters.npos) {
        out += kMeanings[i];
        return 1;
    }
    if (c == '\n') return 1;
    if (c >= '0' && c <= '7') {
        std::size_t n = 1;
        while (n < 3 && n < text.size() && text[n] >= '0' && text[n] <= '7') ++n;
        append_utf8(static_cast<char32_t>(*parse_integer(text.substr(0, n), 8)), out);
        return n;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        const std::size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        std::uint32_t code = 0;
        const char* begin = text.data() + 1;
        const auto result = std::from_chars(begin, begin + std::min(n, text.size() - 1), code, 16);
        if (result.ptr != begin + n) fail_here(fmt::format("truncated \\{} escape", c));
        if (code > 0x10ffff) fail_here("illegal Unicode character");
        const bool is_surrogate = code >= 0xd800 && code < 0xe000;
        append_utf8(is_surrogate ? 0xfffd : static_cast<char32_t>(code), out);
        return 1 + n;
    }
    if (c == 'N') fail_here("escapes with names of characters are not supported");
    out += '\\';
    if (static_cast<unsigned char>(c) < 0x80) {
        out += c;
        return 1;
    }
    // Python first writes such a character as an escape; a backslash before it leaves that escape as text.
    const Utf8Step step = next_utf8(text);
    const auto code = static_cast<std::uint32_t>(step.code_point);
    out += code < 0x100     ? fmt::format("x{:02x}", code)
           : code < 0x10000 ? fmt::format("u{:04x}", code)
                            : fmt::format("U{:08x}", code);
    return step.length;
}

}  // namespace

std::string Token::describe() const {
    switch (kind) {
        case TokenKind::kData:
            return "template data / text";
        case TokenKind::kBlockBegin:
            return "begin of statement block";
        case TokenKind::kBlockEnd:
            return "end of statement block";
        case TokenKind::kVariableBegin:
            return "begin of print statement";
        case TokenKind::kVariableEnd:
            return "end of print statement";
        case TokenKind::kString:
            return "string";
        case TokenKind::kInteger:
            return "integer";
        case TokenKind::kFloat:
            return "float";
        case TokenKind::kEnd:
            return "end of template";
        case TokenKind::kName:
        case TokenKind::kOperator:
            break;
    }
    return text;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace kvsplit::text::jinja
