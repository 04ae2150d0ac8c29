#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pretokenizer.h"

#include <pcre2.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/error.h"
#include "text/utf8.h"

namespace kvsplit::text {
namespace {

using Strings = std::span<const std::string_view>;

// The patterns are those of the models' own tokenizer.json, in PCRE2's syntax. Where a text is cut by one
// pattern, the next sees each piece as a text of its own.
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"('(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL]{2}|[dD])|)"
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"('(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL]{2}|[dD])|)"
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::array kGpt2Patterns{kGpt2};
constexpr std::array kLlama3Patterns{kLlama3};
constexpr std::array kQwen2Patterns{kQwen2};
constexpr std::array kSingleDigits{std::string_view{R"(\p{N})"}, kGpt2};
constexpr std::array kFalcon{std::string_view{R"([\p{P}$+<=>^~|`]+)"}, kGpt2, std::string_view{"[0-9]{3}"}};
constexpr std::array<std::string_view, 4> kDefault{R"([\p{P}$+<=>^~|]+)", kGpt2, R"(\p{N}+)", "[0-9]{3}"};
constexpr std::array<std::string_view, 5> kDeepseekCoder{
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
    R"(\p{N})"};

constexpr std::array<std::string_view, 15> kGpt2Names{
    "gpt-2",           "phi-2",       "mpt",       "olmo",   "jais",    "jina-es",
    "jina-de",         "gigachat",    "a.x-4.0",   "mellum", "exaone4", "trillion",
    "granite-docling", "modern-bert", "jina-v2-es"};
constexpr std::array<std::string_view, 6> kLlama3Names{"llama-bpe", "llama3",  "llama-v3",
                                                       "falcon3",   "pixtral", "lfm2"};
// The same words as llama-bpe, without its other habits.
constexpr std::array<std::string_view, 4> kDbrxNames{"dbrx", "smaug-bpe", "chatglm-bpe", "midm"};
constexpr std::array<std::string_view, 2> kGlm4Names{"glm4", "glm5"};
constexpr std::array<std::string_view, 9> kQwen2Names{"qwen2",   "deepseek-r1-qwen", "stablelm2", "megrez",
                                                      "hunyuan", "solar-open",       "grok-2",    "kormo",
                                                      "f2llmv2"};
constexpr std::array<std::string_view, 8> kSingleDigitNames{
    "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"};
constexpr std::array<std::string_view, 1> kFalconNames{"falcon"};
constexpr std::array<std::string_view, 2> kDefaultNames{"default", ""};
constexpr std::array<std::string_view, 1> kDeepseekCoderNames{"deepseek-coder"};

constexpr std::array<PreTokenizer::Traits, 9> kTraits{{
    {kGpt2Names, kGpt2Patterns},
    {kLlama3Names, kLlama3Patterns, true, true},
    {kDbrxNames, kLlama3Patterns},
    {kGlm4Names, kLlama3Patterns, true, false},
    {kQwen2Names, kQwen2Patterns},
    {kSingleDigitNames, kSingleDigits},
    {kFalconNames, kFalcon},
    {kDefaultNames, kDefault},
    {kDeepseekCoderNames, kDeepseekCoder},
}};

// \s is written out: PCRE2's own counts U+180E, Unicode's White_Space (which the models were trained with)
// does not.
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

// A copy with each byte that is not part of a character replaced by one that is a symbol: offsets stay.
std::string with_symbols_for_broken_bytes(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        if (step.state == Utf8State::kCharacter) {
            out += text.substr(0, step.length);
        } else {
            out.append(step.length, '\x01');
        }
        text.remove_prefix(step.length);
    }
    return out;
}

struct MatchDataDeleter {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using MatchData = std::unique_ptr<pcre2_match_data, MatchDataDeleter>;

}  // namespace

struct PreTokenizer::Pattern {
    explicit Pattern(std::string_view pattern) {
        const std::string expanded = expand_spaces(pattern);
        int error = 0;
        PCRE2_SIZE offset = 0;
        code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expanded.data()), expanded.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
        KVSPLIT_CHECK(code != nullptr);
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where it fails, matching is slower, not different
    }
    ~Pattern() { pcre2_code_free(code); }

    // The first match in text from position on, as [begin, end); false if none.
    bool match(std::string_view text, std::size_t position, pcre2_match_data* data, std::size_t& begin,
               std::size_t& end) const {
        const auto run = [&](std::uint32_t options) {
            return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), position,
                               options | PCRE2_NO_UTF_CHECK, data, nullptr);
        };
        int result = run(0);
        if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
        if (result < 0) return false;
        const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
        begin = ends[0];
        end = ends[1];
        return end > begin;
    }

    pcre2_code* code = nullptr;
};

const PreTokenizer::Traits* PreTokenizer::find(std::string_view name) {
    for (const Traits& traits : kTraits) {
        if (std::find(traits.names.begin(), traits.names.end(), name) != traits.names.end()) return &traits;
    }
    return nullptr;
}

PreTokenizer::PreTokenizer(std::string_view name, std::string_view source) {
    const Traits* traits = find(name);
    if (traits == nullptr) {
        fail(ErrorCode::kUnsupported, "{}: tokenizer.ggml.pre: the pre-tokenizer '{}' is not supported",
             source, name);
    }
    for (const std::string_view pattern : traits->patterns)
        patterns_.push_back(std::make_unique<Pattern>(pattern));
}

PreTokenizer::~PreTokenizer() = default;

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
    const bool broken = !is_utf8(text);
    const std::string copy = broken ? with_symbols_for_broken_bytes(text) : std::string{};
    std::vector<std::string_view> pieces, next;
    if (!text.empty()) pieces.push_back(broken ? std::string_view{copy} : text);
    const MatchData data(pcre2_match_data_create(1, nullptr));
    if (data == nullptr) fail(ErrorCode::kOutOfMemory, "no memory to split a text into words");
    for (const auto& pattern : patterns_) {
        next.clear();
        for (const std::string_view piece : pieces) {
            std::size_t done = 0, begin = 0, end = 0;
            while (done < piece.size() && pattern->match(piece, done, data.get(), begin, end)) {
                if (begin > done) next.push_back(piece.substr(done, begin - done));
                next.push_back(piece.substr(begin, end - begin));
                done = end;
            }
            if (done < piece.size()) next.push_back(piece.substr(done));
        }
        pieces.swap(next);
    }
    if (broken) {
        for (std::string_view& piece : pieces) {
            piece = text.substr(static_cast<std::size_t>(piece.data() - copy.data()), piece.size());
        }
    }
    return pieces;
}

}  // namespace kvsplit::text
