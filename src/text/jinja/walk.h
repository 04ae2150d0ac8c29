// Visits the parts of expressions and statements.
#pragma once

#include <functional>
#include <string_view>
#include <type_traits>

#include "text/jinja/ast.h"

namespace kvsplit::text::jinja {

// Calls visit with each expression directly inside this one. E may be const.
template <typename E, typename Visit>
void for_each_child(E& expression, const Visit& visit) {
    const auto one = [&](auto& pointer) {
        if (pointer) visit(*pointer);
    };
    const auto all = [&](auto& pointers) {
        for (auto& pointer : pointers) one(pointer);
    };
    const auto arguments = [&](auto& call) {
        all(call.positional);
        for (auto& [name, value] : call.named) one(value);
        one(call.list);
        one(call.dict);
    };
    std::visit(
        [&](auto& node) {
            using Node = std::remove_cvref_t<decltype(node)>;
            if constexpr (std::is_same_v<Node, expr::Sequence>) {
                all(node.items);
            } else if constexpr (std::is_same_v<Node, expr::DictLiteral>) {
                for (auto& [key, value] : node.entries) {
                    one(key);
                    one(value);
                }
            } else if constexpr (std::is_same_v<Node, expr::Unary>) {
                one(node.operand);
            } else if constexpr (std::is_same_v<Node, expr::Binary> || std::is_same_v<Node, expr::Logic>) {
                one(node.left);
                one(node.right);
            } else if constexpr (std::is_same_v<Node, expr::Concat>) {
                all(node.parts);
            } else if constexpr (std::is_same_v<Node, expr::Compare>) {
                one(node.first);
                for (auto& [op, operand] : node.rest) one(operand);
            } else if constexpr (std::is_same_v<Node, expr::Attribute>) {
                one(node.object);
            } else if constexpr (std::is_same_v<Node, expr::Subscript>) {
                one(node.object);
                one(node.key);
            } else if constexpr (std::is_same_v<Node, expr::Slice>) {
                one(node.object);
                one(node.start);
                one(node.stop);
                one(node.step);
            } else if constexpr (std::is_same_v<Node, expr::Call>) {
                one(node.callee);
                arguments(node.arguments);
            } else if constexpr (std::is_same_v<Node, expr::Filter> || std::is_same_v<Node, expr::Test>) {
                one(node.value);
                arguments(node.arguments);
            } else if constexpr (std::is_same_v<Node, expr::Conditional>) {
                one(node.test);
                one(node.yes);
                one(node.no);
            }
        },
        expression.node);
}

// A use of a variable's name. is_load is false where the name is assigned.
using NameVisitor = std::function<void(std::string_view name, bool is_load)>;

// All names in these statements, also those in inner scopes. The order is that in which jinja2 looks for the
// special names of loops and macros.
void for_each_name(const Body& body, const NameVisitor& visit);

}  // namespace kvsplit::text::jinja
