#include "text/jinja/parser.h"

#include <array>
#include <initializer_list>
#include <optional>

#include "text/jinja/expression_parser.h"
#include "text/jinja/token_stream.h"

namespace kvsplit::text::jinja {
namespace {

using Names = std::initializer_list<std::string_view>;

class StatementParser {
  public:
    explicit StatementParser(std::string_view source)
        : tokens_(tokenize(source)), expressions_(tokens_, depth_) {}

    TemplateTree run() {
        TemplateTree out;
        out.body = body({});
        return out;
    }

  private:
    // Statements up to a block named in `ends`, which is then the current token.
    Body body(Names ends);
    Statement statement();
    // The rest of a block's tag, the body, and the name that ends it.
    Body block(Names ends);
    // The same for a block in which `break` cannot leave an outer loop.
    Body block_outside_loops(Names ends);

    Statement if_statement(int line);
    Statement for_statement(int line);
    Statement set_statement(int line);
    Statement macro(int line);
    Statement call_block(int line);
    Statement generation(int line);
    Statement filter_block(int line);
    Statement with_statement(int line);
    Statement print_statement(int line);
    Statement loop_control(int line, std::string_view name);
    void signature(Definition& definition);
    ExprPtr data(const Token& token);

    TokenStream tokens_;
    int depth_ = 0;
    ExpressionParser expressions_;
    std::string_view block_name_;  // the innermost open block, for messages
    bool in_loop_ = false;
};

bool is_one_of(std::string_view name, Names names) {
    for (const std::string_view other : names)
        if (name == other) return true;
    return false;
}

std::string joined(Names names) {
    std::string out;
    for (const std::string_view name : names) out += fmt::format("{}'{}'", out.empty() ? "" : " or ", name);
    return out;
}

ExprPtr StatementParser::data(const Token& token) {
    return std::make_unique<Expr>(Expr{token.line, 1, expr::Constant{Value::string(token.text)}});
}

Body StatementParser::body(Names ends) {
    const ParseDepth nested(depth_, tokens_);
    Body out;
    statement::Output output;
    int output_line = 0;
    const auto flush = [&] {
        if (!output.parts.empty()) out.push_back({output_line, std::move(output)});
        output = {};
    };
    while (!tokens_.at_end()) {
        if (output.parts.empty()) output_line = tokens_.line();
        if (tokens_.is(TokenKind::kData)) {
            output.parts.push_back(data(tokens_.next()));
        } else if (tokens_.is(TokenKind::kVariableBegin)) {
            tokens_.next();
            output.parts.push_back(expressions_.tuple());
            tokens_.expect(TokenKind::kVariableEnd, "end of print statement");
        } else {
            flush();
            tokens_.expect(TokenKind::kBlockBegin, "begin of statement block");
            if (tokens_.is(TokenKind::kName) && is_one_of(tokens_.current().text, ends)) return out;
            out.push_back(statement());
            tokens_.expect(TokenKind::kBlockEnd, "end of statement block");
        }
    }
    flush();
    if (ends.size() > 0) {
        tokens_.fail_here("Unexpected end of template: looking for {}, to close '{}'", joined(ends),
                          block_name_);
    }
    return out;
}

Body StatementParser::block(Names ends) {
    tokens_.skip_operator(":");
    tokens_.expect(TokenKind::kBlockEnd, "end of statement block");
    return body(ends);
}

Body StatementParser::block_outside_loops(Names ends) {
    const bool before = std::exchange(in_loop_, false);
    Body out = block(ends);
    in_loop_ = before;
    return out;
}

Statement StatementParser::statement() {
    using Parse = Statement (StatementParser::*)(int);
    static constexpr std::array<std::pair<std::string_view, Parse>, 9> kStatements = {
        {{"if", &StatementParser::if_statement},
         {"for", &StatementParser::for_statement},
         {"set", &StatementParser::set_statement},
         {"macro", &StatementParser::macro},
         {"call", &StatementParser::call_block},
         {"generation", &StatementParser::generation},
         {"filter", &StatementParser::filter_block},
         {"with", &StatementParser::with_statement},
         {"print", &StatementParser::print_statement}}};
    const Token token = tokens_.expect(TokenKind::kName, "tag name");
    if (token.text == "break" || token.text == "continue") return loop_control(token.line, token.text);
    for (const auto& [name, parse] : kStatements) {
        if (name != token.text) continue;
        const std::string_view around = std::exchange(block_name_, name);
        Statement out = (this->*parse)(token.line);
        block_name_ = around;
        return out;
    }
    if (is_one_of(token.text, {"block", "extends", "include", "import", "from", "autoescape"}))
        tokens_.fail_at(token.line, "the tag '{}' is not supported in chat templates", token.text);
    if (block_name_.empty()) tokens_.fail_at(token.line, "Encountered unknown tag '{}'", token.text);
    tokens_.fail_at(token.line,
                    "Encountered unknown tag '{}'. The innermost block that needs to be closed is '{}'",
                    token.text, block_name_);
}

Statement StatementParser::if_statement(int line) {
    statement::If out;
    while (true) {
        ExprPtr test = expressions_.tuple(false);
        out.branches.push_back({std::move(test), block({"elif", "else", "endif"})});
        const std::string end = tokens_.next().text;
        if (end == "endif") break;
        if (end == "else") {
            out.otherwise = block({"endif"});
            tokens_.next();
            break;
        }
    }
    return {line, std::move(out)};
}

Statement StatementParser::for_statement(int line) {
    statement::For out;
    out.target = expressions_.target(false, "in");
    tokens_.expect_name("in");
    out.iterable = expressions_.tuple(false, "recursive");
    if (tokens_.skip_name("if")) out.test = expressions_.expression();
    out.recursive = tokens_.skip_name("recursive");
    const bool around = std::exchange(in_loop_, true);
    out.body = block({"endfor", "else"});
    in_loop_ = around && !out.recursive;
    if (tokens_.next().text == "else") {
        out.otherwise = block({"endfor"});
        tokens_.next();
    }
    in_loop_ = around;
    return {line, std::move(out)};
}

Statement StatementParser::set_statement(int line) {
    Target target = expressions_.target(true);
    if (tokens_.skip_operator("=")) return {line, statement::Set{std::move(target), expressions_.tuple()}};
    statement::SetBlock out;
    out.target = std::move(target);
    out.filter = expressions_.filters(nullptr);
    out.body = block({"endset"});
    tokens_.next();
    return {line, std::move(out)};
}

void StatementParser::signature(Definition& definition) {
    tokens_.expect_operator("(");
    while (!tokens_.is_operator(")")) {
        Definition::Parameter parameter;
        parameter.name = tokens_.expect(TokenKind::kName, "name").text;
        for (const auto& other : definition.parameters)
            if (other.name == parameter.name) tokens_.fail_here("duplicate argument '{}'", other.name);
        if (tokens_.skip_operator("=")) {
            parameter.otherwise = expressions_.expression();
        } else if (!definition.parameters.empty() && definition.parameters.back().otherwise) {
            tokens_.fail_here("non-default argument follows default argument");
        }
        definition.parameters.push_back(std::move(parameter));
        if (!tokens_.is_operator(")")) tokens_.expect_operator(",");
    }
    tokens_.expect_operator(")");
}

Statement StatementParser::macro(int line) {
    auto definition = std::make_unique<Definition>();
    definition->line = line;
    definition->name = tokens_.expect(TokenKind::kName, "name").text;
    signature(*definition);
    definition->body = block_outside_loops({"endmacro"});
    tokens_.next();
    return {line, statement::Macro{{}, std::move(definition)}};
}

Statement StatementParser::call_block(int line) {
    auto definition = std::make_unique<Definition>();
    definition->line = line;
    if (tokens_.is_operator("(")) signature(*definition);
    ExprPtr call = expressions_.expression();
    if (!std::holds_alternative<expr::Call>(call->node)) tokens_.fail_at(line, "expected call");
    definition->body = block_outside_loops({"endcall"});
    tokens_.next();
    return {line, statement::CallBlock{std::move(definition), std::move(call)}};
}

Statement StatementParser::generation(int line) {
    auto definition = std::make_unique<Definition>();
    definition->line = line;
    definition->body = block_outside_loops({"endgeneration"});
    tokens_.next();
    return {line, statement::Generation{std::move(definition)}};
}

Statement StatementParser::filter_block(int line) {
    statement::FilterBlock out;
    out.filter = expressions_.filters(nullptr, true);
    out.body = block({"endfilter"});
    tokens_.next();
    return {line, std::move(out)};
}

Statement StatementParser::with_statement(int line) {
    statement::With out;
    while (!tokens_.is(TokenKind::kBlockEnd)) {
        if (!out.variables.empty()) tokens_.expect_operator(",");
        Target target = expressions_.target(false);
        tokens_.expect_operator("=");
        out.variables.emplace_back(std::move(target), expressions_.expression());
    }
    out.body = block({"endwith"});
    tokens_.next();
    return {line, std::move(out)};
}

Statement StatementParser::print_statement(int line) {
    statement::Output out;
    while (!tokens_.is(TokenKind::kBlockEnd)) {
        if (!out.parts.empty()) tokens_.expect_operator(",");
        out.parts.push_back(expressions_.expression());
    }
    return {line, std::move(out)};
}

Statement StatementParser::loop_control(int line, std::string_view name) {
    if (!in_loop_) tokens_.fail_at(line, "'{}' outside loop", name);
    if (name == "break") return {line, statement::Break{}};
    return {line, statement::Continue{}};
}

}  // namespace

TemplateTree parse(std::string_view source) { return StatementParser(source).run(); }

}  // namespace kvsplit::text::jinja
