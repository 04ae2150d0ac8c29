#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pretokenizer.h"

#include <pcre2.h>

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/error.h"
#include "base/printable.h"
#include "text/unicode_classes.h"

namespace kvsplit::text {
namespace {

// \s is written out: PCRE2's includes U+180E, Unicode's White_Space (used in training) does not.
std::string expand_spaces(std::string_view pattern) {
    constexpr std::string_view kSpaces =
        R"(\t-\r\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
    std::string out;
    bool in_class = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i], next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (c == '\\' && (next == 's' || next == 'S')) {
            out += in_class ? std::string{kSpaces} : fmt::format("[{}{}]", next == 'S' ? "^" : "", kSpaces);
            ++i;
        } else if (c == '\\') {
            out += pattern.substr(i++, 2);
        } else {
            in_class = c == '[' || (in_class && c != ']');
            out += c;
        }
    }
    return out;
}

template <auto kFree>
struct Deleter {
    void operator()(auto* object) const { kFree(object); }
};
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;

// Match state for one call of split(). Patterns look at each character a few times at most, so PCRE2's work
// limits would only stop long texts.
struct Matcher {
    Matcher() : data(pcre2_match_data_create(1, nullptr)), context(pcre2_match_context_create(nullptr)) {
        if (data == nullptr || context == nullptr) {
            fail(ErrorCode::kOutOfMemory, "no memory to split a text into words");
        }
        pcre2_set_match_limit(context.get(), UINT32_MAX);
        pcre2_set_heap_limit(context.get(), UINT32_MAX);
    }
    MatchData data;
    MatchContext context;
};

}  // namespace

struct PreTokenizer::Pattern {
    explicit Pattern(std::string_view pattern) {
        const std::string expanded = expand_spaces(pattern);
        int error = 0;
        PCRE2_SIZE offset = 0;
        code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expanded.data()), expanded.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
        KVSPLIT_CHECK(code != nullptr);
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // if this fails, matching is only slower
    }
    ~Pattern() { pcre2_code_free(code); }

    // The first match in text from position on, as [begin, end); false if none.
    bool match(std::string_view text, std::size_t position, const Matcher& matcher, std::size_t& begin,
               std::size_t& end) const {
        const auto run = [&](std::uint32_t options) {
            return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), position,
                               options | PCRE2_NO_UTF_CHECK, matcher.data.get(), matcher.context.get());
        };
        int result = run(0);
        if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
        if (result == PCRE2_ERROR_NOMATCH) return false;
        if (result < 0) fail(ErrorCode::kOutOfMemory, "no memory to split a text into words");
        const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(matcher.data.get());
        begin = ends[0];
        end = ends[1];
        return end > begin;
    }

    // Applies the step to a piece and appends the results.
    void cut(std::string_view piece, Cut how, const Matcher& matcher,
             std::vector<std::string_view>& out) const {
        std::size_t done = 0, begin = 0, end = 0;
        const auto cut_at = [&](std::size_t position) {
            if (position > done) out.push_back(piece.substr(done, position - done));
            done = position;
        };
        for (std::size_t next = 0; next < piece.size() && match(piece, next, matcher, begin, end);
             next = end) {
            if (how == Cut::kAround) {
                cut_at(begin);
                cut_at(end);
            } else {
                cut_thousands(piece, begin, end, how, cut_at);
            }
        }
        cut_at(piece.size());
    }

    static void cut_thousands(std::string_view piece, std::size_t begin, std::size_t end, Cut how,
                              const auto& cut_at) {
        const auto starts_character = [&](std::size_t i) { return (piece[i] & 0xc0) != 0x80; };
        std::size_t left = 0;  // characters from here to the end
        for (std::size_t i = begin; i < end; ++i) left += starts_character(i);
        for (std::size_t i = begin; i < end; ++i) {
            if (!starts_character(i)) continue;
            if (left % 3 == 0 && (i > begin || how == Cut::kBeforeThousands)) cut_at(i);
            --left;
        }
        if (how == Cut::kAfterThousands) cut_at(end);
    }

    pcre2_code* code = nullptr;
};

const PreTokenizer::Traits& PreTokenizer::get(std::string_view name, std::string_view source) {
    if (const Traits* traits = find(name)) return *traits;
    fail(ErrorCode::kUnsupported, "{}: tokenizer.ggml.pre: the pre-tokenizer '{}' is not supported", source,
         printable(name));
}

PreTokenizer::PreTokenizer(std::string_view name, std::string_view source) : traits_(get(name, source)) {
    for (const Step& step : traits_.steps) patterns_.push_back(std::make_unique<Pattern>(step.pattern));
}

PreTokenizer::~PreTokenizer() = default;

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
    const std::optional<std::string> copy = with_stand_ins(text);
    std::vector<std::string_view> pieces, next;
    if (!text.empty()) pieces.push_back(copy ? std::string_view{*copy} : text);
    const Matcher matcher;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
        next.clear();
        for (const std::string_view piece : pieces) {
            patterns_[i]->cut(piece, traits_.steps[i].cut, matcher, next);
        }
        pieces.swap(next);
    }
    if (copy) {
        for (std::string_view& piece : pieces) {
            piece = text.substr(static_cast<std::size_t>(piece.data() - copy->data()), piece.size());
        }
    }
    return pieces;
}

}  // namespace kvsplit::text
