#include "text/jinja/symbols.h"

#include "base/check.h"
#include "text/jinja/walk.h"

namespace kvsplit::text::jinja {

int SlotTable::slot(int level, const std::string& name) {
    const auto [it, is_new] = slots.try_emplace({level, name}, function.slots);
    if (is_new) ++function.slots;
    return it->second;
}

std::optional<Symbols::Place> Symbols::find(const std::string& name) const {
    for (const Symbols* s = this; s; s = s->around_) {
        if (const auto it = s->slots_.find(name); it != s->slots_.end())
            return Place{s->table_->depth, it->second};
    }
    return std::nullopt;
}

int Symbols::define(const std::string& name, Load load) {
    load.slot = table_->slot(level_, name);
    slots_[name] = load.slot;
    loads_.insert_or_assign(load.slot, load);
    return load.slot;
}

void Symbols::store(const std::string& name) {
    stores_.insert(name);
    if (slots_.contains(name)) return;
    const auto outer = around_ ? around_->find(name) : std::nullopt;
    if (outer) {
        define(name, {Load::From::kOuter, -1, {}, seen_from_here(*outer)});
    } else {
        define(name, {Load::From::kNothing, -1, {}, {}});
    }
}

void Symbols::load(const std::string& name) {
    if (!find(name)) define(name, {Load::From::kContext, -1, name, {}});
}

int Symbols::declare_parameter(const std::string& name) {
    stores_.insert(name);
    return define(name, {Load::From::kParameter, -1, {}, {}});
}

void Symbols::merge_branches(const std::vector<Symbols>& branches) {
    std::set<std::string> stored;
    for (const Symbols& branch : branches) stored.insert(branch.stores_.begin(), branch.stores_.end());
    for (const std::string& name : stores_) stored.erase(name);
    for (const Symbols& branch : branches) {
        for (const auto& [name, slot] : branch.slots_) slots_[name] = slot;
        for (const auto& [slot, load] : branch.loads_) loads_.insert_or_assign(slot, load);
        stores_.insert(branch.stores_.begin(), branch.stores_.end());
    }
    // Names assigned in some branches keep their outer value in the others.
    for (const std::string& name : stored) {
        const int slot = find(name)->slot;
        const auto outer = around_ ? around_->find(name) : std::nullopt;
        if (outer) {
            loads_.insert_or_assign(slot, Load{Load::From::kOuter, slot, {}, seen_from_here(*outer)});
        } else {
            loads_.insert_or_assign(slot, Load{Load::From::kContext, slot, name, {}});
        }
    }
}

VariableRef Symbols::ref(const std::string& name) const {
    const auto place = find(name);
    KVSPLIT_CHECK(place);
    return seen_from_here(*place);
}

Scope Symbols::scope() const {
    Scope out;
    for (const auto& [slot, load] : loads_) out.loads.push_back(load);
    return out;
}

struct NameCollector::Visitor {
    NameCollector& collector;

    void operator()(const statement::Output& node) const {
        for (const ExprPtr& part : node.parts) collector.expression(part);
    }
    // Each elif is an `if` inside the branch of all elifs.
    void operator()(const statement::If& node) const {
        Symbols& around = *collector.symbols_;
        collector.expression(node.branches[0].test);
        std::vector<Symbols> branches{collector.branch(node.branches[0].body)};
        Symbols elifs = around;
        for (std::size_t i = 1; i < node.branches.size(); ++i) {
            NameCollector inner(elifs);
            inner.expression(node.branches[i].test);
            elifs.merge_branches({inner.branch(node.branches[i].body)});
        }
        branches.push_back(std::move(elifs));
        branches.push_back(collector.branch(node.otherwise));
        around.merge_branches(branches);
    }
    void operator()(const statement::For& node) const { collector.expression(node.iterable); }
    void operator()(const statement::Set& node) const {
        collector.expression(node.value);
        collector.store(node.target);
    }
    void operator()(const statement::SetBlock& node) const { collector.store(node.target); }
    void operator()(const statement::Macro& node) const { collector.symbols_->store(node.definition->name); }
    void operator()(const statement::CallBlock& node) const { collector.expression(node.call); }
    void operator()(const statement::Generation&) const {}
    void operator()(const statement::FilterBlock& node) const { collector.expression(node.filter); }
    void operator()(const statement::With& node) const {
        for (const auto& [target, value] : node.variables) collector.expression(value);
    }
    void operator()(const statement::Break&) const {}
    void operator()(const statement::Continue&) const {}
};

void NameCollector::body(const Body& statements) {
    for (const Statement& s : statements) std::visit(Visitor{*this}, s.node);
}

Symbols NameCollector::branch(const Body& statements) {
    Symbols out = *symbols_;
    NameCollector(out).body(statements);
    return out;
}

void NameCollector::expression(const ExprPtr& e) {
    if (e) expression(*e);
}

void NameCollector::expression(const Expr& e) {
    if (const auto* name = std::get_if<expr::Name>(&e.node)) symbols_->load(name->name);
    for_each_child(e, [&](const Expr& child) { expression(child); });
}

void NameCollector::store(const Target& target) {
    if (target.kind == Target::Kind::kName) symbols_->store(target.name);
    if (target.kind == Target::Kind::kNamespace) symbols_->load(target.name);
    for (const Target& item : target.items) store(item);
}

void NameCollector::parameter(const Target& target) {
    if (target.kind == Target::Kind::kName) symbols_->declare_parameter(target.name);
    for (const Target& item : target.items) parameter(item);
}

}  // namespace kvsplit::text::jinja
