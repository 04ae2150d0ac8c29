#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/jinja/unicode.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/check.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

// Characters first, first + step, ... last, and the distance to their counterparts.
struct CaseRange {
    char32_t first, last;
    int step, distance;
};
struct CaseText {
    char32_t character;
    const char* text;
};

#include "text/jinja/unicode_case.inc"

template <std::size_t N>
char32_t mapped(const CaseRange (&table)[N], char32_t c) {
    const auto* it = std::lower_bound(std::begin(table), std::end(table), c,
                                      [](const CaseRange& range, char32_t x) { return range.last < x; });
    const bool is_in =
        it != std::end(table) && it->first <= c && (c - it->first) % static_cast<char32_t>(it->step) == 0;
    return is_in ? static_cast<char32_t>(static_cast<std::int64_t>(c) + it->distance) : c;
}

template <std::size_t N>
const char* text_of(const CaseText (&table)[N], char32_t c) {
    const auto* it = std::lower_bound(std::begin(table), std::end(table), c,
                                      [](const CaseText& entry, char32_t x) { return entry.character < x; });
    return it != std::end(table) && it->character == c ? it->text : nullptr;
}

void append_upper(char32_t c, std::string& out) {
    const char* special = text_of(kUpperTexts, c);
    special ? out += special : (append_utf8(mapped(kUpper, c), out), out);
}

void append_title(char32_t c, std::string& out) {
    const char* special = text_of(kTitleTexts, c);
    special ? void(out += special) : append_upper(c, out);
}

// A pattern for one character, matched against single characters.
class CharacterSet {
  public:
    explicit CharacterSet(const char* pattern) {
        int error = 0;
        std::size_t offset = 0;
        code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED,
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr));
        KVSPLIT_CHECK(code_ != nullptr);
    }
    bool has(char32_t c) const {
        static thread_local const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
            pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
        KVSPLIT_CHECK(data != nullptr);
        std::string text;
        append_utf8(c, text);
        return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                           data.get(), nullptr) > 0;
    }

  private:
    struct Free {
        void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    };
    std::unique_ptr<pcre2_code, Free> code_;
};

bool is_lower_letter(char32_t c) {
    if (c < 0x80) return c >= 'a' && c <= 'z';
    static const CharacterSet set(
        R"([\p{Ll}\xaa\xba\x{2b0}-\x{2b8}\x{2c0}\x{2c1}\x{2e0}-\x{2e4}\x{345}\x{37a})"
        R"(\x{1d2c}-\x{1d6a}\x{2170}-\x{217f}\x{24d0}-\x{24e9}])");
    return set.has(c);
}
bool is_upper_letter(char32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z';
    static const CharacterSet set(R"([\p{Lu}\x{2160}-\x{216f}\x{24b6}-\x{24cf}])");
    return set.has(c);
}
bool is_title_letter(char32_t c) {
    static const CharacterSet set(R"(\p{Lt})");
    return c >= 0x80 && set.has(c);
}
bool is_cased(char32_t c) { return is_lower_letter(c) || is_upper_letter(c) || is_title_letter(c); }

