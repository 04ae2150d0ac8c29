// AttributePath: the parameter `attribute` of filters: "name", "user.name", 0, "items.0".
#pragma once

#include <vector>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

class AttributePath {
  public:
    // None: the value itself.
    explicit AttributePath(const Value& path);
    // The value at the path. `otherwise` replaces an undefined part unless it is none.
    Value of(Runtime& runtime, Value value, const Value& otherwise = nullptr) const;

  private:
    std::vector<Value> parts_;
};

// The value itself, or in lower case if it is a string.
Value ignoring_case(Runtime& runtime, const Value& value);

}  // namespace kvsplit::text::jinja
