// The statements of Evaluator.
#include "text/jinja/access.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/show.h"

namespace kvsplit::text::jinja {

// Makes a function's variables current, with a buffer for its output, and restores the previous ones at the
// end.
class Evaluator::Frame {
  public:
    Frame(Evaluator& evaluator, std::shared_ptr<Activation> activation)
        : evaluator_(evaluator),
          buffer_(evaluator.runtime_),
          activation_(std::exchange(evaluator.activation_, std::move(activation))),
          out_(std::exchange(evaluator.out_, &buffer_)) {}
    ~Frame() {
        evaluator_.activation_ = std::move(activation_);
        evaluator_.out_ = out_;
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    std::string take() { return buffer_.take(); }

  private:
    Evaluator& evaluator_;
    Text buffer_;
    std::shared_ptr<Activation> activation_;  // the previous one
    Text* out_;
};

// The elements that satisfy a loop's condition. Has its own variables.
class Evaluator::FilteredIterator final : public Iterator {
  public:
    FilteredIterator(Evaluator& evaluator, const statement::For& node, std::shared_ptr<Iterator> elements)
        : evaluator_(evaluator),
          node_(node),
          elements_(std::move(elements)),
          activation_(evaluator.runtime_.retain<Activation>(node.test_function, evaluator.activation_)) {}

    bool next(Runtime& runtime, Value& out) override {
        Value item;
        while (elements_->next(runtime, item)) {
            const Frame frame(evaluator_, activation_);
            if (!std::exchange(is_entered_, true)) evaluator_.enter(node_.test_scope);
            evaluator_.assign(node_.test_target, item);
            if (!truth(runtime, evaluator_.evaluate(*node_.test))) continue;
            out = evaluator_.assigned(node_.test_target);
            return true;
        }
        return false;
    }

