#include "text/jinja/names.h"

#include <fmt/core.h>

#include <algorithm>

#include "text/jinja/filters.h"
#include "text/jinja/predicates.h"
#include "text/jinja/symbols.h"
#include "text/jinja/template_error.h"
#include "text/jinja/walk.h"

namespace kvsplit::text::jinja {
namespace {

[[noreturn]] void fail_at(int line, std::string message) {
    throw TemplateError(Fault::kSyntax, line, std::move(message));
}

// Whether the statements use a name before they assign it.
bool uses(const Body& body, std::string_view wanted) {
    bool found = false, hidden = false;
    for_each_name(body, [&](std::string_view name, bool is_load) {
        if (name != wanted) return;
        if (is_load && !hidden) found = true;
        if (!is_load && !found) hidden = true;
    });
    return found;
}

class NameResolver {
  public:
    void run(TemplateTree& tree) {
        SlotTable table(tree.function, nullptr);
        Symbols symbols(table, nullptr);
        NameCollector(symbols).body(tree.body);
        body(tree.body, {symbols, false});
        tree.scope = symbols.scope();
    }

  private:
    // Where a statement or an expression stands.
    struct Place {
        const Symbols& symbols;
        bool is_conditional;  // inside an `if`
    };

    struct StatementVisitor;

    void body(Body& statements, Place place);
    void expression(const ExprPtr& e, Place place) {
        if (e) expression(*e, place);
    }
    void expression(Expr& e, Place place);
    void target(Target& t, const Symbols& symbols);
    void for_statement(statement::For& node, Place place);
    void loop_test(statement::For& node, const Symbols& around);
    void definition(Definition& definition, const Symbols& around);
    void special_parameters(Definition& definition, Symbols& symbols);

    int loops_ = 0;  // around the current statement
};

struct NameResolver::StatementVisitor {
    NameResolver& resolver;
    Place place;
    int line;

    // A body in its own scope, whose output goes to a filter.
    template <typename Node>
    void captured(Node& node) const {
        Symbols inner(place.symbols.table(), &place.symbols);
        NameCollector names(inner);
        names.body(node.body);
        names.expression(node.filter);
        resolver.body(node.body, {inner, false});
        resolver.expression(node.filter, {inner, false});
        node.scope = inner.scope();
    }

