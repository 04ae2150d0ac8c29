// Evaluator: renders a template's tree.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/jinja/arguments.h"
#include "text/jinja/ast.h"
#include "text/jinja/object.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

// The variables of a running function. Closures may keep it alive longer.
class Activation final : public Object {
  public:
    Activation(const Function& function, std::shared_ptr<Activation> outer)
        : slots(static_cast<std::size_t>(function.slots)), around(std::move(outer)) {}
    std::string_view type_name() const override { return "frame"; }
    void clear() override {
        slots.clear();
        around = nullptr;
    }

    std::vector<Value> slots;
    std::shared_ptr<Activation> around;  // of the function around it
};

class Evaluator {
  public:
    using Variables = std::unordered_map<std::string, Value>;

    // variables: what the caller of the template gives. Both must outlive the evaluator.
    Evaluator(Runtime& runtime, const Variables& variables) : runtime_(runtime), variables_(variables) {}

    // Throws TemplateError.
    std::string run(const TemplateTree& tree);

    // Calls a macro or the body of a block.
    std::string invoke(const Definition& definition, const std::shared_ptr<Activation>& around,
                       Arguments& arguments);

  private:
    enum class Flow { kNext, kBreak, kContinue };
    class Frame;
    class FilteredIterator;

    // Statements.
    Flow execute(const Body& body);
    Flow execute(const Statement& statement);
    Flow visit(const statement::Output& node);
    Flow visit(const statement::If& node);
    Flow visit(const statement::For& node);
    Flow visit(const statement::Set& node);
    Flow visit(const statement::SetBlock& node);
    Flow visit(const statement::Macro& node);
    Flow visit(const statement::CallBlock& node);
    Flow visit(const statement::Generation& node);
    Flow visit(const statement::FilterBlock& node);
    Flow visit(const statement::With& node);
    Flow visit(const statement::Break&) { return Flow::kBreak; }
    Flow visit(const statement::Continue&) { return Flow::kContinue; }

    Flow loop(const statement::For& node, const Value& iterable, std::int64_t depth0);
    Flow loop_body(const statement::For& node, Iterator& elements, class Loop* variable, bool& completed);
    Value recursive_loop(const statement::For& node, const std::shared_ptr<Activation>& around,
                         const Value& iterable, std::int64_t depth0);
    // The output of statements, in its own buffer. Missing if a break or continue left them.
    Value captured(const Body& body, Flow& flow);
    // Applies a filter to the text of its block.
    Value filtered_block(const ExprPtr& filter, const Value& text);
    void output(const Value& value);
    void output_text(const Value& value);  // refuses other values than strings

    // Variables.
    Value closure(const Definition& definition);
    void bind(const Definition& definition, Arguments& arguments);
    void bind_extra(const Definition& definition, Arguments& arguments);
    void bind_defaults(const Definition& definition);
    void check_namespaces(const Target& target);
    void assign(const Target& target, const Value& value);
    Value assigned(const Target& target);
    void enter(const Scope& scope);
    void leave(const Scope& scope);
    Value context_variable(const std::string& name) const;
    Value& slot(VariableRef ref);
    Value& own_slot(int slot) { return activation_->slots[static_cast<std::size_t>(slot)]; }

    // Expressions.
    Value evaluate(const Expr& expression);
    Value evaluate_or(const ExprPtr& expression, Value otherwise);
    Value visit(const expr::Constant& node) { return node.value; }
    Value visit(const expr::Name& node);
    Value visit(const expr::Sequence& node);
    Value visit(const expr::DictLiteral& node);
    Value visit(const expr::Unary& node);
    Value visit(const expr::Binary& node);
    Value visit(const expr::Logic& node);
    Value visit(const expr::Concat& node);
    Value visit(const expr::Compare& node);
    Value visit(const expr::Attribute& node);
    Value visit(const expr::Subscript& node);
    Value visit(const expr::Slice& node);
    Value visit(const expr::Call& node);
    Value visit(const expr::Filter& node);
    Value visit(const expr::Test& node);
    Value visit(const expr::Conditional& node);
    Arguments evaluate(const CallArguments& arguments);
    Value call_with_caller(const expr::Call& node, const Value* caller);

    Runtime& runtime_;
    const Variables& variables_;
    std::shared_ptr<Activation> activation_;
    Text* out_ = nullptr;           // where output goes
    const Value* block_ = nullptr;  // the text that a block's filter gets
};

}  // namespace kvsplit::text::jinja
