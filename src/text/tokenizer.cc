#include "text/tokenizer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "text/bpe.h"
#include "text/spm.h"
#include "text/utf8.h"

namespace kvsplit::text {
namespace {

// Ignores white space before the token: some chat templates write a line break first.
bool begins_with(const std::vector<Fragment>& fragments, Token token) {
    std::size_t i = 0;
    while (i < fragments.size() && fragments[i].token != token && strip(fragments[i].text).empty()) ++i;
    return i < fragments.size() && fragments[i].token == token;
}

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::create(const gguf::File& file) { return create(VocabData::read(file)); }

std::unique_ptr<Tokenizer> Tokenizer::create(VocabData data) {
    if (data.kind == VocabKind::kBpe) return std::make_unique<BpeTokenizer>(std::move(data));
    return std::make_unique<SpmTokenizer>(std::move(data));
}

Tokenizer::Tokenizer(VocabData data) : vocab_(std::move(data)), special_(vocab_) {}

std::vector<Token> Tokenizer::encode(std::string_view text, bool add_bos, bool parse_special) const {
    if (text.size() > kMaxTextBytes) {
        fail(ErrorCode::kInvalidArgument, "a text of {} bytes is too long to be cut into tokens (at most {})",
             text.size(), kMaxTextBytes);
    }
    std::vector<Token> out;
    out.reserve(text.size() / 3 + 2);
    const VocabData& data = vocab_.data();
    const std::vector<Fragment> fragments = special_.split(text, parse_special);
    if (add_bos && data.add_bos && data.bos != kNoToken && !begins_with(fragments, data.bos)) {
        out.push_back(data.bos);
    }
    bool after_special = true;
    for (const Fragment& fragment : fragments) {
        if (fragment.token != kNoToken) {
            out.push_back(fragment.token);
        } else {
            encode_text(fragment.text, after_special, out);
        }
        after_special = fragment.token != kNoToken;
    }
    return out;
}

std::string Tokenizer::token_bytes(Token token, bool render_special) const {
    if (!vocab_.contains(token)) return {};
    const std::uint8_t attr = vocab_.attr(token);
    const std::string_view text = vocab_.text(token);
    if (attr & (kAttrControl | kAttrUnknown)) return render_special ? std::string{text} : std::string{};
    if (attr & kAttrUserDefined) return std::string{text};
    if (attr & kAttrByte) {
        unsigned value = 0;  // "<0x41>"
        const bool shaped = text.size() == 6 && text.starts_with("<0x") && text[5] == '>';
        if (shaped && std::from_chars(text.data() + 3, text.data() + 5, value, 16).ptr == text.data() + 5) {
            return std::string(1, static_cast<char>(value));
        }
        return std::string{text};
    }
    return attr & kAttrNormal ? normal_bytes(text) : std::string{};
}

bool Tokenizer::is_end_of_generation(Token token) const {
    return std::binary_search(vocab_.end_of_generation().begin(), vocab_.end_of_generation().end(), token);
}

}  // namespace kvsplit::text
