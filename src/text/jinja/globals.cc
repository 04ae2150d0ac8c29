#include "text/jinja/globals.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/iterators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

using GlobalFunction = Value (*)(Runtime&, const Arguments&);

class FunctionObject final : public Object {
  public:
    explicit FunctionObject(GlobalFunction function) : function_(function) {}
    std::string_view type_name() const override { return "function"; }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override { return function_(runtime, arguments); }

  private:
    GlobalFunction function_;
};

// dict(mapping or pairs, name=value, ...)
Dict dict_of(Runtime& runtime, const Arguments& arguments) {
    Dict out;
    const auto set = [&](const Value& key, const Value& value) {
        runtime.charge(2 * sizeof(Value));
        out.set(key, value);
    };
    if (arguments.positional.size() > 1)
        refuse("dict expected at most 1 argument, got {}", arguments.positional.size());
    if (!arguments.positional.empty()) {
        const Value& from = arguments.positional[0];
        if (const Undefined* u = from.undefined()) refuse("{}", u->message());
        if (const Dict* dict = from.dict()) {
            for (const auto& [key, value] : dict->entries()) set(key, value);
        } else {
            const auto pairs = iterate(runtime, from);
            for (Value pair; pairs->next(runtime, pair);) {
                const auto both = elements(runtime, pair);
                if (both.size() != 2)
                    refuse("dictionary update sequence element has length {}; 2 is required", both.size());
                set(both[0], both[1]);
            }
        }
    }
    for (const auto& [name, value] : arguments.named) set(Value::string(name), value);
    return out;
}

class DictFunction final : public Object {
  public:
    std::string_view type_name() const override { return "TemplateDict"; }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override {
        return runtime.dict(dict_of(runtime, arguments));
    }
    Value attribute(Runtime&, std::string_view name) override {
        if (name != "fromkeys") return {};
        return std::static_pointer_cast<Object>(std::make_shared<FunctionObject>(from_keys));
    }

  private:
    static Value from_keys(Runtime& runtime, const Arguments& arguments) {
        ArgumentReader in("fromkeys", arguments);
        const Value& keys = in.required("iterable");
        const Value value = in.optional("value", nullptr);
        in.finish();
        Dict out;
        for (const Value& key : elements(runtime, keys)) out.set(key, value);
        return runtime.dict(std::move(out));
    }
};

void check_attribute_name(std::string_view name) {
    if (name.starts_with('_')) {
        refuse(
            "Chat templates cannot store underscore-prefixed attributes on a namespace, but got {}. "
            "Please rename the attribute.",
            repr_text(name));
    }
}

Value make_namespace(Runtime& runtime, const Arguments& arguments) {
    Dict attributes = dict_of(runtime, arguments);
    for (const auto& [key, value] : attributes.entries())
        if (key.string()) check_attribute_name(key.string()->text);
    return std::static_pointer_cast<Object>(runtime.retain<Namespace>(std::move(attributes)));
}

class Cycler final : public Object {
  public:
    explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
    std::string_view type_name() const override { return "Cycler"; }
    Value attribute(Runtime& runtime, std::string_view name) override {
        if (name == "current") return items_[at_];
        if (name == "pos") return static_cast<std::int64_t>(at_);
        if (name == "items") return runtime.tuple(items_);
        if (name == "next")
            return method(runtime, [](Cycler& c) {
                return c.items_[std::exchange(c.at_, (c.at_ + 1) % c.items_.size())];
            });
        if (name == "reset") return method(runtime, [](Cycler& c) { return c.at_ = 0, Value(nullptr); });
        return {};
    }
    void clear() override { items_ = {nullptr}; }

  private:
    using Action = Value (*)(Cycler&);
    class BoundAction final : public Object {
      public:
        BoundAction(std::shared_ptr<Cycler> self, Action action) : self_(std::move(self)), action_(action) {}
        std::string_view type_name() const override { return "method"; }
        bool callable() const override { return true; }
        Value call(Runtime&, Arguments& arguments) override {
            ArgumentReader("cycler method", arguments).finish();
            return action_(*self_);
        }

      private:
        std::shared_ptr<Cycler> self_;
        Action action_;
    };
    Value method(Runtime& runtime, Action action) {
        runtime.charge(sizeof(BoundAction));
        return std::static_pointer_cast<Object>(
            std::make_shared<BoundAction>(std::static_pointer_cast<Cycler>(shared_from_this()), action));
    }

