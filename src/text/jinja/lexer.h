// Splits a template into tokens, with the white space rules that chat templates expect: trim_blocks (a
// block's end swallows the line's end) and lstrip_blocks (a block that starts a line swallows its
// indentation).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvsplit::text::jinja {

enum class TokenKind {
    kData,  // text outside of tags
    kBlockBegin,
    kBlockEnd,
    kVariableBegin,
    kVariableEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
};

struct Token {
    TokenKind kind;
    int line;
    std::string text;  // of a string without quotes and escapes
    std::int64_t integer = 0;
    double number = 0;

    bool is(TokenKind k, std::string_view t) const { return kind == k && text == t; }
    // For messages.
    std::string describe() const;
};

// Ends with a kEnd token. Throws TemplateError(kSyntax).
std::vector<Token> tokenize(std::string_view source);

}  // namespace kvsplit::text::jinja
