// A parsed template: expressions and statements. Rendering does not change it, so threads can share it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;

using FilterFunction = Value (*)(Runtime&, const Value&, const Arguments&);
using TestFunction = bool (*)(Runtime&, const Value&, const Arguments&);

// Where a variable lives at run time: in a slot of the running function or of an enclosing one. Filled in by
// resolve_names().
struct VariableRef {
    int hops = 0;  // functions outwards
    int slot = -1;
};

// How a variable starts when its scope is entered.
struct Load {
    enum class From {
        kParameter,  // is already set
        kContext,    // takes the value given by the caller of the template
        kOuter,      // copies the variable of the same name in the outer scope
        kNothing,    // has no value yet
    };
    From from;
    int slot;
    std::string name;   // kContext
    VariableRef outer;  // kOuter
};

// A part of the template with variables of its own.
struct Scope {
    std::vector<Load> loads;
};

// Scopes that share one set of slots: the template itself, a macro, a recursive loop, a loop's condition.
struct Function {
    int slots = 0;
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class BinaryOperator { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class CompareOperator { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };
enum class UnaryOperator { kNot, kMinus, kPlus };

struct CallArguments {
    std::vector<ExprPtr> positional;
    std::vector<std::pair<std::string, ExprPtr>> named;
    ExprPtr list, dict;  // *list, **dict; null: none
};

namespace expr {

struct Constant {
    Value value;
};
struct Name {
    std::string name;
    VariableRef ref;
};
struct Sequence {
    List::Kind kind;
    std::vector<ExprPtr> items;
};
struct DictLiteral {
    std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct Unary {
    UnaryOperator op;
    ExprPtr operand;
};
struct Binary {
    BinaryOperator op;
    ExprPtr left, right;
};
struct Logic {
    bool is_and;
    ExprPtr left, right;
};
struct Concat {  // a ~ b ~ c
    std::vector<ExprPtr> parts;
};
struct Compare {  // a < b <= c
    ExprPtr first;
    std::vector<std::pair<CompareOperator, ExprPtr>> rest;
};
struct Attribute {
    ExprPtr object;
    Value name;
};
struct Subscript {
    ExprPtr object, key;
};
struct Slice {
    ExprPtr object, start, stop, step;  // null: left out
};
struct Call {
    ExprPtr callee;
    CallArguments arguments;
};
struct Filter {
    ExprPtr value;  // null: the text of the filter's block
    std::string name;
    CallArguments arguments;
    FilterFunction function = nullptr;  // null: no filter has that name
};
struct Test {
    ExprPtr value;
    std::string name;
    CallArguments arguments;
    TestFunction function = nullptr;
};
struct Conditional {
    ExprPtr test, yes, no;  // no may be null
};

}  // namespace expr

struct Expr {
    using Node =
        std::variant<expr::Constant, expr::Name, expr::Sequence, expr::DictLiteral, expr::Unary, expr::Binary,
                     expr::Logic, expr::Concat, expr::Compare, expr::Attribute, expr::Subscript, expr::Slice,
                     expr::Call, expr::Filter, expr::Test, expr::Conditional>;
    int line;
    int height;  // levels of nested expressions
    Node node;
};

// What can be assigned to.
struct Target {
    enum class Kind {
        kName,
        kNamespace,  // name.attribute
        kTuple,
    };
    Kind kind = Kind::kName;
    int line = 0;
    std::string name;
    VariableRef ref;
    std::string attribute;
    std::vector<Target> items;
};

struct Statement;
using Body = std::vector<Statement>;

// The body of a macro, of a call block or of a generation block.
struct Definition {
    struct Parameter {
        std::string name;
        int slot = -1;
        ExprPtr otherwise;  // null: undefined
    };
    std::string name;  // "" for a block
    int line = 0;
    std::vector<Parameter> parameters;
    Body body;
    Function function;
    Scope scope;
    int caller = -1, kwargs = -1, varargs = -1;  // slots of the special parameters; -1: the body names none
    bool explicit_caller = false;                // caller is one of the parameters
};

namespace statement {

struct Output {
    std::vector<ExprPtr> parts;
};
struct If {
    struct Branch {
        ExprPtr test;
        Body body;
    };
    std::vector<Branch> branches;
    Body otherwise;
};
struct For {
    Target target;
    ExprPtr iterable, test;  // test may be null
    Body body, otherwise;
    bool recursive = false;
    int loop = -1;  // slot of the variable `loop`; -1: the body does not name it
    Scope body_scope, else_scope, test_scope;
    Function test_function;  // of its own, since it runs interleaved with the body
    Target test_target;      // the loop's target, in the test's slots
    Function loop_function;  // of a recursive loop
};
struct Set {
    Target target;
    ExprPtr value;
};
struct SetBlock {
    Target target;
    ExprPtr filter;  // null: none
    Body body;
    Scope scope;
};
struct Macro {
    VariableRef target;
    std::unique_ptr<Definition> definition;
};
struct CallBlock {
    std::unique_ptr<Definition> definition;
    ExprPtr call;  // an expr::Call
};
struct Generation {  // the part of a conversation that the model wrote
    std::unique_ptr<Definition> definition;
};
struct FilterBlock {
    ExprPtr filter;
    Body body;
    Scope scope;
};
struct With {
    std::vector<std::pair<Target, ExprPtr>> variables;
    Body body;
    Scope scope;
};
struct Break {};
struct Continue {};

}  // namespace statement

struct Statement {
    using Node =
        std::variant<statement::Output, statement::If, statement::For, statement::Set, statement::SetBlock,
                     statement::Macro, statement::CallBlock, statement::Generation, statement::FilterBlock,
                     statement::With, statement::Break, statement::Continue>;
    int line;
    Node node;
};

struct TemplateTree {
    Body body;
    Function function;
    Scope scope;
};

}  // namespace kvsplit::text::jinja