    std::vector<Value> items_;
    std::size_t at_ = 0;
};

Value make_cycler(Runtime& runtime, const Arguments& arguments) {
    ArgumentReader in("cycler", arguments);
    std::vector<Value> items = in.rest();
    in.finish();
    if (items.empty()) refuse("at least one item has to be provided");
    return std::static_pointer_cast<Object>(runtime.retain<Cycler>(std::move(items)));
}

class Joiner final : public Object {
  public:
    explicit Joiner(Value separator) : separator_(std::move(separator)) {}
    std::string_view type_name() const override { return "Joiner"; }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override {
        ArgumentReader("joiner", arguments).finish();
        return std::exchange(used_, true) ? separator_ : runtime.text("");
    }
    void clear() override { separator_ = nullptr; }

  private:
    Value separator_;
    bool used_ = false;
};

Value make_joiner(Runtime& runtime, const Arguments& arguments) {
    ArgumentReader in("joiner", arguments);
    const Value separator = in.optional("sep", runtime.text(", "));
    in.finish();
    return std::static_pointer_cast<Object>(runtime.retain<Joiner>(separator));
}

Value range(Runtime& runtime, const Arguments& arguments) {
    const auto& given = arguments.positional;
    if (!arguments.named.empty()) refuse("range() takes no keyword arguments");
    if (given.empty() || given.size() > 3) refuse("range expected 1 to 3 arguments, got {}", given.size());
    const auto number = [&](std::size_t i) { return index_of(given[i], "range"); };
    if (given.size() == 1) return make_range(runtime, 0, number(0), 1);
    return make_range(runtime, number(0), number(1), given.size() == 3 ? number(2) : 1);
}

Value raise_exception(Runtime& runtime, const Arguments& arguments) {
    ArgumentReader in("raise_exception", arguments);
    const std::string message = show(runtime, in.required("message"));
    in.finish();
    throw Failure{Fault::kRaised, message};
}

// Handles Python's additions to the C function: there is no time zone and there are no microseconds.
std::string without_python_formats(std::string_view format) {
    std::string out;
    for (std::size_t i = 0; i < format.size(); ++i) {
        const char next = format[i] == '%' && i + 1 < format.size() ? format[i + 1] : '\0';
        if (next == 'f') {
            out += "000000";
        } else if (next != 'z' && next != 'Z') {
            out += format.substr(i, next ? 2 : 1);
        }
        if (next) ++i;
    }
    return out;
}

Value strftime_now(Runtime& runtime, const Arguments& arguments) {
    ArgumentReader in("strftime_now", arguments);
    const std::string format = without_python_formats(in.text("format"));
    in.finish();
    if (format.size() > 1000) refuse("strftime_now: a format of more than 1,000 bytes");
    std::string out(64 * format.size() + 1, '\0');
    const std::tm now = runtime.now();
    // Field widths such as %1000000d need more room and come out empty.
    out.resize(std::strftime(out.data(), out.size(), format.c_str(), &now));
    return runtime.text(std::move(out));
}

}  // namespace

std::string Namespace::repr(Runtime& runtime) const {
    return fmt::format("<Namespace {}>", jinja::repr(runtime, std::make_shared<const Dict>(attributes_)));
}

Value Namespace::attribute(Runtime&, std::string_view name) {
    const Value* value = attributes_.find(name);
    return value ? *value : Value{};
}

void Namespace::set(Runtime& runtime, const std::string& name, Value value) {
    check_attribute_name(name);
    runtime.charge(2 * sizeof(Value));
    attributes_.set(name, std::move(value));
}

Value find_global(std::string_view name) {
    static constexpr auto kFunctions = std::to_array<std::pair<std::string_view, GlobalFunction>>({
        {"range", range},
        {"namespace", make_namespace},
        {"cycler", make_cycler},
        {"joiner", make_joiner},
        {"raise_exception", raise_exception},
        {"strftime_now", strftime_now},
    });
    if (name == "dict") return std::static_pointer_cast<Object>(std::make_shared<DictFunction>());
    for (const auto& [global, function] : kFunctions) {
        if (global == name)
            return std::static_pointer_cast<Object>(std::make_shared<FunctionObject>(function));
    }
    return {};
}

}  // namespace kvsplit::text::jinja
