// Iterators over strings, lists and dicts; dict views, ranges and generators.
#pragma once

#include <functional>
#include <memory>

#include "text/jinja/object.h"
#include "text/jinja/runtime.h"

namespace kvsplit::text::jinja {

// Null if value cannot be iterated over (backwards).
std::shared_ptr<Iterator> iterator_of(Runtime& runtime, const Value& value, bool backwards);

// The result of filters such as `map`: makes its elements on demand, and only once.
class Generator final : public Object, public Iterator {
  public:
    // False: no more elements.
    using Step = std::function<bool(Runtime&, Value&)>;

    // name: of the type, as Python calls it.
    Generator(Step step, std::string_view name) : step_(std::move(step)), name_(name) {}
    std::string_view type_name() const override { return name_; }
    std::shared_ptr<Iterator> iterate(Runtime&) override {
        return std::static_pointer_cast<Generator>(shared_from_this());
    }
    bool next(Runtime& runtime, Value& out) override;
    void clear() override { step_ = nullptr; }

  private:
    Step step_;
    std::string_view name_;
    bool running_ = false;
};

Value make_generator(Runtime& runtime, Generator::Step step, std::string_view name = "generator");

// dict.keys(), dict.values(), dict.items().
enum class ViewKind { kKeys, kValues, kItems };
Value dict_view(Runtime& runtime, const Value& dict, ViewKind kind);

// range(start, stop, step) of at most 100,000 numbers, which is the sandbox's limit.
Value make_range(Runtime& runtime, std::int64_t start, std::int64_t stop, std::int64_t step);

}  // namespace kvsplit::text::jinja
