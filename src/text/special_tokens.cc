#include "text/special_tokens.h"

#include <algorithm>

namespace kvsplit::text {
namespace {

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

SpecialTokens::SpecialTokens(const Vocab& vocab) : vocab_(vocab), nodes_(1) {
    for (Token token = 0; token < vocab.size(); ++token) {
        const std::uint8_t attr = vocab.attr(token);
        const std::string_view text = vocab.text(token);
        if (!(attr & (kAttrControl | kAttrUnknown | kAttrUserDefined))) continue;
        if (text.empty() || text.size() > kMaxBytes) continue;
        add(text, token, !(attr & (kAttrControl | kAttrUnknown)));
    }
}

std::int32_t SpecialTokens::child(std::int32_t node, std::uint8_t byte) const {
    if (node == 0) return first_[byte];
    std::int32_t c = nodes_[static_cast<std::size_t>(node)].child;
    while (c != 0 && nodes_[static_cast<std::size_t>(c)].byte != byte)
        c = nodes_[static_cast<std::size_t>(c)].sibling;
    return c;
}

void SpecialTokens::add(std::string_view text, Token token, bool always) {
    std::int32_t node = 0;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        std::int32_t next = child(node, byte);
        if (next == 0) {
            next = static_cast<std::int32_t>(nodes_.size());
            Node& parent = nodes_[static_cast<std::size_t>(node)];
            Node made;
            made.byte = byte;
            if (node == 0) {
                first_[byte] = next;
            } else {
                made.sibling = parent.child;
                parent.child = next;
            }
            nodes_.push_back(made);
        }
        node = next;
    }
    Node& end = nodes_[static_cast<std::size_t>(node)];
    if (end.token != kNoToken) return;
    end.token = token;
    end.always = always;
}

SpecialTokens::Match SpecialTokens::longest(std::string_view text, std::size_t limit,
                                            bool parse_special) const {
    Match match;
    std::int32_t node = 0;
    for (std::size_t i = 0; i < text.size() && i + 1 < limit; ++i) {
        node = child(node, static_cast<std::uint8_t>(text[i]));
        if (node == 0) break;
        const Node& n = nodes_[static_cast<std::size_t>(node)];
        if (n.token != kNoToken && (n.always || parse_special)) match = {0, i + 1, n.token};
    }
    return match;
}

// Each position competes with the longest token that starts there; the longest of all wins, then the
// leftmost. If a position's token overlaps an earlier winner, it tries its next shorter one.
std::vector<SpecialTokens::Match> SpecialTokens::choose(std::string_view text, bool parse_special) const {
    const auto after = [](const Match& a, const Match& b) {
        return a.length != b.length ? a.length < b.length : a.position > b.position;
    };
    std::vector<Match> queue;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (first_[static_cast<std::uint8_t>(text[i])] == 0) continue;
        Match match = longest(text.substr(i), kMaxBytes + 1, parse_special);
        match.position = i;
        if (match.length > 0) queue.push_back(match);
    }
    if (queue.empty()) return {};
    std::make_heap(queue.begin(), queue.end(), after);

    std::vector<bool> taken(text.size());
    std::vector<Match> chosen;  // including the white space that they strip
    while (!queue.empty()) {
        std::pop_heap(queue.begin(), queue.end(), after);
        Match match = queue.back();
        queue.pop_back();
        std::size_t begin = match.position, end = begin + match.length;
        if (taken[begin]) continue;
        // Earlier winners are at least as long, so an overlapping one covers an end of this match.
        if (taken[end - 1]) {
            match = longest(text.substr(begin), match.length, parse_special);
            match.position = begin;
            if (match.length > 0) {
                queue.push_back(match);
                std::push_heap(queue.begin(), queue.end(), after);
            }
            continue;
        }
        const std::uint8_t attr = vocab_.attr(match.token);
        if (attr & kAttrStripLeft) {
            while (begin > 0 && !taken[begin - 1] && is_ascii_space(text[begin - 1])) --begin;
        }
        if (attr & kAttrStripRight) {
            while (end < text.size() && !taken[end] && is_ascii_space(text[end])) ++end;
        }
        for (std::size_t i = begin; i < end; ++i) taken[i] = true;
        chosen.push_back({begin, end - begin, match.token});
    }
    std::sort(chosen.begin(), chosen.end(),
              [](const Match& a, const Match& b) { return a.position < b.position; });
    return chosen;
}

std::vector<Fragment> SpecialTokens::split(std::string_view text, bool parse_special) const {
    std::vector<Fragment> fragments;
    std::size_t done = 0;
    for (const Match& match : choose(text, parse_special)) {
        if (match.position > done) fragments.push_back({kNoToken, text.substr(done, match.position - done)});
        fragments.push_back({match.token, text.substr(match.position, match.length)});
        done = match.position + match.length;
    }
    if (done < text.size()) fragments.push_back({kNoToken, text.substr(done)});
    return fragments;
}

}  // namespace kvsplit::text
