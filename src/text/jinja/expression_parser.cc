#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <optional>

#include "text/jinja/walk.h"

namespace kvsplit::text::jinja {
namespace {

// A chain like a + b + c ... becomes a tree as high as the chain is long, which is evaluated and destroyed
// recursively. Python's compiler stops at 200.
constexpr int kMaxHeight = 200;

template <typename Op, std::size_t N>
std::optional<Op> find_operator(const TokenStream& tokens,
                                const std::array<std::pair<std::string_view, Op>, N>& table) {
    if (!tokens.is(TokenKind::kOperator)) return std::nullopt;
    for (const auto& [text, op] : table)
        if (tokens.current().text == text) return op;
    return std::nullopt;
}

constexpr std::array<std::pair<std::string_view, BinaryOperator>, 2> kSums = {
    {{"+", BinaryOperator::kAdd}, {"-", BinaryOperator::kSubtract}}};
constexpr std::array<std::pair<std::string_view, BinaryOperator>, 4> kProducts = {
    {{"*", BinaryOperator::kMultiply},
     {"/", BinaryOperator::kDivide},
     {"//", BinaryOperator::kFloorDivide},
     {"%", BinaryOperator::kModulo}}};
constexpr std::array<std::pair<std::string_view, CompareOperator>, 6> kComparisons = {
    {{"==", CompareOperator::kEqual},
     {"!=", CompareOperator::kNotEqual},
     {"<", CompareOperator::kLess},
     {"<=", CompareOperator::kLessEqual},
     {">", CompareOperator::kGreater},
     {">=", CompareOperator::kGreaterEqual}}};

bool is_literal_name(std::string_view name) {
    constexpr std::string_view kNames[] = {"true", "True", "false", "False", "none", "None"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Value literal(std::string_view name) {
    if (name == "none" || name == "None") return nullptr;
    return name == "true" || name == "True";
}

}  // namespace

template <typename Node>
ExprPtr ExpressionParser::make(int line, Node node) {
    auto out = std::make_unique<Expr>(Expr{line, 1, std::move(node)});
    for_each_child(*out, [&](const Expr& child) { out->height = std::max(out->height, child.height + 1); });
    if (out->height > kMaxHeight) tokens_.fail_at(line, "an expression of more than {} parts", kMaxHeight);
    return out;
}

ExprPtr ExpressionParser::expression(bool with_conditional) {
    const ParseDepth nested(depth_, tokens_);
    return with_conditional ? conditional() : disjunction();
}

ExprPtr ExpressionParser::conditional() {
    int line = tokens_.line();
    ExprPtr value = disjunction();
    while (tokens_.skip_name("if")) {
        ExprPtr condition = disjunction(), otherwise;
        if (tokens_.skip_name("else")) {
            const ParseDepth nested(depth_, tokens_);
            otherwise = conditional();
        }
        value = make(line, expr::Conditional{std::move(condition), std::move(value), std::move(otherwise)});
        line = tokens_.line();
    }
    return value;
}

ExprPtr ExpressionParser::disjunction() {
    int line = tokens_.line();
    ExprPtr left = conjunction();
    while (tokens_.skip_name("or")) {
        ExprPtr right = conjunction();
        left = make(line, expr::Logic{false, std::move(left), std::move(right)});
        line = tokens_.line();
    }
    return left;
}

ExprPtr ExpressionParser::conjunction() {
    int line = tokens_.line();
    ExprPtr left = negation();
    while (tokens_.skip_name("and")) {
        ExprPtr right = negation();
        left = make(line, expr::Logic{true, std::move(left), std::move(right)});
        line = tokens_.line();
    }
    return left;
}

ExprPtr ExpressionParser::negation() {
    const int line = tokens_.line();
    if (!tokens_.skip_name("not")) return comparison();
    const ParseDepth nested(depth_, tokens_);
    return make(line, expr::Unary{UnaryOperator::kNot, negation()});
}

ExprPtr ExpressionParser::comparison() {
    int line = tokens_.line();
    ExprPtr first = sum();
    std::vector<std::pair<CompareOperator, ExprPtr>> rest;
    while (true) {
        if (const auto op = find_operator(tokens_, kComparisons)) {
            tokens_.next();
            rest.emplace_back(*op, sum());
        } else if (tokens_.skip_name("in")) {
            rest.emplace_back(CompareOperator::kIn, sum());
        } else if (tokens_.is_name("not") && tokens_.look().is(TokenKind::kName, "in")) {
            tokens_.next();
            tokens_.next();
            rest.emplace_back(CompareOperator::kNotIn, sum());
        } else {
            break;
        }
        line = tokens_.line();
    }
    if (rest.empty()) return first;
    return make(line, expr::Compare{std::move(first), std::move(rest)});
}

ExprPtr ExpressionParser::sum() {
    int line = tokens_.line();
    ExprPtr left = concat();
    while (const auto op = find_operator(tokens_, kSums)) {
        tokens_.next();
        ExprPtr right = concat();
        left = make(line, expr::Binary{*op, std::move(left), std::move(right)});
        line = tokens_.line();
    }
    return left;
}

ExprPtr ExpressionParser::concat() {
    const int line = tokens_.line();
    ExprPtr first = product();
    if (!tokens_.is_operator("~")) return first;
    expr::Concat out;
    out.parts.push_back(std::move(first));
    while (tokens_.skip_operator("~")) out.parts.push_back(product());
    return make(line, std::move(out));
}

ExprPtr ExpressionParser::product() {
    int line = tokens_.line();
    ExprPtr left = power();
    while (const auto op = find_operator(tokens_, kProducts)) {
        tokens_.next();
        ExprPtr right = power();
        left = make(line, expr::Binary{*op, std::move(left), std::move(right)});
        line = tokens_.line();
    }
    return left;
}

ExprPtr ExpressionParser::power() {
    int line = tokens_.line();
    ExprPtr left = unary();
    while (tokens_.skip_operator("**")) {
        ExprPtr right = unary();
        left = make(line, expr::Binary{BinaryOperator::kPower, std::move(left), std::move(right)});
        line = tokens_.line();
    }
    return left;
}

// A sign binds tighter than filters: -1|abs is (-1)|abs.
ExprPtr ExpressionParser::unary(bool with_filters) {
    const int line = tokens_.line();
    ExprPtr value;
    if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
        const auto op = tokens_.next().text == "-" ? UnaryOperator::kMinus : UnaryOperator::kPlus;
        const ParseDepth nested(depth_, tokens_);
        value = make(line, expr::Unary{op, unary(false)});
    } else {
        value = primary();
    }
    value = postfix(std::move(value));
    return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExprPtr ExpressionParser::primary() {
    const int line = tokens_.line();
    switch (tokens_.current().kind) {
        case TokenKind::kName: {
            const std::string name = tokens_.next().text;
            if (is_literal_name(name)) return make(line, expr::Constant{literal(name)});
            return make(line, expr::Name{name, {}});
        }
        case TokenKind::kString: {
            std::string text = tokens_.next().text;
            while (tokens_.is(TokenKind::kString)) text += tokens_.next().text;
            return make(line, expr::Constant{Value::string(std::move(text))});
        }
        case TokenKind::kInteger:
            return make(line, expr::Constant{tokens_.next().integer});
        case TokenKind::kFloat:
            return make(line, expr::Constant{tokens_.next().number});
        default:
            break;
    }
    if (tokens_.is_operator("(")) return parenthesised();
    if (tokens_.is_operator("[")) return list();
    if (tokens_.is_operator("{")) return dict();
    tokens_.fail_here("unexpected '{}'", tokens_.current().describe());
}

ExprPtr ExpressionParser::parenthesised() {
    const int line = tokens_.line();
    tokens_.expect_operator("(");
    if (tokens_.skip_operator(")")) return make(line, expr::Sequence{List::Kind::kTuple, {}});
    ExprPtr value = tuple();
    tokens_.expect_operator(")");
    return value;
}

ExprPtr ExpressionParser::tuple(bool with_conditional, std::string_view until) {
    const int line = tokens_.line();
    const auto ends = [&] {
        return tokens_.is(TokenKind::kVariableEnd) || tokens_.is(TokenKind::kBlockEnd) ||
               tokens_.is_operator(")") || (!until.empty() && tokens_.is_name(until));
    };
    if (ends()) tokens_.fail_here("Expected an expression, got '{}'", tokens_.current().describe());
    ExprPtr first = expression(with_conditional);
    if (!tokens_.is_operator(",")) return first;
    expr::Sequence out{List::Kind::kTuple, {}};
    out.items.push_back(std::move(first));
    while (tokens_.skip_operator(",") && !ends()) out.items.push_back(expression(with_conditional));
    return make(line, std::move(out));
}

ExprPtr ExpressionParser::list() {
    const int line = tokens_.line();
    tokens_.expect_operator("[");
    expr::Sequence out{List::Kind::kList, {}};
    while (!tokens_.is_operator("]")) {
        out.items.push_back(expression());
        if (!tokens_.is_operator("]")) tokens_.expect_operator(",");
    }
    tokens_.expect_operator("]");
    return make(line, std::move(out));
}

ExprPtr ExpressionParser::dict() {
    const int line = tokens_.line();
    tokens_.expect_operator("{");
    expr::DictLiteral out;
    while (!tokens_.is_operator("}")) {
        ExprPtr key = expression();
        tokens_.expect_operator(":");
        ExprPtr value = expression();
        out.entries.emplace_back(std::move(key), std::move(value));
        if (!tokens_.is_operator("}")) tokens_.expect_operator(",");
    }
    tokens_.expect_operator("}");
    return make(line, std::move(out));
}

ExprPtr ExpressionParser::postfix(ExprPtr value) {
    while (true) {
        if (tokens_.is_operator(".")) {
            value = attribute(std::move(value));
        } else if (tokens_.is_operator("[")) {
            value = subscript(std::move(value));
        } else if (tokens_.is_operator("(")) {
            value = call(std::move(value));
        } else {
            return value;
        }
    }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr value) {
    while (true) {
        if (tokens_.is_operator("|")) {
            value = filters(std::move(value));
        } else if (tokens_.is_name("is")) {
            value = test(std::move(value));
        } else if (tokens_.is_operator("(")) {
            value = call(std::move(value));
        } else {
            return value;
        }
    }
}

ExprPtr ExpressionParser::attribute(ExprPtr value) {
    const int line = tokens_.line();
    tokens_.expect_operator(".");
    if (tokens_.is(TokenKind::kInteger)) {
        ExprPtr key = make(tokens_.line(), expr::Constant{tokens_.current().integer});
        tokens_.next();
        return make(line, expr::Subscript{std::move(value), std::move(key)});
    }
    const Token& name = tokens_.expect(TokenKind::kName, "name or number");
    return make(line, expr::Attribute{std::move(value), Value::string(name.text)});
}

ExprPtr ExpressionParser::subscript(ExprPtr value) {
    const int line = tokens_.line();
    tokens_.expect_operator("[");
    const auto part = [&]() -> ExprPtr {
        return tokens_.is_operator(":") || tokens_.is_operator("]") ? nullptr : expression();
    };
    ExprPtr start = part();
    if (tokens_.skip_operator(":")) {
        ExprPtr stop = part(), step;
        if (tokens_.skip_operator(":")) step = part();
        tokens_.expect_operator("]");
        return make(line, expr::Slice{std::move(value), std::move(start), std::move(stop), std::move(step)});
    }
    if (!start) {  // an empty tuple
        start = make(line, expr::Sequence{List::Kind::kTuple, {}});
    } else if (tokens_.is_operator(",")) {
        expr::Sequence keys{List::Kind::kTuple, {}};
        keys.items.push_back(std::move(start));
        while (tokens_.skip_operator(",") && !tokens_.is_operator("]")) keys.items.push_back(expression());
        start = make(line, std::move(keys));
    }
    tokens_.expect_operator("]");
    return make(line, expr::Subscript{std::move(value), std::move(start)});
}

ExprPtr ExpressionParser::call(ExprPtr value) {
    const int line = tokens_.line();
    return make(line, expr::Call{std::move(value), arguments()});
}

CallArguments ExpressionParser::arguments() {
    const int line = tokens_.line();
    tokens_.expect_operator("(");
    CallArguments out;
    while (!tokens_.is_operator(")")) {
        argument(out, line);
        if (!tokens_.is_operator(")")) tokens_.expect_operator(",");
    }
    tokens_.expect_operator(")");
    return out;
}

void ExpressionParser::argument(CallArguments& out, int line) {
    const auto ensure = [&](bool allowed) {
        if (!allowed) tokens_.fail_at(line, "invalid syntax for function call expression");
    };
    if (tokens_.skip_operator("*")) {
        ensure(!out.list && !out.dict);
        out.list = expression();
    } else if (tokens_.skip_operator("**")) {
        ensure(!out.dict);
        out.dict = expression();
    } else if (tokens_.is(TokenKind::kName) && tokens_.look().is(TokenKind::kOperator, "=")) {
        const std::string name = tokens_.next().text;
        tokens_.next();
        ensure(!out.dict && std::none_of(out.named.begin(), out.named.end(),
                                         [&](const auto& other) { return other.first == name; }));
        out.named.emplace_back(name, expression());
    } else {
        ensure(!out.list && !out.dict && out.named.empty());
        out.positional.push_back(expression());
    }
}

std::string ExpressionParser::dotted_name() {
    std::string name = tokens_.expect(TokenKind::kName, "name").text;
    while (tokens_.skip_operator(".")) name += "." + tokens_.expect(TokenKind::kName, "name").text;
    return name;
}

ExprPtr ExpressionParser::filters(ExprPtr value, bool first_is_bare) {
    while (first_is_bare || tokens_.is_operator("|")) {
        if (!first_is_bare) tokens_.next();
        first_is_bare = false;
        const int line = tokens_.line();
        std::string name = dotted_name();
        CallArguments args = tokens_.is_operator("(") ? arguments() : CallArguments{};
        value = make(line, expr::Filter{std::move(value), std::move(name), std::move(args)});
    }
    return value;
}

ExprPtr ExpressionParser::test(ExprPtr value) {
    const int line = tokens_.line();
    tokens_.expect_name("is");
    const bool negated = tokens_.skip_name("not");
    expr::Test out{std::move(value), dotted_name(), {}};
    const auto begins_argument = [&] {
        if (tokens_.is(TokenKind::kName))
            return !tokens_.is_name("else") && !tokens_.is_name("or") && !tokens_.is_name("and");
        return tokens_.is(TokenKind::kString) || tokens_.is(TokenKind::kInteger) ||
               tokens_.is(TokenKind::kFloat) || tokens_.is_operator("[") || tokens_.is_operator("{");
    };
    if (tokens_.is_operator("(")) {
        out.arguments = arguments();
    } else if (begins_argument()) {
        if (tokens_.is_name("is")) tokens_.fail_here("You cannot chain multiple tests with is");
        out.arguments.positional.push_back(postfix(primary()));
    }
    ExprPtr result = make(line, std::move(out));
    return negated ? make(line, expr::Unary{UnaryOperator::kNot, std::move(result)}) : std::move(result);
}

Target ExpressionParser::target(bool with_namespace, std::string_view until) {
    const int line = tokens_.line();
    const auto ends = [&] {
        return tokens_.is(TokenKind::kVariableEnd) || tokens_.is(TokenKind::kBlockEnd) ||
               tokens_.is_operator(")") || (!until.empty() && tokens_.is_name(until));
    };
    if (ends()) tokens_.fail_here("Expected an expression, got '{}'", tokens_.current().describe());
    Target first = single_target(with_namespace);
    if (!tokens_.is_operator(",")) return first;
    Target out;
    out.kind = Target::Kind::kTuple;
    out.line = line;
    out.items.push_back(std::move(first));
    while (tokens_.skip_operator(",") && !ends()) out.items.push_back(single_target(with_namespace));
    return out;
}

Target ExpressionParser::single_target(bool with_namespace) {
    const ParseDepth nested(depth_, tokens_);
    if (tokens_.skip_operator("(")) {
        Target out = target(false);
        tokens_.expect_operator(")");
        return out;
    }
    Target out;
    out.line = tokens_.line();
    if (!tokens_.is(TokenKind::kName) || is_literal_name(tokens_.current().text))
        tokens_.fail_here("can't assign to '{}'", tokens_.current().describe());
    out.name = tokens_.next().text;
    if (with_namespace && tokens_.skip_operator(".")) {
        out.kind = Target::Kind::kNamespace;
        out.attribute = tokens_.expect(TokenKind::kName, "name").text;
    }
    return out;
}

}  // namespace kvsplit::text::jinja
