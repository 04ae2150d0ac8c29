// Objects: values with behaviour of their own, such as generators, namespaces, macros.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;
struct SliceRange;

// Visits the elements of something once.
class Iterator {
  public:
    virtual ~Iterator() = default;
    // False after the last one.
    virtual bool next(Runtime& runtime, Value& out) = 0;
};

class Object : public std::enable_shared_from_this<Object> {
  public:
    virtual ~Object() = default;
    // Python's name of the type: "generator", "range", ...
    virtual std::string_view type_name() const = 0;
    virtual std::string repr(Runtime& runtime) const;
    virtual int depth() const { return 0; }

    // Missing if there is no such attribute.
    virtual Value attribute(Runtime& runtime, std::string_view name);
    // object[key]. Missing if the type has no such operation or the element does not exist.
    virtual Value item(Runtime& runtime, const Value& key);
    // Whether it has a length, items and slices.
    virtual bool has_items() const { return false; }
    virtual Value slice(Runtime& runtime, const SliceRange& range);
    // nullopt: len() of this type is an error.
    virtual std::optional<std::int64_t> length(Runtime& runtime);
    // Null: a loop over it is an error.
    virtual std::shared_ptr<Iterator> iterate(Runtime& runtime);
    // From the last element to the first. Null: reversed() of it is an error.
    virtual std::shared_ptr<Iterator> iterate_backwards(Runtime& runtime);
    virtual bool callable() const { return false; }
    virtual Value call(Runtime& runtime, Arguments& arguments);

    // Releases all values. Called at the end of rendering for objects made by Runtime::retain, which may form
    // cycles.
    virtual void clear() {}
};

}  // namespace kvsplit::text::jinja
