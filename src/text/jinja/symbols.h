// Symbols: which variables a scope of a template has, and where they live.
//
// The rules are those of jinja2's compilation to Python functions. A name belongs to the scope that assigns
// it or, if the caller of the template gives it, to the scope that reads it first. Only an inner scope itself
// sees its assignments.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "text/jinja/ast.h"

namespace kvsplit::text::jinja {

// Assigns the slots of one function. Scopes of the same nesting level share the slots of variables with the
// same name, as they do in Python.
struct SlotTable {
    SlotTable(Function& f, const SlotTable* around) : function(f), depth(around ? around->depth + 1 : 0) {}
    int slot(int level, const std::string& name);

    Function& function;
    const int depth;  // functions around this one
    std::map<std::pair<int, std::string>, int> slots;
};

class Symbols {
  public:
    // around: the enclosing scope; null for the template's own.
    Symbols(SlotTable& table, const Symbols* around)
        : table_(&table), around_(around), level_(around ? around->level_ + 1 : 0) {}

    void store(const std::string& name);
    void load(const std::string& name);
    int declare_parameter(const std::string& name);
    // Adds the names found in the branches of an `if`, which began as copies of this.
    void merge_branches(const std::vector<Symbols>& branches);

    // Reference to a known name from this scope.
    VariableRef ref(const std::string& name) const;
    Scope scope() const;
    SlotTable& table() const { return *table_; }

  private:
    struct Place {
        int depth, slot;
    };
    std::optional<Place> find(const std::string& name) const;
    VariableRef seen_from_here(Place place) const { return {table_->depth - place.depth, place.slot}; }
    int define(const std::string& name, Load load);

    SlotTable* table_;
    const Symbols* around_;
    int level_;
    std::map<std::string, int> slots_;  // of this scope's own names
    std::map<int, Load> loads_;
    std::set<std::string> stores_;
};

// Finds the names that the statements of a scope use, except in nested scopes.
class NameCollector {
  public:
    explicit NameCollector(Symbols& symbols) : symbols_(&symbols) {}

    void body(const Body& statements);
    void expression(const ExprPtr& expression);
    void store(const Target& target);
    void parameter(const Target& target);

  private:
    struct Visitor;
    void expression(const Expr& expression);
    Symbols branch(const Body& statements);

    Symbols* symbols_;
};

}  // namespace kvsplit::text::jinja
