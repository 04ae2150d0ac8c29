#include "text/jinja/loop.h"

#include <fmt/format.h>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/operators.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

// The remaining elements after all were read to count them.
class Remaining final : public Iterator {
  public:
    explicit Remaining(std::vector<Value> items) : items_(std::move(items)) {}
    bool next(Runtime& runtime, Value& out) override {
        if (at_ == items_.size()) return false;
        runtime.charge(1);
        out = items_[at_++];
        return true;
    }

  private:
    std::vector<Value> items_;
    std::size_t at_ = 0;
};

}  // namespace

class Loop::BoundMethod final : public Object {
  public:
    BoundMethod(std::shared_ptr<Loop> loop, Method method) : loop_(std::move(loop)), method_(method) {}
    std::string_view type_name() const override { return "method"; }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override {
        return (loop_.get()->*method_)(runtime, arguments);
    }

  private:
    std::shared_ptr<Loop> loop_;
    Method method_;
};

bool Loop::advance(Runtime& runtime, Value& out) {
    Value next = std::exchange(after_, {});
    if (next.is_missing() && !(elements_ && elements_->next(runtime, next))) return false;
    ++index0_;
    before_ = std::exchange(current_, next);
    out = std::move(next);
    return true;
}

bool Loop::peek(Runtime& runtime) {
    return !after_.is_missing() || (elements_ && elements_->next(runtime, after_));
}

std::int64_t Loop::count(Runtime& runtime) {
    if (length_) return *length_;
    std::vector<Value> rest;
    for (Value item; elements_ && elements_->next(runtime, item);) {
        runtime.charge(sizeof(Value));
        rest.push_back(std::move(item));
    }
    length_ = static_cast<std::int64_t>(rest.size()) + index0_ + 1 + (after_.is_missing() ? 0 : 1);
    elements_ = std::make_shared<Remaining>(std::move(rest));
    return *length_;
}

std::string Loop::repr(Runtime& runtime) const {
    return fmt::format("<LoopContext {}/{}>", index0_ + 1, const_cast<Loop*>(this)->count(runtime));
}

Value Loop::attribute(Runtime& runtime, std::string_view name) {
    const auto method = [&](Method m) -> Value {
        runtime.charge(sizeof(BoundMethod));
        return std::static_pointer_cast<Object>(
            std::make_shared<BoundMethod>(std::static_pointer_cast<Loop>(shared_from_this()), m));
    };
    if (name == "index") return index0_ + 1;
    if (name == "index0") return index0_;
    if (name == "first") return index0_ == 0;
    if (name == "last") return !peek(runtime);
    if (name == "length") return count(runtime);
    if (name == "revindex") return count(runtime) - index0_;
    if (name == "revindex0") return count(runtime) - index0_ - 1;
    if (name == "depth") return depth0_ + 1;
    if (name == "depth0") return depth0_;
    if (name == "previtem") return index0_ == 0 ? Runtime::undefined("there is no previous item") : before_;
    if (name == "nextitem") return peek(runtime) ? after_ : Runtime::undefined("there is no next item");
    if (name == "cycle") return method(&Loop::cycle);
    if (name == "changed") return method(&Loop::changed);
    return {};
}

Value Loop::call(Runtime& runtime, Arguments& arguments) {
    ArgumentReader in("loop", arguments);
    const Value& iterable = in.required("iterable");
    in.finish();
    if (!recurse_) refuse("The loop must have the 'recursive' marker to be called recursively.");
    const Recurse recurse = recurse_;
    const Runtime::Nested nested(runtime);
    return recurse(iterable, depth0_ + 1);
}

Value Loop::cycle(Runtime&, const Arguments& arguments) {
    if (arguments.positional.empty()) refuse("no items for cycling given");
    return arguments.positional[static_cast<std::size_t>(index0_) % arguments.positional.size()];
}

Value Loop::changed(Runtime& runtime, const Arguments& arguments) {
    Value now = runtime.tuple(arguments.positional);
    if (!last_seen_.is_missing() && equal(runtime, last_seen_, now)) return false;
    last_seen_ = std::move(now);
    return true;
}

void Loop::clear() {
    elements_ = nullptr;
    recurse_ = nullptr;
    before_ = current_ = after_ = last_seen_ = {};
}

}  // namespace kvsplit::text::jinja
