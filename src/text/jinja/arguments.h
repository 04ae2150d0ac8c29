// Arguments of a call, filter or test, and a reader for functions written in C++.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;
};

// Takes parameters in their order: each is the next positional argument, or the one of its name.
class ArgumentReader {
  public:
    // function: its name, for messages.
    ArgumentReader(std::string_view function, const Arguments& arguments)
        : function_(function), arguments_(arguments) {}

    // Null if it was not given.
    const Value* take(std::string_view name);
    const Value& required(std::string_view name);
    Value optional(std::string_view name, Value otherwise);
    bool flag(Runtime& runtime, std::string_view name, bool otherwise);  // the truth of any value
    std::int64_t integer(std::string_view name, std::int64_t otherwise);
    // The text of a string; refuses other types.
    std::string_view text(std::string_view name);
    std::string_view text(std::string_view name, std::string_view otherwise);

    // All positional arguments that were not taken.
    std::vector<Value> rest();
    // Refuses arguments that were given but not taken.
    void finish() const;

  private:
    std::string_view function_;
    const Arguments& arguments_;
    std::size_t next_ = 0, named_taken_ = 0;
};

// The integer of Python's __index__. Refuses other types; `what` names the use in the message.
std::int64_t index_of(const Value& value, std::string_view what);
std::string_view text_of(const Value& value, std::string_view what);

}  // namespace kvsplit::text::jinja