  private:
    Evaluator& evaluator_;
    const statement::For& node_;
    std::shared_ptr<Iterator> elements_;
    std::shared_ptr<Activation> activation_;
    bool is_entered_ = false;
};

std::string Evaluator::run(const TemplateTree& tree) {
    Frame frame(*this, runtime_.retain<Activation>(tree.function, nullptr));
    enter(tree.scope);
    execute(tree.body);
    return frame.take();
}

std::string Evaluator::invoke(const Definition& definition, const std::shared_ptr<Activation>& around,
                              Arguments& arguments) {
    const Runtime::Nested nested(runtime_);
    const auto activation = runtime_.retain<Activation>(definition.function, around);
    std::string text;
    {
        Frame frame(*this, activation);
        bind(definition, arguments);
        enter(definition.scope);
        bind_defaults(definition);
        execute(definition.body);
        text = frame.take();
    }
    // Only the runtime and this frame hold it: no closure needs it.
    if (activation.use_count() == 2) activation->clear();
    return text;
}

Evaluator::Flow Evaluator::execute(const Body& body) {
    for (const Statement& statement : body)
        if (const Flow flow = execute(statement); flow != Flow::kNext) return flow;
    return Flow::kNext;
}

Evaluator::Flow Evaluator::execute(const Statement& statement) {
    try {
        const Runtime::Nested nested(runtime_);
        runtime_.charge(1);
        return std::visit([this](const auto& node) { return visit(node); }, statement.node);
    } catch (Failure& failure) {
        throw TemplateError(failure.fault, statement.line, std::move(failure.detail));
    }
}

void Evaluator::output(const Value& value) {
    if (const String* text = value.string()) {
        out_->append(text->text);
    } else {
        out_->append(show(runtime_, value));
    }
}

void Evaluator::output_text(const Value& value) {
    if (!value.string()) refuse("expected a text to print, {} found", value.type_name());
    out_->append(value.string()->text);
}

Value Evaluator::captured(const Body& body, Flow& flow) {
    Frame frame(*this, activation_);
    flow = execute(body);
    return flow == Flow::kNext ? runtime_.text(frame.take()) : Value{};
}

Value Evaluator::filtered_block(const ExprPtr& filter, const Value& text) {
    if (!filter) return text;
    const Value* around = std::exchange(block_, &text);
    Value out = evaluate(*filter);
    block_ = around;
    return out;
}

Evaluator::Flow Evaluator::visit(const statement::Output& node) {
    for (const ExprPtr& part : node.parts) {
        if (const auto* constant = std::get_if<expr::Constant>(&part->node)) {
            output(constant->value);
        } else {
            output(evaluate(*part));
        }
    }
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::If& node) {
    for (const auto& branch : node.branches)
        if (truth(runtime_, evaluate(*branch.test))) return execute(branch.body);
    return execute(node.otherwise);
}

Evaluator::Flow Evaluator::visit(const statement::For& node) {
    const Value iterable = evaluate(*node.iterable);
    if (!node.recursive) return loop(node, iterable, 0);
    output_text(recursive_loop(node, activation_, iterable, 0));
    return Flow::kNext;
}

Value Evaluator::recursive_loop(const statement::For& node, const std::shared_ptr<Activation>& around,
                                const Value& iterable, std::int64_t depth0) {
    Frame frame(*this, runtime_.retain<Activation>(node.loop_function, around));
    loop(node, iterable, depth0);
    return runtime_.text(frame.take());
}

Evaluator::Flow Evaluator::loop(const statement::For& node, const Value& iterable, std::int64_t depth0) {
    std::shared_ptr<Iterator> elements = iterate(runtime_, iterable);
    if (node.test) elements = std::make_shared<FilteredIterator>(*this, node, std::move(elements));
    std::shared_ptr<Loop> variable;
    if (node.loop >= 0) {
        Loop::Recurse recurse;
        if (node.recursive) {
            recurse = [this, &node, around = activation_->around](const Value& inner, std::int64_t depth) {
                return recursive_loop(node, around, inner, depth);
            };
        }
        const auto length = node.test ? std::nullopt : length_of(runtime_, iterable);
        variable = runtime_.retain<Loop>(elements, length, std::move(recurse), depth0);
    }
    bool completed = false;  // an iteration reached its end without `continue`
    loop_body(node, *elements, variable.get(), completed);
    leave(node.body_scope);
    if (completed || node.otherwise.empty()) return Flow::kNext;
    enter(node.else_scope);
    const Flow flow = execute(node.otherwise);
    leave(node.else_scope);
    return flow;
}

Evaluator::Flow Evaluator::loop_body(const statement::For& node, Iterator& elements, Loop* variable,
                                     bool& completed) {
    Value item;
    while (variable ? variable->advance(runtime_, item) : elements.next(runtime_, item)) {
        assign(node.target, item);
        if (variable) own_slot(node.loop) = variable->shared_from_this();
        enter(node.body_scope);
        const Flow flow = execute(node.body);
        if (flow == Flow::kBreak) break;
        if (flow == Flow::kNext) completed = true;
    }
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::Set& node) {
    check_namespaces(node.target);
    assign(node.target, evaluate(*node.value));
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::SetBlock& node) {
    enter(node.scope);
    Flow flow = Flow::kNext;
    const Value text = captured(node.body, flow);
    if (flow != Flow::kNext) return flow;
    const Value value = filtered_block(node.filter, text);
    check_namespaces(node.target);
    assign(node.target, value);
    leave(node.scope);
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::Macro& node) {
    slot(node.target) = closure(*node.definition);
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::CallBlock& node) {
    const Value caller = closure(*node.definition);
    output_text(call_with_caller(std::get<expr::Call>(node.call->node), &caller));
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::Generation& node) {
    Arguments none;
    out_->append(invoke(*node.definition, activation_, none));
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::FilterBlock& node) {
    enter(node.scope);
    Flow flow = Flow::kNext;
    const Value text = captured(node.body, flow);
    if (flow != Flow::kNext) return flow;
    output_text(filtered_block(node.filter, text));
    leave(node.scope);
    return Flow::kNext;
}

Evaluator::Flow Evaluator::visit(const statement::With& node) {
    enter(node.scope);
    for (const auto& [target, value] : node.variables) assign(target, evaluate(*value));
    const Flow flow = execute(node.body);
    if (flow == Flow::kNext) leave(node.scope);
    return flow;
}

}  // namespace kvsplit::text::jinja