    void operator()(statement::Output& node) const {
        for (const ExprPtr& part : node.parts) resolver.expression(part, place);
    }
    void operator()(statement::If& node) const {
        const Place inside{place.symbols, true};
        for (auto& branch : node.branches) {
            resolver.expression(branch.test, inside);
            resolver.body(branch.body, inside);
        }
        resolver.body(node.otherwise, inside);
    }
    void operator()(statement::For& node) const { resolver.for_statement(node, place); }
    void operator()(statement::Set& node) const {
        resolver.target(node.target, place.symbols);
        resolver.expression(node.value, place);
    }
    void operator()(statement::SetBlock& node) const {
        captured(node);
        resolver.target(node.target, place.symbols);
    }
    void operator()(statement::Macro& node) const {
        resolver.definition(*node.definition, place.symbols);
        node.target = place.symbols.ref(node.definition->name);
    }
    void operator()(statement::CallBlock& node) const {
        resolver.definition(*node.definition, place.symbols);
        resolver.expression(node.call, place);
    }
    void operator()(statement::Generation& node) const {
        resolver.definition(*node.definition, place.symbols);
    }
    void operator()(statement::FilterBlock& node) const { captured(node); }
    void operator()(statement::With& node) const {
        Symbols inner(place.symbols.table(), &place.symbols);
        NameCollector names(inner);
        for (auto& [name, value] : node.variables) names.parameter(name);
        names.body(node.body);
        for (auto& [name, value] : node.variables) {
            resolver.target(name, inner);
            resolver.expression(value, place);
        }
        resolver.body(node.body, {inner, false});
        node.scope = inner.scope();
    }
    void operator()(statement::Break&) const {}
    void operator()(statement::Continue&) const {}
};

void NameResolver::body(Body& statements, Place place) {
    for (Statement& s : statements) std::visit(StatementVisitor{*this, place, s.line}, s.node);
}

void NameResolver::expression(Expr& e, Place place) {
    if (auto* name = std::get_if<expr::Name>(&e.node)) name->ref = place.symbols.ref(name->name);
    if (auto* filter = std::get_if<expr::Filter>(&e.node)) {
        filter->function = find_filter(filter->name);
        if (!filter->function && !place.is_conditional)
            fail_at(e.line, fmt::format("No filter named '{}'.", filter->name));
    }
    if (auto* test = std::get_if<expr::Test>(&e.node)) {
        test->function = find_test(test->name);
        if (!test->function && !place.is_conditional)
            fail_at(e.line, fmt::format("No test named '{}'.", test->name));
    }
    const bool is_conditional = place.is_conditional || std::holds_alternative<expr::Conditional>(e.node);
    for_each_child(e, [&](Expr& child) { expression(child, {place.symbols, is_conditional}); });
}

void NameResolver::target(Target& t, const Symbols& symbols) {
    if (t.kind != Target::Kind::kTuple) t.ref = symbols.ref(t.name);
    if (t.kind == Target::Kind::kName && t.name == "loop" && loops_ > 0)
        fail_at(t.line, "Can't assign to special loop variable in for-loop target");
    for (Target& item : t.items) target(item, symbols);
}

void NameResolver::for_statement(statement::For& node, Place place) {
    SlotTable own_table(node.loop_function, &place.symbols.table());
    SlotTable& table = node.recursive ? own_table : place.symbols.table();
    ++loops_;
    expression(node.iterable, place);
    if (node.test) loop_test(node, place.symbols);

    Symbols inner(table, &place.symbols);
    if (node.recursive || uses(node.body, "loop")) node.loop = inner.declare_parameter("loop");
    NameCollector names(inner);
    names.parameter(node.target);
    names.body(node.body);
    target(node.target, inner);
    body(node.body, {inner, false});
    node.body_scope = inner.scope();

    Symbols otherwise(table, &place.symbols);
    NameCollector(otherwise).body(node.otherwise);
    body(node.otherwise, {otherwise, false});
    node.else_scope = otherwise.scope();
    --loops_;
}

void NameResolver::loop_test(statement::For& node, const Symbols& around) {
    SlotTable table(node.test_function, &around.table());
    Symbols inner(table, &around);
    NameCollector names(inner);
    names.parameter(node.target);
    names.expression(node.test);
    node.test_target = node.target;
    target(node.test_target, inner);
    expression(node.test, {inner, false});
    node.test_scope = inner.scope();
}

void NameResolver::definition(Definition& d, const Symbols& around) {
    SlotTable table(d.function, &around.table());
    Symbols inner(table, &around);
    for (auto& parameter : d.parameters) parameter.slot = inner.declare_parameter(parameter.name);
    NameCollector names(inner);
    for (auto& parameter : d.parameters) names.expression(parameter.otherwise);
    names.body(d.body);
    special_parameters(d, inner);
    for (auto& parameter : d.parameters) expression(parameter.otherwise, {inner, false});
    body(d.body, {inner, false});
    d.scope = inner.scope();
}

void NameResolver::special_parameters(Definition& d, Symbols& symbols) {
    const auto parameter = [&](std::string_view name) {
        return std::find_if(d.parameters.begin(), d.parameters.end(),
                            [&](const auto& p) { return p.name == name; });
    };
    const auto explicit_caller = parameter("caller");
    d.explicit_caller = explicit_caller != d.parameters.end();
    if (uses(d.body, "caller")) {
        if (!d.explicit_caller) {
            d.caller = symbols.declare_parameter("caller");
        } else if (!explicit_caller->otherwise) {
            fail_at(d.line,
                    "the special \"caller\" argument of a macro must be omitted or be given a default");
        }
    }
    const auto declare = [&](const std::string& name, int& slot) {
        if (uses(d.body, name) && parameter(name) == d.parameters.end())
            slot = symbols.declare_parameter(name);
    };
    declare("kwargs", d.kwargs);
    declare("varargs", d.varargs);
}

}  // namespace

void resolve_names(TemplateTree& tree) { NameResolver().run(tree); }

}  // namespace kvsplit::text::jinja
