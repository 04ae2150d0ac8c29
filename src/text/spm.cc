#include "text/spm.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "text/space_marks.h"
#include "text/utf8.h"
#include "text/word_cache.h"

namespace kvsplit::text {
namespace {

// The character at the start of text; a stray byte counts as one and becomes a byte token.
std::string_view first_character(std::string_view text) {
    const Utf8Step step = next_utf8(text);
    return text.substr(0, step.state == Utf8State::kCharacter ? step.length : 1);
}

// For joints the space has a class of its own, apart from the punctuation that shares its first byte.
constexpr std::size_t kSpaceClass = 0xff;
std::size_t class_before(std::string_view c) {
    return c == kSpaceMark ? kSpaceClass : static_cast<std::uint8_t>(c.back());
}
std::size_t class_after(std::string_view c) {
    return c == kSpaceMark ? kSpaceClass : static_cast<std::uint8_t>(c[0]);
}

}  // namespace

// Symbols of one chunk: neighbours in a list, each a piece of the text.
struct SpmTokenizer::Scratch {
    struct Part {
        const char* text;
        std::uint32_t size;  // 0: merged into the part before
        std::int32_t prev, next;
    };
    struct Merge {
        float score;
        std::int32_t left, right;  // parts
        std::uint32_t size;        // of both together, to detect outdated entries
    };
    std::vector<Part> parts;
    std::vector<Merge> queue;
};

SpmTokenizer::SpmTokenizer(VocabData data) : Tokenizer(std::move(data)) {
    for (std::size_t b = 0; b < 256; ++b) {
        byte_tokens_[b] = vocab_.find(fmt::format("<0x{:02X}>", b));
        const char byte = static_cast<char>(b);
        if (byte_tokens_[b] == kNoToken) byte_tokens_[b] = vocab_.find({&byte, 1});
    }
    for (Token token = 0; token < vocab_size(); ++token) note_joints(vocab_.text(token));
}

void SpmTokenizer::note_joints(std::string_view token) {
    if (token.empty()) return;
    std::string_view before = first_character(token);
    for (token.remove_prefix(before.size()); !token.empty(); token.remove_prefix(before.size())) {
        const std::string_view c = first_character(token);
        joints_.set(256 * class_before(before) + class_after(c));
        before = c;
    }
}

void SpmTokenizer::encode_text(std::string_view text, bool after_special, std::vector<Token>& out) const {
    const bool prefix = vocab_.data().add_space_prefix && after_special;
    const std::string escaped = (prefix ? std::string{kSpaceMark} : std::string{}) + with_space_marks(text);
    Scratch scratch;
    WordCache cache;
    const auto encode = [&](std::string_view chunk) {
        cache.encode(chunk, out,
                     [&](std::string_view c, std::vector<Token>& o) { encode_chunk(c, scratch, o); });
    };
    std::string_view before;
    std::size_t begin = 0, at = 0;
    for (; at < escaped.size(); at += before.size()) {
        const std::string_view c = first_character(std::string_view{escaped}.substr(at));
        if (!before.empty() && !joints_[256 * class_before(before) + class_after(c)]) {
            encode(std::string_view{escaped}.substr(begin, at - begin));
            begin = at;
        }
        before = c;
    }
    if (begin < at) encode(std::string_view{escaped}.substr(begin));
}

void SpmTokenizer::encode_chunk(std::string_view chunk, Scratch& scratch, std::vector<Token>& out) const {
    auto& parts = scratch.parts;
    auto& queue = scratch.queue;
    parts.clear();
    for (std::string_view rest = chunk; !rest.empty(); rest.remove_prefix(parts.back().size)) {
        parts.push_back({rest.data(), static_cast<std::uint32_t>(first_character(rest).size()), 0, 0});
    }
    const auto n = static_cast<std::int32_t>(parts.size());
    const auto part = [&](std::int32_t i) -> Scratch::Part& { return parts[static_cast<std::size_t>(i)]; };
    const auto after = [](const Scratch::Merge& a, const Scratch::Merge& b) {
        return a.score != b.score ? a.score < b.score : a.left > b.left;
    };
    const auto consider = [&](std::int32_t left, std::int32_t right) {
        if (left < 0 || right < 0) return false;
        const std::uint32_t size = part(left).size + part(right).size;
        if (size > vocab_.max_token_bytes()) return false;
        const Token token = vocab_.find({part(left).text, size});
        if (token == kNoToken || is_control(token)) return false;
        queue.push_back({vocab_.score(token), left, right, size});
        return true;
    };
    for (std::int32_t i = 0; i < n; ++i) {
        part(i).prev = i - 1;
        part(i).next = i + 1 < n ? i + 1 : -1;
    }
    for (std::int32_t i = 1; i < n; ++i) consider(i - 1, i);
    std::make_heap(queue.begin(), queue.end(), after);
    while (!queue.empty()) {
        std::pop_heap(queue.begin(), queue.end(), after);
        const Scratch::Merge merge = queue.back();
        queue.pop_back();
        Scratch::Part& left = part(merge.left);
        Scratch::Part& right = part(merge.right);
        if (left.size == 0 || right.size == 0 || left.size + right.size != merge.size) continue;  // outdated
        left.size = merge.size;
        left.next = right.next;
        right.size = 0;
        if (left.next >= 0) part(left.next).prev = merge.left;
        if (consider(left.prev, merge.left)) std::push_heap(queue.begin(), queue.end(), after);
        if (consider(merge.left, left.next)) std::push_heap(queue.begin(), queue.end(), after);
    }
    for (std::int32_t i = n > 0 ? 0 : -1; i >= 0; i = part(i).next) emit({part(i).text, part(i).size}, out);
}

void SpmTokenizer::emit(std::string_view text, std::vector<Token>& out) const {
    if (const Token token = vocab_.find(text); token != kNoToken && !is_control(token)) {
        out.push_back(token);
        return;
    }
    const auto byte_token = [&](char c) { return byte_tokens_[static_cast<std::uint8_t>(c)]; };
    if (std::all_of(text.begin(), text.end(), [&](char c) { return byte_token(c) != kNoToken; })) {
        for (const char c : text) out.push_back(byte_token(c));
    } else if (vocab_.data().unk != kNoToken) {
        out.push_back(vocab_.data().unk);
    }
}

std::string SpmTokenizer::normal_bytes(std::string_view text) const { return with_spaces(text); }

}  // namespace kvsplit::text
