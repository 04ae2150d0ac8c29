// ExpressionParser: the expressions of a template, by their precedence.
#pragma once

#include <utility>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace kvsplit::text::jinja {

class ExpressionParser {
  public:
    // depth: the current nesting, shared with the parser of statements.
    ExpressionParser(TokenStream& tokens, int& depth) : tokens_(tokens), depth_(depth) {}

    ExprPtr expression(bool with_conditional = true);
    // An expression, or a tuple of several separated by commas. The tuple may end before the name `until`.
    ExprPtr tuple(bool with_conditional = true, std::string_view until = {});
    // The target of `for`, `set` or `with`. Only with_namespace allows name.attribute.
    Target target(bool with_namespace, std::string_view until = {});
    // A chain of filters on value, which may be null. With first_is_bare the first has no '|'.
    ExprPtr filters(ExprPtr value, bool first_is_bare = false);

  private:
    ExprPtr conditional();
    ExprPtr disjunction();
    ExprPtr conjunction();
    ExprPtr negation();
    ExprPtr comparison();
    ExprPtr sum();
    ExprPtr concat();
    ExprPtr product();
    ExprPtr power();
    ExprPtr unary(bool with_filters = true);
    ExprPtr primary();
    ExprPtr list();
    ExprPtr dict();
    ExprPtr parenthesised();
    ExprPtr postfix(ExprPtr value);
    ExprPtr filters_and_tests(ExprPtr value);
    ExprPtr test(ExprPtr value);
    ExprPtr attribute(ExprPtr value);
    ExprPtr subscript(ExprPtr value);
    ExprPtr call(ExprPtr value);
    CallArguments arguments();
    void argument(CallArguments& out, int line);
    std::string dotted_name();
    Target single_target(bool with_namespace);

    template <typename Node>
    ExprPtr make(int line, Node node);

    TokenStream& tokens_;
    int& depth_;
};

}  // namespace kvsplit::text::jinja
