// The expressions of Evaluator.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/operators.h"
#include "text/jinja/show.h"

namespace kvsplit::text::jinja {

Value Evaluator::evaluate(const Expr& expression) {
    try {
        const Runtime::Nested nested(runtime_);
        runtime_.charge(1);
        return std::visit([this](const auto& node) { return visit(node); }, expression.node);
    } catch (Failure& failure) {
        throw TemplateError(failure.fault, expression.line, std::move(failure.detail));
    }
}

Value Evaluator::evaluate_or(const ExprPtr& expression, Value otherwise) {
    return expression ? evaluate(*expression) : std::move(otherwise);
}

Value Evaluator::visit(const expr::Name& node) {
    const Value& value = slot(node.ref);
    return value.is_missing() ? Runtime::undefined(Undefined::What::kVariable, node.name) : value;
}

Value Evaluator::visit(const expr::Sequence& node) {
    std::vector<Value> items;
    items.reserve(node.items.size());
    for (const ExprPtr& item : node.items) items.push_back(evaluate(*item));
    return runtime_.list(std::move(items), node.kind);
}

Value Evaluator::visit(const expr::DictLiteral& node) {
    Dict out;
    for (const auto& [key_expression, value_expression] : node.entries) {
        Value key = evaluate(*key_expression);
        out.set(std::move(key), evaluate(*value_expression));
    }
    return runtime_.dict(std::move(out));
}

Value Evaluator::visit(const expr::Unary& node) {
    const Value value = evaluate(*node.operand);
    switch (node.op) {
        case UnaryOperator::kNot:
            return !truth(runtime_, value);
        case UnaryOperator::kMinus:
            return negated(value);
        case UnaryOperator::kPlus:
            break;
    }
    return unary_plus(value);
}

Value Evaluator::visit(const expr::Binary& node) {
    const Value left = evaluate(*node.left);
    return binary(runtime_, node.op, left, evaluate(*node.right));
}

Value Evaluator::visit(const expr::Logic& node) {
    Value left = evaluate(*node.left);
    return truth(runtime_, left) == node.is_and ? evaluate(*node.right) : left;
}

Value Evaluator::visit(const expr::Concat& node) {
    Text out(runtime_);
    for (const ExprPtr& part : node.parts) out.append(show(runtime_, evaluate(*part)));
    return out.value();
}

Value Evaluator::visit(const expr::Compare& node) {
    Value left = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) {
        Value right = evaluate(*operand);
        if (!compare(runtime_, op, left, right)) return false;
        left = std::move(right);
    }
    return true;
}

Value Evaluator::visit(const expr::Attribute& node) {
    return get_attribute(runtime_, evaluate(*node.object), node.name);
}

Value Evaluator::visit(const expr::Subscript& node) {
    const Value object = evaluate(*node.object);
    return get_item(runtime_, object, evaluate(*node.key));
}

Value Evaluator::visit(const expr::Slice& node) {
    const Value object = evaluate(*node.object);
    const Value start = evaluate_or(node.start, {}), stop = evaluate_or(node.stop, {});
    return get_slice(runtime_, object, start, stop, evaluate_or(node.step, {}));
}

Arguments Evaluator::evaluate(const CallArguments& arguments) {
    Arguments out;
    for (const ExprPtr& argument : arguments.positional) out.positional.push_back(evaluate(*argument));
    for (const auto& [name, argument] : arguments.named) out.named.emplace_back(name, evaluate(*argument));
    if (arguments.list) {
        for (Value& item : elements(runtime_, evaluate(*arguments.list)))
            out.positional.push_back(std::move(item));
    }
    if (!arguments.dict) return out;
    const Value dict = evaluate(*arguments.dict);
    if (!dict.dict()) refuse("argument after ** must be a mapping, not {}", dict.type_name());
    for (const auto& [key, value] : dict.dict()->entries()) {
        if (!key.string()) refuse("keywords must be strings");
        const std::string& name = key.string()->text;
        if (std::any_of(out.named.begin(), out.named.end(), [&](const auto& a) { return a.first == name; }))
            refuse("got multiple values for keyword argument {}", repr_text(name));
        runtime_.charge(sizeof(Value));
        out.named.emplace_back(name, value);
    }
    return out;
}

Value Evaluator::call_with_caller(const expr::Call& node, const Value* caller) {
    const Value callee = evaluate(*node.callee);
    Arguments arguments = evaluate(node.arguments);
    if (caller) arguments.named.emplace_back("caller", *caller);
    return call(runtime_, callee, arguments);
}

Value Evaluator::visit(const expr::Call& node) { return call_with_caller(node, nullptr); }

Value Evaluator::visit(const expr::Filter& node) {
    const Value value = node.value ? evaluate(*node.value) : *block_;
    const Arguments arguments = evaluate(node.arguments);
    if (!node.function) refuse("No filter named '{}' found.", node.name);
    if (const String* text = value.string()) runtime_.charge(text->text.size() / 4);
    return node.function(runtime_, value, arguments);
}

Value Evaluator::visit(const expr::Test& node) {
    const Value value = evaluate(*node.value);
    const Arguments arguments = evaluate(node.arguments);
    if (!node.function) refuse("No test named '{}' found.", node.name);
    return node.function(runtime_, value, arguments);
}

Value Evaluator::visit(const expr::Conditional& node) {
    if (truth(runtime_, evaluate(*node.test))) return evaluate(*node.yes);
    if (node.no) return evaluate(*node.no);
    return Runtime::undefined(
        fmt::format("the inline if-expression on line {} evaluated to false and no else section was defined.",
                    node.test->line));
}

}  // namespace kvsplit::text::jinja
