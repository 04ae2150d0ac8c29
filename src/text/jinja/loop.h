// Loop: the variable `loop` inside a for.
#pragma once

#include <functional>
#include <memory>

#include "text/jinja/object.h"
#include "text/jinja/runtime.h"

namespace kvsplit::text::jinja {

class Loop final : public Object {
  public:
    // Renders the body of a recursive loop for other elements, one level deeper.
    using Recurse = std::function<Value(const Value& iterable, std::int64_t depth0)>;

    // length: the number of elements, if known without iterating. recurse may be empty.
    Loop(std::shared_ptr<Iterator> elements, std::optional<std::int64_t> length, Recurse recurse,
         std::int64_t depth0)
        : elements_(std::move(elements)), length_(length), recurse_(std::move(recurse)), depth0_(depth0) {}

    // Goes to the next element. False after the last.
    bool advance(Runtime& runtime, Value& out);

    std::string_view type_name() const override { return "LoopContext"; }
    std::string repr(Runtime& runtime) const override;
    Value attribute(Runtime& runtime, std::string_view name) override;
    std::optional<std::int64_t> length(Runtime& runtime) override { return count(runtime); }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override;
    void clear() override;

  private:
    using Method = Value (Loop::*)(Runtime&, const Arguments&);
    class BoundMethod;

    bool peek(Runtime& runtime);
    std::int64_t count(Runtime& runtime);
    Value cycle(Runtime& runtime, const Arguments& arguments);
    Value changed(Runtime& runtime, const Arguments& arguments);

    std::shared_ptr<Iterator> elements_;
    std::optional<std::int64_t> length_;
    Recurse recurse_;
    std::int64_t depth0_, index0_ = -1;
    Value before_, current_, after_;  // after_ is missing unless peek() was called
    Value last_seen_;                 // by changed()
};

}  // namespace kvsplit::text::jinja
