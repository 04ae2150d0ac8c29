// TokenStream: the tokens of a template, with errors for unexpected ones.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/lexer.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {

class TokenStream {
  public:
    explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    const Token& current() const { return tokens_[at_]; }
    const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
    int line() const { return current().line; }
    bool at_end() const { return current().kind == TokenKind::kEnd; }

    // Returns the current token and advances.
    const Token& next() {
        const Token& token = current();
        if (!at_end()) ++at_;
        return token;
    }

    bool is(TokenKind kind) const { return current().kind == kind; }
    bool is_name(std::string_view name) const { return current().is(TokenKind::kName, name); }
    bool is_operator(std::string_view text) const { return current().is(TokenKind::kOperator, text); }

    bool skip_name(std::string_view name) { return is_name(name) && (next(), true); }
    bool skip_operator(std::string_view text) { return is_operator(text) && (next(), true); }

    const Token& expect(TokenKind kind, std::string_view what) {
        if (!is(kind)) fail_expected(what);
        return next();
    }
    void expect_name(std::string_view name) {
        if (!skip_name(name)) fail_expected(name);
    }
    void expect_operator(std::string_view text) {
        if (!skip_operator(text)) fail_expected(text);
    }

    template <typename... Args>
    [[noreturn]] void fail_at(int line, fmt::format_string<Args...> format, Args&&... args) const {
        throw TemplateError(Fault::kSyntax, line, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    [[noreturn]] void fail_here(fmt::format_string<Args...> format, Args&&... args) const {
        fail_at(line(), format, std::forward<Args>(args)...);
    }

  private:
    [[noreturn]] void fail_expected(std::string_view what) const {
        if (at_end()) fail_here("unexpected end of template, expected '{}'", what);
        fail_here("expected token '{}', got '{}'", what, current().describe());
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

// Counts nested expressions and blocks; held while one is parsed.
class ParseDepth {
  public:
    static constexpr int kMax = 150;

    ParseDepth(int& depth, const TokenStream& tokens) : depth_(depth) {
        if (depth_ >= kMax) tokens.fail_here("more than {} levels of nesting", kMax);
        ++depth_;
    }
    ~ParseDepth() { --depth_; }
    ParseDepth(const ParseDepth&) = delete;
    ParseDepth& operator=(const ParseDepth&) = delete;

  private:
    int& depth_;
};

}  // namespace kvsplit::text::jinja
