#include "text/bpe.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "text/space_marks.h"
#include "text/utf8.h"
#include "text/word_cache.h"

namespace kvsplit::text {
namespace {

// GPT-2's alphabet: every byte is written as one printable character. Printable Latin-1 bytes map to
// themselves, the others to U+0100 and up.
constexpr bool stands_for_itself(int byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

struct ByteAlphabet {
    std::array<std::string, 256> text;  // by byte
    std::array<int, 0x144> byte{};      // by code point; -1: no byte

    ByteAlphabet() {
        byte.fill(-1);
        char32_t next = 0x100;
        for (int b = 0; b < 256; ++b) {
            const char32_t c = stands_for_itself(b) ? static_cast<char32_t>(b) : next++;
            append_utf8(c, text[static_cast<std::size_t>(b)]);
            byte[c] = b;
        }
    }
};

const ByteAlphabet& alphabet() {
    static const ByteAlphabet instance;
    return instance;
}

}  // namespace

struct BpeTokenizer::Scratch {
    struct Part {
        Symbol symbol;  // -1: merged into the part before
        std::int32_t prev, next;
        std::uint32_t begin, end;  // bytes of the word
    };
    struct Merge {
        std::int32_t rank;
        std::int32_t left, right;  // parts
        Symbol left_symbol, right_symbol, merged;
    };
    std::vector<Part> parts;
    std::vector<Merge> queue;
    std::string text;
};

BpeTokenizer::BpeTokenizer(VocabData data)
    : Tokenizer(std::move(data)),
      pretokenizer_(vocab_.data().pre, vocab_.data().source),
      of_characters_(pretokenizer_.traits().spaces_as_marks) {
    for (std::size_t b = 0; b < 256; ++b) {
        byte_symbols_[b] = of_characters_ ? find(fmt::format("<0x{:02X}>", b)) : intern(alphabet().text[b]);
    }
    read_merges();
}

BpeTokenizer::Symbol BpeTokenizer::find(std::string_view text) const {
    if (const Token token = vocab_.find(text); token != kNoToken) return token;
    const Symbol symbol = extra_symbols_.find(text);
    return symbol >= 0 ? symbol : kUnknownSymbol;
}

BpeTokenizer::Symbol BpeTokenizer::intern(std::string_view text) {
    if (const Symbol symbol = find(text); symbol != kUnknownSymbol) return symbol;
    const auto symbol = static_cast<Symbol>(static_cast<std::size_t>(vocab_size()) + texts_.size());
    extra_symbols_.insert(texts_.emplace_back(text), symbol);
    return symbol;
}

void BpeTokenizer::read_merges() {
    const auto& merges = vocab_.data().merges;
    merges_.reserve(merges.size());
    std::string both;
    for (std::size_t i = 0; i < merges.size(); ++i) {
        const std::size_t space = merges[i].find(' ', 1);
        if (space == std::string_view::npos || space + 1 == merges[i].size()) continue;  // merges nothing
        const std::string_view left = merges[i].substr(0, space), right = merges[i].substr(space + 1);
        both.assign(left).append(right);
        merges_.insert({intern(left), intern(right), static_cast<std::int32_t>(i), intern(both)});
    }
}

void BpeTokenizer::encode_text(std::string_view text, bool, std::vector<Token>& out) const {
    std::string marked;
    if (of_characters_) {
        marked = with_space_marks(text);
        text = marked;
    }
    Scratch scratch;
    WordCache cache;
    for (const std::string_view word : pretokenizer_.split(text)) {
        cache.encode(word, out,
                     [&](std::string_view w, std::vector<Token>& o) { encode_word(w, scratch, o); });
    }
}

// The token of the whole word, if such tokens take precedence over merges; else kNoToken. Text never becomes
// a control token, even one with the word's name.
Token BpeTokenizer::whole_word(std::string_view word, Scratch& scratch) const {
    const PreTokenizer::Traits& traits = pretokenizer_.traits();
    const bool line_breaks =
        traits.whole_line_breaks && word.find_first_not_of('\n') == std::string_view::npos;
    if (!vocab_.data().ignore_merges && !line_breaks) return kNoToken;
    if (!of_characters_) {
        scratch.text.clear();
        for (const char c : word) scratch.text += alphabet().text[static_cast<std::uint8_t>(c)];
        word = scratch.text;
    }
    const Token token = vocab_.find(word);
    return token == kNoToken || is_control(token) ? kNoToken : token;
}

// Splits the word into bytes or characters, as a list of parts.
void BpeTokenizer::start_word(std::string_view word, Scratch& scratch) const {
    auto& parts = scratch.parts;
    parts.clear();
    for (std::size_t begin = 0; begin < word.size();) {
        std::size_t length = 1;
        Symbol symbol = kUnknownSymbol;
        if (!of_characters_) {
            symbol = byte_symbols_[static_cast<std::uint8_t>(word[begin])];
        } else if (const Utf8Step step = next_utf8(word.substr(begin)); step.state == Utf8State::kCharacter) {
            length = step.length;
            symbol = find(word.substr(begin, length));
        }
        const auto i = static_cast<std::int32_t>(parts.size());
        parts.push_back({symbol, i - 1, i + 1, static_cast<std::uint32_t>(begin),
                         static_cast<std::uint32_t>(begin + length)});
        begin += length;
    }
    if (!parts.empty()) parts.back().next = -1;
}

void BpeTokenizer::encode_word(std::string_view word, Scratch& scratch, std::vector<Token>& out) const {
    if (const Token token = whole_word(word, scratch); token != kNoToken) {
        out.push_back(token);
        return;
    }
    start_word(word, scratch);
    auto& parts = scratch.parts;
    auto& queue = scratch.queue;
    const auto n = static_cast<std::int32_t>(parts.size());
    queue.clear();
    const auto part = [&](std::int32_t i) -> Scratch::Part& { return parts[static_cast<std::size_t>(i)]; };
    const auto after = [](const Scratch::Merge& a, const Scratch::Merge& b) {
        return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    };
    const auto consider = [&](std::int32_t left, std::int32_t right) {
        if (left < 0 || right < 0) return false;
        const Symbol l = part(left).symbol, r = part(right).symbol;
        if (l < 0 || r < 0) return false;
        const PairTable::Entry* entry = merges_.find(l, r);
        if (entry == nullptr) return false;
        queue.push_back({entry->rank, left, right, l, r, entry->merged});
        return true;
    };
    for (std::int32_t i = 1; i < n; ++i) consider(i - 1, i);
    std::make_heap(queue.begin(), queue.end(), after);
    while (!queue.empty()) {
        std::pop_heap(queue.begin(), queue.end(), after);
        const Scratch::Merge merge = queue.back();
        queue.pop_back();
        Scratch::Part& left = part(merge.left);
        Scratch::Part& right = part(merge.right);
        if (left.symbol != merge.left_symbol || right.symbol != merge.right_symbol) continue;  // outdated
        left.symbol = merge.merged;
        left.end = right.end;
        left.next = right.next;
        right.symbol = -1;
        if (left.next >= 0) part(left.next).prev = merge.left;
        if (consider(left.prev, merge.left)) std::push_heap(queue.begin(), queue.end(), after);
        if (consider(merge.left, left.next)) std::push_heap(queue.begin(), queue.end(), after);
    }
    for (std::int32_t i = n > 0 ? 0 : -1; i >= 0; i = part(i).next) {
        emit(part(i).symbol, word.substr(part(i).begin, part(i).end - part(i).begin), out);
    }
}

void BpeTokenizer::emit(Symbol symbol, std::string_view bytes, std::vector<Token>& out) const {
    if (symbol >= 0 && symbol < vocab_size()) {
        out.push_back(symbol);
        return;
    }
    // Small vocabularies lack tokens for bytes that never occurred in training; these are dropped. The
    // unknown token would be worse: it is often also the end token.
    for (const char c : bytes) {
        const Symbol byte = byte_symbols_[static_cast<std::uint8_t>(c)];
        if (byte >= 0 && byte < vocab_size()) out.push_back(byte);
    }
}

std::string BpeTokenizer::normal_bytes(std::string_view text) const {
    if (of_characters_) return with_spaces(text);
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        const bool known = step.state == Utf8State::kCharacter && step.code_point < alphabet().byte.size() &&
                           alphabet().byte[step.code_point] >= 0;
        if (known) {
            out += static_cast<char>(alphabet().byte[step.code_point]);
        } else {
            out += text.substr(0, step.length);
        }
        text.remove_prefix(step.length);
    }
    return out;
}

}  // namespace kvsplit::text
