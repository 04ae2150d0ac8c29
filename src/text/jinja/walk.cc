#include "text/jinja/walk.h"

namespace kvsplit::text::jinja {
namespace {

class NameWalker {
  public:
    explicit NameWalker(const NameVisitor& visit) : visit_(visit) {}

    void body(const Body& statements) {
        for (const Statement& s : statements) std::visit(*this, s.node);
    }

    void operator()(const statement::Output& node) { all(node.parts); }
    void operator()(const statement::If& node) {
        for (const auto& branch : node.branches) {
            expression(branch.test);
            body(branch.body);
        }
        body(node.otherwise);
    }
    void operator()(const statement::For& node) {
        target(node.target);
        expression(node.iterable);
        body(node.body);
        body(node.otherwise);
        expression(node.test);
    }
    void operator()(const statement::Set& node) {
        target(node.target);
        expression(node.value);
    }
    void operator()(const statement::SetBlock& node) {
        target(node.target);
        expression(node.filter);
        body(node.body);
    }
    void operator()(const statement::Macro& node) { definition(*node.definition); }
    void operator()(const statement::CallBlock& node) {
        expression(node.call);
        definition(*node.definition);
    }
    void operator()(const statement::Generation& node) { definition(*node.definition); }
    void operator()(const statement::FilterBlock& node) {
        body(node.body);
        expression(node.filter);
    }
    void operator()(const statement::With& node) {
        for (const auto& [name, value] : node.variables) target(name);
        for (const auto& [name, value] : node.variables) expression(value);
        body(node.body);
    }
    void operator()(const statement::Break&) {}
    void operator()(const statement::Continue&) {}

  private:
    void expression(const ExprPtr& e) {
        if (e) expression(*e);
    }
    void expression(const Expr& e) {
        if (const auto* name = std::get_if<expr::Name>(&e.node)) visit_(name->name, true);
        for_each_child(e, [&](const Expr& child) { expression(child); });
    }
    void all(const std::vector<ExprPtr>& list) {
        for (const ExprPtr& e : list) expression(e);
    }
    void target(const Target& t) {
        if (t.kind == Target::Kind::kName) visit_(t.name, false);
        for (const Target& item : t.items) target(item);
    }
    void definition(const Definition& d) {
        for (const auto& parameter : d.parameters) visit_(parameter.name, false);
        for (const auto& parameter : d.parameters) expression(parameter.otherwise);
        body(d.body);
    }

    const NameVisitor& visit_;
};

}  // namespace

void for_each_name(const Body& body, const NameVisitor& visit) { NameWalker(visit).body(body); }

}  // namespace kvsplit::text::jinja
