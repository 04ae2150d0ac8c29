// The variables of Evaluator: slots, assignments, macros and their arguments.
#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/globals.h"
#include "text/jinja/show.h"

namespace kvsplit::text::jinja {
namespace {

// A macro, or the caller of a call block.
class Macro final : public Object {
  public:
    Macro(Evaluator& evaluator, const Definition& definition, std::shared_ptr<Activation> around)
        : evaluator_(evaluator), definition_(definition), around_(std::move(around)) {}

    std::string_view type_name() const override { return "Macro"; }
    std::string repr(Runtime&) const override {
        return definition_.name.empty() ? "<Macro anonymous>" : "<Macro " + repr_text(definition_.name) + ">";
    }
    Value attribute(Runtime& runtime, std::string_view name) override {
        if (name == "name") return definition_.name.empty() ? Value(nullptr) : runtime.text(definition_.name);
        if (name != "arguments") return {};
        std::vector<Value> names;
        for (const auto& parameter : definition_.parameters) names.push_back(runtime.text(parameter.name));
        return runtime.tuple(std::move(names));
    }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override {
        return runtime.text(evaluator_.invoke(definition_, around_, arguments));
    }
    void clear() override { around_ = nullptr; }

  private:
    Evaluator& evaluator_;
    const Definition& definition_;
    std::shared_ptr<Activation> around_;
};

std::string describe(const Definition& definition) {
    return definition.name.empty() ? "None" : repr_text(definition.name);
}

}  // namespace

Value Evaluator::closure(const Definition& definition) {
    return std::static_pointer_cast<Object>(runtime_.retain<Macro>(*this, definition, activation_));
}

void Evaluator::bind(const Definition& d, Arguments& arguments) {
    auto& given = arguments.positional;
    auto& named = arguments.named;
    const std::size_t by_place = std::min(given.size(), d.parameters.size());
    for (std::size_t i = 0; i < by_place; ++i) own_slot(d.parameters[i].slot) = given[i];
    const auto take_named = [&](std::string_view name, Value& slot) {
        slot = {};
        const auto it =
            std::find_if(named.begin(), named.end(), [&](const auto& a) { return a.first == name; });
        if (it == named.end()) return;
        slot = std::move(it->second);
        named.erase(it);
    };
    for (std::size_t i = by_place; i < d.parameters.size(); ++i)
        take_named(d.parameters[i].name, own_slot(d.parameters[i].slot));
    if (d.caller >= 0) {
        Value& caller = own_slot(d.caller);
        take_named("caller", caller);
        if (caller.is_missing() || caller.is_none()) caller = Runtime::undefined("No caller defined");
    }
    bind_extra(d, arguments);
}

// Binds the remaining arguments.
void Evaluator::bind_extra(const Definition& d, Arguments& arguments) {
    if (d.kwargs >= 0) {
        Dict rest;
        for (auto& [name, value] : arguments.named) rest.set(name, std::move(value));
        own_slot(d.kwargs) = runtime_.dict(std::move(rest));
    } else if (!arguments.named.empty()) {
        const auto& named = arguments.named;
        if (std::any_of(named.begin(), named.end(), [](const auto& a) { return a.first == "caller"; })) {
            refuse(
                "macro {} was invoked with two values for the special caller argument. This is most likely a "
                "bug.",
                describe(d));
        }
        refuse("macro {} takes no keyword argument {}", describe(d), repr_text(named[0].first));
    }
    auto& given = arguments.positional;
    const std::size_t by_place = std::min(given.size(), d.parameters.size());
    if (d.varargs >= 0) {
        given.erase(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(by_place));
        own_slot(d.varargs) = runtime_.tuple(std::move(given));
    } else if (given.size() > by_place) {
        refuse("macro {} takes not more than {} argument(s)", describe(d), d.parameters.size());
    }
}

void Evaluator::bind_defaults(const Definition& d) {
    for (const auto& parameter : d.parameters) {
        if (!own_slot(parameter.slot).is_missing()) continue;
        own_slot(parameter.slot) =
            evaluate_or(parameter.otherwise,
                        Runtime::undefined("parameter " + repr_text(parameter.name) + " was not provided"));
    }
}

void Evaluator::check_namespaces(const Target& target) {
    if (target.kind == Target::Kind::kNamespace && !dynamic_cast<Namespace*>(slot(target.ref).object()))
        refuse("cannot assign attribute on non-namespace object");
    for (const Target& item : target.items) check_namespaces(item);
}

void Evaluator::assign(const Target& target, const Value& value) {
    switch (target.kind) {
        case Target::Kind::kName:
            slot(target.ref) = value;
            return;
        case Target::Kind::kNamespace:
            static_cast<Namespace*>(slot(target.ref).object())->set(runtime_, target.attribute, value);
            return;
        case Target::Kind::kTuple:
            break;
    }
    const std::vector<Value> items = elements(runtime_, value);
    const std::size_t wanted = target.items.size();
    if (items.size() < wanted)
        refuse("not enough values to unpack (expected {}, got {})", wanted, items.size());
    if (items.size() > wanted) refuse("too many values to unpack (expected {})", wanted);
    for (std::size_t i = 0; i < wanted; ++i) assign(target.items[i], items[i]);
}

Value Evaluator::assigned(const Target& target) {
    if (target.kind != Target::Kind::kTuple) return slot(target.ref);
    std::vector<Value> items;
    for (const Target& item : target.items) items.push_back(assigned(item));
    return runtime_.tuple(std::move(items));
}

void Evaluator::enter(const Scope& scope) {
    for (const Load& load : scope.loads) {
        switch (load.from) {
            case Load::From::kParameter:
                break;
            case Load::From::kContext:
                own_slot(load.slot) = context_variable(load.name);
                break;
            case Load::From::kOuter:
                own_slot(load.slot) = slot(load.outer);
                break;
            case Load::From::kNothing:
                own_slot(load.slot) = {};
                break;
        }
    }
}

void Evaluator::leave(const Scope& scope) {
    for (const Load& load : scope.loads) own_slot(load.slot) = {};
}

Value Evaluator::context_variable(const std::string& name) const {
    const auto it = variables_.find(name);
    return it == variables_.end() ? find_global(name) : it->second;
}

Value& Evaluator::slot(VariableRef ref) {
    Activation* activation = activation_.get();
    for (int i = 0; i < ref.hops; ++i) activation = activation->around.get();
    return activation->slots[static_cast<std::size_t>(ref.slot)];
}

}  // namespace kvsplit::text::jinja