bool is_case_ignorable(char32_t c) {
    if (c < 0x80) return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`';
    static const CharacterSet set(
        R"([\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}\xb7\x{387}\x{2018}\x{2019}\x{2024}\x{2027}])");
    return set.has(c);
}

bool is_letter(char32_t c) {
    if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    static const CharacterSet set(R"(\p{L})");
    return set.has(c);
}
bool is_decimal(char32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    static const CharacterSet set(R"(\p{Nd})");
    return set.has(c);
}
bool is_digit(char32_t c) {
    if (c < 0x80) return is_decimal(c);
    static const CharacterSet set(
        R"([\p{Nd}\xb2\xb3\xb9\x{2070}\x{2074}-\x{2079}\x{2080}-\x{2089}\x{2460}-\x{2468}])");
    return set.has(c);
}
bool is_numeric(char32_t c) {
    if (c < 0x80) return is_decimal(c);
    static const CharacterSet set(R"([\p{N}一二三四五六七八九十百千万億零])");
    return set.has(c);
}

// The bytes of a character, and its code point; 0 for invalid bytes.
struct Step {
    std::string_view piece;
    char32_t c;
};

template <typename Visit>
void for_each_character(std::string_view text, const Visit& visit) {
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        const bool whole = step.state == Utf8State::kCharacter;
        visit(Step{text.substr(0, step.length), whole ? step.code_point : 0});
        text.remove_prefix(step.length);
    }
}

// Greek's sigma has another form at the end of a word.
bool is_final_sigma(std::string_view before, std::string_view after) {
    bool cased_before = false, cased_after = false, decided = false;
    for_each_character(before, [&](const Step& s) {
        if (!is_case_ignorable(s.c)) cased_before = is_cased(s.c);
    });
    for_each_character(after.substr(0, 64), [&](const Step& s) {
        if (decided || is_case_ignorable(s.c)) return;
        cased_after = is_cased(s.c);
        decided = true;
    });
    return cased_before && !cased_after;
}

// Appends the lower case of the character at this place in the text.
void append_lower(std::string_view text, std::size_t at, const Step& step, std::string& out) {
    if (step.c == 0x3a3) {
        const std::size_t near = at > 64 ? at - 64 : 0;
        const bool is_final =
            is_final_sigma(text.substr(near, at - near), text.substr(at + step.piece.size()));
        append_utf8(is_final ? 0x3c2 : 0x3c3, out);
        return;
    }
    const char* special = text_of(kLowerTexts, step.c);
    special ? void(out += special) : append_utf8(mapped(kLower, step.c), out);
}

// Applies change(step, place in the text, out) to each character, with a fast path for ASCII.
template <typename Change>
std::string changed(std::string_view text, const Change& change) {
    std::string out;
    out.reserve(text.size());
    std::size_t at = 0;
    for_each_character(text, [&](const Step& step) {
        step.c == 0 ? void(out += step.piece) : change(step, at, out);
        at += step.piece.size();
    });
    return out;
}

bool belongs(char32_t c, CharacterClass which, bool is_first) {
    switch (which) {
        case CharacterClass::kAlpha:
            return is_letter(c);
        case CharacterClass::kAlnum:
            return is_letter(c) || is_numeric(c);
        case CharacterClass::kDigit:
            return is_digit(c);
        case CharacterClass::kDecimal:
            return is_decimal(c);
        case CharacterClass::kNumeric:
            return is_numeric(c);
        case CharacterClass::kSpace:
            return is_space(c);
        case CharacterClass::kPrintable:
            return is_printable(c);
        case CharacterClass::kIdentifier:
            return c == '_' || is_letter(c) || (!is_first && is_decimal(c));
    }
    return false;
}

}  // namespace

std::string upper(std::string_view text) {
    return changed(text, [](const Step& s, std::size_t, std::string& out) { append_upper(s.c, out); });
}

std::string lower(std::string_view text) {
    return changed(text,
                   [&](const Step& s, std::size_t at, std::string& out) { append_lower(text, at, s, out); });
}

std::string title(std::string_view text) {
    bool in_word = false;
    return changed(text, [&](const Step& s, std::size_t at, std::string& out) {
        in_word ? append_lower(text, at, s, out) : append_title(s.c, out);
        in_word = is_cased(s.c);
    });
}

std::string capitalize(std::string_view text) {
    return changed(text, [&](const Step& s, std::size_t at, std::string& out) {
        at == 0 ? append_title(s.c, out) : append_lower(text, at, s, out);
    });
}

std::string swapcase(std::string_view text) {
    return changed(text, [&](const Step& s, std::size_t at, std::string& out) {
        if (is_upper_letter(s.c)) {
            append_lower(text, at, s, out);
        } else if (is_lower_letter(s.c)) {
            append_upper(s.c, out);
        } else {
            out += s.piece;
        }
    });
}

bool is_all(std::string_view text, CharacterClass which) {
    if (text.empty()) return which == CharacterClass::kPrintable;
    bool all = true, is_first = true;
    for_each_character(text, [&](const Step& s) {
        all = all && belongs(s.c, which, is_first);
        is_first = false;
    });
    return all;
}

bool is_lower(std::string_view text) {
    bool found = false, other = false;
    for_each_character(text, [&](const Step& s) {
        found |= is_lower_letter(s.c);
        other |= is_upper_letter(s.c) || is_title_letter(s.c);
    });
    return found && !other;
}

bool is_upper(std::string_view text) {
    bool found = false, other = false;
    for_each_character(text, [&](const Step& s) {
        found |= is_upper_letter(s.c);
        other |= is_lower_letter(s.c) || is_title_letter(s.c);
    });
    return found && !other;
}

bool is_title(std::string_view text) {
    bool found = false, wrong = false, in_word = false;
    for_each_character(text, [&](const Step& s) {
        const bool capital = is_upper_letter(s.c) || is_title_letter(s.c), small = is_lower_letter(s.c);
        wrong |= (capital && in_word) || (small && !in_word);
        in_word = capital || small;
        found |= in_word;
    });
    return found && !wrong;
}

bool is_printable(char32_t c) {
    if (c < 0x80) return c >= 0x20 && c < 0x7f;
    static const CharacterSet set(R"([^\p{C}\p{Z}])");
    return set.has(c);
}

bool is_word_character(char32_t c) { return c == '_' || is_letter(c) || is_numeric(c); }

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
    std::vector<std::string_view> out;
    std::size_t start = 0, at = 0, skip_until = 0;
    for_each_character(text, [&](const Step& s) {
        const std::size_t here = at;
        at += s.piece.size();
        const char32_t c = s.c;
        const bool ends_line =
            (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
        if (!ends_line || here < skip_until) return;
        std::size_t end = at;
        if (c == '\r' && end < text.size() && text[end] == '\n') ++end;
        out.push_back(text.substr(start, (keep_ends ? end : here) - start));
        start = skip_until = end;
    });
    if (start < text.size()) out.push_back(text.substr(start));
    return out;
}

}  // namespace kvsplit::text::jinja
