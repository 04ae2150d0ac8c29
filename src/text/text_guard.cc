#include "text/text_guard.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "text/name_list.h"
#include "text/special_tokens.h"
#include "text/utf8.h"

namespace kvsplit::text {
namespace {

constexpr std::string_view kBreak = "\xef\xb7\x90";   // U+FDD0: no token spans it
constexpr std::string_view kEscape = "\xef\xb7\x91";  // U+FDD1: with a code, one of the single characters
constexpr char32_t kFirstCode = 0xfdd2, kLastCode = 0xfdef;
constexpr std::size_t kMarkBytes = 3;

char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string folded(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = folded(c);
    return out;
}

}  // namespace

struct TextGuard::Names {
    std::deque<std::string> texts;  // referenced by the vocabulary
    std::vector<Token> tokens;      // of the model, in the vocabulary's order
    std::unique_ptr<Vocab> vocab;   // special tokens only
    std::unique_ptr<SpecialTokens> special;
    NameList guarded, backwards;
    std::vector<std::string> singles;  // characters to replace: the marks, and one-character tokens
    std::vector<Token> always;         // guarded tokens also found in plain text, by the vocabulary's ids

    bool found_in_plain_text(std::string_view text) const {
        if (always.empty()) return false;
        return std::ranges::any_of(special->split(text, false), [&](const Fragment& fragment) {
            return std::ranges::find(always, fragment.token) != always.end();
        });
    }
};

TextGuard::TextGuard(const Vocab& vocab) {
    const auto names = std::make_shared<Names>();
    VocabData data;
    data.source = vocab.data().source;
    data.kind = vocab.data().kind;
    data.pre = vocab.data().pre;
    data.model_name = vocab.data().model_name;
    names->singles = {std::string(kBreak), std::string(kEscape)};
    for (Token token = 0; token < vocab.size(); ++token) {
        const std::uint8_t attr = vocab.attr(token);
        const std::string_view text = vocab.text(token);
        const bool control = (attr & (kAttrControl | kAttrUnknown)) != 0;
        if ((!control && !(attr & kAttrUserDefined)) || text.empty()) continue;
        names->tokens.push_back(token);
        data.tokens.push_back(names->texts.emplace_back(text));
        data.types.push_back(attr & kAttrUnknown ? 2 : control ? 3 : 4);
        const bool message_end = text == "<|end|>" && !control;  // harmony's, in the same vocabularies
        const bool harmony = std::ranges::find(kHarmonyMarks, text) != kHarmonyMarks.end() || message_end;
        if (!control && !harmony) continue;
        if (!control) names->always.push_back(static_cast<Token>(names->tokens.size() - 1));
        if (text.size() == next_utf8(text).length) {
            names->singles.emplace_back(text);
            continue;
        }
        names->guarded.add(folded(text));
        const std::string name = folded(text);
        names->backwards.add({name.rbegin(), name.rend()});
    }
    if (data.tokens.empty()) return;
    names->guarded.sort();
    names->backwards.sort();
    names->singles.resize(std::min<std::size_t>(names->singles.size(), kLastCode - kFirstCode + 1));
    names->vocab = std::make_unique<Vocab>(std::move(data));
    names->special = std::make_unique<SpecialTokens>(*names->vocab);
    names_ = names;
}

std::string TextGuard::protect(std::string_view text) const {
    if (!names_) return std::string(text);
    std::string out;
    out.reserve(text.size());
    // The end of a name at the start of the text, which the text before could complete.
    for (std::size_t n = 1; n <= text.size() && n < names_->backwards.longest(); ++n) {
        if (names_->backwards.walk(n, [&](std::size_t i) { return folded(text[n - 1 - i]); }).reach) {
            out += kBreak;
            break;
        }
    }
    while (!text.empty()) {
        const std::string_view c = text.substr(0, next_utf8(text).length);
        const auto single = std::ranges::find(names_->singles, c);
        if (single != names_->singles.end()) {
            out += kEscape;
            append_utf8(kFirstCode + static_cast<char32_t>(single - names_->singles.begin()), out);
        } else {
            out += c;
        }
        const auto found = names_->guarded.walk(text.size(), [&](std::size_t i) { return folded(text[i]); });
        if (found.name || found.reach) out += kBreak;
        text.remove_prefix(c.size());
    }
    return out;
}

std::string TextGuard::without_marks(std::string_view marked) const {
    std::string out;
    out.reserve(marked.size());
    for (std::size_t at = 0; at < marked.size();) {
        const std::string_view rest = marked.substr(at);
        if (!names_ || rest[0] != kBreak[0]) {
            const std::size_t end = names_ ? std::min(rest.find(kBreak[0]), rest.size()) : rest.size();
            out += rest.substr(0, end);
            at += end;
        } else if (rest.starts_with(kBreak)) {
            at += kMarkBytes;
        } else if (rest.starts_with(kEscape)) {
            at += kMarkBytes;
            if (rest.size() == kMarkBytes) break;
            const Utf8Step code = next_utf8(rest.substr(kMarkBytes));
            const std::size_t index = code.code_point - kFirstCode;  // wraps if it is no code
            if (code.state != Utf8State::kCharacter || index >= names_->singles.size()) continue;
            out += names_->singles[index];
            at += code.length;
        } else {
            out += rest[0];
            ++at;
        }
    }
    return out;
}

Prompt TextGuard::cut(std::string_view marked) const {
    Prompt out;
    if (marked.empty()) return out;
    if (!names_) return {{std::string(marked), true}};
    const auto add_plain = [&](std::string_view text) {
        std::string plain = without_marks(text);
        if (!plain.empty()) out.push_back({std::move(plain), false});
    };
    for (const Fragment& fragment : names_->special->split(marked, true)) {
        if (fragment.token != kNoToken) {
            out.push_back({std::string(fragment.text), true});
            continue;
        }
        std::string_view rest = fragment.text;
        if (names_->found_in_plain_text(without_marks(rest))) {
            for (auto at = rest.find(kBreak); at != rest.npos; at = rest.find(kBreak)) {
                add_plain(rest.substr(0, at));
                rest.remove_prefix(at + kMarkBytes);
            }
        }
        add_plain(rest);
    }
    return out;
}

Token TextGuard::token(std::string_view name) const {
    if (!names_) return kNoToken;
    const Token found = names_->vocab->find(name);
    return found == kNoToken ? kNoToken : names_->tokens[static_cast<std::size_t>(found)];
}

std::string_view TextGuard::token_at_start(std::string_view text) const {
    if (!names_) return {};
    for (std::size_t n = std::min(text.size(), names_->vocab->max_token_bytes()); n > 0; --n)
        if (names_->vocab->find(text.substr(0, n)) != kNoToken) return text.substr(0, n);
    return {};
}

}  // namespace kvsplit::text
