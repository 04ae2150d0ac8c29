// TinyVocab: small vocabularies of both kinds, for tests and for the fuzz target.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/utf8.h"
#include "text/vocab.h"

namespace kvsplit::test {

// Owns the texts that data's views point to; must outlive the tokenizer made from data.
struct TinyVocab {
    text::VocabData data;
    std::deque<std::string> texts;

    Token add(std::string token, int type = 1, float score = 0) {
        data.tokens.push_back(texts.emplace_back(std::move(token)));
        data.types.push_back(type);
        if (data.kind == text::VocabKind::kSpm) data.scores.push_back(score);
        return static_cast<Token>(data.tokens.size() - 1);
    }
    void add_merge(const std::string& left, const std::string& right) {
        data.merges.push_back(texts.emplace_back(left + " " + right));
    }
};

inline constexpr int kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6;

// GPT-2's spelling of one byte, made independently of the tokenizer: printable Latin-1 as it is, the rest
// from U+0100 on.
inline std::string byte_letter(int byte) {
    const auto printable = [](int b) { return (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad); };
    int moved = 0;
    for (int b = 0; b < byte; ++b) moved += !printable(b);
    std::string out;
    text::append_utf8(static_cast<char32_t>(printable(byte) ? byte : 0x100 + moved), out);
    return out;
}

// Tokens 0 to 255 are the bytes, then come the results of a few merges, then special tokens.
inline TinyVocab tiny_bpe(std::string pre = "gpt-2") {
    TinyVocab v;
    v.data.source = "tiny_bpe";
    v.data.kind = text::VocabKind::kBpe;
    v.data.pre = std::move(pre);
    for (int b = 0; b < 256; ++b) v.add(byte_letter(b));
    const std::string space = byte_letter(' ');
    const std::pair<std::string, std::string> merges[] = {
        {"t", "h"}, {"th", "e"}, {space, "the"}, {"a", "a"},   {"aa", "aa"},  {"aaaa", "aaaa"},
        {"e", "r"}, {"l", "l"},  {"h", "e"},     {"he", "ll"}, {"hell", "o"}, {space, "hello"}};
    for (const auto& [left, right] : merges) {
        v.add_merge(left, right);
        v.add(left + right);
    }
    v.data.bos = v.add("<|begin|>", kControl);
    v.data.eos = v.add("<|end|>", kControl);
    v.add("<tag>", kUserDefined);
    return v;
}

// <unk> <s> </s>, the byte tokens, then pieces.
inline TinyVocab tiny_spm() {
    TinyVocab v;
    v.data.source = "tiny_spm";
    v.data.kind = text::VocabKind::kSpm;
    v.data.add_bos = true;
    v.data.unk = v.add("<unk>", kUnknown);
    v.data.bos = v.add("<s>", kControl);
    v.data.eos = v.add("</s>", kControl);
    constexpr char kHex[] = "0123456789ABCDEF";
    for (int b = 0; b < 256; ++b) v.add(std::string{"<0x"} + kHex[b / 16] + kHex[b % 16] + ">", kByte);
    const std::string space = "\xe2\x96\x81";
    float score = 0;
    for (const std::string& piece : {std::string{"th"},
                                     space + "th",
                                     space + "the",
                                     std::string{"he"},
                                     std::string{"aa"},
                                     std::string{"aaaa"},
                                     std::string{"aaaaaaaa"},
                                     space + space,
                                     std::string{"lo"},
                                     std::string{"llo"},
                                     std::string{"hello"},
                                     space + "hello",
                                     space + "a",
                                     space,
                                     std::string{"a"},
                                     std::string{"e"},
                                     std::string{"h"},
                                     std::string{"l"},
                                     std::string{"o"},
                                     std::string{"t"},
                                     std::string{"é"},
                                     std::string{"你"},
                                     std::string{"你好"}}) {
        v.add(piece, kNormal, score);
        score -= 1;
    }
    v.add("<tag>", kUserDefined);
    v.add("\n\n", kUserDefined);
    v.add("\n\n\n", kUserDefined);
    return v;
}

}  // namespace kvsplit::test
