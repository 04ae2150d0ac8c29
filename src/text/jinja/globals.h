// The functions that every template knows: range, dict, namespace, cycler, joiner, raise_exception,
// strftime_now.
#pragma once

#include <string_view>

#include "text/jinja/object.h"
#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

// namespace(a=1): the only values that a template may change, by {% set name.a = 2 %}.
class Namespace final : public Object {
  public:
    explicit Namespace(Dict attributes) : attributes_(std::move(attributes)) {}
    std::string_view type_name() const override { return "Namespace"; }
    std::string repr(Runtime& runtime) const override;
    Value attribute(Runtime&, std::string_view name) override;
    // Refuses names that begin with an underscore.
    void set(Runtime& runtime, const std::string& name, Value value);
    void clear() override { attributes_ = {}; }

  private:
    Dict attributes_;
};

// Missing if there is no such global.
Value find_global(std::string_view name);

}  // namespace kvsplit::text::jinja
